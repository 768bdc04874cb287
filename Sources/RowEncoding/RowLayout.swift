import Binlog
import MySQLSchema
import WireFormat

/// How the row images of a table lie in memory, worked out once for each table map that differs
/// from the last.
struct RowLayout {
  private var tableMap: TableMap
  /// How to move past the cells, those of hidden columns at the end included.
  let extents: [CellExtent]
  /// The columns of MySQL's binary JSON.
  let jsonColumns: [Int]
  /// The size of the NULL bits in front of a full image.
  let nullByteCount: Int

  /// Prepares the columns for the table's cells.
  ///
  /// - Throws: ``EncodingError`` when the table map is not of this schema.
  init(_ tableMap: TableMap, _ schema: TableSchema, _ columns: [ColumnEncoder])
    throws(EncodingError)
  {
    self.tableMap = tableMap
    nullByteCount = (tableMap.columnTypes.count + 7) / 8
    if case .unknown(let code) = tableMap.columnTypes.first {
      throw EncodingError(
        .schemaMismatch, table: schema.name,
        "a column has the type code \(code) in the binlog, which is not known")
    }
    let hidden = tableMap.columnTypes.dropFirst(columns.count)
    guard tableMap.columnTypes.count >= columns.count,
      hidden.isEmpty || Self.areHashes(hidden.indices, tableMap, schema)
    else {
      throw EncodingError(
        .schemaMismatch, table: schema.name,
        "the schema has \(columns.count) columns, the binlog \(tableMap.columnTypes.count)")
    }
    var extents: [CellExtent] = []
    for (index, encoder) in columns.enumerated() {
      let wire = tableMap.columnTypes[index]
      try Self.check(encoder, at: index, tableMap, schema)
      guard encoder.accept(wire), let extent = wire.extent else {
        throw EncodingError(
          .schemaMismatch, table: schema.name, column: encoder.column.name,
          "the schema has \(encoder.column.type.summary), the binlog \(wire)")
      }
      extents.append(extent)
    }
    self.extents = extents + hidden.compactMap(\.extent)
    jsonColumns = tableMap.columnTypes.indices.filter {
      if case .json = tableMap.columnTypes[$0] { true } else { false }
    }
  }

  /// Whether the columns of the binlog that the table does not have are the hashes that MariaDB keeps of
  /// the values of long unique keys.
  private static func areHashes(
    _ indices: Range<Int>, _ tableMap: TableMap, _ schema: TableSchema
  ) -> Bool {
    guard indices.allSatisfy({ tableMap.columnTypes[$0] == .integer(byteCount: 8) }) else {
      return false
    }
    if let names = tableMap.columnNames {
      return indices.allSatisfy { names[$0].hasPrefix(TableMap.hashColumnPrefix) }
    }
    return schema.hashColumnCount.map { indices.count <= $0 } ?? false
  }

  /// Whether rows that follow `other` lie in the same way; quick while the decoder hands out the
  /// same map.
  mutating func isOf(_ other: TableMap) -> Bool {
    if tableMap == other { return true }
    guard
      tableMap.columnTypes == other.columnTypes && tableMap.collations == other.collations
        && tableMap.isUnsigned == other.isUnsigned && tableMap.columnNames == other.columnNames
        && tableMap.members == other.members
    else { return false }
    // The server has opened the table anew, and goes on with this map.
    tableMap = other
    return true
  }

  /// Compares what the table map says beyond the types with the schema.
  private static func check(
    _ encoder: ColumnEncoder, at index: Int, _ tableMap: TableMap, _ schema: TableSchema
  ) throws(EncodingError) {
    func mismatch(_ message: String) -> EncodingError {
      EncodingError(.schemaMismatch, table: schema.name, column: encoder.column.name, message)
    }
    // Column names do not depend on case.
    if let name = tableMap.columnNames?[index],
      name.lowercased() != encoder.column.name.lowercased()
    {
      throw mismatch("the binlog calls the column \(name)")
    }
    if case .integer(_, let isUnsigned) = encoder.column.type,
      let actual = tableMap.isUnsigned?[index],
      case .integer = tableMap.columnTypes[index], actual != isUnsigned
    {
      throw mismatch("the column is \(actual ? "unsigned" : "signed") in the binlog only")
    }
    if let actual = tableMap.members?[index].count, actual > 0 {
      switch encoder.column.type {
      case .enumeration(let members) where members.count != actual,
        .set(let members) where members.count != actual:
        throw mismatch("the schema has \(members.count) members, the binlog \(actual)")
      default: break
      }
    }
    try checkCharset(encoder, collation: tableMap.collations?[index], schema)
  }

  /// The charset that the table map gives goes before the schema's.
  private static func checkCharset(
    _ encoder: ColumnEncoder, collation: UInt64?, _ schema: TableSchema
  ) throws(EncodingError) {
    let column = encoder.column
    switch column.type {
    case .string(let declared):
      guard let collation else {
        if declared != nil { return }
        throw EncodingError(
          .unknownCharset, table: schema.name, column: column.name,
          "neither the schema nor the binlog names the charset (binlog_row_metadata=FULL would)")
      }
      let charset = Charset.name(collation: collation)
      if charset == "binary" {
        throw EncodingError(
          .schemaMismatch, table: schema.name, column: column.name,
          "the schema has text, the binlog bytes")
      }
      guard let charset, encoder.accept(charset: charset) else {
        throw EncodingError(
          .unknownCharset, table: schema.name, column: column.name,
          "text in charset \(charset ?? "of collation \(collation)") cannot be converted to UTF-8")
      }
    case .binary, .bytes:
      if let collation, Charset.name(collation: collation) != "binary" {
        throw EncodingError(
          .schemaMismatch, table: schema.name, column: column.name,
          "the schema has bytes, the binlog text")
      }
    case .integer, .float, .double, .decimal, .bit, .date, .datetime, .timestamp, .time, .year,
      .enumeration, .set, .json, .geometry, .inet4, .inet6, .uuid, .vector:
      break
    }
  }

  /// Moves past a full image.
  func skipImage(_ reader: inout ByteReader) throws(DecodeError) {
    let nulls = try reader.readBytes(nullByteCount)
    if nulls.isAllZero {
      for extent in extents { try extent.skip(&reader) }
    } else {
      for (index, extent) in extents.enumerated() where !nulls.bit(at: index) {
        try extent.skip(&reader)
      }
    }
  }

  /// Whether two full images hold different bytes in the columns of the primary key.
  ///
  /// - Parameters:
  ///   - before: at the start of one image.
  ///   - after: at the start of the other.
  ///   - isKey: for each column up to the last of the key whether it belongs to the key.
  func keysDiffer(_ before: ByteReader, _ after: ByteReader, isKey: [Bool]) throws(DecodeError)
    -> Bool
  {
    var before = before
    var after = after
    let nullsBefore = try before.readBytes(nullByteCount)
    let nullsAfter = try after.readBytes(nullByteCount)
    for (index, isKey) in isKey.enumerated() {
      let (startBefore, startAfter) = (before.offset, after.offset)
      if !nullsBefore.bit(at: index) { try extents[index].skip(&before) }
      if !nullsAfter.bit(at: index) { try extents[index].skip(&after) }
      if !isKey { continue }
      // The length in front of a cell is compared with it. NULL is no value of a key column.
      let cellBefore = before.bytes.extracting(startBefore..<before.offset)
      let cellAfter = after.bytes.extracting(startAfter..<after.offset)
      if !cellBefore.isEqual(to: cellAfter) { return true }
    }
    return false
  }
}

extension RawSpan {
  /// The bit at `index`, lowest bit of the first byte first.
  ///
  /// - Precondition: the span has that many bits.
  @inline(__always)
  func bit(at index: Int) -> Bool {
    let byte = unsafeLoad(fromUncheckedByteOffset: index &>> 3, as: UInt8.self)
    return byte &>> UInt8(truncatingIfNeeded: index & 7) & 1 != 0
  }

  @inline(__always)
  var isAllZero: Bool {
    for offset in 0..<byteCount
    where unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) != 0 {
      return false
    }
    return true
  }

  @inline(__always)
  func isEqual(to other: RawSpan) -> Bool {
    guard byteCount == other.byteCount else { return false }
    for offset in 0..<byteCount
    where unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
      != other.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    {
      return false
    }
    return true
  }
}

extension ColumnType {
  /// The type without the members of an ENUM or SET, of which there can be thousands.
  fileprivate var summary: String {
    switch self {
    case .enumeration(let members): "enumeration of \(members.count) members"
    case .set(let members): "set of \(members.count) members"
    case .integer, .float, .double, .decimal, .bit, .date, .datetime, .timestamp, .time, .year,
      .string, .binary, .bytes, .json, .geometry, .inet4, .inet6, .uuid, .vector:
      "\(self)"
    }
  }
}
