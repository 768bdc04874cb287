extension DDLParser {
  /// Everything after ALTER TABLE.
  mutating func alterTable() throws(SQLSyntaxError) -> AlterTable {
    _ = try acceptIfExists()
    var alteration = AlterTable(name: try tableName())
    try skipWait()
    while token.kind != .end {
      let changes = try change(in: &alteration)
      alteration.changes += changes
      // Indices, references and options have a rest that matters to nobody here.
      try skipToEndOfElement()
      guard token.kind == .end || accept(",") else { throw error("unexpected )") }
    }
    return alteration
  }

  private mutating func change(in alteration: inout AlterTable) throws(SQLSyntaxError)
    -> [TableChange]
  {
    let verb = token.keyword
    let following = peek().keyword
    switch verb {
    case "ADD": return try added()
    case "CHANGE", "MODIFY": return [try modified()]
    case "DROP":
      if Self.partitions.contains(following) { alteration.changesRows = true }
      return try dropped()
    case "ALTER": return try alteredColumn()
    case "RENAME":
      if following == "COLUMN" { return [try renamedColumn()] }
      if Self.indexWords.contains(following) { return [] }
      advance()
      if !accept("TO"), !accept("AS") { _ = accept("=") }
      alteration.newName = try tableName()
      return []
    case "CONVERT":
      if following == "PARTITION" || following == "TABLE" {
        alteration.changesRows = true
        return []
      }
      return try convertedCharset()
    case "TRUNCATE", "EXCHANGE", "DISCARD", "IMPORT":
      alteration.changesRows = true
      return []
    case "ORDER":
      try skipOrder()
      return []
    case _ where Self.actionsOnStorage.contains(verb): return []
    default: return try options()
    }
  }

  /// ORDER BY column, …: a comma goes on with it unless another change follows.
  private mutating func skipOrder() throws(SQLSyntaxError) {
    advance()
    try expect("BY")
    var ahead = self
    repeat {
      _ = try ahead.name()
      _ = ahead.accept(anyOf: ["ASC", "DESC"])
      guard ahead.token.kind == .end || ahead.token.keyword == "," else { return }
      self = ahead
    } while ahead.accept(",")
  }

  // MARK: Columns

  private mutating func added() throws(SQLSyntaxError) -> [TableChange] {
    try expect("ADD")
    let following = peek().keyword
    switch token.keyword {
    case _ where Self.indexWords.contains(token.keyword),
      _ where Self.partitions.contains(token.keyword):
      return []
    case "VECTOR" where Self.indexWords.contains(following): return []
    case "SYSTEM" where following == "VERSIONING", "PERIOD" where following == "FOR":
      return [.notUnderstood("a change of versioning or periods")]
    case "PRIMARY", "CONSTRAINT": return try addedConstraint()
    default: break
    }
    _ = accept("COLUMN")
    let ifNotExists = try acceptIfExists()
    guard accept("(") else {
      let column = try columnDefinition()
      return [.add(column, try columnPosition(), ifNotExists: ifNotExists)]
    }
    var definition = TableDefinition()
    repeat { try tableElement(into: &definition) } while accept(",")
    try expect(")")
    let columns = definition.columns.map {
      TableChange.add($0, nil, ifNotExists: ifNotExists)
    }
    return definition.primaryKey.isEmpty ? columns : columns + [.primaryKey(definition.primaryKey)]
  }

  private mutating func addedConstraint() throws(SQLSyntaxError) -> [TableChange] {
    var definition = TableDefinition()
    try tableElement(into: &definition)
    return definition.primaryKey.isEmpty ? [] : [.primaryKey(definition.primaryKey)]
  }

  private mutating func modified() throws(SQLSyntaxError) -> TableChange {
    let isRenaming = accept("CHANGE")
    if !isRenaming { try expect("MODIFY") }
    _ = accept("COLUMN")
    let ifExists = try acceptIfExists()
    let oldName = isRenaming ? try name() : nil
    let column = try columnDefinition()
    return .modify(
      oldName ?? column.name, column, try columnPosition(), ifExists: ifExists)
  }

  private mutating func dropped() throws(SQLSyntaxError) -> [TableChange] {
    try expect("DROP")
    switch token.keyword {
    case "PRIMARY": return [.dropPrimaryKey]
    case "INDEX", "KEY", "CONSTRAINT":
      advance()
      _ = try acceptIfExists()
      return try name().lowercased() == "primary" ? [.dropPrimaryKey] : []
    case "FOREIGN", "CHECK", "PARTITION", "SUBPARTITION": return []
    case "SYSTEM" where peek().keyword == "VERSIONING", "PERIOD" where peek().keyword == "FOR":
      return [.notUnderstood("a change of versioning or periods")]
    default:
      _ = accept("COLUMN")
      let ifExists = try acceptIfExists()
      return [.drop(try name(), ifExists: ifExists)]
    }
  }

  /// ALTER COLUMN changes a default, which rows do not depend on, or the visibility.
  private mutating func alteredColumn() throws(SQLSyntaxError) -> [TableChange] {
    try expect("ALTER")
    if Self.indexWords.contains(token.keyword) || token.keyword == "CONSTRAINT" { return [] }
    _ = accept("COLUMN")
    _ = try acceptIfExists()
    let column = try name()
    guard accept("SET") else { return [] }
    switch token.keyword {
    case "VISIBLE": return [.setInvisible(column, false)]
    case "INVISIBLE": return [.setInvisible(column, true)]
    default: return []
    }
  }

  private mutating func renamedColumn() throws(SQLSyntaxError) -> TableChange {
    advance()
    advance()
    let ifExists = try acceptIfExists()
    let old = try name()
    try expect("TO")
    return .rename(old, try name(), ifExists: ifExists)
  }

  private mutating func columnPosition() throws(SQLSyntaxError) -> TableChange.Position? {
    if accept("FIRST") { return .first }
    if accept("AFTER") { return .after(try name()) }
    return nil
  }

  // MARK: Options

  private mutating func convertedCharset() throws(SQLSyntaxError) -> [TableChange] {
    advance()
    try expect("TO")
    var charset = CharsetClause()
    while try charset.accept(from: &self) {}
    guard let name = charset.name, name != "binary" else { return [.notUnderstood("CONVERT TO")] }
    return [.convertCharset(name)]
  }

  /// Table options, which no comma need separate.
  private mutating func options() throws(SQLSyntaxError) -> [TableChange] {
    var changes: [TableChange] = []
    var charset = CharsetClause()
    while token.kind == .word {
      if try charset.accept(from: &self) { continue }
      let option = token.keyword
      advance()
      if option == "DEFAULT" { continue }
      guard accept("=") || Self.tableOptions.contains(option) else {
        return [.notUnderstood(option)]
      }
      if option == "ENGINE" || option == "TYPE" {
        changes.append(.setEngine(lexer.text(of: token)))
      }
      guard token.kind != .unterminated else { throw error("") }
      if token.keyword == "(" { try skipParenthesized() } else { advance() }
    }
    guard token.kind != .unterminated else { throw error("") }
    return changes + (charset.name.map { [.setDefaultCharset($0)] } ?? [])
  }

  private static let indexWords: Set<String> = [
    "INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK",
  ]
  private static let partitions: Set<String> = ["PARTITION", "SUBPARTITION"]
  /// What begins a change of indices, partitions or files that leaves rows and columns as they are.
  private static let actionsOnStorage: Set<String> = [
    "ALGORITHM", "ANALYZE", "CHECK", "COALESCE", "DISABLE", "ENABLE", "FORCE", "LOCK", "OPTIMIZE",
    "PARTITION", "REBUILD", "REMOVE", "REORGANIZE", "REPAIR", "SECONDARY_LOAD",
    "SECONDARY_UNLOAD", "UPGRADE", "WITH", "WITHOUT",
  ]
  /// Options whose `=` may be left out.
  private static let tableOptions: Set<String> = [
    "AUTOEXTEND_SIZE", "AUTO_INCREMENT", "AVG_ROW_LENGTH", "CHECKSUM", "COMMENT", "COMPRESSION",
    "CONNECTION", "DELAY_KEY_WRITE", "ENCRYPTED", "ENCRYPTION", "ENGINE", "ENGINE_ATTRIBUTE",
    "INSERT_METHOD", "KEY_BLOCK_SIZE", "MAX_ROWS", "MIN_ROWS", "PACK_KEYS", "PAGE_CHECKSUM",
    "PAGE_COMPRESSED", "PASSWORD", "ROW_FORMAT", "STATS_AUTO_RECALC", "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES", "TABLESPACE", "TABLE_CHECKSUM", "TRANSACTIONAL", "TYPE", "UNION",
  ]
}
