import Binlog
import WireFormat

/// How many bytes the cells of a column take in a row image, which is all that skipping them needs.
struct CellExtent {
  /// The size of the length that precedes the cell; 0 when all cells have ``byteCount`` bytes.
  var prefixByteCount: Int
  var byteCount: Int

  static func fixed(_ byteCount: Int) -> CellExtent {
    CellExtent(prefixByteCount: 0, byteCount: byteCount)
  }

  static func prefixed(_ prefixByteCount: Int) -> CellExtent {
    CellExtent(prefixByteCount: prefixByteCount, byteCount: 0)
  }

  /// Moves past one cell.
  @inline(__always)
  func skip(_ reader: inout ByteReader) throws(DecodeError) {
    if prefixByteCount == 0 {
      try reader.skip(byteCount)
    } else {
      try reader.skip(reader.readCellLength(prefixByteCount: prefixByteCount))
    }
  }
}

extension WireColumnType {
  /// `nil` for a layout that no supported server writes.
  var extent: CellExtent? {
    switch self {
    case .integer(let byteCount): .fixed(byteCount)
    case .float: .fixed(4)
    case .double: .fixed(8)
    case .decimal(let precision, let scale):
      DecimalLayout(precision: precision, scale: scale).map { .fixed($0.byteCount) }
    case .bit(let width): .fixed((width + 7) / 8)
    case .year: .fixed(1)
    case .date, .oldTime: .fixed(3)
    case .oldDatetime: .fixed(8)
    case .oldTimestamp: .fixed(4)
    case .time(let digits): .fixed(3 + (digits + 1) / 2)
    case .datetime(let digits): .fixed(5 + (digits + 1) / 2)
    case .timestamp(let digits): .fixed(4 + (digits + 1) / 2)
    case .string(let maximumLength), .varchar(let maximumLength),
      .compressedVarchar(let maximumLength):
      .prefixed(maximumLength > 255 ? 2 : 1)
    case .blob(let lengthBytes), .geometry(let lengthBytes), .json(let lengthBytes),
      .vector(let lengthBytes), .compressedBlob(let lengthBytes):
      (1...4).contains(lengthBytes) ? .prefixed(lengthBytes) : nil
    case .enumeration(let byteCount): .fixed(byteCount)
    case .set(let byteCount): .fixed(byteCount)
    case .null: .fixed(0)
    case .oldDecimal, .unknown: nil
    }
  }
}

extension ByteReader {
  /// Reads the length in front of a cell.
  @inline(__always)
  mutating func readCellLength(prefixByteCount: Int) throws(DecodeError) -> Int {
    if prefixByteCount == 1 { return Int(try read(UInt8.self)) }
    if prefixByteCount == 2 { return Int(try read(UInt16.self)) }
    return Int(try readUInt(byteCount: prefixByteCount))
  }

  /// Reads a cell with a length in front of it, without copying it.
  @inline(__always)
  @_lifetime(copy self)
  mutating func readCell(prefixByteCount: Int) throws(DecodeError) -> RawSpan {
    try readBytes(readCellLength(prefixByteCount: prefixByteCount))
  }
}
