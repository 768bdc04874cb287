import Arrow
import Binlog
import MySQLSchema
import WireFormat

// Integers of a row image have the same bits as those of the Arrow array, signed or not, so that
// there is one encoder for each width. (One generic class would be shorter, but methods of generic
// classes are dispatched to code that is not specialised for the type.)

extension Column {
  /// Whether the column holds signed integers.
  fileprivate var isSigned: Bool {
    if case .integer(_, isUnsigned: true) = type { false } else { true }
  }
}

extension WireColumnType {
  /// Whether cells are whole numbers of `byteCount` bytes. ENUM and SET are, when their members are
  /// not known and the column is taken for an unsigned integer.
  fileprivate func isInteger(byteCount: Int, isSigned: Bool) -> Bool {
    switch self {
    case .integer(let actual): actual == byteCount
    case .enumeration(let actual), .set(let actual): actual == byteCount && !isSigned
    default: false
    }
  }
}

/// TINYINT.
final class TinyIntEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt8>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    wire.isInteger(byteCount: 1, isSigned: column.isSigned)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(try reader.read())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    let value = try parseInteger(cell, byteCount: 1, isSigned: column.isSigned)
    values.append(UInt8(truncatingIfNeeded: value))
  }
}

/// SMALLINT.
final class SmallIntEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt16>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    wire.isInteger(byteCount: 2, isSigned: column.isSigned)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(try reader.read())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    let value = try parseInteger(cell, byteCount: 2, isSigned: column.isSigned)
    values.append(UInt16(truncatingIfNeeded: value))
  }
}

/// MEDIUMINT: three bytes in a row image, four in the array.
final class MediumIntEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt32>
  private let isSigned: Bool

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    isSigned = column.isSigned
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    wire.isInteger(byteCount: 3, isSigned: isSigned)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let low = UInt32(try reader.read(UInt16.self))
    let value = low | UInt32(try reader.read(UInt8.self)) << 16
    values.append(isSigned && value & 0x80_0000 != 0 ? value | 0xFF00_0000 : value)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    let value = try parseInteger(cell, byteCount: 3, isSigned: isSigned)
    values.append(UInt32(truncatingIfNeeded: value))
  }
}

/// INT.
final class IntEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt32>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    wire.isInteger(byteCount: 4, isSigned: column.isSigned)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(try reader.read())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    let value = try parseInteger(cell, byteCount: 4, isSigned: column.isSigned)
    values.append(UInt32(truncatingIfNeeded: value))
  }
}

/// BIGINT.
final class BigIntEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt64>
  private var byteCount = 8

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    // A SET without its members is its mask, whatever its size.
    if case .set(let byteCount) = wire, !column.isSigned, (1...8).contains(byteCount) {
      self.byteCount = byteCount
      return true
    }
    byteCount = 8
    return wire.isInteger(byteCount: 8, isSigned: column.isSigned)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(byteCount == 8 ? try reader.read() : try reader.readUInt(byteCount: byteCount))
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    values.append(try parseInteger(cell, byteCount: 8, isSigned: column.isSigned))
  }
}
