public import GRPCCore
public import SwiftProtobuf

/// Encodes the messages of a gRPC call.
public struct ProtoSerializer<Message: SwiftProtobuf.Message>: MessageSerializer {
  /// Makes one.
  public init() {}

  /// The bytes of a message.
  public func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes {
    let bytes: [UInt8] = try message.serializedBytes()
    return Bytes(bytes)
  }
}

/// Decodes the messages of a gRPC call.
public struct ProtoDeserializer<Message: SwiftProtobuf.Message>: MessageDeserializer {
  /// Makes one.
  public init() {}

  /// The message in some bytes.
  public func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
    try decodeProto(bytes.withUnsafeBytes { Array($0) })
  }
}

/// The message in some bytes.
///
/// - Throws: an `RPCError` when the bytes are no such message.
public func decodeProto<Message: SwiftProtobuf.Message>(
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
