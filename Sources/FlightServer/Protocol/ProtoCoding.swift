import ProtobufCoding
import SwiftProtobuf

/// The bytes of a message inside a `google.protobuf.Any`, as Flight SQL sends all of its own.
func packed(_ message: some SwiftProtobuf.Message) throws -> [UInt8] {
  try Google_Protobuf_Any(message: message).serializedBytes()
}

extension Google_Protobuf_Any {
  /// The message inside, when it is one of that type.
  ///
  /// - Throws: an `RPCError` when it says it is, and is not.
  func unpack<Message: SwiftProtobuf.Message>(_: Message.Type = Message.self) throws -> Message? {
    guard isA(Message.self) else { return nil }
    return try decodeProto(value)
  }
}
