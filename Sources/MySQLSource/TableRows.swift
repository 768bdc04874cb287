import Arrow
import MySQLSchema
import RowEncoding

/// How large a batch of rows becomes before it is handed over; a batch always has at least one row.
public struct BatchLimits: Hashable, Sendable {
  public var rowCount: Int
  /// Bytes of the rows as text.
  public var byteCount: Int

  public init(rowCount: Int = 65536, byteCount: Int = 32 << 20) {
    self.rowCount = rowCount
    self.byteCount = byteCount
  }
}

/// The rows of one table, read from the source as they are asked for.
///
/// Dropping it before the last batch ends the connection, since the server would go on sending.
public final class TableRows: Sendable {
  public let schema: Schema
  private let connection: SourceConnection
  private let number: Int

  fileprivate init(schema: Schema, connection: SourceConnection, number: Int) {
    self.schema = schema
    self.connection = connection
    self.number = number
  }

  deinit {
    let (connection, number) = (connection, number)
    Task { await connection.abandonReading(number) }
  }

  /// The next rows and what was unusual about them, or nil after the last.
  ///
  /// - Throws: ``SourceError`` or `EncodingError`; the reading is over then.
  public func next() async throws -> (rows: RecordBatch, counters: EncodingCounters)? {
    try await connection.nextBatch(number)
  }
}

/// A table that a connection is reading.
final class TableReading {
  let number: Int
  private let cursor: RowCursor
  private let encoder: TableEncoder
  private let version: UInt64
  private let limits: BatchLimits

  init(
    number: Int, cursor: RowCursor, encoder: TableEncoder, version: UInt64, limits: BatchLimits
  ) {
    self.number = number
    self.cursor = cursor
    self.encoder = encoder
    self.version = version
    self.limits = limits
  }

  /// The next rows, or nil after the last.
  func nextBatch() throws -> RecordBatch? {
    var byteCount = 0
    while encoder.rowCount < limits.rowCount, byteCount < limits.byteCount {
      guard let row = try cursor.next() else {
        return encoder.rowCount > 0 ? try encoder.finish() : nil
      }
      byteCount += row.byteCount
      try encoder.appendText(row: { row[$0] }, version: version)
    }
    return try encoder.finish()
  }

  func takeCounters() -> EncodingCounters { encoder.takeCounters() }
}

extension SourceConnection {
  func rows(
    of table: TableSchema, version: UInt64, where condition: String?, orderBy order: String?,
    limits: BatchLimits, options: EncodingOptions
  ) throws -> TableRows {
    let encoder = try TableEncoder(schema: table, options: options)
    let handle = try openHandle()
    // NULL means that text comes in each column's own charset, exactly as it is stored.
    try handle.execute("SET SESSION character_set_results = NULL")
    let cursor = try handle.open(selectStatement(table, where: condition, orderBy: order))
    readingCount += 1
    reading = TableReading(
      number: readingCount, cursor: cursor, encoder: encoder, version: version, limits: limits)
    return TableRows(schema: encoder.storageSchema, connection: self, number: readingCount)
  }

  /// The next rows of the reading with this number, or nil when it is over.
  fileprivate func nextBatch(_ number: Int) throws -> (RecordBatch, EncodingCounters)? {
    guard let reading, reading.number == number else { return nil }
    do {
      if let batch = try reading.nextBatch() { return (batch, reading.takeCounters()) }
      self.reading = nil
      try openHandle().execute("SET SESSION character_set_results = utf8mb4")
      return nil
    } catch {
      abandonReading(number)
      throw error
    }
  }

  /// Ends the connection if the reading with this number is not over.
  fileprivate func abandonReading(_ number: Int) {
    guard reading?.number == number else { return }
    // Without this, dropping the cursor would read all the remaining rows.
    interrupt()
    reading = nil
  }
}

/// The statement that reads a table in the form that the encoder expects.
func selectStatement(_ table: TableSchema, where condition: String?, orderBy order: String?)
  -> String
{
  let columns = table.columns.map(selectExpression).joined(separator: ", ")
  var sql = "SELECT /*!40001 SQL_NO_CACHE */ \(columns) FROM \(quoteName(table.name))"
  if let condition { sql += " WHERE \(condition)" }
  if let order { sql += " ORDER BY \(order)" }
  return sql
}

private func selectExpression(_ column: Column) -> String {
  let name = quoteName(column.name)
  return switch column.type {
  // As text a FLOAT has only 6 digits and a FLOAT(7,2) 2 decimals; the product is a DOUBLE with all of them.
  case .float, .double: "\(name) * 1e0"
  // The number tells a member from the error value, and needs no charset.
  case .enumeration, .set: "CAST(\(name) AS UNSIGNED)"
  case .integer, .decimal, .bit, .date, .datetime, .timestamp, .time, .year, .string, .binary,
    .bytes, .json, .geometry, .inet4, .inet6, .uuid, .vector:
    name
  }
}
