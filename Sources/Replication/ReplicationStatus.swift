import Binlog
import Foundation
import MySQLSchema

/// What `magic status` shows; the form of its JSON.
public struct ReplicationStatus: Sendable, Codable {
  public enum Phase: String, Sendable, Codable {
    case starting, copying, streaming, reconnecting, paused, stopping
    /// No process runs on the data folder.
    case notRunning
  }

  /// How far the copying of existing rows is, over all tables that are being copied.
  public struct CopyProgress: Hashable, Sendable, Codable {
    /// The table that is being copied, or the first of several.
    public var table: String?
    /// Tables that were copied since the process began.
    public var tables: Int
    public var tablesTotal: Int
    public var rows: UInt64 = 0
    /// What the source's statistics say; may be far off.
    public var rowsEstimated: UInt64 = 0
    public var bytes: UInt64 = 0
    public var bytesEstimated: UInt64 = 0
    public var rowsPerSecond: Double?
    /// What is left by these numbers.
    public var secondsLeft: Double?

    init(table: String?, tables: Int, tablesTotal: Int) {
      self.table = table
      self.tables = tables
      self.tablesTotal = tablesTotal
    }
  }

  /// What the comparison with the source has found that goes on in the background.
  public struct Verification: Sendable, Codable {
    /// A table that differs.
    public struct Difference: Sendable, Codable {
      public var table: TableName
      public var rows: UInt64
      /// In the order of the key.
      public var first: RowDifference

      public init(table: TableName, rows: UInt64, first: RowDifference) {
        self.table = table
        self.rows = rows
        self.first = first
      }
    }

    /// How often every table was compared.
    public var passes = 0
    /// Comparisons of tables, and the rows in them.
    public var tables = 0
    public var rows: UInt64 = 0
    /// When the last one ended, in seconds since 1970.
    public var comparedAt: Double?
    public var differences: [Difference] = []

    public init() {}
  }

  public struct Table: Sendable, Codable {
    public var name: TableName
    /// `copying`, `live` or `stopped`.
    public var state: String
    /// Whether the table is in the copy, if only as it was when it stopped.
    public var isStored: Bool
    /// Why the table stopped.
    public var reason: String?
    /// Where in the source's binlog it stopped.
    public var stoppedAt: BinlogPosition?
    /// How many of its rows are copied, while it is being copied.
    public var copiedRows: UInt64?
    /// About how many there are.
    public var estimatedRows: UInt64?
  }

  public var phase: Phase
  /// The address of the server that is followed.
  public var source: String?
  /// Why the last process that followed the source ended, when that was an error.
  public var failure: String?
  /// The end of the last stored transaction.
  public var position: BinlogPosition?
  public var gtid: String?
  /// When that transaction was logged, in seconds since 1970.
  public var timestamp: UInt32?
  /// The end of the source's binlog, as last seen.
  public var sourcePosition: BinlogPosition?
  /// Whether everything up to ``sourcePosition`` is stored.
  public var isCaughtUp: Bool
  /// Seconds between now and the last stored transaction; 0 when caught up.
  public var lagSeconds: Double?
  /// How much of the source's binlog is not stored yet, in bytes.
  public var lagBytes: UInt64?
  /// What was stored in the last seconds.
  public var transactionsPerSecond: Double?
  public var rowChangesPerSecond: Double?
  /// How long a commit waits at most before it is published, in milliseconds.
  public var flushIntervalMilliseconds: Int?
  public var copy: CopyProgress?
  public var verification: Verification?
  /// Memory taken by rows that wait, in bytes.
  public var pendingBytes: Int
  public var counters: Counters
  public var tables: [Table]

  init(
    phase: Phase, catalog: Catalog, checkpoint: Checkpoint?, shown: Set<UInt64>? = nil,
    sourcePosition: BinlogPosition? = nil,
    lagBytes: UInt64? = nil, copy: CopyProgress? = nil, rowsReadAtOnce: [UInt64: UInt64] = [:],
    pendingBytes: Int = 0,
    rates: (transactions: Double, rowChanges: Double)? = nil, flushInterval: Duration? = nil
  ) {
    self.phase = phase
    position = checkpoint?.position
    gtid = checkpoint?.gtid
    timestamp = checkpoint.flatMap { $0.timestamp == 0 ? nil : $0.timestamp }
    self.sourcePosition = sourcePosition
    isCaughtUp =
      if let sourcePosition, let position { position >= sourcePosition } else { false }
    lagSeconds =
      isCaughtUp ? 0 : timestamp.map { max(0, Date().timeIntervalSince1970 - Double($0)) }
    self.lagBytes = isCaughtUp ? 0 : lagBytes
    transactionsPerSecond = rates?.transactions
    rowChangesPerSecond = rates?.rowChanges
    flushIntervalMilliseconds = flushInterval.map { Int($0 / .milliseconds(1)) }
    self.copy = copy
    self.pendingBytes = pendingBytes
    counters = checkpoint?.counters ?? Counters()
    let seen =
      shown ?? Set(checkpoint.map { catalog.visible(at: $0.position).map(\.id) } ?? [])
    tables = catalog.tables.map {
      Table($0, isVisible: seen.contains($0.id), rowsReadAtOnce: rowsReadAtOnce[$0.id] ?? 0)
    }
    .sorted { $0.name < $1.name }
  }

  /// The status of a data folder on which no process runs.
  ///
  /// - Throws: ``ReplicationError`` when its files cannot be read.
  public init(offline store: StateStore, checkpoint: Checkpoint?) throws {
    self.init(
      phase: .notRunning, catalog: try store.loadCatalog() ?? Catalog(),
      checkpoint: checkpoint)
    failure = try store.loadFailure()
  }
}

extension ReplicationStatus.Table {
  /// - Parameters:
  ///   - isVisible: whether it is what is read under its name.
  ///   - rowsReadAtOnce: how many rows of a reading that has not ended yet are stored.
  fileprivate init(_ table: ReplicatedTable, isVisible: Bool, rowsReadAtOnce: UInt64) {
    name = table.name
    isStored = isVisible
    switch table.state {
    case .copying:
      state = "copying"
      copiedRows = table.copy.map { $0.rows + rowsReadAtOnce }
      estimatedRows = table.copy?.estimatedRows
    // It waits until the stream has come to the end of its copying.
    case .live: state = isVisible ? "live" : "copying"
    case .stopped(let reason, let position):
      state = "stopped"
      self.reason = reason
      stoppedAt = position
    }
  }
}
