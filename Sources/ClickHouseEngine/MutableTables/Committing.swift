import MagicCore

/// What a transaction does to one table when it is committed.
struct TableChange: Sendable {
  /// Rows that an UPDATE or DELETE has found, and how many it changes.
  struct Found: Sendable {
    var rows: StagedRows
    var changedRows: Int
  }

  enum Source: Sendable {
    /// They are set aside.
    case staged(StagedRows)
    /// They are found in the table as of a commit point, nil for the published one, by an UPDATE or
    /// a DELETE.
    case search(@Sendable (CommitPin?) async throws -> Found)
  }

  var table: MutableTable
  /// The name that the statement used.
  var name: TableReference
  /// The shape of the table for which the change was made.
  var shape: TableShape
  var source: Source
  /// See ``StatementContext/writeToken``.
  var token: String?

  fileprivate var staged: StagedRows? {
    if case .staged(let rows) = source { rows } else { nil }
  }
}

/// A table that nobody sees before a transaction is committed.
struct NewTable: Sendable {
  var table: MutableTable
  var name: TableReference
  /// Whether it takes the place of a table that is there.
  var replaces: Bool
  /// The table that it is declared like, whose place it takes as long as that is declared so.
  var model: (table: MutableTable, shape: TableShape)?
  /// See ``StatementContext/writeToken``.
  var token: String?
  /// The number of rows that were written with the token.
  var rowCount: Int
}

extension MutableTables {
  struct Committed: Sendable {
    var commit: UInt64
    /// How many rows were changed.
    var changedRows: Int
  }

  /// Publishes changes in one step, in their order: an UPDATE or DELETE sees those before it.
  ///
  /// Latches are taken in one order by everybody: `declarations`, then those of settling, then those
  /// of writing, each by the order of their tables. None is taken once the commit has its number.
  ///
  /// - Parameter unchangedSince: see ``CommitTerms/unchangedSince``.
  /// - Throws: ``EngineError`` when nothing was published.
  func commit(
    _ changes: [TableChange], showing newTables: [NewTable], unchangedSince: UInt64? = nil
  ) async throws -> Committed {
    // A write without rows is remembered by its token only.
    let changes = changes.filter { $0.staged?.count != 0 || $0.token != nil }
    let given = changes.compactMap(\.token) + newTables.compactMap(\.token)
    guard !given.isEmpty else {
      return try await commit(changes, newTables, unchangedSince, tokens: [])
    }
    return try await tokens.withTokens(Set(given)) { [self] done in
      func isNew(_ token: String?) -> Bool { token.map { done[$0] == nil } ?? true }
      var committed = try await commit(
        changes.filter { isNew($0.token) }, newTables.filter { isNew($0.token) }, unchangedSince,
        tokens: Set(given).subtracting(done.keys))
      committed.changedRows += done.values.reduce(0, +)
      return committed
    }
  }

  private func commit(
    _ changes: [TableChange], _ newTables: [NewTable], _ unchangedSince: UInt64?,
    tokens: Set<String>
  ) async throws -> Committed {
    if changes.isEmpty, newTables.isEmpty {
      return Committed(commit: storage.registry.published.commit, changedRows: 0)
    }
    var tables: [StorageOwner: MutableTable] = [:]
    // What may become a generation, and imports.
    var unsettled = Self.bulkTables(changes)
    for (index, change) in changes.enumerated() {
      tables[change.table.owner] = change.table
      let needsSettling = change.staged.map { $0.versions == .given } ?? (index == 0)
      if needsSettling { unsettled.insert(change.table.owner) }
    }
    let sorted = tables.values.sorted { $0.owner < $1.owner }
    for table in sorted { try await table.waitForRoom() }
    let settling = sorted.filter { unsettled.contains($0.owner) }.map(\.settling)
    return try await withLatches(newTables.isEmpty ? [] : [declarations]) {
      try await withLatches(settling) {
        let replaced = newTables.compactMap { table($0.name) }
        let latches = (sorted + replaced.filter { tables[$0.owner] == nil })
          .sorted { $0.owner < $1.owner }.map(\.latch)
        return try await withLatches(latches) {
          if let unchangedSince { try await check(sorted, areUnchangedSince: unchangedSince) }
          return try await CommitRun(self, tables: sorted, tokens: tokens).run(changes, newTables)
        }
      }
    }
  }
}

extension MutableTables {
  /// The tables that get so many rows before anything is searched that they are better not added to
  /// young tables.
  fileprivate static func bulkTables(_ changes: [TableChange]) -> Set<StorageOwner> {
    var counts: [StorageOwner: Int] = [:]
    for change in changes.prefix(while: { $0.staged != nil }) {
      counts[change.table.owner, default: 0] += change.staged?.count ?? 0
    }
    return Set(counts.filter { $0.value > StagedRows.bulkCount }.keys)
  }

  private func check(_ tables: [MutableTable], areUnchangedSince commit: UInt64) async throws {
    for table in tables where await table.lastCommit > commit {
      throw EngineError(
        code: Self.conflict,
        message: "\(await table.name?.description ?? "a table") was changed by somebody else "
          + "meanwhile, so nothing was changed: try again with its new state")
    }
  }

  /// The engine's own number for a write that another one got in the way of
  /// (`SERIALIZATION_ERROR` is of its transactions).
  static let conflict = 650
}

/// One commit of several changes, while all latches are held.
private struct CommitRun {
  let all: MutableTables
  let tables: [MutableTable]
  let tokens: Set<String>
  private var storage: StorageEngine { all.storage }

  init(_ all: MutableTables, tables: [MutableTable], tokens: Set<String>) {
    self.all = all
    self.tables = tables
    self.tokens = tokens
  }

  func run(
    _ changes: [TableChange], _ newTables: [NewTable]
  ) async throws -> MutableTables.Committed {
    for change in changes { try await check(change) }
    for new in newTables { try await check(new) }
    var counts = changes.map { $0.staged?.count ?? 0 }
    var changes = changes
    // The first one sees what is published, so it need not hold up others.
    if let first = changes.first, case .search(let search) = first.source {
      try await first.table.waitForCommits()
      let found = try await search(nil)
      changes[0].source = .staged(found.rows)
      counts[0] = found.changedRows
    }
    let replaced = newTables.compactMap { all.table($0.name) }
    return try await storage.withConnection { connection in
      if !tokens.isEmpty { try await all.tokens.prepare(on: connection) }
      let generations = try await makeGenerations(of: changes, on: connection)
      do {
        if replaced.isEmpty {
          return try await publish(changes, counts, newTables, generations, on: connection)
        }
        return try await storage.preserving(replaced) {
          try await publish(changes, counts, newTables, generations, on: connection)
        }
      } catch {
        for stage in generations.values { await storage.discard(stage) }
        throw error
      }
    }
  }

  private func check(_ change: TableChange) async throws {
    let table = change.table
    guard await !table.isRemoved, await table.name == change.name else {
      throw EngineError(
        code: 60, message: "\(change.name) was dropped, replaced or renamed meanwhile")
    }
    guard await table.shape == change.shape else {
      throw EngineError(message: "\(change.name) was altered meanwhile: run the transaction again")
    }
  }

  private func check(_ new: NewTable) async throws {
    if let model = new.model {
      guard all.table(new.name) === model.table, await model.table.shape == model.shape else {
        throw EngineError(
          message: "\(new.name) was altered, dropped or replaced meanwhile: run the transaction "
            + "again")
      }
    }
    if let existing = all.table(new.name) {
      guard new.replaces else {
        throw EngineError(code: 57, message: "the table \(new.name) was created meanwhile")
      }
      if existing.owner.kind == .replicated {
        throw EngineError(
          message: "\(new.name) belongs to replication, which alone may change it")
      }
      return
    }
    let isTaken = try await storage.withConnection { connection in
      try await connection.count(
        """
        system.tables WHERE database = \(quotedString(new.name.database)) \
        AND name = \(quotedString(new.name.table))
        """) > 0
    }
    if isTaken, !new.replaces {
      throw EngineError(code: 57, message: "the table \(new.name) was created meanwhile")
    }
  }

  /// Prepares generations for the tables to which many rows are added before anything is searched.
  private func makeGenerations(
    of changes: [TableChange], on connection: any EngineConnection
  ) async throws -> [StorageOwner: StorageName] {
    let first = changes.prefix { $0.staged != nil }
    let bulk = MutableTables.bulkTables(changes)
    var generations: [StorageOwner: StorageName] = [:]
    do {
      for table in tables {
        let rows = first.filter { $0.table === table }.compactMap(\.staged)
        guard bulk.contains(table.owner), rows.allSatisfy({ $0.versions == .allotted }) else {
          continue
        }
        generations[table.owner] = try await table.makeSettled(adding: rows, on: connection)
      }
    } catch {
      for stage in generations.values { await storage.discard(stage) }
      throw error
    }
    return generations
  }

  /// From its beginning on, commits of others wait for this one.
  private func publish(
    _ changes: [TableChange], _ counts: [Int], _ newTables: [NewTable],
    _ generations: [StorageOwner: StorageName], on connection: any EngineConnection
  ) async throws -> MutableTables.Committed {
    if Task.isCancelled { throw EngineError.cancelled }
    let commit = try await storage.beginCommit()
    var counts = counts
    do {
      for table in tables {
        guard let stage = generations[table.owner] else { continue }
        try await table.addGeneration(of: stage, from: commit, on: connection)
      }
      try await write(changes, &counts, generations, commit: commit, on: connection)
      try await storeTokens(changes, counts, newTables, commit: commit, on: connection)
      if !newTables.isEmpty { try await intent(newTables, commit).write(all.intentPath) }
      try storage.checkFence(of: commit)
    } catch {
      await takeBack(commit, generations, newTables, because: error)
      throw error
    }
    let changed = counts.reduce(0, +) + newTables.reduce(0) { $0 + $1.rowCount }
    try await Task {
      try await storage.publish(commit) {
        if !newTables.isEmpty { try await show(newTables, from: commit) }
      }
    }.value
    return MutableTables.Committed(commit: commit, changedRows: changed)
  }

  private func takeBack(
    _ commit: UInt64, _ generations: [StorageOwner: StorageName], _ newTables: [NewTable],
    because error: any Error
  ) async {
    await Task {
      _ = try? await storage.withConnection { connection in
        for table in tables where generations[table.owner] != nil {
          await table.removeGeneration(from: commit, on: connection)
        }
      }
      if !newTables.isEmpty { try? await CommitIntent.remove(all.intentPath) }
      var places: [String] = tokens.isEmpty ? [] : [WriteTokens.table]
      for table in tables { places.append("\(await table.openYoung.name)") }
      await storage.takeBack(commit, from: places, because: error)
    }.value
  }

  // MARK: Rows

  /// Writes the rows that are not in a generation. What stands before a search is written before it.
  private func write(
    _ changes: [TableChange], _ counts: inout [Int], _ generations: [StorageOwner: StorageName],
    commit: UInt64, on connection: any EngineConnection
  ) async throws {
    let firstSearch = changes.firstIndex { $0.staged == nil } ?? changes.count
    var pin: CommitPin?
    if firstSearch < changes.count {
      try await storage.sequencer.waitForEnd(of: commit - 1)
      var point = storage.registry.published
      point.commit = commit
      let entered = storage.registry.enter(at: point)
      pin = CommitPin(point) { [registry = storage.registry] in registry.leave(entered) }
    }
    var waiting: [(table: MutableTable, rows: StagedRows)] = []
    for (index, change) in changes.enumerated() {
      switch change.source {
      case .staged(let rows):
        if index < firstSearch, generations[change.table.owner] != nil { continue }
        waiting.append((change.table, rows))
      case .search(let search):
        try await write(waiting, commit: commit, on: connection)
        let found = try await search(pin)
        counts[index] = found.changedRows
        waiting = [(change.table, found.rows)]
      }
    }
    try await write(waiting, commit: commit, on: connection)
  }

  private func write(
    _ rows: [(table: MutableTable, rows: StagedRows)], commit: UInt64,
    on connection: any EngineConnection
  ) async throws {
    var appends: [(table: MutableTable, append: MutableTable.Append, rows: StagedRows)] = []
    for (table, rows) in rows {
      let rows =
        rows.versions == .given ? try await table.newest(ofImported: rows, on: connection) : rows
      if rows.count == 0 { continue }
      appends.append(
        (table, try await table.append(rows, commit: commit, on: connection), rows))
    }
    if appends.count == 1, let only = appends.first {
      return try await only.table.write(only.append, of: only.rows, on: connection)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, next) in appends.enumerated() {
        // As many side by side as are worth it.
        if index >= 4 { try await group.next() }
        group.addTask { [storage] in
          try await storage.withConnection {
            try await next.table.write(next.append, of: next.rows, on: $0)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private func storeTokens(
    _ changes: [TableChange], _ counts: [Int], _ newTables: [NewTable], commit: UInt64,
    on connection: any EngineConnection
  ) async throws {
    var rows = Dictionary(uniqueKeysWithValues: tokens.map { ($0, 0) })
    for (change, count) in zip(changes, counts) {
      if let token = change.token { rows[token, default: 0] += count }
    }
    for new in newTables {
      if let token = new.token { rows[token, default: 0] += new.rowCount }
    }
    try await all.tokens.store(rows, commit: commit, on: connection)
  }

  // MARK: New tables

  private func intent(_ newTables: [NewTable], _ commit: UInt64) async -> CommitIntent {
    var intent = CommitIntent(commit: commit, tables: [])
    for new in newTables {
      intent.tables.append(
        CommitIntent.Table(
          owner: "\(new.table.owner)", name: new.name, comment: await new.table.comment,
          replaced: all.table(new.name).map { "\($0.owner)" }))
    }
    return intent
  }

  private func show(_ newTables: [NewTable], from commit: UInt64) async throws {
    do {
      try await storage.withConnection { connection in
        for new in newTables {
          let existing = all.table(new.name)
          await new.table.setName(new.name, from: commit)
          try await new.table.refreshView(on: connection)
          if let existing { await all.remove(existing) }
          await all.add(new.table)
        }
      }
      try await CommitIntent.remove(all.intentPath)
    } catch {
      throw EngineError(
        message: "the transaction is committed, but its new tables cannot be shown before a "
          + "restart: \(error)")
    }
  }
}
