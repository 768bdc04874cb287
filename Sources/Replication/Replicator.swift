import Arrow
import Binlog
import Foundation
import MagicCore
import MySQLSchema
import RowEncoding

/// Keeps a copy: reads events, assembles transactions, publishes them and remembers how far it is.
public actor Replicator {
  public struct Configuration: Sendable {
    public var filter: TableFilter
    public var encodingOptions: EncodingOptions
    /// How long a commit waits at most before it is published.
    public var flushInterval: Duration
    /// Rows that wait are published once they take this much memory, in bytes.
    public var batchBytes: Int

    public init(
      filter: TableFilter = TableFilter(), encodingOptions: EncodingOptions = EncodingOptions(),
      flushInterval: Duration = .milliseconds(200), batchBytes: Int = 32 << 20
    ) {
      self.filter = filter
      self.encodingOptions = encodingOptions
      self.flushInterval = flushInterval
      self.batchBytes = batchBytes
    }
  }

  /// What to do with rows of a table that was neither copied nor created in the stream.
  public enum UnknownTables: Sendable {
    /// Record the table as stopped.
    case stop
    /// Define it by one of these declarations, or else by the table map.
    case define([TableName: TableSchema])
  }

  private let sink: any ChangeSink
  private let store: StateStore
  private let configuration: Configuration
  private let unknownTables: UnknownTables
  private let report: @Sendable (String) -> Void
  private let clock = ContinuousClock()

  private var catalog: Catalog
  private var checkpoint: Checkpoint?
  private var assembler: TransactionAssembler?
  private var phase = ReplicationStatus.Phase.starting
  private var copyProgress: ReplicationStatus.CopyProgress?
  private var sourcePosition: BinlogPosition?
  private var applying: Task<Void, any Error>?
  private var isApplying = false
  private var lastPublication: ContinuousClock.Instant
  private var eventSource: (any BinlogEventSource)?
  private var isStopping = false

  /// - Parameter report: is given one line about everything that an operator should know.
  /// - Throws: ``ReplicationError`` when the data folder's state cannot be read; what `sink` throws.
  public init(
    sink: any ChangeSink, store: StateStore, configuration: Configuration,
    unknownTables: UnknownTables = .stop, report: @escaping @Sendable (String) -> Void
  ) async throws {
    self.sink = sink
    self.store = store
    self.configuration = configuration
    self.unknownTables = unknownTables
    self.report = report
    catalog = try store.loadCatalog() ?? Catalog()
    store.noteFirst(catalog)
    checkpoint = try await sink.checkpoint().map { try Checkpoint(decoding: $0) }
    lastPublication = clock.now
  }

  /// How far the copy is stored; nil before the first copy was finished.
  public var storedCheckpoint: Checkpoint? { checkpoint }

  /// The version of copied rows; every change in the stream has a higher one.
  private static let copyVersion: UInt64 = 0

  // MARK: Following a server

  /// Copies the tables that are not in the copy yet.
  public func copyTables(of source: any ReplicationSource) async throws {
    let identity = try await source.identity()
    if let known = catalog.sourceIdentity, known != identity {
      throw ReplicationError(
        .otherSource,
        "this data folder holds a copy of another server (\(known)), not of \(identity): "
          + "use another --data folder for this source")
    }
    catalog.sourceIdentity = identity
    phase = .copying
    try await removeLeftovers()
    defer { copyProgress = nil }
    let snapshot = try await source.snapshot()
    do {
      try await copy(snapshot)
    } catch {
      await snapshot.close()
      throw error
    }
    await snapshot.close()
  }

  /// Removes storage that no table of the catalog has: a crash can leave some.
  private func removeLeftovers() async throws {
    let known = Set(catalog.tables.map(\.id))
    for id in try await sink.storedTableIDs() where !known.contains(id) {
      try await sink.drop(
        TableDefinition(
          id: id, name: TableReference(database: "", table: ""), schema: Schema(fields: []),
          primaryKey: []))
    }
  }

  private func copy(_ snapshot: any SourceSnapshot) async throws {
    var counters = checkpoint?.counters ?? Counters()
    let pending = try await tablesToCopy(in: snapshot)
    try await store.save(catalog)
    copyProgress = .init(
      tablesTotal: pending.count, rowsEstimated: pending.reduce(0) { $0 + ($1.estimatedRows ?? 0) })
    for (table, _) in pending {
      if isStopping { return }
      try await copy(table, of: snapshot, counters: &counters)
    }
    if var checkpoint {
      checkpoint.counters = counters
      try await save(checkpoint)
    } else {
      let start = catalog.tables.filter { $0.state == .live }.compactMap(\.copyPosition).min()
      // A copy that went on after a crash begins at an earlier snapshot, whose GTIDs are not known.
      let isWhole = start == nil || start == snapshot.position
      try await save(
        Checkpoint(
          position: start ?? snapshot.position, gtids: isWhole ? snapshot.gtid : nil,
          counters: counters))
    }
  }

  /// Adds what is new at the source to the catalog, and returns what has to be copied.
  private func tablesToCopy(in snapshot: any SourceSnapshot) async throws
    -> [(table: ReplicatedTable, estimatedRows: UInt64?)]
  {
    var pending: [(table: ReplicatedTable, estimatedRows: UInt64?)] = []
    for found in try await snapshot.tables(configuration.filter) {
      switch found {
      case .refused(let name, let reason):
        if let known = catalog[name] {
          guard !known.hasStorage else { continue }
          catalog.remove(id: known.id)
        }
        refuse(TableSchema(name: name, columns: [], primaryKey: []), reason, snapshot)
      case .table(let schema, let estimatedRows):
        if let known = catalog[schema.name] {
          guard !known.hasStorage else { continue }
          // The copy did not finish, or the table was refused; its declaration may have changed.
          catalog.remove(id: known.id)
        }
        if let reason = schema.reasonNotToReplicate ?? encodingProblem(schema) {
          refuse(schema, reason, snapshot)
        } else {
          pending.append((catalog.add(schema, state: .copying), estimatedRows))
        }
      }
    }
    return pending
  }

  private func refuse(_ schema: TableSchema, _ reason: String, _ snapshot: any SourceSnapshot) {
    catalog.add(
      schema, state: .stopped(reason: reason, at: snapshot.position))
    report("table \(schema.name) is not replicated: \(reason)")
  }

  private func encodingProblem(_ schema: TableSchema) -> String? {
    do {
      _ = try TableEncoder(schema: schema, options: configuration.encodingOptions)
      return nil
    } catch {
      return "\(error)"
    }
  }

  private func copy(
    _ table: ReplicatedTable, of snapshot: any SourceSnapshot, counters: inout Counters
  ) async throws {
    copyProgress?.table = "\(table.schema.name)"
    let definition = table.definition
    try await sink.create(definition)
    var table = table
    do {
      let rows = try await snapshot.rows(
        of: table.schema, version: Self.copyVersion, options: configuration.encodingOptions,
        isOrdered: false)
      // One batch is fetched while the one before it is stored.
      var storing: Task<Void, any Error>?
      while let batch = try await rows.next(), !isStopping {
        try await storing?.value
        let sink = self.sink
        storing = Task { try await sink.copy(batch.rows, into: definition) }
        counters.copiedRows += UInt64(batch.rows.rowCount)
        counters.zeroDates += UInt64(batch.counters.zeroDates)
        counters.invalidTexts += UInt64(batch.counters.invalidTexts)
        copyProgress?.rows += UInt64(batch.rows.rowCount)
      }
      try await storing?.value
      if isStopping { return }
      table.state = .live
      table.copyPosition = snapshot.position
    } catch let error where error is EncodingError || error is TableUnavailable {
      table.state = .stopped(reason: "\(error)", at: snapshot.position)
      report("table \(table.schema.name) is not replicated: \(error)")
    }
    catalog.update(table)
    try await store.save(catalog)
    copyProgress?.tables += 1
  }

  /// Applies events until the source ends, ``stop()`` is called or `target` is stored.
  ///
  /// - Returns: whether to open the source again at the checkpoint and call once more.
  public func follow(_ source: any BinlogEventSource, until target: BinlogPosition? = nil)
    async throws -> Bool
  {
    eventSource = source
    defer { eventSource = nil }
    guard !isStopping else { return false }
    if assembler == nil { try beginAtCheckpoint() }
    phase = .streaming
    do {
      try await read(source, until: target)
      return false
    } catch let rewind as Rewind {
      await settle()
      try await sink.discardStaged()
      reportStopped(rewind.catalog)
      catalog = rewind.catalog
      try await store.save(catalog)
      try beginAtCheckpoint(rewind)
      return true
    } catch {
      await settle()
      try? await sink.discardStaged()
      assembler = nil
      throw error
    }
  }

  private func beginAtCheckpoint(_ rewind: Rewind? = nil) throws {
    guard let checkpoint else {
      throw ReplicationError(.dataFolder, "there is no checkpoint to go on from")
    }
    assembler = try TransactionAssembler(
      catalog: catalog, checkpoint: checkpoint, filter: configuration.filter,
      unknownTables: unknownTables, encodingOptions: configuration.encodingOptions,
      rewind: rewind)
  }

  /// Begins a copy that has no snapshot: its tables start empty before `position`.
  public func begin(at position: BinlogPosition) async throws {
    if let identity = catalog.sourceIdentity {
      throw ReplicationError(
        .otherSource,
        "this data folder follows a server (\(identity)): load files into another one")
    }
    guard checkpoint == nil else { return }
    try await store.save(catalog)
    try await save(Checkpoint(position: position))
  }

  private func read(_ source: any BinlogEventSource, until target: BinlogPosition?) async throws {
    guard let assembler else { return }
    try await publish(assembler)
    while true {
      if let target, assembler.isBetweenTransactions, assembler.position >= target { break }
      let next = try await source.next(within: waitLimit(assembler))
      if isStopping { break }
      guard let batch = next else {
        if !assembler.isBetweenTransactions {
          report("the input ends within a transaction at \(assembler.position); it is left out")
        }
        try assembler.abandonGroup()
        break
      }
      if let (name, offset) = batch.beginsFile { try assembler.beginFile(name, at: offset) }
      for event in batch.events {
        try assembler.consume(event.span.bytes)
        if assembler.pendingBytes >= configuration.batchBytes {
          if assembler.isBetweenTransactions
            || assembler.pendingBytes >= 8 * configuration.batchBytes
          {
            try await publish(assembler)
          }
        }
      }
      if isPublicationDue(assembler) { try await publish(assembler) }
    }
    if assembler.isBetweenTransactions { try await publish(assembler) }
    try await applying?.value
    applying = nil
  }

  private func waitLimit(_ assembler: TransactionAssembler) -> Duration? {
    guard assembler.isBetweenTransactions else { return nil }
    if isApplying { return .milliseconds(20) }
    guard let interval = publicationInterval(assembler) else { return nil }
    return max(.milliseconds(1), lastPublication + interval - clock.now)
  }

  /// How long what waits may wait; nil when nothing does. Events that change nothing still move the
  /// checkpoint, but not at every one.
  private func publicationInterval(_ assembler: TransactionAssembler) -> Duration? {
    if assembler.hasPendingChanges { return configuration.flushInterval }
    return assembler.position == checkpoint?.position ? nil : .seconds(1)
  }

  /// While rows are being stored, later ones gather into a larger batch.
  private func isPublicationDue(_ assembler: TransactionAssembler) -> Bool {
    guard assembler.isBetweenTransactions, !isApplying,
      let interval = publicationInterval(assembler)
    else { return false }
    return clock.now - lastPublication >= interval
  }

  /// Starts storing what waits, after what was being stored before.
  private func publish(_ assembler: TransactionAssembler) async throws {
    try await applying?.value
    let publication = try assembler.takePublication()
    if let changed = publication.catalog { reportStopped(changed) }
    catalog = assembler.catalog
    lastPublication = clock.now
    isApplying = true
    applying = Task { try await self.apply(publication) }
  }

  private func apply(_ publication: Publication) async throws {
    defer { isApplying = false }
    for table in publication.created { try await sink.create(table) }
    if let changed = publication.catalog { try await store.save(changed) }
    if let checkpoint = publication.checkpoint {
      if !publication.batches.isEmpty || checkpoint != self.checkpoint {
        store.note(publication.latestCatalog, publishedAt: checkpoint.position)
        try await sink.publish(publication.batches, checkpoint: checkpoint.encoded())
        self.checkpoint = checkpoint
      }
    } else if !publication.batches.isEmpty {
      try await sink.stage(publication.batches)
    }
    for table in publication.shown { try await sink.show(table) }
    // Not before the catalog has forgotten it: a crash in between leaves storage without a table,
    // which the next start removes.
    for table in publication.removed { try await sink.drop(table) }
  }

  /// Waits for what is being stored, whatever comes of it.
  private func settle() async {
    _ = try? await applying?.value
    applying = nil
  }

  private func reportStopped(_ changed: Catalog) {
    let before = Dictionary(uniqueKeysWithValues: catalog.tables.map { ($0.id, $0.state) })
    for table in changed.tables where before[table.id] != table.state {
      switch table.state {
      case .stopped(let reason, _): report("table \(table.schema.name) stopped: \(reason)")
      case .live: report("table \(table.schema.name) was created at the source")
      case .copying: break
      }
    }
  }

  private func save(_ checkpoint: Checkpoint) async throws {
    try await sink.publish([], checkpoint: checkpoint.encoded())
    self.checkpoint = checkpoint
  }

  // MARK: Control

  /// Publishes what is whole and ends ``follow(_:until:)``; what is not whole is read again later.
  public func stop() async {
    isStopping = true
    await eventSource?.close()
  }

  /// Tells how far the source is, for the lag in ``status()``.
  public func setSourcePosition(_ position: BinlogPosition) { sourcePosition = position }

  /// Notes that the source cannot be reached and will be tried again.
  public func setReconnecting() {
    phase = .reconnecting
    sourcePosition = nil
  }

  public func status() -> ReplicationStatus {
    ReplicationStatus(
      phase: isStopping ? .stopping : phase, catalog: catalog, checkpoint: checkpoint,
      sourcePosition: sourcePosition, copy: copyProgress,
      pendingBytes: assembler?.pendingBytes ?? 0)
  }
}
