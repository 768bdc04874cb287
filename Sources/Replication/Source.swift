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

/// Where a stream of events goes on.
public enum StreamStart: Hashable, Sendable {
  /// After an event of the server that the position is of.
  case position(BinlogPosition)
  /// After these transactions, at whichever server of the topology.
  case gtids(SourceGTIDs)
}

/// A server that can be copied and followed.
public protocol ReplicationSource: Sendable {
  /// What tells this server from another one.
  func identity() async throws -> String
  /// Whether another server than before may be followed, by GTID.
  var canFailOver: Bool { get }
  /// Whether names of tables are stored in lower case (lower_case_table_names=1).
  func foldsNames() async throws -> Bool
  /// Whether changes tell whole rows unless a session wants otherwise (binlog_row_image=FULL).
  func tellsWholeRows() async throws -> Bool
  /// Whether an error may pass, so that it is worth trying again.
  func isTransient(_ error: any Error) -> Bool
  /// Opens a consistent view of all tables at an exact position.
  ///
  /// - Parameter filter: the tables whose declarations are wanted.
  func snapshot(of filter: TableFilter) async throws -> any SourceSnapshot
  /// Opens a reader of tables in ranges.
  func reader() async throws -> any RangeReader
  /// Divides a table for reading, without reading it.
  ///
  /// - Returns: ranges that together are all of the table; nil when they have to be found one after
  ///   another by the reader.
  func ranges(of schema: TableSchema, estimatedRows: UInt64, rowsPerRange: Int) async throws
    -> [SourceKeyRange]?
  /// The key of the `rowCount`th row after a key; nil when there are not as many.
  func nextBoundary(of schema: TableSchema, after key: [String]?, rowCount: Int) async throws
    -> [String]?
  /// Streams everything after `start`.
  func stream(from start: StreamStart) async throws -> any BinlogEventSource
  /// The end of the source's binlog now.
  func currentPosition() async throws -> BinlogPosition
  /// The size of the binlog between two positions in bytes; nil when that is not known.
  func binlogBytes(from start: BinlogPosition, to end: BinlogPosition) async throws -> UInt64?
}

/// Reads tables range by range, each in a transaction of its own.
public protocol RangeReader: Sendable {
  /// The rows of a range with their hidden columns, in batches of bounded size, as of one moment.
  ///
  /// - Throws: ``TableUnavailable`` when this table cannot be read, or ``SchemaChanged`` when the source
  ///   declares it otherwise by now; here or in the batches.
  func rows(
    of schema: TableSchema, in range: SourceKeyRange, version: UInt64, options: EncodingOptions
  ) async throws -> any SnapshotRows
  func close() async
}

/// The source declares a table otherwise than the copy was begun with.
public struct SchemaChanged: Error, Sendable {
  public init() {}
}

/// The tables of a source as they were at ``position``.
public protocol SourceSnapshot: Sendable {
  var position: BinlogPosition { get }
  var gtid: String? { get }
  /// The declarations of the tables that `filter` selects.
  func tables(_ filter: TableFilter) async throws -> [SnapshotTable]
  /// The rows of a table with their hidden columns, in batches of bounded size.
  ///
  /// `isOrdered` says whether the rows come in the order of their key: numbers and dates by value,
  /// everything else by the bytes of its text.
  ///
  /// - Throws: ``TableUnavailable`` when this table cannot be read, here or in the batches.
  func rows(of schema: TableSchema, version: UInt64, options: EncodingOptions, isOrdered: Bool)
    async throws -> any SnapshotRows
  func close() async
}

/// A table that was found at the source.
public enum SnapshotTable: Sendable {
  case table(TableSchema, SourceStatistics)
  /// A table whose declaration this program does not understand.
  case refused(TableName, reason: String)
  /// A table whose declaration changed while the snapshot was taken, so that it is not known.
  case changing(TableName)
}

/// What the source knows about the size of a table, which may be far off, and about what changes it.
public struct SourceStatistics: Sendable {
  public var rows: UInt64
  public var bytes: UInt64
  /// Whether the source changes rows of the table without logging them, by the actions of foreign keys.
  public var hasCascades: Bool

  public init(rows: UInt64, bytes: UInt64, hasCascades: Bool) {
    self.rows = rows
    self.bytes = bytes
    self.hasCascades = hasCascades
  }
}

/// Why one table cannot be copied while others can.
public struct TableUnavailable: Error, Sendable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}

/// Rows of a table, batch by batch.
public protocol SnapshotRows: Sendable {
  /// No change after this position is in the rows; nil when they are those of a snapshot.
  var readThrough: BinlogPosition? { get }
  /// The next rows, or nil at the end.
  func next() async throws -> SnapshotBatch?
}

/// Some rows of a table and what was unusual about them.
public struct SnapshotBatch: Sendable {
  public var rows: RecordBatch
  public var counters: EncodingCounters
  /// The size of the rows as the source sent them.
  public var byteCount: Int

  public init(rows: RecordBatch, counters: EncodingCounters, byteCount: Int) {
    self.rows = rows
    self.counters = counters
    self.byteCount = byteCount
  }
}
