import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// FLOAT, by its bits; -0 becomes 0, as which servers print it.
final class FloatEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt32>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .float }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    append(try reader.read())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    let value = Float(try parseDouble(cell))
    guard value.isFinite else { throw DecodeError(.malformed, "floating-point number", at: 0) }
    append(value.bitPattern)
  }

  private func append(_ bits: UInt32) {
    values.append(bits == Float(-0.0).bitPattern ? 0 : bits)
  }
}

/// DOUBLE, by its bits; -0 becomes 0, as which servers print it.
final class DoubleEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt64>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .double }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    append(try reader.read())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    append(try parseDouble(cell).bitPattern)
  }

  private func append(_ bits: UInt64) {
    values.append(bits == (-0.0).bitPattern ? 0 : bits)
  }
}

/// BIT: a big-endian number of as many bytes as the width needs, both in row images and in text.
final class BitEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt64>
  private let width: Int

  init(_ column: Column, _ field: Field, _ context: ColumnContext, width: Int) {
    values = PrimitiveBuilder(type: field.type)
    self.width = width
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .bit(width: width) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let value = try reader.readBigEndianUInt(byteCount: (width + 7) / 8)
    try append(value, at: start)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    guard (1...8).contains(cell.count) else { throw DecodeError(.malformed, "bits", at: 0) }
    try append(cell.reduce(0) { $0 << 8 | UInt64($1) }, at: 0)
  }

  private func append(_ value: UInt64, at offset: Int) throws(DecodeError) {
    guard width == 64 || value >> UInt64(width) == 0 else {
      throw DecodeError(.malformed, "more bits than the column has", at: offset)
    }
    values.append(value)
  }
}

/// YEAR: the years since 1900 in one byte, 0 for 0000.
final class YearEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt16>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .year }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let value = try reader.read(UInt8.self)
    values.append(value == 0 ? 0 : 1900 + UInt16(value))
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    let year = try cursor.number(digits: 4, "year")
    try cursor.expectEnd("year")
    guard year == 0 || (1901...2155).contains(year) else { throw cursor.error("year") }
    values.append(UInt16(year))
  }
}
