import Arrow
import Binlog
import MySQLSchema
import Testing
import WireFormat

@testable import RowEncoding

/// Bytes from hexadecimal digits; spaces are ignored.
func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.filter { $0 != " " }.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// What the cell of an array is, as text that tells every value from every other.
func cellText(_ array: ArrayData, _ index: Int) -> String {
  if array.isNull(at: index) { return "NULL" }
  func number<T: BitwiseCopyable>(_: T.Type) -> String {
    array.withValues(of: T.self) { "\($0[index])" }
  }
  func text() -> String { array.withBinaryValue(at: index) { String(decoding: $0, as: UTF8.self) } }
  switch array.type {
  case .int8: return number(Int8.self)
  case .int16: return number(Int16.self)
  case .int32, .date32: return number(Int32.self)
  case .int64, .timestamp: return number(Int64.self)
  case .uint8: return number(UInt8.self)
  case .uint16: return number(UInt16.self)
  case .uint32: return number(UInt32.self)
  case .uint64: return number(UInt64.self)
  case .float32: return number(Float.self)
  case .float64: return number(Double.self)
  case .decimal128(_, let scale), .decimal256(_, let scale):
    let value = array.decimal(at: index)
    return decimalText(value.magnitude, isNegative: value.isNegative, scale: scale)
  case .utf8, .dictionary: return text()
  case .binary, .fixedSizeBinary: return array.withBinaryValue(at: index) { hex($0) }
  case .list:
    let items = array.listRange(at: index).map { cellText(array.children[0], $0) }
    return "[" + items.joined(separator: ", ") + "]"
  default: return "unexpected type \(array.type)"
  }
}

private func decimalText(
  _ magnitude: (UInt64, UInt64, UInt64, UInt64), isNegative: Bool, scale: Int
) -> String {
  var limbs = [magnitude.3, magnitude.2, magnitude.1, magnitude.0]
  var digits: [Character] = []
  while limbs.contains(where: { $0 != 0 }) || digits.count < (scale > 0 ? scale + 2 : 1) {
    var remainder: UInt64 = 0
    for index in limbs.indices {
      (limbs[index], remainder) = UInt64(10).dividingFullWidth((remainder, limbs[index]))
    }
    digits.append(Character("\(remainder)"))
    if digits.count == scale && scale > 0 { digits.append(".") }
  }
  return (isNegative ? "-" : "") + String(digits.reversed())
}

/// All cells of a batch, row by row.
func rows(_ batch: RecordBatch) -> [[String]] {
  (0..<batch.rowCount).map { row in batch.columns.map { cellText($0, row) } }
}

/// A table of columns that are not NULL unless they say so, with the first as its key.
func table(_ columns: [Column], primaryKey: [Int] = [0]) -> TableSchema {
  TableSchema(name: TableName(database: "d", table: "t"), columns: columns, primaryKey: primaryKey)
}

func column(_ name: String, _ type: ColumnType, isNullable: Bool = true) -> Column {
  Column(name: name, type: type, isNullable: isNullable)
}

/// A table map that says no more than the types.
func tableMap(_ types: [WireColumnType], nullability: [Bool]? = nil) -> TableMap {
  TableMap(
    tableID: 1, flags: 0, database: "d", table: "t", columnTypes: types,
    nullability: nullability ?? types.map { _ in true })
}

/// An event of full images.
func event(_ kind: RowsEvent.Kind, _ tableMap: TableMap, images: [UInt8]) -> RowsEvent {
  let count = tableMap.columnTypes.count
  let all = ColumnBitmap(count: count, bytes: Array(repeating: 0xFF, count: (count + 7) / 8))
  return RowsEvent(
    kind: kind, tableMap: tableMap, isStatementEnd: true, columnsPresent: all,
    columnsPresentAfter: all, images: 0..<images.count)
}

/// Appends rows of text to an encoder.
func appendText(_ encoder: TableEncoder, _ row: [[UInt8]?], version: UInt64 = 1) throws {
  let cells = row.map { $0.map(ContiguousArray.init) }
  // The encoder takes pointers that outlive the call of the closure, as rows of a client library
  // have.
  let copies = cells.map { cell -> UnsafeMutableRawBufferPointer? in
    guard let cell else { return nil }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(cell.count, 1), alignment: 1)
    copy.copyBytes(from: cell)
    return copy
  }
  defer { for copy in copies { copy?.deallocate() } }
  try encoder.appendText(
    row: { index in
      copies[index].map { UnsafeRawBufferPointer(rebasing: $0[..<(cells[index]?.count ?? 0)]) }
    }, version: version)
}

/// A small generator whose sequence depends on the seed only, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
