extension DDLParser {
  /// Everything after ALTER TABLE.
  mutating func alterTable() throws(SQLSyntaxError) -> AlterTable {
    _ = try acceptIfExists()
    var alteration = AlterTable(name: try tableName(), newName: nil, changesRows: false)
    try skipWait()
    while token.kind != .end {
      switch token.keyword {
      case "RENAME" where !Self.renamedParts.contains(peek().keyword):
        advance()
        if !accept("TO"), !accept("AS") { _ = accept("=") }
        alteration.newName = try tableName()
      case "DROP", "TRUNCATE", "EXCHANGE":
        let isOfPartition = ["PARTITION", "SUBPARTITION"].contains(peek().keyword)
        alteration.changesRows = alteration.changesRows || isOfPartition
        advance()
      case "DISCARD", "IMPORT":
        alteration.changesRows = true
        advance()
      default: break
      }
      while token.kind != .end, token.keyword != "," {
        guard token.kind != .unterminated else { throw error("") }
        if token.keyword == "(" { try skipParenthesized() } else { advance() }
      }
      _ = accept(",")
    }
    return alteration
  }

  /// What RENAME inside ALTER TABLE may name other than the table.
  private static let renamedParts: Set<String> = ["COLUMN", "INDEX", "KEY"]
}
