import WireFormat

extension BinlogPosition {
  /// The longest file name that a server writes (FN_REFLEN).
  private static let longestFileName = 512

  /// Decodes a ROTATE event.
  init(from reader: inout ByteReader) throws(DecodeError) {
    let offset: UInt64 = try reader.read()
    self.init(file: try Self.readFileName(&reader, reader.remaining), offset: offset)
  }

  /// Decodes a HEARTBEAT event: the file is in the body, the offset in the header.
  ///
  /// - Returns: nil when the event names no file.
  static func heartbeat(_ header: EventHeader, from reader: inout ByteReader)
    throws(DecodeError) -> BinlogPosition?
  {
    let file = try readFileName(&reader, reader.remaining)
    return file.isEmpty ? nil : BinlogPosition(file: file, offset: UInt64(header.nextPosition))
  }

  /// Decodes a HEARTBEAT_V2 event: fields of type, length and value, up to type 0.
  ///
  /// - Returns: nil when the event names no file or no offset.
  static func heartbeatV2(from reader: inout ByteReader) throws(DecodeError) -> BinlogPosition? {
    var file: String?
    var offset: UInt64?
    while true {
      let type = try reader.readPackedInteger("heartbeat field")
      if type == 0 { break }
      var field = ByteReader(try reader.readPackedBytes("heartbeat field"))
      switch type {
      case 1: file = try readFileName(&field, field.remaining)
      case 2: offset = try field.readPackedInteger("heartbeat offset")
      default: try field.skip(field.remaining)
      }
      try field.expectEnd("heartbeat field")
    }
    guard let file, let offset else { return nil }
    return BinlogPosition(file: file, offset: offset)
  }

  private static func readFileName(_ reader: inout ByteReader, _ count: Int)
    throws(DecodeError) -> String
  {
    guard count <= longestFileName else {
      throw DecodeError(.limitExceeded, "binlog file name", at: reader.offset)
    }
    return try reader.readString(count)
  }
}
