import MagicCore

/// DESCRIBE, SHOW CREATE, CHECK and OPTIMIZE of mutable tables.
extension MutableStatements {
  func show(_ statement: Statement) async throws -> Outcome {
    switch statement {
    case .describe(let describe):
      guard let table = table(describe.name) else { return .untouched }
      return .replaced(await description(of: table) + " " + describe.rest)
    case .showCreate(let show):
      guard let table = table(show.name) else { return .untouched }
      let text = try await declaration(of: table, reference(show.name))
      return .replaced("SELECT \(quotedString(text)) AS statement " + show.rest)
    case .check(let check):
      guard let table = table(check.name) else { return .untouched }
      return .replaced(check.rewritten(name: "\(await table.current.settled)"))
    case .optimize(let optimize):
      guard let table = table(optimize.name) else { return .untouched }
      try await table.settleAll()
      return .replaced(optimize.rewritten(name: "\(await table.current.settled)"))
    default: return .untouched
    }
  }

  /// The visible columns, in the form of DESCRIBE.
  private func description(of table: MutableTable) async -> String {
    let hidden = HiddenColumn.stored.map(quotedString).joined(separator: ", ")
    // What older rows of a replicated table have in a new column is no default of later ones.
    let defaults =
      table.owner.kind == .replicated
      ? "'' AS default_type, '' AS default_expression"
      : "default_kind AS default_type, default_expression"
    return """
      SELECT name, type, \(defaults), comment, \
      replaceRegexpOne(compression_codec, '^CODEC\\\\((.*)\\\\)$', '\\\\1') AS codec_expression, \
      '' AS ttl_expression FROM system.columns \
      WHERE \(await table.current.settled.isNamed(by: "table")) AND name NOT IN (\(hidden)) \
      ORDER BY position
      """
  }

  /// The CREATE TABLE statement of a table, as its user could have written it.
  private func declaration(
    of table: MutableTable, _ name: TableReference
  ) async throws -> String {
    let settled = await table.current.settled
    let comment = await table.comment
    let statements = try await tables.storage.withConnection {
      try await $0.texts(
        "SELECT formatQuery(create_table_query) FROM system.tables "
          + "WHERE \(settled.isNamed(by: "name"))")
    }
    guard let statement = statements.first?.first else {
      throw EngineError(message: "the storage table \(settled) is missing")
    }
    return TableText(statement).declaration(name: name, comment: comment)
  }
}
