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
    case "CHANGE", "MODIFY": return try modified()
    case "DROP":
      guard Self.partitions.contains(following) else { return try dropped() }
      alteration.changesRows = true
      try skipPartitionNames()
      return []
    case "ALTER": return try alteredColumn()
    case "RENAME":
      if following == "COLUMN" { return [try renamedColumn()] }
      if Self.indexWords.contains(following) { return [try renamedIndex()] }
      advance()
      if !accept("TO"), !accept("AS") { _ = accept("=") }
      alteration.newName = try tableName()
      return []
    case "CONVERT":
      guard following == "PARTITION" || following == "TABLE" else { return try convertedCharset() }
      alteration.changesRows = true
      alteration.otherTable = try tableAfterKeyword()
      return []
    case "TRUNCATE", "DISCARD", "IMPORT":
      alteration.changesRows = true
      try skipPartitionNames()
      return []
    case "EXCHANGE":
      alteration.changesRows = true
      alteration.otherTable = try tableAfterKeyword()
      return []
    case "ORDER":
      try skipOrder()
      return []
    case _ where Self.actionsOnStorage.contains(verb):
      if Self.partitions.contains(following) { try skipPartitionNames() }
      return []
    default: return try options()
    }
  }

  /// Moves past a verb, PARTITION and the names after it, which commas separate as they do changes.
  private mutating func skipPartitionNames() throws(SQLSyntaxError) {
    advance()
    advance()
    _ = try acceptIfExists()
    while token.kind == .word || token.kind == .quotedName, token.keyword != "INTO" {
      advance()
      guard accept(",") else { return }
    }
  }

  /// The table after the word TABLE, which comes somewhere in this change.
  private mutating func tableAfterKeyword() throws(SQLSyntaxError) -> TableName {
    while !accept("TABLE") {
      guard token.kind == .word || token.kind == .quotedName else { throw error("expected TABLE") }
      advance()
    }
    return try tableName()
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
    case _ where Self.partitions.contains(token.keyword): return []
    case "SYSTEM" where following == "VERSIONING":
      return [.notUnderstood("a change of system versioning")]
    case "PERIOD" where following == "FOR": return [.notUnderstood("a change of periods")]
    default: break
    }
    var definition = TableDefinition()
    if try tableConstraint(into: &definition) { return Self.changes(of: definition) }
    _ = accept("COLUMN")
    let ifNotExists = try acceptIfExists()
    guard accept("(") else {
      let column = try columnDefinition(constraints: &definition)
      let position = try columnPosition()
      return [.add(column, position, ifNotExists: ifNotExists)] + Self.changes(of: definition)
    }
    var changes: [TableChange] = []
    repeat {
      definition = TableDefinition()
      try tableElement(into: &definition)
      if !definition.periods.isEmpty { changes.append(.notUnderstood("a change of periods")) }
      changes += definition.columns.map { .add($0, nil, ifNotExists: ifNotExists) }
      changes += Self.changes(of: definition)
    } while accept(",")
    try expect(")")
    return changes
  }

  /// The keys of a definition as changes.
  private static func changes(of definition: TableDefinition) -> [TableChange] {
    var changes: [TableChange] = []
    if !definition.primaryKey.isEmpty {
      changes.append(
        .primaryKey(definition.primaryKey, ifNotExists: definition.primaryKeyIfNotExists))
    }
    return changes + definition.foreignKeys.map { .addForeignKey($0) }
      + definition.keys.map { .addKey($0) }
  }

  private mutating func modified() throws(SQLSyntaxError) -> [TableChange] {
    let isRenaming = accept("CHANGE")
    if !isRenaming { try expect("MODIFY") }
    _ = accept("COLUMN")
    let ifExists = try acceptIfExists()
    let oldName = isRenaming ? try name() : nil
    var definition = TableDefinition()
    let column = try columnDefinition(constraints: &definition)
    let position = try columnPosition()
    return [.modify(oldName ?? column.name, column, position, ifExists: ifExists)]
      + Self.changes(of: definition)
  }

  private mutating func dropped() throws(SQLSyntaxError) -> [TableChange] {
    try expect("DROP")
    let following = peek().keyword
    switch token.keyword {
    case "PRIMARY" where following == "KEY": return [.dropPrimaryKey]
    case "INDEX", "KEY":
      advance()
      let ifExists = try acceptIfExists()
      let index = try name()
      let isPrimary = sameName(index, TableKey.primaryName)
      return [isPrimary ? .dropPrimaryKey : .dropKey(index, ifExists: ifExists)]
    case "CONSTRAINT":
      advance()
      _ = try acceptIfExists()
      let constraint = try name()
      let isPrimary = sameName(constraint, TableKey.primaryName)
      return [isPrimary ? .dropPrimaryKey : .dropConstraint(constraint)]
    case "FOREIGN" where following == "KEY":
      advance()
      advance()
      _ = try acceptIfExists()
      return [.dropForeignKey(try name())]
    case "CHECK": return []
    case "SYSTEM" where following == "VERSIONING":
      return [.notUnderstood("a change of system versioning")]
    case "PERIOD" where following == "FOR": return [.notUnderstood("a change of periods")]
    default:
      _ = accept("COLUMN")
      let ifExists = try acceptIfExists()
      return [.drop(try name(), ifExists: ifExists)]
    }
  }

  /// ALTER COLUMN changes a default, which rows that are there do not depend on, or the visibility.
  private mutating func alteredColumn() throws(SQLSyntaxError) -> [TableChange] {
    try expect("ALTER")
    let isOther = Self.indexWords.contains(token.keyword) || token.keyword == "CONSTRAINT"
    if isOther || token.keyword == "CHECK", peek().kind != .end, peek().keyword != "SET" {
      return []
    }
    _ = accept("COLUMN")
    let ifExists = try acceptIfExists()
    let column = try name()
    if accept("DROP") {
      try expect("DEFAULT")
      return [.setDefault(column, .none, ifExists: ifExists)]
    }
    try expect("SET")
    if accept("VISIBLE") { return [.setInvisible(column, false)] }
    if accept("INVISIBLE") { return [.setInvisible(column, true)] }
    try expect("DEFAULT")
    return [.setDefault(column, try defaultClause(), ifExists: ifExists)]
  }

  private mutating func renamedIndex() throws(SQLSyntaxError) -> TableChange {
    advance()
    advance()
    let ifExists = try acceptIfExists()
    let old = try name()
    try expect("TO")
    return .renameKey(old, try name(), ifExists: ifExists)
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
