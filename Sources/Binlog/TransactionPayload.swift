import WireFormat

/// The head of a TRANSACTION_PAYLOAD event: a whole transaction, compressed (MySQL 8.0.20 and
/// later).
public struct TransactionPayload: Hashable, Sendable {
  public enum Compression: UInt64, Hashable, Sendable {
    case zstd = 0
    case none = 255
  }

  public var compression: Compression
  /// The size in bytes of the events inside.
  public var uncompressedByteCount: UInt64
  /// Where the compressed bytes lie, as offsets into the bytes of the event.
  public var content: Range<Int>

  public init(compression: Compression, uncompressedByteCount: UInt64, content: Range<Int>) {
    self.compression = compression
    self.uncompressedByteCount = uncompressedByteCount
    self.content = content
  }

  init(from reader: inout ByteReader) throws(DecodeError) {
    var compression = Compression.none
    var uncompressed: UInt64?
    var size: UInt64?
    while true {
      let field = try reader.readPackedInteger("payload field")
      if field == 0 { break }
      let start = reader.offset
      var value = ByteReader(try reader.readPackedBytes("payload field"))
      switch field {
      case 1:
        size = try value.readPackedInteger("payload size")
      case 2:
        let code = try value.readPackedInteger("payload compression")
        guard let known = Compression(rawValue: code) else {
          throw DecodeError(.unsupported, "payload compression \(code)", at: start)
        }
        compression = known
      case 3:
        uncompressed = try value.readPackedInteger("uncompressed payload size")
      default:
        try value.skip(value.remaining)
      }
      try value.expectEnd("payload field")
    }
    let start = reader.offset
    guard let size, size == UInt64(reader.remaining) else {
      throw DecodeError(.malformed, "payload size", at: start)
    }
    try reader.skip(reader.remaining)
    self.init(
      compression: compression, uncompressedByteCount: uncompressed ?? size,
      content: start..<reader.offset)
  }
}
