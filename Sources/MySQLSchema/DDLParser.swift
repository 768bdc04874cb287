/// Reads a statement as it was logged, to learn what it does to tables and databases.
///
/// - Parameters:
///   - statement: One statement, without its delimiter.
///   - defaultDatabase: The database of names that do not give theirs.
///   - mode: The parts of `sql_mode` that were in force when the statement ran.
/// - Returns: What it does; ``DDLStatement/unrecognized(reason:table:)`` for text that is not understood.
public func parseDDL(
  _ statement: String, defaultDatabase: String, mode: SQLTextMode = SQLTextMode()
) -> DDLStatement {
  let bytes = Array(statement.utf8)
  return parseDDL(bytes, range: bytes.indices, defaultDatabase: defaultDatabase, mode: mode)
}

func parseDDL(_ bytes: [UInt8], range: Range<Int>, defaultDatabase: String, mode: SQLTextMode)
  -> DDLStatement
{
  let start = DDLParser(
    SQLLexer(bytes, range: range, mode: mode), defaultDatabase: defaultDatabase)
  var parser = start
  do throws(SQLSyntaxError) {
    return try parser.statement()
  } catch {
    parser = start
    return .unrecognized(reason: error.description, table: parser.tableOfStatement())
  }
}

/// A cursor over tokens and the statements that it understands.
///
/// Nothing here recurses: nested parentheses are counted, so their depth is bounded by nothing but
/// the text.
struct DDLParser {
  private(set) var lexer: SQLLexer
  /// The token to look at next.
  private(set) var token: SQLToken
  let defaultDatabase: String

  init(_ lexer: SQLLexer, defaultDatabase: String) {
    self.lexer = lexer
    self.defaultDatabase = defaultDatabase
    token = self.lexer.next()
  }

  // MARK: The cursor

  mutating func advance() { token = lexer.next() }

  /// The token after the next.
  func peek() -> SQLToken {
    var ahead = lexer
    return ahead.next()
  }

  func error(_ reason: String) -> SQLSyntaxError {
    SQLSyntaxError(
      reason: token.kind == .unterminated ? "unterminated quote or comment" : reason,
      offset: token.range.lowerBound)
  }

  /// Moves past the next token if it is the given keyword or symbol.
  mutating func accept(_ keyword: String) -> Bool {
    guard token.keyword == keyword else { return false }
    advance()
    return true
  }

  mutating func accept(anyOf keywords: Set<String>) -> Bool {
    guard keywords.contains(token.keyword) else { return false }
    advance()
    return true
  }

  mutating func expect(_ keyword: String) throws(SQLSyntaxError) {
    guard accept(keyword) else { throw error("expected \(keyword)") }
  }

  /// Moves past IF EXISTS or IF NOT EXISTS, if it comes next.
  mutating func acceptIfExists() throws(SQLSyntaxError) -> Bool {
    guard token.keyword == "IF" else { return false }
    advance()
    _ = accept("NOT")
    try expect("EXISTS")
    return true
  }

  mutating func expectEnd() throws(SQLSyntaxError) {
    while accept(";") {}
    guard token.kind == .end else { throw error("unexpected text after the statement") }
  }

  mutating func name() throws(SQLSyntaxError) -> String {
    guard token.kind == .word || token.kind == .quotedName || isNumberLikeName else {
      throw error("expected a name")
    }
    let name = lexer.text(of: token)
    advance()
    return name
  }

  /// Whether the token is a number such as `1e5`, which no statement may have for a name unless it is
  /// quoted; with `sql_quote_show_create=0` servers log it like that all the same.
  private var isNumberLikeName: Bool {
    guard token.kind == .number else { return false }
    let bytes = lexer.bytes[token.range]
    return bytes.contains { $0 | 0x20 == UInt8(ascii: "e") }
      && bytes.allSatisfy {
        (0x30...0x39).contains($0) || $0 | 0x20 == UInt8(ascii: "e")
      }
  }

  mutating func tableName() throws(SQLSyntaxError) -> TableName {
    let first = try name()
    // A point and the digits after it look like a number.
    if token.kind == .number, lexer.bytes[token.range.lowerBound] == UInt8(ascii: ".") {
      let digits = lexer.text(of: token).dropFirst()
      advance()
      return TableName(database: first, table: String(digits))
    }
    guard accept(".") else { return TableName(database: defaultDatabase, table: first) }
    return TableName(database: first, table: try name())
  }

  mutating func tableNames() throws(SQLSyntaxError) -> [TableName] {
    var names = [try tableName()]
    while accept(",") { names.append(try tableName()) }
    return names
  }

  mutating func unsignedInteger() throws(SQLSyntaxError) -> Int {
    guard token.kind == .number, let value = Int(lexer.text(of: token)) else {
      throw error("expected an integer")
    }
    advance()
    return value
  }

  /// Moves past a parenthesis, which comes next, and everything up to its end.
  mutating func skipParenthesized() throws(SQLSyntaxError) {
    try expect("(")
    var depth = 1
    while depth > 0 {
      switch token.keyword {
      case "(": depth += 1
      case ")": depth -= 1
      default:
        guard token.kind != .end, token.kind != .unterminated else {
          throw error("expected )")
        }
      }
      advance()
    }
  }

  /// Moves to the `,`, the `)` or the end of the text that ends an element of a list.
  mutating func skipToEndOfElement() throws(SQLSyntaxError) {
    while !isEndOfElement { try skipPartOfElement() }
  }

  var isEndOfElement: Bool {
    token.keyword == "," || token.keyword == ")" || token.kind == .end
  }

  mutating func skipPartOfElement() throws(SQLSyntaxError) {
    guard token.kind != .unterminated else { throw error("expected )") }
    if token.keyword == "(" { try skipParenthesized() } else { advance() }
  }

  // MARK: Statements

  /// The table that a statement makes or alters, unless it may concern another one, too.
  fileprivate mutating func tableOfStatement() -> TableName? {
    guard accept(anyOf: ["CREATE", "ALTER"]) else { return nil }
    while accept(anyOf: ["OR", "REPLACE", "ONLINE", "OFFLINE", "IGNORE"]) {}
    guard accept("TABLE"), (try? acceptIfExists()) != nil, let table = try? tableName() else {
      return nil
    }
    while token.kind != .end, token.kind != .unterminated {
      switch token.keyword {
      case "EXCHANGE", "RENAME": return nil
      case "CONVERT" where peek().keyword != "TO": return nil
      default: advance()
      }
    }
    return table
  }

  mutating func statement() throws(SQLSyntaxError) -> DDLStatement {
    guard token.kind != .end else { return .noEffect }
    let verb = token.keyword
    if Self.verbsWithoutEffect.contains(verb) { return .noEffect }
    if Self.verbsThatChangeRows.contains(verb) {
      let isCacheLoad = verb == "LOAD" && peek().keyword == "INDEX"
      return isCacheLoad ? .noEffect : .dataChange
    }
    switch verb {
    case "CREATE": return try create()
    case "ALTER": return try alter()
    case "DROP": return try drop()
    case "RENAME": return try rename()
    case "TRUNCATE":
      advance()
      _ = accept("TABLE")
      return .truncateTable(try tableName())
    case "SET":
      guard peek().keyword == "STATEMENT" else { return .noEffect }
      return try setStatement()
    default: throw error("unknown statement")
    }
  }

  /// SET STATEMENT variable = value, … FOR statement (MariaDB).
  private mutating func setStatement() throws(SQLSyntaxError) -> DDLStatement {
    while token.keyword != "FOR" {
      guard token.kind != .end, token.kind != .unterminated else { throw error("expected FOR") }
      if token.keyword == "(" { try skipParenthesized() } else { advance() }
    }
    advance()
    // The grammar allows no SET in a SET STATEMENT, so this is never deeper than one.
    guard token.keyword != "SET" else { throw error("unknown statement") }
    return try statement()
  }

  private mutating func create() throws(SQLSyntaxError) -> DDLStatement {
    try expect("CREATE")
    var orReplace = false
    if accept("OR") {
      try expect("REPLACE")
      orReplace = true
    }
    let isTemporary = accept("TEMPORARY")
    var isUnique = false
    while Self.indexPrefixes.contains(token.keyword) {
      isUnique = isUnique || token.keyword == "UNIQUE"
      advance()
    }
    switch token.keyword {
    case "TABLE":
      advance()
      let ifNotExists = try acceptIfExists()
      let name = try tableName()
      // A sequence is a table to the server and has rows in the binlog, but nobody copies it.
      guard let source = try tableSource(for: name) else { return .noEffect }
      return .createTable(
        CreateTable(
          name: name, source: source, isTemporary: isTemporary,
          ifNotExists: ifNotExists, orReplace: orReplace))
    case "INDEX":
      advance()
      return .createIndex(try createdIndex(isUnique: isUnique, orReplace: orReplace))
    case "DATABASE", "SCHEMA":
      advance()
      _ = try acceptIfExists()
      let name = try name()
      return .createDatabase(name, charset: try databaseCharset())
    default: return try objectWithoutRows()
    }
  }

  private mutating func alter() throws(SQLSyntaxError) -> DDLStatement {
    try expect("ALTER")
    var ignoresErrors = false
    while ["ONLINE", "OFFLINE", "IGNORE"].contains(token.keyword) {
      ignoresErrors = ignoresErrors || token.keyword == "IGNORE"
      advance()
    }
    switch token.keyword {
    case "TABLE":
      advance()
      var alteration = try alterTable()
      alteration.ignoresErrors = ignoresErrors
      return .alterTable(alteration)
    case "DATABASE", "SCHEMA":
      advance()
      let hasName = token.kind == .quotedName || !Self.databaseOptions.contains(token.keyword)
      let name = hasName ? try name() : defaultDatabase
      return .alterDatabase(name, charset: try databaseCharset())
    default: return try objectWithoutRows()
    }
  }

  private mutating func drop() throws(SQLSyntaxError) -> DDLStatement {
    try expect("DROP")
    let isTemporary = accept("TEMPORARY")
    _ = accept(anyOf: ["ONLINE", "OFFLINE"])
    switch token.keyword {
    case "TABLE", "TABLES":
      advance()
      _ = try acceptIfExists()
      return .dropTables(try tableNames(), isTemporary: isTemporary)
    case "DATABASE", "SCHEMA":
      advance()
      _ = try acceptIfExists()
      return .dropDatabase(try name())
    case "INDEX":
      advance()
      let ifExists = try acceptIfExists()
      let index = try name()
      try expect("ON")
      let table = try tableName()
      guard sameName(index, TableKey.primaryName) else {
        return .dropIndex(
          AlterTable(name: table, changes: [.dropKey(index, ifExists: ifExists)]))
      }
      return .alterTable(AlterTable(name: table, changes: [.dropPrimaryKey]))
    default: return try objectWithoutRows()
    }
  }

  private mutating func rename() throws(SQLSyntaxError) -> DDLStatement {
    try expect("RENAME")
    if token.keyword == "USER" { return .noEffect }
    guard accept(anyOf: ["TABLE", "TABLES"]) else { throw error("unknown statement") }
    _ = try acceptIfExists()
    var renames: [TableRename] = []
    repeat {
      let old = try tableName()
      try skipWait()
      try expect("TO")
      renames.append(TableRename(from: old, to: try tableName()))
    } while accept(",")
    try expectEnd()
    return .renameTables(renames)
  }

  /// WAIT seconds or NOWAIT (MariaDB).
  mutating func skipWait() throws(SQLSyntaxError) {
    if accept("NOWAIT") { return }
    if accept("WAIT") { _ = try unsignedInteger() }
  }

  /// Everything after CREATE INDEX.
  private mutating func createdIndex(isUnique: Bool, orReplace: Bool) throws(SQLSyntaxError)
    -> AlterTable
  {
    let ifNotExists = try acceptIfExists()
    let index = try name()
    var key = KeyDefinition(name: index, isUnique: isUnique, parts: [], ifNotExists: ifNotExists)
    while token.keyword != "ON" {
      guard token.kind != .end, token.kind != .unterminated else { throw error("expected ON") }
      if try !acceptIndexType(of: &key) { advance() }
    }
    advance()
    let table = try tableName()
    try skipWait()
    key.parts = try keyParts()
    try indexOptions(of: &key)
    let replaced = orReplace ? [TableChange.dropKey(index, ifExists: true)] : []
    return AlterTable(name: table, changes: replaced + [.addKey(key)])
  }

  /// The default charset among a database's options, or nil without one.
  private mutating func databaseCharset() throws(SQLSyntaxError) -> String? {
    var charset = CharsetClause()
    while token.kind != .end, token.kind != .unterminated {
      _ = accept("DEFAULT")
      if try !charset.accept(from: &self) { advance() }
    }
    if token.kind == .unterminated { throw error("") }
    return charset.name
  }

  /// A statement about an object that is neither a table nor a database.
  private mutating func objectWithoutRows() throws(SQLSyntaxError) -> DDLStatement {
    while token.kind != .end, token.kind != .unterminated {
      if Self.objectsWithoutRows.contains(token.keyword) { return .noEffect }
      // DEFINER = name, ALGORITHM = …, SQL SECURITY …: what a view, routine or event may begin
      // with.
      guard Self.definitionPrefixes.contains(token.keyword) || token.kind != .word else { break }
      let isDefiner = token.keyword == "DEFINER"
      advance()
      // SQL SECURITY DEFINER names nobody.
      if isDefiner, accept("=") { try skipAccount() }
    }
    throw error("unknown object")
  }

  private mutating func skipAccount() throws(SQLSyntaxError) {
    advance()
    if accept("@") { advance() }
    if token.keyword == "(" { try skipParenthesized() }
  }

  private static let verbsWithoutEffect: Set<String> = [
    "ANALYZE", "BACKUP", "BEGIN", "CACHE", "CHANGE", "CHECK", "CHECKSUM", "CLONE", "COMMIT",
    "DEALLOCATE", "DESC", "DESCRIBE", "EXPLAIN", "FLUSH", "GRANT", "HELP", "INSTALL", "KILL",
    "LOCK", "OPTIMIZE", "PREPARE", "PURGE", "RELEASE", "REPAIR", "RESET", "REVOKE", "ROLLBACK",
    "SAVEPOINT", "SHOW", "SHUTDOWN", "START", "STOP", "UNINSTALL", "UNLOCK", "USE", "XA",
  ]
  /// SELECT, DO and CALL are logged as text only when a function that they call changes rows.
  private static let verbsThatChangeRows: Set<String> = [
    "CALL", "DELETE", "DO", "INSERT", "LOAD", "REPLACE", "SELECT", "UPDATE", "VALUES", "WITH",
  ]
  private static let indexPrefixes: Set<String> = [
    "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "ONLINE", "OFFLINE",
  ]
  private static let objectsWithoutRows: Set<String> = [
    "AGGREGATE", "EVENT", "FUNCTION", "INSTANCE", "LIBRARY", "LOGFILE", "PACKAGE", "PREPARE",
    "PROCEDURE", "REFERENCE", "RESOURCE", "ROLE", "SEQUENCE", "SERVER", "TABLESPACE", "TRIGGER",
    "UNDO", "USER", "VIEW",
  ]
  private static let definitionPrefixes: Set<String> = [
    "ALGORITHM", "DEFINER", "INVOKER", "MERGE", "SECURITY", "SQL", "TEMPTABLE", "UNDEFINED",
  ]
  private static let databaseOptions: Set<String> = [
    "DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "COMMENT", "ENCRYPTION", "READ", "UPGRADE",
  ]
}
