import MagicCore

/// Inserts whose rows come from outside of the statement's text.
extension StatementPath {
  /// Runs an insert that takes its rows from an input. Nothing is stored when the input breaks off.
  ///
  /// - Returns: the number of rows.
  func run(
    _ insert: InputInsert, _ input: StatementInput, _ scope: StatementScope
  ) async throws -> Int? {
    try scope.requireChange("INSERT")
    let file = try await InputFile(
      insert.firstBytes, input, format: insert.format, folder: engine.dataFolder)
    var scope = scope
    scope.input = file
    return try await file.withPath { [scope] path in
      do {
        return try await run(insert, path, file, scope)
      } catch let error as EngineError {
        throw error.withoutPath(path.path)
      }
    }
  }

  private func run(
    _ insert: InputInsert, _ path: InputPath, _ file: InputFile, _ scope: StatementScope
  ) async throws -> Int? {
    var text = SQLText(insert.statement(reading: path))
    switch try await mutable(scope).run(text) {
    case .done(let rows): return rows
    case .replaced(let other): text = SQLText(other)
    case .untouched: break
    }
    // The engine stores block by block what it reads, so more than one block is set aside first.
    guard !file.isSmall, let name = insert.name, let inserted = InsertStatement(text),
      let target = try await stagedTarget(name, scope)
    else {
      return try await fenced(context: scope.context) { [statement = text.statement] in
        try await scope.withSession { try await $0.run(statement) }
      }
    }
    return try await insertStaged(inserted, into: target, scope)
  }

  // MARK: Plain tables

  /// A table of the engine's own that takes rows by way of a stage.
  private struct StagedTarget {
    let name: TableReference
    /// Whether materialized views wait for rows, which they do not see in parts that are attached.
    let feedsViews: Bool
  }

  /// - Returns: nil for what is no MergeTree table: its rows are written as they come.
  private func stagedTarget(
    _ name: WrittenName, _ scope: StatementScope
  ) async throws -> StagedTarget? {
    if name.database == nil, let kept = scope.kept, try await kept.hasTemporaryTable(name.table) {
      return nil
    }
    let reference = TableReference(database: name.database ?? scope.database, table: name.table)
    let rows = try await tables.storage.withConnection {
      try await $0.texts(
        """
        SELECT if(empty(dependencies_table), '', 'views') FROM system.tables \
        WHERE database = \(quotedString(reference.database)) \
        AND name = \(quotedString(reference.table)) AND engine LIKE '%MergeTree'
        """)
    }
    guard let row = rows.first else { return nil }
    return StagedTarget(name: reference, feedsViews: row[0] != "")
  }

  /// Inserts into a stage, and then moves the stage's parts into the table in one step.
  private func insertStaged(
    _ insert: InsertStatement, into target: StagedTarget, _ scope: StatementScope
  ) async throws -> Int? {
    let storage = tables.storage
    let stage = storage.stageName(of: StorageOwner.plainTables)
    do {
      try await storage.withConnection {
        _ = try await $0.execute("CREATE TABLE \(stage) AS \(target.name.quoted)")
      }
      let rows = try await scope.withSession { session -> Int? in
        let rows = try await session.run(insert.rewritten(into: "\(stage)", columns: nil))
        if target.feedsViews {
          try await session.forgetSettings()
          _ = try await fenced(context: scope.context) {
            try await session.connection.execute(
              "INSERT INTO \(target.name.quoted) SELECT * FROM \(stage)")
          }
        }
        return rows
      }
      if !target.feedsViews {
        try await fenced(context: scope.context) {
          try await storage.withConnection {
            _ = try await $0.execute(
              "ALTER TABLE \(target.name.quoted) ATTACH PARTITION ALL FROM \(stage)")
          }
        }
      }
      await storage.discard(stage)
      return rows
    } catch {
      await storage.discard(stage)
      guard let error = error as? EngineError else { throw error }
      throw error.naming(target.name, for: ["\(stage)", stage.table])
    }
  }
}

extension StorageOwner {
  /// Whose stages hold rows for tables of the engine's own. Recovery finds no table of that number,
  /// and drops them.
  fileprivate static let plainTables = StorageOwner(kind: .user, number: 0)
}

extension SQLText {
  fileprivate var statement: String { String(decoding: bytes, as: UTF8.self) }
}

extension StatementSession {
  /// Runs a statement of the user.
  func run(_ statement: String) async throws -> Int? {
    try await allowLength(of: statement)
    return try await connection.execute(statement)
  }
}

extension EngineError {
  /// The same error without the path that was put into the statement.
  fileprivate func withoutPath(_ path: String) -> EngineError {
    let place = ": (in file/uri \(path))"
    return EngineError(
      code: code, message: message.replacing(place, with: "").replacing(path, with: "the input"))
  }
}
