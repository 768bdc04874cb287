import Arrow
import MagicCore

/// The names of replicated tables, and their databases.
extension MutableTables {
  /// The names change with one commit: what they mean then is written down before it is published, and
  /// the views are replaced after that, one by one. Names that mean nothing any more are dropped last, so
  /// none is missing on the way.
  public func change(
    showing shown: [TableDefinition], dropping dropped: [TableDefinition]
  ) async throws {
    guard Set(shown.map(\.name)).count == shown.count else {
      throw EngineError(message: "two tables cannot have the same name")
    }
    guard Set(shown.map(\.id)).count == shown.count else {
      throw EngineError(message: "a table cannot have two names")
    }
    for definition in shown { try Self.check(definition.name) }
    try await declarations.withLatch {
      let change = try await nameChange(showing: shown, dropping: dropped)
      if change.isEmpty { return }
      for table in change.dropped { await table.setLeaving(true) }
      do {
        try await make(change)
      } catch {
        for table in change.dropped { await table.setLeaving(false) }
        throw error
      }
    }
  }

  private func make(_ change: NameChange) async throws {
    try await storage.withConnection { connection in
      for (table, name) in change.shown {
        try await prepare(name, on: connection)
        if await table.name == nil { try await table.beginMerging(on: connection) }
      }
      try await withLatches(change.dropped.map(\.settling)) {
        try await withLatches(change.tables.map(\.latch)) {
          try await storage.preserving(change.tables) {
            // Once begun, it goes on to its end whatever becomes of the caller's task.
            try await Task { try await carryOut(change, on: connection) }.value
          }
        }
      }
    }
  }

  private func nameChange(
    showing shown: [TableDefinition], dropping dropped: [TableDefinition]
  ) async throws -> NameChange {
    var change = NameChange()
    var kept: Set<StorageOwner> = []
    for definition in shown {
      let table = try replicated(definition)
      kept.insert(table.owner)
      if await table.name != definition.name { change.shown.append((table, definition.name)) }
    }
    for definition in dropped {
      let owner = Self.owner(definition.id)
      guard !kept.contains(owner) else {
        throw EngineError(message: "\(definition.name) is shown and dropped at once")
      }
      if let table = table(owner), !change.dropped.contains(where: { $0 === table }) {
        change.dropped.append(table)
      }
    }
    change.dropped.sort { $0.owner < $1.owner }
    let changed = change.shown.map(\.table) + change.dropped
    let names = Set(change.shown.map(\.name))
    for name in names {
      guard let table = table(name), !changed.contains(where: { $0 === table }) else { continue }
      guard table.owner.kind == .replicated else { throw Self.taken(name) }
      change.hidden.append(table)
    }
    change.tables = (changed + change.hidden).sorted { $0.owner < $1.owner }
    for table in change.tables {
      if let name = await table.name, !names.contains(name) { change.vacated.append(name) }
    }
    return change
  }

  private static func taken(_ name: TableReference) -> EngineError {
    EngineError(message: "\(name) exists and is not a replicated table; rename or drop it")
  }

  public func obstacle(to table: TableDefinition) async throws -> String? {
    do {
      try Self.check(table)
    } catch let error as EngineError {
      return error.message
    }
    return try await storage.withConnection { connection in
      try await isTaken(table.name, on: connection) ? Self.taken(table.name).message : nil
    }
  }

  private func isTaken(
    _ name: TableReference, on connection: any EngineConnection
  ) async throws -> Bool {
    guard table(name)?.owner.kind != .replicated else { return false }
    return try await connection.count(
      "system.tables WHERE database = \(quotedString(name.database)) "
        + "AND name = \(quotedString(name.table))") > 0
  }

  /// Sees to it that a table can be shown under a name.
  private func prepare(_ name: TableReference, on connection: any EngineConnection) async throws {
    try await Self.createDatabase(name.database, on: connection)
    if try await isTaken(name, on: connection) { throw Self.taken(name) }
  }

  /// The caller holds all latches.
  private func carryOut(_ change: NameChange, on connection: any EngineConnection) async throws {
    let commit = try await storage.beginCommit()
    do {
      // What changes names cannot be taken back.
      try storage.checkFence(of: commit)
      try await intent(change, commit).write(intentPath)
    } catch {
      try? await CommitIntent.remove(intentPath)
      await storage.abandon(commit)
      throw error
    }
    try await storage.publish(commit) {
      do {
        for table in change.hidden { await table.setName(nil) }
        for (table, name) in change.shown { await table.setName(name, from: commit) }
        await updateNames()
        for (table, _) in change.shown { try await table.refreshView(on: connection) }
        for name in change.vacated {
          try await connection.execute("DROP VIEW IF EXISTS \(name.quoted) SYNC")
        }
        for table in change.dropped { await remove(table) }
        try await CommitIntent.remove(intentPath)
      } catch {
        let reason =
          "the names of tables were changed, which cannot be shown before a restart: \(error)"
        await storage.sequencer.fail(reason)
        throw EngineError(message: reason)
      }
    }
  }

  private func intent(_ change: NameChange, _ commit: UInt64) async -> CommitIntent {
    var tables: [CommitIntent.Table] = []
    for (table, name) in change.shown {
      tables.append(
        CommitIntent.Table(
          owner: "\(table.owner)", name: name, comment: await table.comment,
          replaced: self.table(name).map { "\($0.owner)" }))
    }
    return CommitIntent(
      commit: commit, tables: tables, dropped: change.dropped.map { "\($0.owner)" })
  }

  // MARK: Databases

  public func createDatabase(_ name: String) async throws {
    guard (try? Self.check(database: name)) != nil else { return }
    try await storage.withConnection { try await Self.createDatabase(name, on: $0) }
  }

  private static func createDatabase(
    _ name: String, on connection: any EngineConnection
  ) async throws {
    try await connection.execute(
      "CREATE DATABASE IF NOT EXISTS \(quotedIdentifier(name)) ENGINE = Atomic")
  }

  public func dropDatabase(_ name: String) async throws {
    guard !Self.isSystem(name), name != "default" else { return }
    try await declarations.withLatch {
      try await storage.withConnection { connection in
        let content = "database = \(quotedString(name))"
        if try await connection.count("system.tables WHERE \(content)") > 0 { return }
        try await connection.execute("DROP DATABASE IF EXISTS \(quotedIdentifier(name)) SYNC")
      }
    }
  }

  // MARK: Legal names

  /// Whether a database is the engine's or the layer's own.
  private static func isSystem(_ database: String) -> Bool {
    database == "system" || database.lowercased() == "information_schema"
      || StorageName.isStorage(database)
  }

  private static func check(database name: String) throws {
    if name.isEmpty { throw EngineError(message: "a database has a name") }
    guard !isSystem(name) else {
      throw EngineError(
        message: "a database called \(name) cannot be copied: the engine keeps that name for itself"
      )
    }
    guard fileNameLength(name) <= namesLength - 1 else { throw tooLong(name) }
  }

  /// - Throws: ``EngineError`` when the engine cannot have a table of that name.
  static func check(_ name: TableReference) throws {
    try check(database: name.database)
    if name.table.isEmpty { throw EngineError(message: "a table has a name") }
    // Snapshots read a table from another database that has a name of its own.
    let database = max(fileNameLength(name.database), pastDatabaseLength)
    guard database + fileNameLength(name.table) <= namesLength else {
      throw tooLong("\(name)")
    }
  }

  /// - Throws: ``EngineError`` when the engine cannot have such a table.
  static func check(_ definition: TableDefinition) throws {
    try check(definition.name)
    let fields = definition.schema.fields
    guard !fields.isEmpty else { throw EngineError(message: "\(definition.name) has no columns") }
    guard definition.primaryKey.allSatisfy(fields.indices.contains) else {
      throw EngineError(message: "the key of \(definition.name) has columns that it has not")
    }
    for field in fields where HiddenColumn.stored.contains(field.name) {
      throw EngineError(
        message: "\(definition.name): \(field.name) is a hidden column of every copied table")
    }
    // The engine takes such columns for parts of one.
    var lists: [Substring: String] = [:]
    for field in fields where field.name.contains(".") {
      guard try ColumnTypes.clickHouseType(of: field).hasPrefix("Array(") else { continue }
      let start = field.name.prefix { $0 != "." }
      if let other = lists.updateValue(field.name, forKey: start) {
        throw EngineError(
          message: "\(definition.name): the engine cannot have the two columns \(other) and "
            + "\(field.name), which are lists whose names are the same up to a dot")
      }
    }
  }

  /// The engine names a file after a database and a table, with 42 characters more.
  private static let namesLength = 213
  private static let pastDatabaseLength = PastTables.databasePrefix.utf8.count + 10

  private static func tooLong(_ name: String) -> EngineError {
    EngineError(
      message:
        "\(name): the name is too long for the engine, which names files after tables: letters "
        + "and digits of ASCII count once, every byte of other characters three times, and the names of "
        + "a database and a table have \(namesLength) together")
  }

  /// How long a name is in the name of a file.
  private static func fileNameLength(_ name: String) -> Int {
    name.utf8.reduce(0) { length, byte in
      let isPlain =
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
        || (0x61...0x7A).contains(byte) || byte == 0x5F
      return length + (isPlain ? 1 : 3)
    }
  }
}

/// What a change of names comes down to.
private struct NameChange {
  /// The tables that get names, in the order in which they were given.
  var shown: [(table: MutableTable, name: TableReference)] = []
  /// In the order of their owners.
  var dropped: [MutableTable] = []
  /// The tables whose names others get, and that get none.
  var hidden: [MutableTable] = []
  /// All of them, in the order of their owners.
  var tables: [MutableTable] = []
  /// The names that nothing has any more.
  var vacated: [TableReference] = []

  var isEmpty: Bool { shown.isEmpty && dropped.isEmpty }
}
