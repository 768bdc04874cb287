import Arrow
import GRPCCore
import GatheringTransport
import NIOCore
import ProtobufCoding
import SwiftProtobuf

/// A message of a stream of rows on its way to a client: `FlightData` of the protocol.
struct OutgoingData: Sendable {
  var message: IPCMessage
}

/// A message of a stream of rows that a client sent.
struct IncomingData: Sendable {
  /// What the rows are for; only in the first message of a stream.
  var descriptor: ProtoFlightDescriptor?
  /// The FlatBuffer that describes the body; empty in a message that only has metadata.
  var header: [UInt8] = []
  var metadata: [UInt8] = []
  var body = Buffer.empty
}

/// The numbers of the fields of `FlightData`, with the wire type of bytes, which all of them have.
private enum FieldTag {
  static let descriptor: UInt64 = 1 << 3 | 2
  static let header: UInt64 = 2 << 3 | 2
  static let metadata: UInt64 = 3 << 3 | 2
  static let body: UInt64 = 1000 << 3 | 2
}

/// Encodes messages so that the buffers of their bodies are sent from where they lie.
struct FlightDataSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ data: OutgoingData) throws -> Bytes {
    let buffers = Self.buffers(of: data.message)
    if let bytes = MessageBytes(gathering: buffers) as? Bytes { return bytes }
    return Bytes(buffers.flatMap { $0.readableBytesView })
  }

  private static func buffers(of message: IPCMessage) -> [ByteBuffer] {
    var head = ByteBuffer()
    head.writeVarint(FieldTag.header)
    head.writeVarint(UInt64(message.header.count))
    head.writeBytes(message.header)
    // Arrow's C++ library expects a body wherever there can be one, even if it is empty.
    head.writeVarint(FieldTag.body)
    head.writeVarint(UInt64(message.bodyByteCount))
    return SharedBytes.buffers(of: message.body, after: head)
  }
}

/// Decodes messages; a body stays in the memory in which it was received.
struct FlightDataDeserializer: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> IncomingData {
    let buffer =
      (bytes as? MessageBytes)?.contiguous
      ?? bytes.withUnsafeBytes { ByteBuffer(bytes: $0) }
    return try IncomingData(decoding: buffer)
  }
}

extension IncomingData {
  /// - Throws: an `RPCError` when the bytes are no message of the protocol.
  init(decoding buffer: ByteBuffer) throws {
    var rest = buffer
    self.init()
    while rest.readableBytes > 0 {
      let tag = try rest.readProtoVarint()
      switch tag {
      case FieldTag.descriptor:
        let bytes = try rest.readProtoBytes()
        descriptor = try decodeProto(bytes.readableBytesView)
      case FieldTag.header: header = Array(try rest.readProtoBytes().readableBytesView)
      case FieldTag.metadata: metadata = Array(try rest.readProtoBytes().readableBytesView)
      case FieldTag.body: body = SharedBytes.buffer(of: try rest.readProtoBytes())
      default: try rest.skipProtoField(tag)
      }
    }
  }
}

extension ByteBuffer {
  fileprivate mutating func writeVarint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      writeInteger(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    writeInteger(UInt8(value))
  }

  fileprivate mutating func readProtoVarint() throws -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = readInteger(as: UInt8.self) else { break }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw malformedMessage()
  }

  fileprivate mutating func readProtoBytes() throws -> ByteBuffer {
    guard let count = Int(exactly: try readProtoVarint()), let bytes = readSlice(length: count)
    else { throw malformedMessage() }
    return bytes
  }

  /// Skips a field of a later version of the protocol.
  fileprivate mutating func skipProtoField(_ tag: UInt64) throws {
    switch tag & 7 {
    case 0: _ = try readProtoVarint()
    case 1: guard readSlice(length: 8) != nil else { throw malformedMessage() }
    case 2: _ = try readProtoBytes()
    case 5: guard readSlice(length: 4) != nil else { throw malformedMessage() }
    default: throw malformedMessage()
    }
  }
}

private func malformedMessage() -> RPCError {
  RPCError(code: .invalidArgument, message: "malformed FlightData")
}
