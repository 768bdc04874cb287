import Arrow
import MagicCore

/// What a statement gives, without running it.
///
/// The engine describes a query by the types of its columns. A query for the default values of those
/// types has the columns in Arrow's form, which depends on nothing else.
extension StatementPath {
  public func schema(
    of statement: String, context: StatementContext
  ) async throws -> Schema? {
    let scope = try scope(entering(context))
    defer { scope.kept?.end() }
    return try await findingTables(scope) { try await schema(of: SQLText(statement), scope) }
  }

  private func schema(of statement: SQLText, _ scope: StatementScope) async throws -> Schema? {
    var sql = statement
    let context = scope.context
    if context.positionalParameters == nil {
      // Which values will come is not known. Most places have no influence on the columns.
      sql = try sql.bindingNulls() ?? sql
    } else {
      sql = try sql.binding(context.positionalParameters) ?? sql
    }
    var text = try StatementText(try await asItWas(sql, scope))
    guard text.givesRows else { return nil }
    if case .replaced(let other) = try await mutable(scope).run(text.sql) {
      text = try StatementText(SQLText(other))
    }
    let columnScope = Self.isInformation(text.sql) ? scope : scope.describingColumns()
    let schema = try await columnScope.withSession { try await columns(of: text, on: $0) }
    return scope.wantsBinaryTexts ? schema.withBinaryTexts : schema
  }

  /// Whether a statement may as well run: it reads little, and changes nothing.
  private static func isInformation(_ sql: SQLText) -> Bool {
    ["CHECK", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "SHOW"].contains(sql.word(0))
  }

  private func columns(
    of text: StatementText, on session: StatementSession
  ) async throws -> Schema {
    let sql = text.withoutFormat
    try await session.allowLength(of: sql)
    if text.sql.word(0) == "EXPLAIN", text.sql.word(1) == "ANALYZE" {
      return try await session.connection.columns("SELECT '' AS explain")
    }
    if Self.isInformation(text.sql) { return try await session.connection.columns(sql) }
    // An expression alone is a SELECT of it.
    let query = text.kind == .select ? sql : "SELECT \(sql)"
    let rows = try await session.connection.texts("DESCRIBE (\(query)\n)")
    let names = rows.map { $0[0] }
    // An error about a type names the column, so the names are used when they can be.
    let areUsable = Set(names).count == names.count && !names.contains("")
    let values = rows.enumerated().map { index, row in
      "defaultValueOfTypeName(\(quotedString(row[1]))) AS "
        + quotedIdentifier(areUsable ? row[0] : "_magic_\(index)")
    }
    let defaults = "SELECT \(values.joined(separator: ", ")) WHERE 0"
    try await session.allowLength(of: defaults)
    var schema = try await session.connection.columns(defaults)
    for index in schema.fields.indices where index < names.count {
      schema.fields[index].name = names[index]
    }
    return schema
  }
}

extension EngineConnection {
  /// The columns of a statement that is not run to its end.
  func columns(_ sql: String) async throws -> Schema {
    let reader = try await query(sql)
    await reader.cancel()
    return reader.schema
  }
}
