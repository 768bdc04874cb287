import MagicCore

extension TableScan {
  /// The statement that reads the rows.
  ///
  /// - Throws: ``APIError`` of kind `invalid` when there would be no columns, or when the SQL that
  ///   the caller gave would leave its place in the statement.
  public func statement() throws(APIError) -> String {
    if columns?.isEmpty == true {
      throw APIError(
        .invalid, "`columns` is empty: leave it out to read all columns, or name at least one")
    }
    let names = columns.map { $0.map(quotedIdentifier).joined(separator: ", ") } ?? "*"
    var sql =
      "SELECT \(names) FROM \(quotedIdentifier(table.database)).\(quotedIdentifier(table.table))"
    var conditions: [String] = []
    if let filter {
      // On lines of its own, so that a comment in it hides nothing.
      let condition = "\(filter)\n"
      try checkExpression(condition, in: "filter")
      conditions.append("(\(condition))")
    }
    if let range {
      for text in [range.key, range.lower ?? [], range.upper ?? []].joined() {
        try checkExpression(text, in: "range")
      }
      if let condition = range.condition { conditions.append(condition) }
    }
    if !conditions.isEmpty { sql += " WHERE " + conditions.joined(separator: " AND ") }
    if let limit { sql += " LIMIT \(limit)" }
    return sql
  }

  private func checkExpression(_ sql: String, in member: String) throws(APIError) {
    if let problem = ExpressionText.problem(in: sql) {
      throw APIError(.invalid, "`\(member)` must be one expression of SQL: \(problem)")
    }
  }
}
