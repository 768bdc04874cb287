import Arrow
import Binlog
import MySQLSchema
import MySQLSource
import RowEncoding
import TestSupport

/// The URL of a test server, without what the environment may hold.
func sourceURL(_ text: String) throws(SourceError) -> SourceURL {
  try SourceURL(text, environment: [:])
}

func text(_ rows: [[[UInt8]?]]) -> [[String?]] {
  rows.map { row in row.map { field in field.map { String(decoding: $0, as: UTF8.self) } } }
}

extension MariaDBServer {
  /// The declaration of one table of this server.
  func schema(of table: TableName) async throws -> TableSchema {
    let source = try await SourceConnection.connect(to: try sourceURL(url()))
    let schema = try await source.declaration(of: table)
    await source.close()
    guard let schema else {
      throw SourceError(.schema, "no table \(table)")
    }
    return try schema.get()
  }
}

/// Reads all rows of a table to text, one array for each row, without version and mark.
func allRows(_ rows: TableRows) async throws -> [[String]] {
  var result: [[String]] = []
  while let batch = try await rows.next() { result += batch.rows.rendered }
  return result
}

/// The rows that a stream's events insert into one table, to text.
///
/// - Parameter isDone: looks at the rows so far after each event.
func insertedRows(
  _ stream: BinlogStream, from position: BinlogPosition, _ table: TableSchema,
  until isDone: ([[String]]) -> Bool
) async throws -> [[String]] {
  var decoder = BinlogDecoder(file: position.file)
  let encoder = try TableEncoder(schema: table)
  var version: UInt64 = 1
  var rows: [[String]] = []
  while !isDone(rows) {
    for event in try await stream.next() {
      try decoder.decode(event.span.bytes, at: 0) { event, bytes in
        guard case .rows(let change) = event.body, change.kind == .write,
          change.tableMap.table == table.name.table
        else { return }
        try encoder.append(change, in: bytes, nextVersion: &version)
      }
    }
    rows += try encoder.finish().rendered
  }
  return rows
}

extension RecordBatch {
  /// The rows as text, without the last two columns, which are version and mark.
  var rendered: [[String]] {
    (0..<rowCount).map { row in columns.dropLast(2).map { $0.rendered(at: row) } }
  }
}

extension ArrayData {
  func rendered(at index: Int) -> String {
    if isNull(at: index) { return "NULL" }
    func value<T: BitwiseCopyable>(_: T.Type) -> T { withValues(of: T.self) { $0[index] } }
    switch type {
    case .int8: return "\(value(Int8.self))"
    case .int16: return "\(value(Int16.self))"
    case .int32, .date32: return "\(value(Int32.self))"
    case .int64, .timestamp: return "\(value(Int64.self))"
    case .uint8: return "\(value(UInt8.self))"
    case .uint16: return "\(value(UInt16.self))"
    case .uint32: return "\(value(UInt32.self))"
    case .uint64: return "\(value(UInt64.self))"
    case .float32: return "\(value(Float.self))"
    case .float64: return "\(value(Double.self))"
    case .decimal128, .decimal256: return "\(decimal(at: index))"
    case .utf8: return withBinaryValue(at: index) { String(decoding: $0, as: UTF8.self) }
    case .binary, .fixedSizeBinary:
      return withBinaryValue(at: index) {
        $0.count < 1000 ? "\(Array($0))" : "\($0.count) bytes, \($0[0]) … \($0[$0.count - 1])"
      }
    case .list:
      return "\(listRange(at: index).map { children[0].rendered(at: $0) })"
    case .dictionary:
      guard let dictionary, let key = dictionaryIndex(at: index) else { return "?" }
      return dictionary.rendered(at: key)
    default: return "no text for \(type)"
    }
  }
}
