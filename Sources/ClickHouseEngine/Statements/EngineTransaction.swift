import MagicCore

/// A transaction: changes that are set aside, and published in one step when it is committed.
///
/// What it has set aside is storage that no view names. When the process ends, recovery drops it.
actor EngineTransaction: Transaction {
  private enum State { case open, committing, ended }

  nonisolated let engine: any Engine
  nonisolated let tables: MutableTables
  /// The transaction that this one is a part of.
  private nonisolated let whole: EngineTransaction?
  /// Held by the statement that runs: they run one after another.
  private nonisolated let turn = WriteLatch()
  private var state = State.open
  private var changes: [TableChange] = []
  private var newTables: [NewTable] = []
  private var stages: [StorageName] = []
  /// The fencing tokens of its statements.
  private var fencing: Fencing?

  init(engine: any Engine, tables: MutableTables, partOf whole: EngineTransaction? = nil) {
    self.engine = engine
    self.tables = tables
    self.whole = whole
  }

  deinit {
    let names = stages + newTables.flatMap { Self.storageNames(of: $0.table.owner) }
    tables.storage.retire(names)
  }

  /// The transaction that a context or a request names.
  static func of(_ transaction: any Transaction, _ tables: MutableTables) throws
    -> EngineTransaction
  {
    guard let transaction = transaction as? EngineTransaction, transaction.tables === tables else {
      throw EngineError(message: "the transaction belongs to another database")
    }
    return transaction
  }

  /// Runs `body` with a transaction of its own and commits that.
  ///
  /// - Returns: the number of changed rows.
  static func alone(
    _ engine: any Engine, _ tables: MutableTables,
    _ body: @Sendable (EngineTransaction) async throws -> Void
  ) async throws -> Int {
    let transaction = EngineTransaction(engine: engine, tables: tables)
    do {
      try await body(transaction)
      return try await transaction.publish().changedRows
    } catch {
      await transaction.rollback()
      throw error
    }
  }

  /// Runs a statement of the transaction.
  nonisolated func collecting<Result: Sendable>(
    _ body: @Sendable () async throws -> Result
  ) async throws -> Result {
    try await turn.withLatch {
      try await requireOpen()
      let result = try await body()
      if let fencing = Fencing.current { await add(fencing) }
      return result
    }
  }

  private func add(_ other: Fencing) {
    if fencing == nil { fencing = other } else { fencing?.formUnion(other) }
  }

  private func requireOpen() throws {
    if state != .open { throw EngineError(message: "the transaction has ended") }
  }

  // MARK: The end

  func beginPart() throws -> any Transaction {
    try requireOpen()
    guard whole == nil else { throw EngineError(message: "a part of a transaction has no parts") }
    return EngineTransaction(engine: engine, tables: tables, partOf: self)
  }

  @discardableResult func commit(_ terms: CommitTerms) async throws -> UInt64 {
    if whole != nil {
      throw EngineError(message: "a part is committed with the transaction that it belongs to")
    }
    return try await publish(terms).commit
  }

  private func publish(_ terms: CommitTerms = CommitTerms()) async throws
    -> MutableTables.Committed
  {
    try await turn.withLatch {
      try requireOpen()
      state = .committing
      do {
        for part in terms.parts { try await take(try Self.of(part, tables)) }
        if let token = terms.token { setToken(token) }
        if let fencing = terms.fencing {
          add(
            fencing.changing(
              rows: Set(changes.map(\.name)), tables: Set(newTables.map(\.name))))
        }
        let committed = try await Fencing.$current.withValue(fencing ?? Fencing.current) {
          try await tables.commit(
            changes, showing: newTables, unchangedSince: terms.unchangedSince)
        }
        // What belongs to a write that was done before is not shown.
        for new in newTables where await new.table.name == nil { await discard(new) }
        end()
        return committed
      } catch {
        for new in newTables where await new.table.name == nil { await discard(new) }
        end()
        throw error
      }
    }
  }

  /// Takes over what a part has collected. Rows for tables that this transaction has made are
  /// written into those, since nobody else changes them.
  private func take(_ part: EngineTransaction) async throws {
    guard part.whole === self else {
      throw EngineError(message: "a part belongs to another transaction")
    }
    let collected = try await part.handOver()
    stages += collected.stages
    newTables += collected.newTables
    if let fencing = collected.fencing { add(fencing) }
    for change in collected.changes {
      guard let new = newTables.lastIndex(where: { $0.name == change.name }) else {
        changes.append(change)
        continue
      }
      guard newTables[new].table === change.table, case .staged(let rows) = change.source else {
        throw EngineError(
          message: "a part has changed \(change.name), which the transaction replaces: replace it "
            + "before parts write into it")
      }
      try await change.table.fill(with: rows)
      newTables[new].rowCount += rows.count
    }
  }

  private struct Collected {
    var changes: [TableChange]
    var newTables: [NewTable]
    var stages: [StorageName]
    var fencing: Fencing?
  }

  /// Ends a part without giving up what it has collected.
  private func handOver() async throws -> Collected {
    try await turn.withLatch {
      try requireOpen()
      state = .ended
      defer { (changes, newTables, stages) = ([], [], []) }
      return Collected(
        changes: changes, newTables: newTables, stages: stages, fencing: fencing)
    }
  }

  /// Gives all changes a write token.
  private func setToken(_ token: String) {
    for index in changes.indices {
      changes[index].token = WriteTokens.key(token, of: changes[index].name)
    }
    for index in newTables.indices {
      newTables[index].token = WriteTokens.key(token, of: newTables[index].name)
    }
  }

  func rollback() async {
    // Not cancelled with the caller's task.
    await Task {
      try? await turn.withLatch {
        guard state == .open else { return }
        for new in newTables { await discard(new) }
        end()
      }
    }.value
  }

  private func end() {
    state = .ended
    tables.storage.retire(stages)
    (changes, newTables, stages) = ([], [], [])
  }

  private func discard(_ new: NewTable) async {
    for name in Self.storageNames(of: new.table.owner) { await tables.storage.discard(name) }
  }

  /// The storage of a table that nobody has seen.
  private static func storageNames(of owner: StorageOwner) -> [StorageName] {
    [
      StorageName(owner, .settled(generation: 1, from: 0)),
      StorageName(owner, .young(generation: 1, number: 1)),
    ]
  }

  // MARK: Setting aside

  /// Collects a change that is made at the commit.
  func add(_ change: TableChange) throws {
    try requireAlive()
    changes.append(change)
  }

  /// Makes a stage that exists until the transaction ends.
  func makeStage(
    of table: MutableTable, hasConstraints: Bool = true
  ) async throws -> StagedRows.Place {
    let name = tables.storage.stageName(of: table.owner)
    stages.append(name)
    try await tables.storage.withConnection {
      try await table.makeStage(name, hasConstraints: hasConstraints, on: $0)
    }
    return .table(name)
  }

  /// Collects rows that a statement has set aside, before it forgets them.
  ///
  /// - Parameter connection: the statement's own, which a stage in memory is seen by.
  func add(
    _ rows: StagedRows, of table: MutableTable, called name: TableReference, _ shape: TableShape,
    token: String?, on connection: any EngineConnection
  ) async throws {
    try requireAlive()
    var change = TableChange(
      table: table, name: name, shape: shape, source: .staged(rows), token: token)
    // A write without rows is remembered by its token only.
    if rows.count == 0, token == nil { return }
    if case .table(let stage) = rows.place, rows.count > MutableStatements.memoryStageRowCount {
      var kept = rows
      let name = tables.storage.stageName(of: table.owner)
      stages.append(name)
      try await connection.execute("RENAME TABLE \(stage) TO \(name)")
      kept.place = .table(name)
      change.source = .staged(kept)
      changes.append(change)
      return
    }
    // Rows of many small statements are set aside together.
    if let index = indexOfStage(for: change), case .staged(var kept) = changes[index].source {
      try await copy(rows, to: kept, shape, on: connection)
      kept.count += rows.count
      changes[index].source = .staged(kept)
      return
    }
    var kept = rows
    kept.place = try await makeStage(of: table)
    try await copy(rows, to: kept, shape, on: connection)
    change.source = .staged(kept)
    changes.append(change)
  }

  private func requireAlive() throws {
    if state == .ended { throw EngineError(message: "the transaction has ended") }
  }

  /// The last change of the table when rows can be added to it.
  private func indexOfStage(for change: TableChange) -> Int? {
    for index in changes.indices.reversed() {
      let last = changes[index]
      guard case .staged(let rows) = last.source else { return nil }
      guard last.table === change.table else { continue }
      let isOfSameKind =
        last.shape == change.shape && last.name == change.name && last.token == change.token
        && rows.versions == .allotted && !rows.isBulk
      guard case .staged(let added) = change.source, isOfSameKind, added.versions == .allotted
      else { return nil }
      return index
    }
    return nil
  }

  /// One block makes one part, which is there whole or not at all.
  private func copy(
    _ rows: StagedRows, to kept: StagedRows, _ shape: TableShape,
    on connection: any EngineConnection
  ) async throws {
    let versions = rows.versions == .given ? "\(HiddenColumn.version), " : ""
    let columns = "\(shape.storedColumnList), \(versions)\(HiddenColumn.deleteMark)"
    let order = rows.isInMemory ? "" : " ORDER BY \(rows.position)"
    try await connection.execute(
      """
      INSERT INTO \(kept.source) (\(columns)) SELECT \(columns) FROM \(rows.source)\(order) \
      SETTINGS max_threads = 1, max_insert_threads = 1, \
      min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0, \
      max_insert_block_size = 1000000000
      """)
  }

  // MARK: New tables

  /// The table that the transaction, or the one that it is a part of, has made under a name.
  func newTable(_ name: TableReference) async -> (table: MutableTable, isOwn: Bool)? {
    if let own = newTables.last(where: { $0.name == name }) { return (own.table, true) }
    return await whole?.newTable(name).map { ($0.table, false) }
  }

  /// Collects a table that is shown at the commit.
  func add(_ new: NewTable) { newTables.append(new) }

  /// Takes note of rows that were written into a new table.
  func noteRows(_ count: Int, of name: TableReference) {
    guard let index = newTables.lastIndex(where: { $0.name == name }) else { return }
    newTables[index].rowCount += count
  }
}
