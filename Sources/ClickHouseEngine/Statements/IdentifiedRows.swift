import MagicCore

/// Reading the rows of a table without key by the hidden column that identifies them, as readers of
/// key ranges do.
extension MutableStatements {
  /// A SELECT that names the column, with the tables of its own FROM list giving way to the SELECTs of
  /// their rows with that column.
  ///
  /// - Returns: nil for another statement.
  func selectingIdentifiedRows(_ text: SQLText) async throws -> String? {
    guard HiddenColumn.identifying.contains(where: text.mentions),
      try StatementText(text).kind == .select
    else {
      return nil
    }
    var edits: [(range: Range<Int>, text: String)] = []
    for source in text.sources(in: text.tokens.indices, depth: 0) {
      guard let table = table(source.name), await table.shape.isKeyless else { continue }
      let alias = text.hasAlias(at: source.next) ? "" : " AS \(quotedIdentifier(source.name.table))"
      edits.append((source.name.range, "(\(await table.view.identifiedRows))\(alias)"))
    }
    if edits.isEmpty { return nil }
    let hidden = HiddenColumn.identifying.joined(separator: ", ")
    // All columns are still the visible ones. Where there is no such column, nothing is left out.
    for index in text.tokens.indices where isAllColumns(index, in: text) {
      let end = text.tokens[index].range.upperBound
      edits.append((end..<end, " EXCEPT (\(hidden))"))
    }
    return text.replacing(edits)
  }

  /// Whether a token is the `*` of `SELECT *`, `t.*` or `f(*)`.
  private func isAllColumns(_ index: Int, in text: SQLText) -> Bool {
    guard text.isSymbol(index, "*") else { return false }
    if ["SELECT", "DISTINCT"].contains(text.word(index - 1)) { return true }
    if text.isSymbol(index - 1, "(") { return text.word(index - 2) != "COUNT" }
    return text.isSymbol(index - 1, ",") || text.isSymbol(index - 1, ".")
  }
}

extension StatementPath {
  /// What a table is made of is looked up before such a statement begins, so its commit point is fixed
  /// even before that.
  func fixing(_ context: StatementContext, for statement: String) -> StatementContext {
    guard context.commitPoint == nil, context.session == nil,
      HiddenColumn.identifying.contains(where: statement.contains),
      (try? StatementText(SQLText(statement)))?.kind == .select
    else { return context }
    var context = context
    context.commitPoint = pin()
    return context
  }
}
