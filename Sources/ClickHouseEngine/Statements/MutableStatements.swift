import MagicCore

/// Runs the statements that concern mutable tables.
struct MutableStatements {
  /// What became of a statement.
  enum Outcome {
    /// It is the engine's own business, byte for byte.
    case untouched
    /// The engine has to run this instead.
    case replaced(String)
    /// It is done, and has changed so many rows, when it is one that tells.
    case done(rows: Int?)
  }

  let tables: MutableTables
  let scope: StatementScope

  func run(_ text: SQLText) async throws -> Outcome {
    guard text.hasSelraw else {
      if let plain = try await selectingIdentifiedRows(text) { return .replaced(plain) }
      return try await runPlain(text)
    }
    if text.word(0) == "CREATE", CreateHead(text)?.kind != .table {
      throw EngineError(
        message: "SELRAW reads what is stored at the moment, so no view can be made of it")
    }
    let plain = try await selectingRaw(text)
    let outcome = try await runPlain(SQLText(plain))
    if case .untouched = outcome { return .replaced(plain) }
    return outcome
  }

  private func runPlain(_ text: SQLText) async throws -> Outcome {
    if let setting = StatementSession.settings.first(where: text.mentions) {
      throw StatementSession.refusal(of: setting)
    }
    let statement = try Statement.recognise(text)
    if statement.isChange { try scope.requireChange(text.word(0)) }
    if scope.context.transaction != nil, ["ALTER", "CREATE", "DROP"].contains(text.word(0)) {
      // Transactions are of rows; tables are declared at once.
      let outside = MutableStatements(tables: tables, scope: scope.outsideTransaction())
      return try await outside.runPlain(text)
    }
    try refuseInTransaction(statement, text)
    switch statement {
    case .insert(let insert): return try await run(insert)
    case .update(let update): return try await run(update)
    case .delete(let delete): return try await run(delete)
    case .describe, .showCreate, .check, .optimize: return try await show(statement)
    default: return try await declare(statement, text)
    }
  }

  // MARK: Names

  func reference(_ name: WrittenName) -> TableReference {
    TableReference(database: name.database ?? scope.database, table: name.table)
  }

  /// The mutable table that a name stands for.
  func table(_ name: WrittenName) -> MutableTable? { tables.table(reference(name)) }

  /// The mutable table that a statement changes.
  ///
  /// - Returns: nil when the name stands for something else.
  /// - Throws: ``EngineError`` when the table belongs to replication.
  func ownTable(_ name: WrittenName) throws -> MutableTable? {
    guard let table = table(name) else {
      try refuseInTransaction(reference(name))
      return nil
    }
    try refuseReplicated(table, reference(name))
    return table
  }

  func refuseReplicated(_ table: MutableTable, _ name: TableReference) throws {
    if table.owner.kind == .replicated {
      throw EngineError(message: "\(name) belongs to replication, which alone may change it")
    }
  }

  /// Each name of a mutable table in a SELRAW query gives way to the SELECT of its stored rows.
  private func selectingRaw(_ text: SQLText) async throws -> String {
    var views: [TableReference: String] = [:]
    for (name, table) in tables.tables() { views[name] = await table.view.storedRows }
    return text.replacingSelraw { name in views[reference(name)].map { "(\($0))" } }
  }
}

extension EngineError {
  /// The same error with a table's own name in the place of the storage's.
  func naming(_ table: TableReference, for storage: [String]) -> EngineError {
    var message = self.message
    for name in storage { message = message.replacing(name, with: "\(table)") }
    return EngineError(code: code, message: message)
  }
}
