import Arrow
import Binlog
import MySQLSchema
import RowEncoding

/// Where binlog events come from: a server or files.
public protocol BinlogEventSource: Sendable {
  /// The events that wait, as the source wrote them and in its order.
  ///
  /// - Parameter limit: how long to wait for the first; nil waits for as long as it takes.
  /// - Returns: an empty batch when none came in time; nil at the end.
  func next(within limit: Duration?) async throws -> EventBatch?
  /// Ends the reading; a `next` that waits returns nil.
  func close() async
}

/// Consecutive events of one binlog.
public struct EventBatch: Sendable {
  /// The name of the file that begins with these events and the offset of the first; nil while the
  /// events continue what came before.
  public var beginsFile: (name: String, offset: UInt64)?
  public var events: [[UInt8]]

  public init(beginsFile: (name: String, offset: UInt64)? = nil, events: [[UInt8]]) {
    self.beginsFile = beginsFile
    self.events = events
  }
}

/// A server that can be copied and followed.
public protocol ReplicationSource: Sendable {
  /// What tells this server from another one.
  func identity() async throws -> String
  /// Opens a consistent view of all tables at an exact position.
  func snapshot() async throws -> any SourceSnapshot
  /// Streams everything after `position`.
  func stream(from position: BinlogPosition) async throws -> any BinlogEventSource
  /// The end of the source's binlog now.
  func currentPosition() async throws -> BinlogPosition
}

/// The tables of a source as they were at ``position``.
public protocol SourceSnapshot: Sendable {
  var position: BinlogPosition { get }
  var gtid: String? { get }
  /// The declarations of the tables that `filter` selects.
  func tables(_ filter: TableFilter) async throws -> [SnapshotTable]
  /// The rows of a table with their hidden columns, in batches of bounded size.
  ///
  /// - Parameter isOrdered: whether the rows come in the order of their key: numbers and dates by
  ///   value, everything else by the bytes of its text.
  /// - Throws: ``TableUnavailable`` when this table cannot be read, here or in the batches.
  func rows(of schema: TableSchema, version: UInt64, options: EncodingOptions, isOrdered: Bool)
    async throws -> any SnapshotRows
  func close() async
}

/// A table that was found at the source.
public enum SnapshotTable: Sendable {
  case table(TableSchema, estimatedRows: UInt64?)
  /// A table whose declaration this program does not understand.
  case refused(TableName, reason: String)
}

/// Why one table cannot be copied while others can.
public struct TableUnavailable: Error, Sendable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}

/// Rows of a table, batch by batch.
public protocol SnapshotRows: Sendable {
  /// The next rows, or nil at the end.
  func next() async throws -> SnapshotBatch?
}

/// Some rows of a table and what was unusual about them.
public struct SnapshotBatch: Sendable {
  public var rows: RecordBatch
  public var counters: EncodingCounters

  public init(rows: RecordBatch, counters: EncodingCounters) {
    self.rows = rows
    self.counters = counters
  }
}
