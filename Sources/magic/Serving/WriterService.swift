import Arrow
import Foundation
import Logging
import MagicAPI
import MagicCore
import Replication
import ServiceLifecycle

/// Replicates in the process that serves the copy. What stops it does not stop the serving: it is
/// shown in the status, and replication is tried again.
actor WriterService: Service {
  private static let pause = Duration.seconds(30)

  private let tables: any ChangeSink
  private let store: StateStore
  private let server: ServerSource
  private let configuration: Replicator.Configuration
  private let logger: Logger
  private var replicator: Replicator?
  private var failure: String?
  private var wasStreaming = false

  init(
    tables: any ChangeSink, store: StateStore, server: ServerSource,
    configuration: Replicator.Configuration, logger: Logger
  ) {
    self.tables = tables
    self.store = store
    self.server = server
    self.configuration = configuration
    self.logger = logger
  }

  func run() async throws {
    while !Task.isShuttingDownGracefully {
      do {
        try await replicate()
      } catch let error where !(error is CancellationError) {
        failure = "\(error)"
        try? await store.save(failure: "\(error)")
        logger.error("replication stopped: \(error); trying again in \(Self.pause)")
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
      }
    }
    await server.close()
  }

  private func replicate() async throws {
    try await server.checkAndWarn(logger)
    let replicator = try await Replicator(
      sink: tables, store: store, configuration: configuration,
      report: { [logger] in logger.notice("\($0)") })
    self.replicator = replicator
    failure = nil
    try await store.save(failure: nil)
    try await ReplicationService(
      replicator: replicator, source: server, stopsWhenCaughtUp: false, logger: logger
    ).run()
  }

  /// Does what an operator asks for.
  func perform(_ request: WriterRequest) async throws -> String {
    guard let replicator else {
      throw APIError(
        .unavailable, "replication has not begun yet: \(failure ?? "the source is being asked")")
    }
    return try await request.perform(replicator)
  }

  /// How far replication is; nil before it began.
  var replicationStatus: ReplicationStatus? {
    get async { await replicator?.status() }
  }

  /// - Throws: `Failure` before replication began.
  var knownStatus: ReplicationStatus {
    get async throws {
      guard let status = await replicationStatus else {
        throw Failure("replication has not begun yet")
      }
      return status
    }
  }

  /// The status as JSON; that of the folder's files before replication began.
  func status(
    verification: ReplicationStatus.Verification?, offline: @Sendable () throws -> Data
  ) async throws -> [UInt8] {
    guard let replicator else { return Array(try offline()) }
    var status = await replicator.status()
    status.source = await server.address
    status.failure = failure
    status.verification = verification
    return Array(try JSONEncoder().encode(status))
  }

  /// Whether every table has reached a state of the source since the start. What happens to the source
  /// later makes the copy old, but not wrong.
  var isReady: Bool {
    get async {
      if !wasStreaming, let status = await replicationStatus, status.phase == .streaming,
        !status.tables.contains(where: { $0.state == "copying" })
      {
        wasStreaming = true
      }
      return wasStreaming
    }
  }
}

/// Lets replication write only while enough of the disk is free.
struct ReservedSink: ChangeSink {
  let sink: any ChangeSink
  let disk: DiskReserve

  func checkpoint() async throws -> [UInt8]? { try await sink.checkpoint() }

  func obstacle(to table: TableDefinition) async throws -> String? {
    try await sink.obstacle(to: table)
  }

  func create(_ table: TableDefinition) async throws {
    try disk.check()
    try await sink.create(table)
  }

  func create(
    _ table: TableDefinition, from old: TableDefinition, columns: [Int?], defaults: RecordBatch
  ) async throws {
    try disk.check()
    try await sink.create(table, from: old, columns: columns, defaults: defaults)
  }

  func change(showing shown: [TableDefinition], dropping dropped: [TableDefinition]) async throws {
    try await sink.change(showing: shown, dropping: dropped)
  }

  func discardCopied(_ table: TableDefinition, keeping versions: [ClosedRange<UInt64>]) async throws
  {
    try await sink.discardCopied(table, keeping: versions)
  }

  func rows(of table: TableDefinition, keys: RecordBatch) async throws -> RecordBatch {
    try await sink.rows(of: table, keys: keys)
  }

  func createDatabase(_ name: String) async throws { try await sink.createDatabase(name) }

  func dropDatabase(_ name: String) async throws { try await sink.dropDatabase(name) }

  func copy(_ batch: RecordBatch, into table: TableDefinition) async throws {
    try disk.check()
    try await sink.copy(batch, into: table)
  }

  func stage(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws {
    try disk.check()
    try await sink.stage(batches)
  }

  func discardStaged() async throws { try await sink.discardStaged() }

  func publish(
    _ batches: [(table: TableDefinition, batch: RecordBatch)], checkpoint: [UInt8]
  ) async throws {
    if !batches.isEmpty { try disk.check() }
    try await sink.publish(batches, checkpoint: checkpoint)
  }

  func storedTableIDs() async throws -> [UInt64] { try await sink.storedTableIDs() }
}
