import Arrow
import MySQLSchema
import RowEncoding
import Synchronization

/// How large a batch of rows becomes before it is handed over; a batch always has at least one row.
public struct BatchLimits: Hashable, Sendable {
  public var rowCount: Int
  /// Bytes of the rows as text, and of the batch.
  public var byteCount: Int

  public init(rowCount: Int = 1 << 19, byteCount: Int = 64 << 20) {
    self.rowCount = rowCount
    self.byteCount = byteCount
  }
}

/// The rows of one table, read from the source as they are asked for.
///
/// Dropping it before the last batch ends the connection, since the server would go on sending.
public final class TableRows: Sendable {
  public let schema: Schema
  /// Which changes of the binlog the rows hold; nil for the rows of a ``Snapshot``, which has a position of its
  /// own.
  public let readPosition: ReadPosition?
  private let connection: SourceConnection
  private let number: Int
  private let bytes: ByteCounter

  fileprivate init(
    schema: Schema, readPosition: ReadPosition?, connection: SourceConnection, number: Int,
    bytes: ByteCounter
  ) {
    self.schema = schema
    self.readPosition = readPosition
    self.connection = connection
    self.number = number
    self.bytes = bytes
  }

  /// The bytes of the values that the source has sent so far, as text.
  public var byteCount: UInt64 { bytes.value.load(ordering: .relaxed) }

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

/// What one thread counts and others look at.
final class ByteCounter: Sendable {
  let value = Atomic<UInt64>(0)
}

/// A table that a connection is reading.
final class TableReading {
  let number: Int
  let bytes = ByteCounter()
  /// Whether the reading is a transaction, which ends with it.
  let isTransaction: Bool
  private let cursor: RowCursor
  private let encoder: TableEncoder
  private let version: UInt64
  private let limits: BatchLimits

  init(
    number: Int, cursor: RowCursor, encoder: TableEncoder, version: UInt64, limits: BatchLimits,
    isTransaction: Bool
  ) {
    self.number = number
    self.isTransaction = isTransaction
    self.cursor = cursor
    self.encoder = encoder
    self.version = version
    self.limits = limits
  }

  /// The next rows, or nil after the last.
  func nextBatch() throws -> RecordBatch? {
    var byteCount = 0
    defer { bytes.value.wrappingAdd(UInt64(byteCount), ordering: .relaxed) }
    while encoder.rowCount < limits.rowCount, byteCount < limits.byteCount {
      guard let row = try cursor.next() else {
        return encoder.rowCount > 0 ? try encoder.finish() : nil
      }
      byteCount += row.byteCount
      try encoder.appendText(row: { row[$0] }, version: version)
      // Of many columns that are NULL only the batch gets large.
      if encoder.rowCount % 1024 == 0, encoder.byteCount >= limits.byteCount { break }
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
    return try startReading(
      encoder, selectStatement(table, where: condition, orderBy: order), version: version,
      limits: limits, position: nil, isTransaction: false)
  }

  /// Runs the statement that reads a table.
  ///
  /// - Parameter isTransaction: whether a transaction has begun that ends with the reading.
  func startReading(
    _ encoder: TableEncoder, _ statement: String, version: UInt64, limits: BatchLimits,
    position: ReadPosition?, isTransaction: Bool
  ) throws(SourceError) -> TableRows {
    let handle = try openHandle()
    // NULL means that text comes in each column's own charset, exactly as it is stored.
    try handle.execute("SET SESSION character_set_results = NULL")
    let cursor: RowCursor
    do throws(SourceError) {
      cursor = try handle.open(statement)
    } catch {
      // The connection may be the reason.
      try? handle.execute(Self.readableResults)
      throw error
    }
    readingCount += 1
    let reading = TableReading(
      number: readingCount, cursor: cursor, encoder: encoder, version: version, limits: limits,
      isTransaction: isTransaction)
    self.reading = reading
    return TableRows(
      schema: encoder.storageSchema, readPosition: position, connection: self,
      number: readingCount, bytes: reading.bytes)
  }

  private static let readableResults = "SET SESSION character_set_results = utf8mb4"

  /// The next rows of the reading with this number, or nil when it is over.
  fileprivate func nextBatch(_ number: Int) throws -> (RecordBatch, EncodingCounters)? {
    guard let reading, reading.number == number else { return nil }
    do {
      if let batch = try reading.nextBatch() { return (batch, reading.takeCounters()) }
      self.reading = nil
      // Either ends the lock on the table's declaration, so that the source can change it. COMMIT would log
      // a transaction with nothing but the savepoint, which servers that replicate the source do not log.
      let end = reading.isTransaction ? "ROLLBACK" : "ROLLBACK TO SAVEPOINT \(Snapshot.savepoint)"
      try execute(end)
      try execute(Self.readableResults)
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
func selectStatement(
  _ table: TableSchema, hint: String = "", where condition: String? = nil,
  orderBy order: String? = nil
) -> String {
  let columns = table.columns.map(selectExpression).joined(separator: ", ")
  var sql = "SELECT /*!40001 SQL_NO_CACHE */ \(columns) FROM \(quoteName(table.name))\(hint)"
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
