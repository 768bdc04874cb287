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
      return try await tables.declarations.withLatch { try await run(create, text) }
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
      if let target = create.target, table(target) != nil {
        throw EngineError(
          message: "a materialized view cannot write into \(reference(target)), a mutable table")
      }
      if !create.isRefreshable, let name = create.tables.first(where: { table($0) != nil }) {
        throw EngineError(
          message: "an incremental materialized view would not see updates and deletes of "
            + "\(reference(name)): use a view, or a materialized view with REFRESH")
      }
    case .createOther(let names):
      if let created = names.first, text.hasWords(["CREATE", "OR", "REPLACE"], at: 0),
        try ownTable(created) != nil
      {
        throw EngineError(message: "\(reference(created)) is a mutable table: drop it first")
      }
      guard names.count == 2, let other = table(names[1]), table(names[0]) == nil else { break }
      if text.clause("CLONE", "AS", in: text.tokens.indices) != nil {
        throw EngineError(
          message: "\(reference(names[1])) is a mutable table, which cannot be cloned: create the "
            + "table AS it, and INSERT … SELECT")
      }
      if text.clause("ENGINE", in: text.tokens.indices) == nil {
        return try await tables.declarations.withLatch {
          try await create(names[0], like: other)
        }
      }
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

  // MARK: CREATE

  private func run(_ create: CreateMutableTable, _ text: SQLText) async throws -> Outcome {
    let name = reference(create.name)
    let existing = table(create.name)
    if let existing {
      try refuseReplicated(existing, name)
      if create.ifNotExists { return .done(rows: nil) }
    }
    return try await withSession { connection in
      let isTaken =
        try await connection.count(
          """
          system.tables WHERE database = \(quotedString(name.database)) \
          AND name = \(quotedString(name.table))
          """) > 0
      if isTaken, existing == nil, create.ifNotExists { return .done(rows: nil) }
      if isTaken, existing == nil || !create.orReplace {
        throw EngineError(code: 57, message: "the table \(name) already exists")
      }
      let owner = tables.newOwner()
      do {
        let rows = try await make(create, owner, name, replacing: existing, on: connection)
        return .done(rows: rows)
      } catch {
        await tables.storage.discard(StorageName(owner, .settled(generation: 1, from: 0)))
        await tables.storage.discard(StorageName(owner, .young(generation: 1, number: 1)))
        throw error
      }
    }
  }

  /// Makes an empty table with the declaration of another.
  private func create(_ name: WrittenName, like other: MutableTable) async throws -> Outcome {
    let reference = reference(name)
    let owner = tables.newOwner()
    let settled = StorageName(owner, .settled(generation: 1, from: 0))
    let storage = tables.storage
    let table = try await storage.withConnection { connection in
      try await connection.execute("CREATE TABLE \(settled) AS \(await other.current.settled)")
      return try await MutableTable.make(owner, settled, storage: storage, on: connection)
    }
    do {
      try await storage.withConnection { connection in
        await table.setName(reference)
        // Not in place of another: the name may be taken.
        try await connection.execute("CREATE VIEW \(reference.quoted) AS SELECT 1")
        try await table.refreshView(on: connection)
      }
    } catch {
      for name in await table.storageNames { await storage.discard(name) }
      throw error
    }
    await tables.add(table)
    return .done(rows: nil)
  }

  /// - Returns: the number of rows that `AS SELECT` gave; nil without one.
  private func make(
    _ create: CreateMutableTable, _ owner: StorageOwner, _ name: TableReference,
    replacing existing: MutableTable?, on connection: any EngineConnection
  ) async throws -> Int? {
    let settled = StorageName(owner, .settled(generation: 1, from: 0))
    let storage = tables.storage
    let like = await create.likeTable.flatMap(self.table)?.current.settled
    let statement = create.storageStatement(name: "\(settled)", like: like.map { "\($0)" })
    do {
      try await connection.allowLength(of: statement)
      try await connection.execute(statement)
      if like != nil {
        try await connection.execute(
          "ALTER TABLE \(settled) DROP COLUMN \(HiddenColumn.version), "
            + "DROP COLUMN \(HiddenColumn.deleteMark)")
      }
    } catch let error as EngineError {
      throw error.naming(name, for: ["\(settled)", settled.table])
    }
    let table = try await storage.withConnection { internalConnection in
      try await TableDeclaration.check(settled, isComplete: false, on: internalConnection)
      let comment = try await internalConnection.texts(
        "SELECT comment FROM system.tables WHERE database = \(quotedString(StorageName.database)) "
          + "AND name = \(quotedString(settled.table))")
      try await MutableTable.completeSettled(settled, on: internalConnection)
      return try await MutableTable.make(
        owner, settled, comment: comment.first?.first ?? "", storage: storage,
        on: internalConnection)
    }
    let rows = try await fill(table, from: create.select, name, on: connection)
    try await storage.withConnection { internalConnection in
      await existing?.setName(nil)
      await table.setName(name)
      do {
        try await table.refreshView(on: internalConnection)
      } catch {
        await existing?.setName(name)
        throw error
      }
    }
    await tables.add(table)
    if let existing { await tables.remove(existing) }
    return rows
  }

  /// Fills a table that nobody sees yet.
  private func fill(
    _ table: MutableTable, from select: String?, _ name: TableReference,
    on connection: any EngineConnection
  ) async throws -> Int? {
    guard let select else { return nil }
    let storage = tables.storage
    let stage = storage.stageName(of: table.owner)
    do {
      try await storage.withConnection { try await table.makeStage(stage, on: $0) }
      let columns = await table.shape.columnList
      let statement = "INSERT INTO \(stage) (\(columns)) \(select)"
      try await connection.allowLength(of: statement)
      try await connection.execute(statement)
      var rows = StagedRows(place: .table(stage), count: 0)
      rows.count = try await connection.count(rows.source)
      let versions = await storage.sequencer.versions(rows.count)
      try await storage.withConnection {
        try await table.settle(
          [], into: await table.current.settled, adding: rows, versions, on: $0)
      }
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
      if let hidden = HiddenColumn.all.first(where: command.names.contains) {
        throw TableDeclaration.hiddenColumn(hidden)
      }
      if command.words.starts(with: ["MODIFY", "COMMENT"]) {
        guard alter.commands.count == 1, let comment = SQLText(command.text).string(2) else {
          throw EngineError(message: "MODIFY COMMENT 'text' goes into an ALTER of its own")
        }
        try await table.modifyComment(comment)
        return .done(rows: nil)
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
    guard try pairs.contains(where: { try ownTable($0.from) != nil || ownTable($0.to) != nil })
    else { return .untouched }
    return try await tables.declarations.withLatch {
      var names: [TableReference: MutableTable] = [:]
      for (name, table) in tables.tables() { names[name] = table }
      let isExchange = text.word(0) == "EXCHANGE"
      let before = names
      for pair in pairs {
        let (from, to) = (reference(pair.from), reference(pair.to))
        let other = isExchange ? names.removeValue(forKey: to) : nil
        names[to] = names.removeValue(forKey: from)
        if let other { names[from] = other }
      }
      let changed = names.filter { before[$0.key] !== $0.value }
      try await withLatches(of: changed.map(\.value)) {
        try await execute(text)
        for (name, table) in changed { await table.setName(name) }
      }
      await tables.updateNames()
      return .done(rows: nil)
    }
  }

  private func rename(
    databases pairs: [(from: String, to: String)], _ text: SQLText
  ) async throws -> Outcome {
    return try await tables.declarations.withLatch {
      var changed: [TableReference: MutableTable] = [:]
      for pair in pairs {
        for (name, table) in tables.tables(in: pair.from) {
          try refuseReplicated(table, name)
          changed[TableReference(database: pair.to, table: name.table)] = table
        }
      }
      try await withLatches(of: changed.map(\.value)) {
        try await execute(text)
        for (name, table) in changed { await table.setName(name) }
      }
      await tables.updateNames()
      return .done(rows: nil)
    }
  }

  private func run(_ drop: DropStatement, _ text: SQLText) async throws -> Outcome {
    var dropped: [MutableTable] = []
    switch drop.kind {
    case .database:
      for name in drop.names {
        for (reference, table) in tables.tables(in: name.table) {
          try refuseReplicated(table, reference)
          dropped.append(table)
        }
      }
    case .table: dropped = try drop.names.compactMap { try ownTable($0) }
    case .view, .dictionary:
      if let name = try drop.names.first(where: { try ownTable($0) != nil }) {
        throw EngineError(
          message: "\(reference(name)) is a mutable table: write DROP TABLE \(reference(name))")
      }
    }
    guard !dropped.isEmpty else { return .untouched }
    let tablesToDrop = dropped
    return try await tables.declarations.withLatch {
      try await withLatches(of: tablesToDrop) {
        try await execute(text)
        for table in tablesToDrop { await tables.remove(table) }
      }
      return .done(rows: nil)
    }
  }

  /// Runs the statement as it is.
  private func execute(_ text: SQLText) async throws {
    try await withSession { connection in
      _ = try await connection.execute(String(decoding: text.bytes, as: UTF8.self))
    }
  }

  private func withLatches(
    of tables: [MutableTable], _ body: () async throws -> Void
  ) async throws {
    guard let first = tables.first else { return try await body() }
    // Nobody else takes several, but for replication, which has tables of its own.
    try await first.latch.withLatch {
      try await withLatches(of: Array(tables.dropFirst()), body)
    }
  }
}
