import MagicCore
import Synchronization

/// All mutable tables of a data folder: those of users and those that replication writes.
public final class MutableTables: Sendable {
  private struct State {
    var tables: [StorageOwner: MutableTable] = [:]
    var names: [TableReference: MutableTable] = [:]
    var lastNumber: UInt64 = 0
    /// The last generations of tables whose storage was removed, which may still be there.
    var removedGenerations: [StorageOwner: UInt64] = [:]
    /// The tables that are being settled.
    var settling: [StorageOwner: Task<Void, Never>] = [:]
    var maintenance: [Task<Void, Never>] = []
  }

  let storage: StorageEngine
  /// Held by whoever creates, drops or renames tables.
  let declarations = WriteLatch()
  private let state: Mutex<State>
  /// Row versions that wait for the next publication of replication.
  let staged = StagedChanges()
  let tokens: WriteTokens
  /// Held while a write makes a table of that name that was missing.
  let creations = NamedLatches()
  /// Where ``CommitIntent`` is kept.
  let intentPath: String
  private let report: @Sendable (String) -> Void

  private init(
    storage: StorageEngine, recovered: Recovery.Recovered, intentPath: String,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.storage = storage
    self.intentPath = intentPath
    self.report = report
    tokens = WriteTokens(storage: storage, isStored: recovered.hasTokens)
    state = Mutex(State(tables: recovered.tables, lastNumber: recovered.lastNumber))
  }

  /// Opens the tables of an engine, and removes what was never published.
  ///
  /// - Parameters:
  ///   - engine: keeps their rows.
  ///   - commitLog: the path of the file that holds the published commit point.
  ///   - report: is given one line about everything that goes wrong in the background.
  /// - Throws: `EngineError` when the data folder is damaged or of another format.
  public static func open(
    engine: any Engine, commitLog: String,
    report: @escaping @Sendable (String) -> Void = { _ in }
  ) async throws -> MutableTables {
    let isNew = try CommitLog.read(path: commitLog) == nil
    let (log, record) = try await CommitLog.open(path: commitLog)
    let registry = ReaderRegistry(
      published: CommitPoint(commit: record.commit, checkpoint: record.checkpoint))
    let background = PublishedTable(engine: engine)
    let sequencer = CommitSequencer(log: log, record: record, registry: registry) { commit in
      background.set(commit)
    }
    let storage = StorageEngine(engine: engine, registry: registry, sequencer: sequencer)
    let intentPath = CommitIntent.path(besides: commitLog)
    let intent = try CommitIntent.read(intentPath)
    let recovered = try await storage.withConnection { connection in
      try await connection.execute(
        "CREATE DATABASE IF NOT EXISTS \(StorageName.database) ENGINE = Atomic")
      try await PublishedTable.make(on: connection, commit: record.commit)
      try await PastTables.dropAll(on: connection)
      try await CommitPointFunctions.make(on: connection)
      return try await Recovery(
        storage: storage, record: record, isNewLog: isNew, intent: intent, report: report
      ).run(on: connection)
    }
    if intent != nil { try await CommitIntent.remove(intentPath) }
    let tables = MutableTables(
      storage: storage, recovered: recovered, intentPath: intentPath, report: report)
    await tables.updateNames()
    try await storage.withConnection { connection in
      for (kept, description) in recovered.kept {
        storage.kept.add(kept, description)
        do {
          try await storage.show(kept, description, on: connection)
        } catch {
          report("what a snapshot of \(description.name) kept cannot be read: \(error)")
        }
      }
      try await PublishedTable.refreshEarlyViews(on: connection)
    }
    tables.startMaintenance()
    return tables
  }

  /// Settles and drops in the background, each on its own: a drop may have to wait for readers.
  private func startMaintenance() {
    let actions: [@Sendable (MutableTables) async -> Void] = [
      { $0.startSettling(await $0.dueTables()) }, { await $0.dropRetired() },
    ]
    let tasks = actions.map { action in
      Task { [weak self] in
        while !Task.isCancelled {
          guard let tables = self else { return }
          await action(tables)
          try? await Task.sleep(for: .milliseconds(50))
        }
      }
    }
    state.withLock { $0.maintenance = tasks }
  }

  /// Ends the work in the background. What is not settled yet is settled after the next start.
  public func shutdown() async {
    let maintenance = state.withLock { $0.maintenance }
    for task in maintenance { task.cancel() }
    for task in maintenance { await task.value }
    let settling = state.withLock { Array($0.settling.values) }
    for task in settling { task.cancel() }
    for task in settling { await task.value }
    // What is left is dropped at the next start.
    try? await storage.dropRetired(isLast: true)
  }

  // MARK: Names

  /// The mutable table of that name.
  func table(_ name: TableReference) -> MutableTable? { state.withLock { $0.names[name] } }

  func table(_ owner: StorageOwner) -> MutableTable? { state.withLock { $0.tables[owner] } }

  /// All of a database, or of all databases.
  func tables(in database: String? = nil) -> [(name: TableReference, table: MutableTable)] {
    state.withLock { state in
      state.names.filter { database == nil || $0.key.database == database }
        .map { ($0.key, $0.value) }.sorted { $0.0.description < $1.0.description }
    }
  }

  var owners: [StorageOwner] { state.withLock { Array($0.tables.keys) } }

  /// A number for a new table of a user.
  func newOwner() -> StorageOwner {
    state.withLock { state in
      state.lastNumber += 1
      return StorageOwner(kind: .user, number: state.lastNumber)
    }
  }

  /// The number of the first generation of a table that is made now.
  func firstGeneration(of owner: StorageOwner) -> UInt64 {
    state.withLock { ($0.removedGenerations[owner] ?? 0) + 1 }
  }

  func add(_ table: MutableTable) async {
    state.withLock { $0.tables[table.owner] = table }
    await updateNames()
  }

  /// Forgets a table and drops its storage once nobody reads it.
  func remove(_ table: MutableTable) async {
    await table.setRemoved()
    let generation = await table.current.number
    state.withLock { state in
      state.tables[table.owner] = nil
      state.removedGenerations[table.owner] = generation
    }
    await updateNames()
    storage.retire(await table.storageNames)
  }

  /// Takes note of what the tables are called now.
  func updateNames() async {
    var names: [TableReference: MutableTable] = [:]
    for table in state.withLock({ Array($0.tables.values) }) {
      if let name = await table.name { names[name] = table }
    }
    state.withLock { $0.names = names }
  }

  /// Takes note of what became of some tables: where their views are now, or that they are gone.
  func readNames(of affected: [MutableTable]) async throws {
    try await Task { [self] in
      let views = try await storage.withConnection { try await TableView.readAll(on: $0) }
      for table in affected {
        if let view = views[table.owner]?.first {
          await table.setName(view.name)
        } else {
          await remove(table)
        }
      }
    }.value
    await updateNames()
  }

  // MARK: Background

  /// The tables that are to be settled now.
  private func dueTables() async -> [MutableTable] {
    let now = ContinuousClock.now
    let idle = state.withLock { state in
      state.tables.values.filter { state.settling[$0.owner] == nil }
    }
    var due: [MutableTable] = []
    for table in idle where await table.settlingIsDue(at: now) { due.append(table) }
    return due
  }

  /// Two at a time: a large table does not hold up the small ones.
  private func startSettling(_ due: [MutableTable]) {
    for table in due {
      state.withLock { state in
        guard state.settling.count < 2 else { return }
        state.settling[table.owner] = Task { [weak self] in
          await self?.settle(table)
          self?.state.withLock { $0.settling[table.owner] = nil }
        }
      }
    }
  }

  private func settle(_ table: MutableTable) async {
    do {
      try await table.settle()
    } catch {
      if Task.isCancelled { return }
      if await table.isLeaving { return }
      report("settling \(await table.name?.description ?? "\(table.owner)") failed: \(error)")
      // What fails is tried again, but not at once.
      await table.note(settlingFailure: error)
    }
  }

  private func dropRetired() async {
    do {
      try await storage.dropRetired()
    } catch {
      if !Task.isCancelled { report("dropping unused storage failed: \(error)") }
    }
  }
}

/// The published commit point as a table in memory, for what the engine runs by itself.
private final class PublishedTable: Sendable {
  private struct State {
    var wanted: UInt64 = 0
    var isWriting = false
  }

  private let engine: any Engine
  private let state = Mutex(State())

  init(engine: any Engine) { self.engine = engine }

  static func make(on connection: any EngineConnection, commit: UInt64) async throws {
    try await connection.execute(
      """
      CREATE TABLE IF NOT EXISTS \(MutableView.publishedTable) (key UInt8, commit UInt64) \
      ENGINE = Join(ANY, LEFT, key) SETTINGS persistent = 0, join_any_take_last_row = 1
      """)
    try await connection.execute(statement(commit))
  }

  /// Refreshes the materialized views whose refresh the engine began before it could be answered.
  static func refreshEarlyViews(on connection: any EngineConnection) async throws {
    let views = try await connection.texts(
      "SELECT database, view FROM system.view_refreshes "
        + "WHERE position(exception, \(quotedString(MutableView.notOpen))) > 0")
    for view in views {
      let name = TableReference(database: view[0], table: view[1])
      try await connection.execute("SYSTEM REFRESH VIEW \(name.quoted)")
    }
  }

  private static func statement(_ commit: UInt64) -> String {
    "INSERT INTO \(MutableView.publishedTable) SELECT 1, \(commit)"
  }

  /// Writes a commit point soon; several that come at once are written as one.
  func set(_ commit: UInt64) {
    let isFirst = state.withLock { state in
      state.wanted = commit
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if isFirst { Task { await write() } }
  }

  private func write() async {
    let connection = try? await engine.connect()
    var written: UInt64?
    while let next = next(after: written) {
      _ = try? await connection?.execute(Self.statement(next))
      written = next
    }
    await connection?.close()
  }

  private func next(after written: UInt64?) -> UInt64? {
    state.withLock { state in
      if state.wanted != written { return state.wanted }
      state.isWriting = false
      return nil
    }
  }
}
