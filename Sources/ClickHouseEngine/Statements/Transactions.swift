import MagicCore

/// Statements whose changes are collected: those in a transaction, and those with a write token,
/// which are a transaction each.
extension MutableStatements {
  /// Lets the statement's transaction, if there is one, collect the changes that `body` gives it.
  ///
  /// - Parameters:
  ///   - table: the table that the statement changes.
  ///   - token: the statement's own token; nil for that of the context, or none.
  ///   - body: gives the number of rows, if that is known before the commit.
  /// - Returns: nil when the changes are to be published at once.
  func collect(
    for table: TableReference, token: String? = nil,
    _ body: @Sendable (EngineTransaction, _ token: String?) async throws -> Int?
  ) async throws -> Outcome? {
    let token = (scope.context.writeToken ?? token).map { WriteTokens.key($0, of: table) }
    let outer = scope.context.transaction
    guard outer != nil || token != nil else { return nil }
    if let token, let rows = try await tables.tokens.find([token])[token] {
      return .done(rows: rows)
    }
    if let outer {
      let transaction = try EngineTransaction.of(outer, tables)
      return .done(rows: try await transaction.collecting { try await body(transaction, token) })
    }
    let rows = try await EngineTransaction.alone(scope.engine, tables) { transaction in
      _ = try await body(transaction, token)
    }
    return .done(rows: rows)
  }

  /// The token that the engine's own setting gives an INSERT.
  func token(of insert: InsertStatement) -> String? {
    let name = "insert_deduplication_token"
    let token = insert.setting(name) ?? scope.context.settings[name]
    return token.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Refuses what a transaction, or a write token, cannot be for.
  func refuseInTransaction(_ statement: Statement, _ text: SQLText) throws {
    guard scope.context.transaction != nil || scope.context.writeToken != nil else { return }
    switch statement {
    case .insert, .update, .delete, .describe, .showCreate, .check: return
    case .other:
      let isRead = try StatementText(text).kind != .command
      if isRead || ["SET", "USE"].contains(text.word(0)) { return }
    default: break
    }
    throw refusal("\(text.word(0)) …")
  }

  /// Refuses a change of a table that is not mutable.
  func refuseInTransaction(_ name: TableReference) throws {
    guard scope.context.transaction != nil || scope.context.writeToken != nil else { return }
    throw refusal("\(name) is no MutableMergeTree table, or was made in the same transaction")
  }

  private func refusal(_ reason: String) -> EngineError {
    EngineError(
      message: scope.context.transaction != nil
        ? "\(reason): a transaction takes changes of rows of MutableMergeTree tables only"
        : "\(reason): a write token is for changes of rows of MutableMergeTree tables only")
  }
}
