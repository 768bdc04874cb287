import WireFormat

extension TableMap.Content {
  /// The number of columns that a table may have in MySQL and MariaDB.
  static let maximumColumnCount = 4096

  /// Decodes a TABLE_MAP event from the byte after the table id.
  init(
    tableID: UInt64, from reader: inout ByteReader, postHeaderLength: Int, isMariaDB: Bool
  ) throws(DecodeError) {
    let flags: UInt16 = try reader.read()
    let known = postHeaderLength == 6 ? 6 : 8
    try reader.skipPostHeader(length: postHeaderLength, known: known, "table map event")
    let database = try reader.readTerminatedString("database name")
    let table = try reader.readTerminatedString("table name")
    let count = try reader.readLengthEncodedCount(atMost: Self.maximumColumnCount, "column count")
    let typeCodes = try reader.readBytes(count)
    var metadata = ByteReader(try reader.readPackedBytes("column metadata"))
    var types: [WireColumnType] = []
    types.reserveCapacity(count)
    var unknownCode: UInt8?
    for index in 0..<count where unknownCode == nil {
      let code = typeCodes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      if let type = try WireColumnType(code: code, metadata: &metadata) {
        types.append(type)
      } else {
        unknownCode = code
      }
    }
    if let unknownCode {
      // Other tables must not suffer from it: only the rows of this one cannot be read.
      types = Array(repeating: .unknown(code: unknownCode), count: count)
      try metadata.skip(metadata.remaining)
    }
    try metadata.expectEnd("column metadata")
    let nullBits = ColumnBitmap(count: count, try reader.readBytes((count + 7) / 8))
    self.init(
      tableID: tableID, flags: flags, database: database, table: table, columnTypes: types,
      nullability: (0..<count).map { nullBits[$0] })
    if unknownCode == nil {
      try readOptionalMetadata(&reader, isMariaDB: isMariaDB)
    } else {
      try reader.skip(reader.remaining)
    }
  }
}

extension ByteReader {
  /// Reads text with its length in the byte before it and a zero byte after it.
  fileprivate mutating func readTerminatedString(_ what: String) throws(DecodeError) -> String {
    let text = try readShortString()
    guard try read(UInt8.self) == 0 else {
      throw DecodeError(.malformed, "end of the \(what)", at: offset - 1)
    }
    return text
  }
}

extension WireColumnType {
  /// Resolves a type code of `enum_field_types` with the metadata that belongs to it; nil for a code
  /// that is not known.
  init?(code: UInt8, metadata: inout ByteReader) throws(DecodeError) {
    switch code {
    case 0: self = .oldDecimal
    case 1: self = .integer(byteCount: 1)
    case 2: self = .integer(byteCount: 2)
    case 3: self = .integer(byteCount: 4)
    case 4:
      try metadata.skip(1)
      self = .float
    case 5:
      try metadata.skip(1)
      self = .double
    case 6: self = .null
    case 7: self = .oldTimestamp
    case 8: self = .integer(byteCount: 8)
    case 9: self = .integer(byteCount: 3)
    case 10, 14: self = .date
    case 11: self = .oldTime
    case 12: self = .oldDatetime
    case 13: self = .year
    case 15: self = .varchar(maximumLength: Int(try metadata.read(UInt16.self)))
    case 16: self = try .readBit(&metadata)
    case 17: self = .timestamp(fractionalDigits: try metadata.readFractionalDigits())
    case 18: self = .datetime(fractionalDigits: try metadata.readFractionalDigits())
    case 19: self = .time(fractionalDigits: try metadata.readFractionalDigits())
    case 140: self = .compressedBlob(lengthBytes: try metadata.readLengthBytes())
    case 141: self = .compressedVarchar(maximumLength: Int(try metadata.read(UInt16.self)))
    case 242: self = .vector(lengthBytes: try metadata.readLengthBytes())
    case 245: self = .json(lengthBytes: try metadata.readLengthBytes())
    case 246: self = try .readDecimal(&metadata)
    case 247, 248, 253, 254: self = try .readString(&metadata)
    case 249...252: self = .blob(lengthBytes: try metadata.readLengthBytes())
    case 255: self = .geometry(lengthBytes: try metadata.readLengthBytes())
    default: return nil
    }
  }

  private static func readBit(_ metadata: inout ByteReader) throws(DecodeError) -> WireColumnType {
    let bits = Int(try metadata.read(UInt8.self))
    let width = Int(try metadata.read(UInt8.self)) * 8 + bits
    guard bits < 8, (1...64).contains(width) else {
      throw DecodeError(.malformed, "width of a BIT column", at: metadata.offset - 2)
    }
    return .bit(width: width)
  }

  private static func readDecimal(_ metadata: inout ByteReader) throws(DecodeError)
    -> WireColumnType
  {
    let precision = Int(try metadata.read(UInt8.self))
    let scale = Int(try metadata.read(UInt8.self))
    guard (1...65).contains(precision), scale <= min(precision, 38) else {
      throw DecodeError(.malformed, "precision of a DECIMAL column", at: metadata.offset - 2)
    }
    return .decimal(precision: precision, scale: scale)
  }

  /// STRING carries its real type in the first metadata byte, and its length in the second and in
  /// two bits of the first, which are stored inverted: all real types have them set.
  private static func readString(_ metadata: inout ByteReader) throws(DecodeError)
    -> WireColumnType
  {
    let first = try metadata.read(UInt8.self)
    let length = Int(try metadata.read(UInt8.self))
    let lengthBits = Int(first & 0x30) ^ 0x30
    switch first | 0x30 {
    case 247 where lengthBits == 0 && (1...2).contains(length):
      return .enumeration(byteCount: length)
    case 248 where lengthBits == 0 && (1...8).contains(length):
      return .set(byteCount: length)
    case 253, 254:
      return .string(maximumLength: length | lengthBits << 4)
    default:
      throw DecodeError(.malformed, "real type of a STRING column", at: metadata.offset - 2)
    }
  }
}

extension ByteReader {
  fileprivate mutating func readFractionalDigits() throws(DecodeError) -> Int {
    let digits = Int(try read(UInt8.self))
    guard digits <= 6 else {
      throw DecodeError(.malformed, "fractional digits of a column", at: offset - 1)
    }
    return digits
  }

  fileprivate mutating func readLengthBytes() throws(DecodeError) -> Int {
    let count = Int(try read(UInt8.self))
    guard (1...4).contains(count) else {
      throw DecodeError(.malformed, "length bytes of a column", at: offset - 1)
    }
    return count
  }
}
