import GRPCCore
import GatheringTransport
import NIOCore
import SwiftProtobuf

/// Encodes messages of the protocol that carry no rows.
struct ProtoSerializer<Message: SwiftProtobuf.Message>: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes {
    let bytes: [UInt8] = try message.serializedBytes()
    if let buffer = MessageBytes(ByteBuffer(bytes: bytes)) as? Bytes { return buffer }
    return Bytes(bytes)
  }
}

/// Decodes messages of the protocol that carry no rows.
struct ProtoDeserializer<Message: SwiftProtobuf.Message>: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
    try decodeProto(bytes.withUnsafeBytes { Array($0) })
  }
}

/// - Throws: an `RPCError` when the bytes are no such message.
func decodeProto<Message: SwiftProtobuf.Message>(
  _ bytes: some Collection<UInt8>, as _: Message.Type = Message.self
) throws -> Message {
  do {
    return try Message(serializedBytes: Array(bytes))
  } catch {
    throw RPCError(
      code: .invalidArgument,
      message: "malformed message: it should be a \(Message.protoMessageName)")
  }
}

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
