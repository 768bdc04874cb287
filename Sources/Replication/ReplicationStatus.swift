import Binlog
import Foundation
import MySQLSchema

/// What `magic status` shows; the form of its JSON.
public struct ReplicationStatus: Sendable, Codable {
  public enum Phase: String, Sendable, Codable {
    case starting, copying, streaming, reconnecting, stopping
    /// No process runs on the data folder.
    case notRunning
  }

  public struct CopyProgress: Hashable, Sendable, Codable {
    /// The table that is being copied.
    public var table: String?
    public var tables = 0
    public var tablesTotal: Int
    public var rows: UInt64 = 0
    /// What the source's statistics say; may be far off.
    public var rowsEstimated: UInt64

    init(tablesTotal: Int, rowsEstimated: UInt64) {
      self.tablesTotal = tablesTotal
      self.rowsEstimated = rowsEstimated
    }
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
  }

  public var phase: Phase
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
  public var copy: CopyProgress?
  /// Memory taken by rows that wait, in bytes.
  public var pendingBytes: Int
  public var counters: Counters
  public var tables: [Table]

  init(
    phase: Phase, catalog: Catalog, checkpoint: Checkpoint?, sourcePosition: BinlogPosition?,
    copy: CopyProgress?, pendingBytes: Int
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
    self.copy = copy
    self.pendingBytes = pendingBytes
    counters = checkpoint?.counters ?? Counters()
    tables = catalog.tables.map { table in
      switch table.state {
      case .copying: Table(name: table.schema.name, state: "copying", isStored: false)
      case .live: Table(name: table.schema.name, state: "live", isStored: true)
      case .stopped(let reason, let position):
        Table(
          name: table.schema.name, state: "stopped", isStored: table.hasStorage, reason: reason,
          stoppedAt: position)
      }
    }.sorted { $0.name < $1.name }
  }

  /// The status of a data folder on which no process runs.
  ///
  /// - Throws: ``ReplicationError`` when its files cannot be read.
  public init(offline store: StateStore, checkpoint: Checkpoint?) throws {
    self.init(
      phase: .notRunning, catalog: try store.loadCatalog() ?? Catalog(),
      checkpoint: checkpoint, sourcePosition: nil, copy: nil, pendingBytes: 0)
    failure = try store.loadFailure()
  }
}
