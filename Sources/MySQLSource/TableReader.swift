import Binlog
import MySQLSchema
import RowEncoding

/// Which changes of the binlog the rows of a reading hold.
///
/// On MariaDB both places are the same: the rows are exactly what the binlog up to there made of the table.
/// MySQL cannot tell the place of a transaction's view without stopping all writers, so there is one at each
/// side of it. With GTIDs, `from.gtid` decides what the rows hold for certain, since a transaction is in the
/// binlog before its changes can be seen; without them, `from.binlog` does.
public struct ReadPosition: Hashable, Sendable, Codable {
  /// The rows hold every change of their table up to here.
  public var from: SourcePosition
  /// The rows hold no change after this place; it has no GTID.
  public var through: SourcePosition

  public init(from: SourcePosition, through: SourcePosition) {
    self.from = from
    self.through = through
  }
}

/// A connection that reads tables in ranges of their keys, each in a short transaction of its own, while
/// others go on writing.
public final class TableReader: Sendable {
  private let connection: SourceConnection

  private init(connection: SourceConnection) {
    self.connection = connection
  }

  /// Connects, within 10 seconds. `lockLimitSeconds` is how long to wait for a table that others
  /// have locked.
  ///
  /// - Throws: ``SourceError``.
  public static func connect(to url: SourceURL, lockLimitSeconds: Int = 30)
    async throws(SourceError) -> TableReader
  {
    let connection = try await SourceConnection.connect(to: url)
    try await connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    // Who waits for a table that is being altered, or has others wait for it, must not do so for long.
    try await connection.execute("SET SESSION lock_wait_timeout = \(lockLimitSeconds)")
    return TableReader(connection: connection)
  }

  /// Starts reading the rows of a range, in no particular order; one range can be read at a time.
  ///
  /// The rows are one consistent view, and no one can alter the table from the check of its declaration to the
  /// last row: an ALTER TABLE that comes meanwhile waits for the end of the reading, and everyone else's next
  /// statement on the table waits behind it. So ranges should be small. On MySQL without GTIDs the table is locked
  /// against writing for a moment before, which needs the privilege LOCK TABLES; nothing else locks anything.
  ///
  /// It costs the server seven small statements and the reading of the range by the key's index. That ends when
  /// ``TableRows/next()`` returns nil; dropping ``TableRows`` before ends the connection.
  ///
  /// `table` is what the caller knows of the table; its rows are decoded by that, and every row
  /// gets `version`. Any table can be read by the range without bounds, also one without a key.
  ///
  /// - Throws: ``SourceError`` with code `schemaChanged` when the table at the source is not, or not any more, what
  ///   `table` says, `schema` for a storage engine without consistent views, `busy` when the table stayed locked
  ///   by others; `EncodingError` for a column that cannot be encoded.
  public func rows(
    of table: TableSchema, in range: SourceKeyRange, version: UInt64,
    limits: BatchLimits = BatchLimits(), options: EncodingOptions = EncodingOptions()
  ) async throws -> TableRows {
    try await connection.rows(
      of: table, in: range, version: version, limits: limits, options: options)
  }

  /// Ends the connection, also in the middle of a range. Idempotent.
  public func close() async { await connection.close() }
}

extension SourceConnection {
  fileprivate func rows(
    of table: TableSchema, in range: SourceKeyRange, version: UInt64, limits: BatchLimits,
    options: EncodingOptions
  ) throws -> TableRows {
    try table.requireRowVersions()
    let encoder = try TableEncoder(schema: table, options: options)
    do throws(SourceError) {
      let position = try beginReading(table)
      let statement = try rangeStatement(table, range)
      return try startReading(
        encoder, statement, version: version, limits: limits, position: position,
        isTransaction: true)
    } catch {
      // The connection may be the reason. A transaction that has not begun does not release a lock.
      try? execute("ROLLBACK")
      try? execute("UNLOCK TABLES")
      throw Self.tableErrors(error, table.name)
    }
  }

  /// Begins the transaction of a reading and makes certain that the table is what the schema says until it ends.
  private func beginReading(_ table: TableSchema) throws(SourceError) -> ReadPosition {
    let position: ReadPosition
    if let place = try beginUnlockedSnapshot() {
      let place = SourcePosition(binlog: place, gtid: nil)
      position = ReadPosition(from: place, through: place)
    } else {
      position = try beginBetweenPositions(table.name)
    }
    // The first use of the table locks its declaration for the transaction, which SHOW CREATE TABLE alone
    // does not.
    try execute("SELECT 1 FROM \(quoteName(table.name)) LIMIT 0")
    guard let declared = try declaration(of: table.name) else {
      throw SourceError(.schemaChanged, "\(table.name) does not exist any more")
    }
    switch declared {
    case .success(let actual):
      if let difference = table.difference(from: actual) {
        throw SourceError(.schemaChanged, "\(table.name) is not what it was: \(difference)")
      }
    case .failure(let error): throw error
    }
    return position
  }

  /// Begins a transaction on a server that does not tell its place in the binlog.
  private func beginBetweenPositions(_ name: TableName) throws(SourceError) -> ReadPosition {
    let from = try position()
    guard let gtid = from.gtid, !gtid.isEmpty else { return try beginAfterLocking(name) }
    return try beginSnapshot(after: from)
  }

  /// Begins a transaction that sees every change of a table up to a place in the binlog.
  ///
  /// A transaction is in the binlog before its changes can be seen. Who has written to the table keeps it from
  /// being locked until they can be, so that the lock tells that none is on its way.
  func beginAfterLocking(_ name: TableName) throws(SourceError) -> ReadPosition {
    try execute("LOCK TABLES \(quoteName(name)) READ")
    return try beginSnapshot(after: try position())
  }

  private func beginSnapshot(after from: SourcePosition) throws(SourceError) -> ReadPosition {
    // This also releases the lock.
    try execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    let through = SourcePosition(binlog: try position().binlog, gtid: nil)
    return ReadPosition(from: from, through: through)
  }

  /// The statement that reads a range.
  func rangeStatement(_ table: TableSchema, _ range: SourceKeyRange) throws(SourceError) -> String {
    guard range != SourceKeyRange() else { return selectStatement(table) }
    let key = try table.rangeKey()
    return selectStatement(
      table, hint: try keyHint(of: table, key),
      where: try range.condition(key: key))
  }
}

extension TableSchema {
  /// - Throws: ``SourceError`` with code `schema` for a storage engine that has no consistent views.
  func requireRowVersions() throws(SourceError) {
    let versioned = ["innodb", "rocksdb", "tokudb", "xtradb"]
    if let engine = storageEngine, !versioned.contains(engine.lowercased()) {
      throw SourceError(
        .schema, "\(name) cannot be copied: the engine \(engine) has no consistent snapshots",
        advice: "run ALTER TABLE \(quoteName(name)) ENGINE=InnoDB or exclude the table")
    }
  }

  /// In what the rows of another declaration differ from the rows of this one, or nil when both are read alike.
  ///
  /// That a column of this one may be NULL and that of the other may not is no difference.
  func difference(from actual: TableSchema) -> String? {
    guard columns.map(\.name) == actual.columns.map(\.name) else {
      return "it has the columns \(actual.columns.map(\.name).joined(separator: ", "))"
    }
    for (expected, found) in zip(columns, actual.columns) {
      guard expected.type == found.type else { return "the type of \(found.name) is another" }
      guard expected.isNullable || !found.isNullable else { return "\(found.name) may be NULL" }
    }
    guard primaryKey == actual.primaryKey, primaryKeyHasPrefix == actual.primaryKeyHasPrefix else {
      return "its key is another"
    }
    return nil
  }
}
