import Arrow
import Binlog
import MySQLSchema
import RowEncoding

/// All tables of the source as they were at one exact place of its binlog.
///
/// It is a transaction of a connection of its own and lasts until ``close()`` or until the connection breaks.
/// Only storage engines with row versions take part, see ``rows(of:version:where:orderBy:limits:options:)``.
public final class Snapshot: Sendable {
  /// The changes after this place are the ones that the snapshot does not hold.
  public let position: SourcePosition
  public let connection: SourceConnection

  /// Going back to it after a table was read keeps the view, and lets go of the table.
  static let savepoint = "magic_table"

  init(position: SourcePosition, connection: SourceConnection) {
    self.position = position
    self.connection = connection
  }

  /// Takes a snapshot. Writers are not blocked on MariaDB; on MySQL they wait for a moment.
  ///
  /// - Throws: ``SourceError``.
  public static func begin(at url: SourceURL) async throws(SourceError) -> Snapshot {
    let connection = try await SourceConnection.connect(to: url)
    return Snapshot(position: try await connection.beginSnapshot(), connection: connection)
  }

  /// The tables that a selection means. A declaration that was changed after the snapshot was taken makes the
  /// reading of its table fail with the server's error 1412.
  public func listTables(_ selection: TableFilter) async throws(SourceError) -> [SourceTable] {
    try await connection.listTables(selection)
  }

  /// Starts reading the rows of a table; one table can be read at a time.
  ///
  /// Every row gets `version`. `condition` is a condition in the source's SQL, everything when nil;
  /// `order` is the text of an ORDER BY clause without these words.
  ///
  /// - Throws: ``SourceError`` with code `schema` for a storage engine whose rows are not part of the snapshot,
  ///   `EncodingError` for a column that cannot be encoded.
  public func rows(
    of table: TableSchema, version: UInt64, where condition: String? = nil,
    orderBy order: String? = nil, limits: BatchLimits = BatchLimits(),
    options: EncodingOptions = EncodingOptions()
  ) async throws -> TableRows {
    try table.requireRowVersions()
    return try await connection.rows(
      of: table, version: version, where: condition, orderBy: order, limits: limits,
      options: options)
  }

  /// Ends the snapshot and its connection, also in the middle of a table.
  public func close() async { await connection.close() }
}

extension SourceConnection {
  fileprivate func beginSnapshot() throws(SourceError) -> SourcePosition {
    try execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if let place = try beginUnlockedSnapshot() {
      return SourcePosition(binlog: place, gtid: try mariadbGTID(at: place))
    }
    return try beginLockedSnapshot()
  }

  /// MariaDB takes the snapshot at the end of a group commit and says which.
  func beginUnlockedSnapshot() throws(SourceError) -> BinlogPosition? {
    guard isMariaDB else { return nil }
    try execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try execute("SAVEPOINT \(Snapshot.savepoint)")
    let values = Self.pairs(try query("SHOW STATUS LIKE 'binlog_snapshot_%'"))
    guard let file = values["binlog_snapshot_file"], !file.isEmpty,
      let offset = values["binlog_snapshot_position"].flatMap(UInt64.init)
    else {
      try execute("ROLLBACK")
      return nil
    }
    return BinlogPosition(file: file, offset: offset)
  }

  /// Other servers need all writers to stand still while the snapshot is taken and the position is read.
  func beginLockedSnapshot() throws(SourceError) -> SourcePosition {
    // While the lock is waited for, new writers wait too: a long statement must not stop them for long.
    try execute("SET SESSION lock_wait_timeout = 30")
    try execute("FLUSH TABLES WITH READ LOCK")
    do throws(SourceError) {
      try execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
      try execute("SAVEPOINT \(Snapshot.savepoint)")
      let place = try position()
      try execute("UNLOCK TABLES")
      return place
    } catch {
      // Dropping the connection releases the lock whatever state it is in.
      interrupt()
      throw error
    }
  }
}
