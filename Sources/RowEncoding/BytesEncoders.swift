import Arrow
import Binlog
import MySQLSchema
import WireFormat

extension WireColumnType {
  /// The size of the length in front of cells that are byte strings; nil for other cells.
  var bytesPrefixByteCount: Int? {
    switch self {
    case .string, .varchar, .blob, .geometry, .vector, .compressedVarchar, .compressedBlob:
      extent?.prefixByteCount
    case .integer, .float, .double, .decimal, .oldDecimal, .bit, .year, .date, .oldTime,
      .oldDatetime, .oldTimestamp, .time, .datetime, .timestamp, .json, .enumeration, .set, .null,
      .unknown:
      nil
    }
  }

  /// Whether cells hold compressed values.
  var isCompressed: Bool {
    switch self {
    case .compressedVarchar, .compressedBlob: true
    default: false
    }
  }
}

/// Decompresses a cell that ends at `end`.
func decompress(_ cell: RawSpan, endingAt end: Int) throws(DecodeError) -> [UInt8] {
  do throws(DecodeError) {
    return try decompressColumnValue(cell)
  } catch {
    throw error.located(inFile: nil, at: end - cell.byteCount)
  }
}

/// VARBINARY, BLOB and GEOMETRY: bytes as they are, without the SRID in front of a geometry.
final class BytesEncoder: ColumnEncoder {
  private let values: BinaryBuilder
  /// How many bytes in front of the value are dropped.
  private let droppedByteCount: Int
  private var prefixByteCount = 1
  private var isCompressed = false

  init(_ column: Column, _ field: Field, _ context: ColumnContext, droppedByteCount: Int = 0) {
    values = BinaryBuilder(type: .binary)
    self.droppedByteCount = droppedByteCount
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    guard let prefixByteCount = wire.bytesPrefixByteCount else { return false }
    self.prefixByteCount = prefixByteCount
    isCompressed = wire.isCompressed
    return true
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    if isCompressed {
      let cell = try reader.readCell(prefixByteCount: prefixByteCount)
      let bytes = try decompress(cell, endingAt: reader.offset)
      return bytes.withUnsafeBytes { values.append($0) }
    }
    let length = try reader.readCellLength(prefixByteCount: prefixByteCount)
    // INSERT IGNORE leaves an empty value where there is no geometry, which has no SRID.
    guard length >= droppedByteCount || length == 0 else {
      throw DecodeError(.malformed, "SRID of a geometry", at: reader.offset)
    }
    try reader.skip(min(length, droppedByteCount))
    values.append(try reader.readBytes(max(0, length - droppedByteCount)))
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    guard cell.count >= droppedByteCount || cell.isEmpty else {
      throw DecodeError(.malformed, "SRID of a geometry", at: 0)
    }
    values.append(UnsafeRawBufferPointer(rebasing: cell.dropFirst(droppedByteCount)))
  }
}

/// BINARY(length): row images lack the zero bytes at the end, which come back here.
final class FixedBytesEncoder: ColumnEncoder {
  private let values: BinaryBuilder
  private let length: Int
  private var prefixByteCount = 1

  init(_ column: Column, _ field: Field, _ context: ColumnContext, length: Int) {
    values = BinaryBuilder(type: .binary)
    self.length = length
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    guard case .string(let maximumLength) = wire, maximumLength == length else { return false }
    prefixByteCount = wire.extent?.prefixByteCount ?? 1
    return true
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let cell = try reader.readCell(prefixByteCount: prefixByteCount)
    try cell.withUnsafeBytes { bytes throws(DecodeError) in try append(bytes, at: start) }
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    try append(cell, at: 0)
  }

  private func append(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DecodeError) {
    guard bytes.count <= length else {
      throw DecodeError(.malformed, "more bytes than the column has", at: offset)
    }
    values.write(bytes)
    for _ in bytes.count..<length { values.write(0) }
    values.endValue()
  }
}

/// VECTOR: 32-bit floats one after the other.
final class VectorEncoder: ColumnEncoder {
  private let values: ListBuilder
  private let items: PrimitiveBuilder<UInt32>
  private let dimensions: Int
  private var prefixByteCount = 1

  init(_ column: Column, _ field: Field, _ context: ColumnContext, dimensions: Int) {
    items = PrimitiveBuilder(type: .float32)
    values = ListBuilder(item: ColumnType.item(.float32), child: items)
    self.dimensions = dimensions
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    guard let prefixByteCount = wire.bytesPrefixByteCount else { return false }
    self.prefixByteCount = prefixByteCount
    return true
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let cell = try reader.readCell(prefixByteCount: prefixByteCount)
    try cell.withUnsafeBytes { bytes throws(DecodeError) in try append(bytes, at: start) }
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    try append(cell, at: 0)
  }

  private func append(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DecodeError) {
    // MySQL's VECTOR(n) holds up to n floats, MariaDB's exactly n.
    guard bytes.count % 4 == 0, bytes.count / 4 <= dimensions else {
      throw DecodeError(.malformed, "floats of a vector", at: offset)
    }
    for position in stride(from: 0, to: bytes.count, by: 4) {
      let bits = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)
      items.append(UInt32(littleEndian: bits))
    }
    values.endList()
  }
}
