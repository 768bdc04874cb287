import MagicCore

/// CREATE, ALTER, DROP, RENAME and other statements about tables as a whole.
extension MutableStatements {
  /// What of an ALTER the layer can do; the engine does it on a copy.
  private static let allowedAlterations: [[String]] = [
    ["ADD", "COLUMN"], ["DROP", "COLUMN"], ["MODIFY", "COLUMN"], ["ALTER", "COLUMN"],
    ["RENAME", "COLUMN"], ["COMMENT", "COLUMN"], ["ADD", "INDEX"], ["DROP", "INDEX"],
    ["MATERIALIZE", "INDEX"], ["ADD", "CONSTRAINT"], ["DROP", "CONSTRAINT"], ["MODIFY", "TTL"],
    ["REMOVE", "TTL"], ["MODIFY", "SETTING"], ["RESET", "SETTING"],
  ]

  func declare(_ statement: Statement, _ text: SQLText) async throws -> Outcome {
    switch statement {
    case .createMutableTable(let create):
      guard let fencing = scope.context.fencing else { return try await run(create, text) }
      return try await fencing.entered { try await run(create, text) }
    case .alter(let alter): return try await run(alter)
    case .truncate(let truncate):
      guard let name = truncate.names.first, let table = try ownTable(name) else { break }
      try refuseCluster(truncate.isOnCluster)
      try await table.truncate()
      return .done(rows: nil)
    case .truncateAll(let database):
      if let first = tables.tables(in: database).first {
        throw EngineError(
          message:
            "\(database) holds \(first.name), a mutable table: truncate its tables one by one")
      }
    case .rename(let pairs): return try await rename(pairs, text)
    case .exchange(let pairs): return try await rename(pairs.map { ($0.0, $0.1) }, text)
    case .renameDatabases(let pairs): return try await rename(databases: pairs, text)
    case .drop(let drop): return try await run(drop, text)
    case .detach(let detach): try refuseDetaching(detach)
    case .attach(let attach): try refuseAttaching(attach)
    case .createMaterializedView(let create):
      try refuseReplacing(create.name, text)
      if let target = create.target, table(target) != nil {
        throw EngineError(
          message: "a materialized view cannot write into \(reference(target)), a mutable table")
      }
      if !create.isRefreshable, let name = create.tables.first(where: { table($0) != nil }) {
        throw EngineError(
          message: "an incremental materialized view would not see updates and deletes of "
            + "\(reference(name)): use a view, or a materialized view with REFRESH")
      }
    case .createOther(let names): return try await createOther(names, text)
    default: break
    }
    return .untouched
  }

  private func refuseDetaching(_ detach: DropStatement) throws {
    let held =
      detach.kind == .database
      ? detach.names.flatMap { tables.tables(in: $0.table).map(\.name) }
      : try detach.names.filter { try ownTable($0) != nil }.map(reference)
    if let name = held.first {
      throw EngineError(message: "DETACH: \(name) is a mutable table, which cannot be detached")
    }
  }

  private func refuseAttaching(_ attach: TableStatement) throws {
    if try ownTable(attach.name) != nil || attach.rest.contains("MutableMergeTree") {
      throw EngineError(message: "ATTACH: mutable tables are made by CREATE TABLE only")
    }
  }

  private func refuseCluster(_ isOnCluster: Bool) throws {
    if isOnCluster {
      throw EngineError(message: "ON CLUSTER: this engine has no cluster; leave it out")
    }
  }

  private func refuseReplacing(_ name: WrittenName, _ text: SQLText) throws {
    if CreateHead(text)?.orReplace == true, try ownTable(name) != nil {
      throw EngineError(message: "\(reference(name)) is a mutable table: drop it first")
    }
  }

  /// `CREATE TABLE name AS table` makes a mutable table of a mutable one.
  private func createOther(_ names: [WrittenName], _ text: SQLText) async throws -> Outcome {
    guard let created = names.first else { return .untouched }
    if let fencing = scope.context.fencing, names.count == 2, table(names[1]) != nil {
      // Nothing is published by a commit.
      await fencing.leave(try await fencing.enter())
    }
    try refuseReplacing(created, text)
    guard names.count == 2, let other = table(names[1]), let head = CreateHead(text) else {
      return .untouched
    }
    if text.clause("CLONE", "AS", in: text.tokens.indices) != nil {
      throw EngineError(
        message: "CLONE AS: \(reference(names[1])) is a mutable table, which cannot be cloned: "
          + "create the table AS it, and INSERT … SELECT")
    }
    if text.clause("ENGINE", in: text.tokens.indices) != nil { return .untouched }
    guard text.tokens.last?.range.upperBound == names[1].range.upperBound, !head.isTemporary,
      !head.isOnCluster
    else {
      throw EngineError(
        message: "\(reference(names[1])) is a mutable table: write ENGINE = MutableMergeTree to "
          + "declare another one with clauses of its own")
    }
    let name = reference(created)
    let isTaken = try await scope.withSession { session -> Bool in
      try await self.isTaken(name, on: session.connection)
    }
    if isTaken, head.ifNotExists { return .done(rows: nil) }
    try await create(name, like: other)
    return .done(rows: nil)
  }

  // MARK: CREATE

  private func run(_ create: CreateMutableTable, _ text: SQLText) async throws -> Outcome {
    let name = reference(create.name)
    let existing = table(create.name)
    if let existing { try refuseReplicated(existing, name) }
    return try await scope.withSession { session -> Outcome in
      let connection = session.connection
      let isTaken = try await isTaken(name, on: connection)
      if isTaken, create.ifNotExists { return .done(rows: nil) }
      if isTaken, existing == nil || !create.orReplace {
        throw EngineError(code: 57, message: "the table \(name) already exists")
      }
      let owner = tables.newOwner()
      let settled = StorageName(owner, .settled(generation: 1, from: 0))
      do {
        let table = try await make(create, settled, name, on: session)
        let rows = try await fill(table, from: create.select, name, on: session)
        try await show(table, as: name, replacing: existing)
        return .done(rows: rows)
      } catch {
        await tables.storage.discard(settled)
        await tables.storage.discard(StorageName(owner, .young(generation: 1, number: 1)))
        throw error
      }
    }
  }

  func isTaken(
    _ name: TableReference, on connection: any EngineConnection
  ) async throws -> Bool {
    let databases = try await connection.texts(
      "SELECT engine FROM system.databases WHERE name = \(quotedString(name.database))")
    // In another one, replacing a view is not atomic, or nothing outlives the process.
    if let engine = databases.first?.first, engine != "Atomic" {
      throw EngineError(
        message: "mutable tables need an Atomic database, and \(name.database) is \(engine)")
    }
    return try await connection.count(
      """
      system.tables WHERE database = \(quotedString(name.database)) \
      AND name = \(quotedString(name.table))
      """) > 0
  }

  /// Makes the storage of a table that nobody sees yet.
  func make(
    _ create: CreateMutableTable, _ settled: StorageName, _ name: TableReference,
    on session: StatementSession
  ) async throws -> MutableTable {
    let connection = session.connection
    let like = await create.likeTable.flatMap(self.table)?.current.settled
    let statement = create.storageStatement(name: "\(settled)", like: like.map { "\($0)" })
    do {
      try await session.allowLength(of: statement)
      try await connection.execute(statement)
      if like != nil {
        try await connection.execute(
          "ALTER TABLE \(settled) "
            + HiddenColumn.stored.map { "DROP COLUMN IF EXISTS \($0)" }.joined(separator: ", "))
      }
    } catch let error as EngineError {
      throw error.naming(name, for: ["\(settled)", settled.table])
    }
    return try await tables.storage.withConnection { connection in
      try await TableDeclaration.check(settled, isComplete: false, on: connection)
      let comment = try await connection.texts(
        "SELECT comment FROM system.tables WHERE \(settled.isNamed(by: "name"))")
      try await MutableTable.completeSettled(settled, on: connection)
      return try await MutableTable.make(
        settled.owner, settled, comment: comment.first?.first ?? "", storage: tables.storage,
        on: connection)
    }
  }

  /// Lets a new table be seen, in the place of another one or of nothing.
  private func show(
    _ table: MutableTable, as name: TableReference, replacing existing: MutableTable? = nil
  ) async throws {
    let storage = tables.storage
    if let existing { try await storage.prepareChange(of: [existing]) }
    try await tables.declarations.withLatch {
      // Another one may have got the name meanwhile.
      let existing = existing == nil ? nil : tables.table(name)
      if let existing { try refuseReplicated(existing, name) }
      try await storage.withConnection { connection in
        guard let existing else {
          return try await table.show(as: name, on: connection)
        }
        try await existing.latch.withLatch {
          try await existing.waitForCommits()
          try await storage.changeMeaning(of: [existing]) {
            await table.setName(name)
            try await table.refreshView(on: connection)
            await tables.remove(existing)
          }
        }
      }
      await tables.add(table)
    }
  }

  /// Makes an empty table with the declaration of another.
  private func create(_ name: TableReference, like other: MutableTable) async throws {
    let owner = tables.newOwner()
    let settled = StorageName(owner, .settled(generation: 1, from: 0))
    do {
      let table = try await tables.storage.withConnection { connection in
        try await connection.execute("CREATE TABLE \(settled) AS \(await other.current.settled)")
        return try await MutableTable.make(
          owner, settled, storage: tables.storage, on: connection)
      }
      try await show(table, as: name)
    } catch {
      await tables.storage.discard(settled)
      await tables.storage.discard(StorageName(owner, .young(generation: 1, number: 1)))
      throw error
    }
  }

  /// Fills a table that nobody sees yet.
  ///
  /// - Returns: the number of rows that `AS SELECT` gave; nil without one.
  private func fill(
    _ table: MutableTable, from select: String?, _ name: TableReference,
    on session: StatementSession
  ) async throws -> Int? {
    guard let select else { return nil }
    let connection = session.connection
    let storage = tables.storage
    let stage = storage.stageName(of: table.owner)
    do {
      try await storage.withConnection { try await table.makeStage(stage, on: $0) }
      let columns = await table.shape.columnList
      let statement = "INSERT INTO \(stage) (\(columns)) \(select)"
      try await session.allowLength(of: statement)
      try await session.set(["max_insert_threads": "1"])
      try await connection.execute(statement)
      try await session.forgetSettings()
      var rows = StagedRows(place: .table(stage), count: 0)
      rows.count = try await connection.count(rows.source)
      let versions = await storage.sequencer.versions(rows.count)
      try await storage.withConnection {
        try await table.settle(
          [], into: await table.current.settled, adding: rows, versions, on: $0)
      }
      // The versions that were given are given to nobody else, also after a crash.
      try await storage.publish(try await storage.beginCommit())
      storage.retire([stage])
      return rows.count
    } catch {
      await storage.discard(stage)
      if let error = error as? EngineError {
        throw error.naming(name, for: ["\(stage)", stage.table])
      }
      throw error
    }
  }

  // MARK: ALTER

  private func run(_ alter: AlterStatement) async throws -> Outcome {
    guard let table = try ownTable(alter.name) else { return .untouched }
    try refuseCluster(alter.isOnCluster)
    let name = reference(alter.name)
    for command in alter.commands {
      if let hidden = HiddenColumn.stored.first(where: command.names.contains) {
        throw TableDeclaration.hiddenColumn(hidden)
      }
      if command.words.starts(with: ["MODIFY", "COMMENT"]) {
        guard alter.commands.count == 1, let comment = SQLText(command.text).string(2) else {
          throw EngineError(message: "MODIFY COMMENT 'text' goes into an ALTER of its own")
        }
        try await table.modifyComment(comment)
        return .done(rows: nil)
      }
      if command.words.dropFirst().first == "SETTING",
        let own = MutableTable.settledSettingList.first(where: { command.names.contains($0.name) })
      {
        throw EngineError(message: "\(own.name) is set by the layer for every mutable table")
      }
      guard Self.allowedAlterations.contains(where: command.words.starts) else {
        throw refusal(of: command, name)
      }
    }
    do {
      let modified = alter.commands.filter {
        ["MODIFY", "ALTER"].contains($0.words.first) && $0.words.dropFirst().first == "COLUMN"
      }.flatMap(\.names)
      try await table.alter(modifying: modified) { alter.rewritten(name: $0) }
    } catch let error as EngineError {
      throw await hidingStorage(error, of: table, name)
    }
    return .done(rows: nil)
  }

  private func refusal(of command: AlterStatement.Command, _ name: TableReference) -> EngineError {
    let words = command.words.prefix(command.words.first == "MODIFY" ? 3 : 2)
      .joined(separator: " ")
    let reason =
      switch command.words.first {
      case "UPDATE": "write UPDATE \(name) SET … WHERE …"
      case "DELETE": "write DELETE FROM \(name) WHERE …"
      default:
        "\(words) would change the stored rows behind its back, or its key"
      }
    return EngineError(message: "ALTER TABLE … \(words): \(name) is a mutable table; \(reason)")
  }

  /// The error without the names of storage, which may be new by now.
  private func hidingStorage(
    _ error: EngineError, of table: MutableTable, _ name: TableReference
  ) async -> EngineError {
    var message = error.message
    while let range = message.firstRange(of: "\(StorageName.database).\(table.owner)_") {
      let end = message[range.upperBound...].firstIndex {
        !($0.isLetter || $0.isNumber || $0 == "_")
      }
      message.replaceSubrange(range.lowerBound..<(end ?? message.endIndex), with: "\(name)")
    }
    return EngineError(code: error.code, message: message)
  }

  // MARK: Names

  private func rename(
    _ pairs: [(from: WrittenName, to: WrittenName)], _ text: SQLText
  ) async throws -> Outcome {
    let names = pairs.flatMap { [$0.from, $0.to] }
    guard try names.contains(where: { try ownTable($0) != nil }) else { return .untouched }
    try await scope.withSession { session in
      for name in names { _ = try await isTaken(reference(name), on: session.connection) }
    }
    return try await execute(text) { try names.compactMap { try ownTable($0) } }
  }

  private func rename(
    databases pairs: [(from: String, to: String)], _ text: SQLText
  ) async throws -> Outcome {
    try await execute(text) { try pairs.flatMap { try ownTables(in: $0.from) } }
  }

  private func run(_ drop: DropStatement, _ text: SQLText) async throws -> Outcome {
    switch drop.kind {
    case .database:
      return try await execute(text) { try drop.names.flatMap { try ownTables(in: $0.table) } }
    case .table:
      guard try drop.names.contains(where: { try ownTable($0) != nil }) else { return .untouched }
      return try await execute(text) { try drop.names.compactMap { try ownTable($0) } }
    case .view, .dictionary:
      if let name = try drop.names.first(where: { try ownTable($0) != nil }) {
        throw EngineError(
          message: "\(reference(name)) is a mutable table: write DROP TABLE \(reference(name))")
      }
      return .untouched
    }
  }

  private func ownTables(in database: String) throws -> [MutableTable] {
    try tables.tables(in: database).map { name, table in
      try refuseReplicated(table, name)
      return table
    }
  }

  /// Runs a statement that renames or drops tables as it is, and takes note of what it did, also
  /// when it fails half-way.
  ///
  /// - Parameter affected: gives the mutable tables that it concerns.
  private func execute(
    _ text: SQLText, _ affected: () throws -> [MutableTable]
  ) async throws -> Outcome {
    let storage = tables.storage
    try await storage.prepareChange(of: try affected())
    return try await tables.declarations.withLatch {
      var seen: Set<StorageOwner> = []
      let affected = try affected().filter { seen.insert($0.owner).inserted }
      let latches = affected.sorted { $0.owner < $1.owner }.map(\.latch)
      try await withLatches(latches) {
        for table in affected { try await table.waitForCommits() }
        try await storage.changeMeaning(of: affected) {
          let outcome: Result<Void, any Error>
          do {
            try await scope.withSession { session in
              _ = try await session.connection.execute(
                String(decoding: text.bytes, as: UTF8.self))
            }
            outcome = .success(())
          } catch {
            outcome = .failure(error)
          }
          try await tables.readNames(of: affected)
          try outcome.get()
        }
      }
      return .done(rows: nil)
    }
  }
}
