import Arrow
import Binlog
import Foundation
import MagicCore
import MySQLSchema
import RowEncoding

/// Keeps a copy: reads events, assembles transactions, publishes them and remembers how far it is.
///
/// The copying of existing rows goes on beside the stream, see `Replicator+Copying.swift`; statements that
/// change tables are applied between transactions, see `Replicator+Interruptions.swift`.
public actor Replicator {
  public struct Configuration: Sendable {
    public var filter: TableFilter
    public var encodingOptions: EncodingOptions
    /// How long a commit waits at most before it is published.
    public var flushInterval: Duration
    /// Rows that wait are published once they take this much memory, in bytes.
    public var batchBytes: Int
    /// How many connections read existing rows at once.
    public var copyWorkers: Int
    /// How many bytes a second they read together; nil for as many as possible.
    public var copyBytesPerSecond: Int?
    /// About how many rows are read in one piece.
    public var rowsPerRange: Int
    /// Whether the source stores the names of tables in lower case, whatever its statements say.
    var foldsNames = false

    public init(
      filter: TableFilter = TableFilter(), encodingOptions: EncodingOptions = EncodingOptions(),
      flushInterval: Duration = .milliseconds(200), batchBytes: Int = 32 << 20,
      copyWorkers: Int = 4, copyBytesPerSecond: Int? = nil, rowsPerRange: Int = 300_000
    ) {
      self.filter = filter
      self.encodingOptions = encodingOptions
      self.flushInterval = flushInterval
      self.batchBytes = batchBytes
      self.copyWorkers = copyWorkers
      self.copyBytesPerSecond = copyBytesPerSecond
      self.rowsPerRange = rowsPerRange
    }
  }

  /// What to do with rows of a table that was neither copied nor created in the stream.
  public enum UnknownTables: Sendable {
    /// Copy the table from the source.
    case copy
    /// Define it by one of these declarations, or else by the table map.
    case define([TableName: TableSchema])
  }

  /// Why ``follow(_:)`` returned.
  public enum End: Sendable {
    /// The stream ended, or ``stop()`` was called, or the target is reached.
    case done
    /// The stream is to be opened again at the checkpoint.
    case again
    /// ``pause()`` was called: the same, once ``resume()`` is.
    case paused
  }

  let sink: any ChangeSink
  let store: StateStore
  var configuration: Configuration
  let unknownTables: UnknownTables
  let report: @Sendable (String) -> Void
  let clock = ContinuousClock()

  let state: CatalogState
  var catalog: Catalog { state.catalog }
  var checkpoint: Checkpoint?
  var assembler: TransactionAssembler?
  /// The server; nil while files are read.
  var source: (any ReplicationSource)?
  /// What identifies it.
  var identity: String?
  var copying = CopyingState()
  /// Tables that are seen, by number, and their names.
  var shown: [UInt64: TableName] = [:]
  /// Databases that are removed with the next publication, after their tables.
  var droppingDatabases: [String] = []
  /// The end of the statement that the intent in the catalog is for.
  var intentEnd: BinlogPosition?
  var isStopping = false
  var target: BinlogPosition?

  public private(set) var isPaused = false
  /// Whether the stream was closed for a pause, which may be over by now.
  private var isInterrupted = false
  private var skips: Set<TableName> = []
  var phase = ReplicationStatus.Phase.starting
  private var sourcePosition: BinlogPosition?
  private var lagBytes: UInt64?
  private var rates = Rates()
  private var saving: Task<Void, any Error>?
  private var savedChanges = 0
  private var notedChanges = -1
  private var applying: Task<Void, any Error>?
  private(set) var isApplying = false
  private var lastPublication: ContinuousClock.Instant
  private var eventSource: (any BinlogEventSource)?
  private var isNeededElsewhere = false

  /// Makes a replicator; `report` is given one line about everything that an operator should know.
  ///
  /// - Throws: ``ReplicationError`` when the data folder's state cannot be read; what `sink` throws.
  public init(
    sink: any ChangeSink, store: StateStore, configuration: Configuration,
    unknownTables: UnknownTables = .copy, report: @escaping @Sendable (String) -> Void
  ) async throws {
    self.sink = sink
    self.store = store
    self.configuration = configuration
    self.unknownTables = unknownTables
    self.report = report
    var catalog = try store.loadCatalog() ?? Catalog()
    catalog.upgrade()
    checkpoint = try await sink.checkpoint().map { try Checkpoint(decoding: $0) }
    if var checkpoint {
      catalog.resolveIntent(at: checkpoint.position)
      checkpoint.nextVersion = max(checkpoint.nextVersion, Checkpoint.firstVersion)
      self.checkpoint = checkpoint
      catalog.takeBackCopied(checkpoint.relayed ?? [:])
    }
    store.noteFirst(catalog)
    state = CatalogState(catalog)
    lastPublication = clock.now
  }

  /// How far the copy is stored; nil before it was begun.
  public var storedCheckpoint: Checkpoint? { checkpoint }

  // MARK: Beginning

  /// Begins a copy that has no snapshot: its tables start empty before `position`.
  public func begin(at position: BinlogPosition) async throws {
    try await removeLeftovers()
    guard checkpoint == nil else { return }
    try await saveCatalog()
    try await save(Checkpoint(position: position))
  }

  /// Removes storage that no table of the catalog has, which a crash can leave, and shows what is to be
  /// seen.
  func removeLeftovers() async throws {
    let known = Set(catalog.tables.filter(\.hasStorage).map(\.id))
    let leftovers = try await sink.storedTableIDs().filter { !known.contains($0) }
    let dropped = leftovers.map { id in
      TableDefinition(
        id: id, name: TableReference(database: "", table: ""), schema: Schema(fields: []),
        primaryKey: [])
    }
    if checkpoint != nil {
      try await show(dropping: dropped)
    } else if !dropped.isEmpty {
      try await sink.change(showing: [], dropping: dropped)
    }
    try await store.relay.removeAll(but: checkpoint?.relayFiles ?? [])
  }

  private func beginAtCheckpoint(skipping skipped: [Range<BinlogPosition>] = []) throws {
    guard let checkpoint else {
      throw ReplicationError(.dataFolder, "there is no checkpoint to go on from")
    }
    assembler = try TransactionAssembler(
      state: state, checkpoint: checkpoint, configuration: configuration,
      unknownTables: unknownTables, skipping: skipped)
  }

  // MARK: Following

  /// Where the stream has to begin; nil before there is a checkpoint.
  public func streamStart() throws -> StreamStart? {
    guard let checkpoint else { return nil }
    let isElsewhere =
      identity != nil
      && (catalog.sourceIdentity != identity
        || (checkpoint.server != nil && checkpoint.server != identity))
    isNeededElsewhere = isElsewhere
    guard isElsewhere || checkpoint.isByGTID == true else { return .position(checkpoint.position) }
    return .gtids(try SourceGTIDs(checkpoint.gtids ?? ""))
  }

  /// Applies events until the source ends or ``stop()`` is called, or the target is stored.
  public func follow(_ source: any BinlogEventSource) async throws -> End {
    eventSource = source
    defer { eventSource = nil }
    guard !isStopping else { return .done }
    isInterrupted = isPaused
    if isPaused { return .paused }
    do {
      if isNeededElsewhere { try await move(source) }
      if assembler == nil { try beginAtCheckpoint() }
      phase = .streaming
      try await read(source)
      // The next stream begins at the checkpoint.
      if assembler?.isBetweenTransactions == false { try await sink.discardStaged() }
      assembler = nil
      return isInterrupted && !isStopping ? .paused : .done
    } catch let rewind as Rewind {
      try await takeBack()
      reportStopped()
      try await saveCatalog()
      checkpoint?.counters.rolledBack += rewind.skipped.isEmpty ? 0 : 1
      try beginAtCheckpoint(skipping: rewind.skipped)
      return .again
    } catch {
      try? await takeBack()
      throw error
    }
  }

  /// Everything after the checkpoint is read again.
  private func takeBack() async throws {
    // What is being stored comes first, whatever becomes of it.
    _ = try? await applying?.value
    applying = nil
    assembler = nil
    takeBackStatement()
    state.catalog.takeBackCopied(checkpoint?.relayed ?? [:])
    try await sink.discardStaged()
  }

  /// A statement that was being applied is read again: the catalog is the one before it.
  private func takeBackStatement() {
    guard intentEnd != nil, let checkpoint else { return }
    intentEnd = nil
    let gone = state.catalog.resolveIntent(at: checkpoint.position)
    state.dropping.removeAll { catalog[id: $0.id]?.hasStorage ?? false }
    state.dropping += gone.filter(\.hasStorage)
    droppingDatabases = []
  }

  /// Goes on at another server of the topology, whose stream begins after the checkpoint's
  /// transactions: its first event tells where in its binlog that is.
  private func move(_ source: any BinlogEventSource) async throws {
    let old = checkpoint
    // Positions are of the server before: nothing may be compared with the one that is found.
    var checkpoint = old ?? Checkpoint(position: BinlogPosition(file: "", offset: 0))
    checkpoint.position = BinlogPosition(file: "", offset: 0)
    let probe = try TransactionAssembler(
      state: CatalogState(Catalog()), checkpoint: checkpoint, configuration: configuration,
      unknownTables: unknownTables)
    guard let batch = try await source.next(within: nil), let first = batch.events.first else {
      throw ReplicationError(.otherSource, "the source ended its stream before the first event")
    }
    _ = try probe.consume(first.span.bytes)
    let position = BinlogPosition(file: probe.position.file, offset: max(4, probe.position.offset))
    var catalog = self.catalog
    for var table in catalog.tables {
      let isWhole = old.map { table.isVisible(at: $0.position) } ?? false
      switch table.state {
      case .live where isWhole: break
      case .copying, .live:
        // Its rows are as of positions that this server does not know.
        catalog.remove(id: table.id)
        if table.hasStorage { state.dropping.append(table) }
        catalog.addWanted(table.name)
        continue
      case .stopped(let reason, _): table.state = .stopped(reason: reason, at: position)
      }
      if table.hasStorage { table.copyPosition = position }
      table.visibleFrom = nil
      catalog.update(table)
    }
    catalog.sourceIdentity = identity
    state.catalog = catalog
    copying.forgetAll()
    checkpoint.position = position
    checkpoint.server = identity
    checkpoint.isByGTID = true
    checkpoint.relayed = nil
    try await saveCatalog()
    try await save(checkpoint)
    isNeededElsewhere = false
    report("following \(identity ?? "another server") from \(position) on, by GTID")
    try beginAtCheckpoint()
    try await consume(EventBatch(events: Array(batch.events)))
  }

  private func read(_ source: any BinlogEventSource) async throws {
    guard let assembler else { return }
    try await publish(assembler)
    while !isStopping, !isInterrupted {
      if let target, assembler.isBetweenTransactions,
        assembler.checkpoint.position >= target,
        !copying.isNeeded(catalog)
      {
        break
      }
      if assembler.isBetweenTransactions { try await prepareTables(assembler) }
      let next = try await source.next(within: waitLimit(assembler))
      if isStopping || isInterrupted { break }
      guard let batch = next else {
        if !assembler.isBetweenTransactions {
          report("the input ends within a transaction at \(assembler.position); it is left out")
        }
        try assembler.abandonGroup()
        break
      }
      try await consume(batch)
      if isPublicationDue(assembler) { try await publish(assembler) }
    }
    if assembler.isBetweenTransactions { try await publish(assembler) }
    try await applying?.value
    applying = nil
  }

  private func consume(_ batch: EventBatch) async throws {
    guard let assembler else { return }
    if let (name, offset) = batch.beginsFile { try assembler.beginFile(name, at: offset) }
    for event in batch.events {
      if let interruption = try assembler.consume(event.span.bytes) {
        try await perform(interruption, assembler)
      }
      try await publishIfLarge(assembler)
    }
    try await storePrepared(assembler)
  }

  /// Publishes what takes much memory. Within a transaction that sets rows aside, which are written once
  /// more later: only those do it that are large themselves.
  func publishIfLarge(_ assembler: TransactionAssembler) async throws {
    let limit = configuration.batchBytes + (assembler.isBetweenTransactions ? 0 : 2 << 20)
    if assembler.pendingBytes >= limit { try await publish(assembler) }
  }

  /// What is done between transactions only: tables are stopped at an operator's wish, or begun to be
  /// copied.
  private func prepareTables(_ assembler: TransactionAssembler) async throws {
    for name in skips {
      let known = catalog.tables.filter { $0.name == name }
      for table in known where !table.isStopped {
        state.stop(
          table.id, "skipped by an operator; copy it anew to follow it again",
          at: assembler.checkpoint.position, shownAt: assembler.checkpoint.position)
      }
      copying.forget(known.map(\.id))
      report("table \(name) is skipped from \(assembler.checkpoint.position) on")
    }
    if !skips.isEmpty {
      skips = []
      try await saveCatalog()
      try assembler.readCatalog()
    }
    try await applyRelayed(assembler)
    try await endCopied(assembler)
    try await openWanted(assembler)
  }

  private func waitLimit(_ assembler: TransactionAssembler) -> Duration? {
    guard assembler.isBetweenTransactions else { return nil }
    if isApplying { return .milliseconds(20) }
    if copying.isNeeded(catalog) || hasReachedTables(assembler) { return .milliseconds(50) }
    guard let interval = publicationInterval(assembler) else { return nil }
    return max(.milliseconds(1), lastPublication + interval - clock.now)
  }

  /// How long what waits may wait; nil when nothing does. Events that change nothing still move the
  /// checkpoint, but not at every one.
  private func publicationInterval(_ assembler: TransactionAssembler) -> Duration? {
    if assembler.hasPendingChanges || hasReachedTables(assembler) {
      return configuration.flushInterval
    }
    return assembler.checkpoint.position == checkpoint?.position ? nil : .seconds(1)
  }

  /// Whether tables can be seen as soon as the checkpoint is where the stream is.
  private func hasReachedTables(_ assembler: TransactionAssembler) -> Bool {
    copying.hasHidden
      && catalog.visible(at: assembler.checkpoint.position).contains { shown[$0.id] != $0.name }
  }

  /// While rows are being stored, later ones gather into a larger batch.
  private func isPublicationDue(_ assembler: TransactionAssembler) -> Bool {
    guard assembler.isBetweenTransactions, !isApplying,
      let interval = publicationInterval(assembler)
    else { return false }
    return clock.now - lastPublication >= interval
  }

  // MARK: Publishing

  /// Starts storing what waits, after what was being stored before.
  func publish(_ assembler: TransactionAssembler) async throws {
    try await applying?.value
    let publication = try assembler.takePublication()
    lastPublication = clock.now
    isApplying = true
    applying = Task { try await self.apply(publication) }
  }

  /// Stores what waits.
  func publishAndWait(_ assembler: TransactionAssembler) async throws {
    try await publish(assembler)
    try await applying?.value
  }

  private func apply(_ publication: Publication) async throws {
    defer { isApplying = false }
    for table in publication.created {
      if let known = catalog[id: table.id], let checkpoint,
        try await stopIfHindered(known, at: checkpoint.position)
      {
        throw Rewind(skipped: assembler?.skipped ?? [])
      }
      try await sink.create(table)
      copying.hasHidden = true
    }
    for relayed in publication.relayed {
      try await store.relay.append(relayed.events, to: relayed.fileName, at: relayed.offset)
    }
    if state.changes != savedChanges { try await saveCatalog() }
    var batches: [(table: TableDefinition, batch: RecordBatch)] = []
    for rows in publication.rows {
      do {
        batches.append((rows.table, try await complete(rows)))
      } catch let error as EncodingError {
        stop(rows.table.id, "\(error)")
        throw Rewind(skipped: assembler?.skipped ?? [])
      }
    }
    guard let checkpoint = publication.checkpoint else {
      if !batches.isEmpty { try await sink.stage(batches) }
      return
    }
    if !batches.isEmpty || checkpoint != self.checkpoint {
      if state.changes != notedChanges {
        notedChanges = state.changes
        store.note(catalog, publishedAt: checkpoint.position)
      }
      do {
        try await sink.publish(batches, checkpoint: checkpoint.encoded())
      } catch let error as MissingRowError {
        stop(error.table, "\(error)")
        throw Rewind(skipped: assembler?.skipped ?? [])
      }
      rates.note(checkpoint.counters, at: clock.now)
      self.checkpoint = checkpoint
      try await store.relay.remove(publication.endedFiles)
    }
    if let end = intentEnd, checkpoint.position >= end {
      intentEnd = nil
      state.catalog.resolveIntent(at: checkpoint.position)
    }
    if intentEnd == nil {
      let dropped = state.dropping.map(\.definition)
      try await show(dropping: dropped)
      state.dropping.removeAll { table in dropped.contains { $0.id == table.id } }
      let databases = droppingDatabases
      droppingDatabases = []
      for name in databases { try await sink.dropDatabase(name) }
    }
  }

  /// Stops a table as it is stored.
  private func stop(_ id: UInt64, _ reason: String) {
    guard let checkpoint else { return }
    state.stop(id, reason, at: checkpoint.position, shownAt: checkpoint.position)
  }

  /// Adds what the rows lack, from the copy.
  private func complete(_ rows: Publication.Rows) async throws -> RecordBatch {
    switch rows.rows {
    case .complete(let batch): return batch
    case .incomplete(let incomplete):
      let base = try await sink.rows(of: rows.table, keys: incomplete.keys)
      return try incomplete.completed(
        with: base, missingRows: rows.isPartial ? .fillWithDefaults : .refuse)
    }
  }

  /// Stops a table that the sink cannot have; nothing of it is kept.
  ///
  /// - Returns: whether it cannot.
  func stopIfHindered(_ table: ReplicatedTable, at position: BinlogPosition) async throws -> Bool {
    guard let reason = try await sink.obstacle(to: table.definition) else { return false }
    let nowhere = BinlogPosition(file: "", offset: 0)
    state.stop(table.id, reason, at: position, shownAt: nowhere)
    return true
  }

  /// Lets tables be seen that have reached a state of the source, in place of older ones.
  private func show(dropping dropped: [TableDefinition]) async throws {
    guard let checkpoint, copying.hasHidden || !dropped.isEmpty || shown.isEmpty else { return }
    var isHindered = false
    for table in catalog.visible(at: checkpoint.position) where shown[table.id] != table.name {
      if try await stopIfHindered(table, at: checkpoint.position) { isHindered = true }
    }
    if isHindered {
      try await saveCatalog()
      try assembler?.readCatalog()
      reportStopped()
    }
    let visible = catalog.visible(at: checkpoint.position)
    let changed = visible.filter { shown[$0.id] != $0.name }
    // A table is replaced by a newer one of its name, and a stopped one by one that follows.
    let newest = Dictionary(visible.map { ($0.name, $0) }) { $1 }
    let replaced = catalog.tables.filter { table in
      guard let seen = newest[table.name], seen.id != table.id else { return false }
      if table.id < seen.id { return table.isStopped || !seen.isStopped }
      return table.isStopped && table.isVisible(at: checkpoint.position)
    }
    copying.hasHidden = catalog.tables.contains {
      $0.state == .copying || ($0.hasStorage && !$0.isVisible(at: checkpoint.position))
    }
    guard !changed.isEmpty || !dropped.isEmpty || !replaced.isEmpty else { return }
    try await sink.change(
      showing: changed.map(\.definition),
      dropping: dropped + replaced.filter(\.hasStorage).map(\.definition))
    for table in changed { shown[table.id] = table.name }
    for table in replaced {
      state.catalog.remove(id: table.id)
      shown[table.id] = nil
    }
    for table in dropped { shown[table.id] = nil }
    if !replaced.isEmpty {
      try await saveCatalog()
      try assembler?.readCatalog()
    }
  }

  /// Stores the catalog as it is by now.
  func saveCatalog() async throws {
    let previous = saving
    let task = Task {
      _ = try? await previous?.value
      try await self.writeCatalog()
    }
    saving = task
    try await task.value
  }

  private func writeCatalog() async throws {
    savedChanges = state.changes
    try await store.save(catalog)
  }

  func save(_ checkpoint: Checkpoint) async throws {
    store.note(catalog, publishedAt: checkpoint.position)
    try await sink.publish([], checkpoint: checkpoint.encoded())
    self.checkpoint = checkpoint
  }

  private var reportedStops: Set<UInt64> = []

  func reportStopped() {
    for table in catalog.tables where !reportedStops.contains(table.id) {
      guard case .stopped(let reason, let position) = table.state else { continue }
      reportedStops.insert(table.id)
      report("table \(table.name) stopped at \(position): \(reason)")
    }
  }

  // MARK: Control

  /// Publishes what is whole and ends ``follow(_:)``; what is not whole is read again later.
  public func stop() async {
    isStopping = true
    await eventSource?.close()
  }

  /// Ends ``follow(_:)`` once everything before this position is stored and no table is being copied.
  public func stop(at position: BinlogPosition) { target = position }

  /// Whether existing rows of a table are still to be copied.
  public var isCopying: Bool { copying.isNeeded(catalog) }

  /// Stores what is whole and reads nothing more until ``resume()``.
  public func pause() async {
    isPaused = true
    isInterrupted = true
    await eventSource?.close()
  }

  public func resume() { isPaused = false }

  /// Whether ``stop()`` was called.
  public var isDone: Bool { isStopping }

  /// Changes how long a commit waits at most before it is published.
  public func setFlushInterval(_ interval: Duration) { configuration.flushInterval = interval }

  /// Copies a table from the source anew. It is seen as it is until the new copy takes its place.
  ///
  /// - Throws: ``ReplicationError`` when it is not selected, or is being copied already.
  public func copyAnew(_ name: TableName) async throws {
    guard configuration.filter.selects(name) else {
      throw ReplicationError(.settings, "\(name) is not among the tables that are replicated")
    }
    guard !catalog.isCopying(name) else {
      throw ReplicationError(.settings, "\(name) is being copied already")
    }
    guard catalog[name] != nil else {
      throw ReplicationError(
        .settings,
        "\(name) is not among the tables of the copy: what the source has is copied at the start")
    }
    state.catalog.addWanted(name)
    copying.hasHidden = true
    try await saveCatalog()
  }

  /// Stops following a table, which stays as it is.
  ///
  /// - Throws: ``ReplicationError`` when there is no such table.
  public func skip(_ name: TableName) throws {
    guard catalog[name] != nil else {
      throw ReplicationError(.settings, "\(name) is not among the tables of the copy")
    }
    skips.insert(name)
  }

  /// Tells how far the source is, and how much of its binlog is not stored yet, for the lag in
  /// ``status()``.
  public func setSource(position: BinlogPosition, lagBytes: UInt64?) {
    sourcePosition = position
    self.lagBytes = lagBytes
  }

  /// Notes that the source cannot be reached and will be tried again.
  public func setReconnecting() {
    phase = .reconnecting
    sourcePosition = nil
  }

  public func status() -> ReplicationStatus {
    var phase = phase
    if isStopping {
      phase = .stopping
    } else if isPaused {
      phase = .paused
    } else if phase == .streaming, copying.isNeeded(catalog) {
      phase = .copying
    }
    return ReplicationStatus(
      phase: phase, catalog: catalog, checkpoint: checkpoint, shown: Set(shown.keys),
      sourcePosition: sourcePosition,
      lagBytes: lagBytes, copy: copyProgress, rowsReadAtOnce: copying.rowsReadAtOnce,
      pendingBytes: assembler?.pendingBytes ?? 0,
      rates: rates.perSecond(at: clock.now), flushInterval: configuration.flushInterval)
  }
}

extension Catalog {
  /// The tables that are seen once the stream has come to `position`: the newest of each name that
  /// follows, or else the newest that has stopped.
  func visible(at position: BinlogPosition) -> [ReplicatedTable] {
    var newest: [TableName: ReplicatedTable] = [:]
    for table in tables where table.isVisible(at: position) {
      if let known = newest[table.name], !known.isStopped, table.isStopped { continue }
      newest[table.name] = table
    }
    return newest.values.sorted { $0.id < $1.id }
  }
}
