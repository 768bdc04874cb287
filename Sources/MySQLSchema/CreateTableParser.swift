extension DDLParser {
  /// Everything after the table's name in CREATE TABLE; nil for a sequence.
  mutating func tableSource(for name: TableName) throws(SQLSyntaxError) -> CreateTable.Source? {
    if accept("LIKE") { return .like(try tableName()) }
    guard token.keyword == "(" else {
      // Without a list of columns they come from a query.
      let options = try tableOptions()
      guard options.hasQuery else { throw error("expected a definition") }
      return .select
    }
    let following = peek().keyword
    if Self.queryVerbs.contains(following) || following == "(" { return .select }
    advance()
    if token.keyword == "LIKE" {
      advance()
      let original = try tableName()
      try expect(")")
      return .like(original)
    }
    var definition = TableDefinition()
    repeat { try tableElement(into: &definition) } while accept(",")
    try expect(")")
    let options = try tableOptions()
    if options.hasQuery { return .select }
    if options.isSequence { return nil }
    return .definition(try definition.schema(name: name, options: options))
  }

  // MARK: Elements

  mutating func tableElement(into definition: inout TableDefinition) throws(SQLSyntaxError) {
    if try tableConstraint(into: &definition) { return }
    if token.keyword == "PERIOD", peek().keyword == "FOR" {
      return try period(into: &definition)
    }
    guard definition.columns.count < 4096 else { throw error("more than 4096 columns") }
    let column = try columnDefinition(constraints: &definition)
    definition.columns.append(column)
  }

  /// PERIOD FOR name (start, end), MariaDB.
  private mutating func period(into definition: inout TableDefinition) throws(SQLSyntaxError) {
    advance()
    advance()
    let periodName = try name()
    try expect("(")
    let start = try name()
    try expect(",")
    let end = try name()
    try expect(")")
    definition.periods.append(
      TableDefinition.Period(name: periodName, startColumn: start, endColumn: end))
  }

  // MARK: Columns

  /// A column's name, type and attributes; the keys that it declares go into `definition`, except
  /// the primary one.
  mutating func columnDefinition(constraints definition: inout TableDefinition)
    throws(SQLSyntaxError) -> TableDefinition.ColumnDefinition
  {
    var name = try name()
    while accept(".") { name = try self.name() }
    let isSerial = token.keyword == "SERIAL"
    var column = TableDefinition.ColumnDefinition(name: name, type: try columnType())
    if isSerial { Self.makeSerial(&column) }
    var reference: ForeignKeyDefinition?
    while token.kind == .word, !Self.wordsAfterColumns.contains(token.keyword) {
      if try acceptTypeAttribute(of: &column.type) { continue }
      if accept("REFERENCES") {
        reference = try self.reference(from: [name])
        continue
      }
      try columnAttribute(of: &column)
    }
    let part = TableDefinition.KeyPart(name: name)
    if column.isUnique {
      definition.keys.append(KeyDefinition(isUnique: true, parts: [part]))
    }
    if let reference {
      definition.foreignKeys.append(reference)
      definition.keys.append(KeyDefinition(parts: [part], isImplied: true))
    }
    return column
  }

  private static func makeSerial(_ column: inout TableDefinition.ColumnDefinition) {
    column.isNullable = false
    column.declaresNullability = true
    column.isAutoIncrement = true
    column.isUnique = true
  }

  private mutating func columnAttribute(of column: inout TableDefinition.ColumnDefinition)
    throws(SQLSyntaxError)
  {
    let attribute = token.keyword
    advance()
    switch attribute {
    case "NOT":
      // NOT NULL, or the NOT ENFORCED of a check, or NOT SECONDARY.
      if accept("NULL") {
        column.isNullable = false
        column.declaresNullability = true
      } else {
        advance()
      }
    case "NULL": column.declaresNullability = true
    case "PRIMARY":
      try expect("KEY")
      column.isPrimaryKey = true
    case "KEY": column.isPrimaryKey = true
    case "UNIQUE":
      _ = accept("KEY")
      column.isUnique = true
    case "GENERATED", "AS":
      if attribute == "GENERATED" {
        try expect("ALWAYS")
        try expect("AS")
      }
      column.isGenerated = true
      if accept("ROW") {
        column.isNullable = false
        if !accept("START") { try expect("END") }
      } else {
        try skipParenthesized()
      }
    case "INVISIBLE": column.isInvisible = true
    case "DEFAULT": column.defaultValue = try defaultClause()
    case "ON":
      try expect("UPDATE")
      try skipDefaultValue()
    case "SERIAL":
      try expect("DEFAULT")
      try expect("VALUE")
      Self.makeSerial(&column)
    case "CHECK":
      if column.type.isLongText, isJSONCheck(of: column.name) {
        column.type = DeclaredType(.json)
      }
      try skipParenthesized()
    case "CONSTRAINT":
      if token.keyword != "CHECK", token.keyword != "REFERENCES" { _ = try name() }
    case "COMPRESSED": if accept("=") { advance() }
    case "AUTO_INCREMENT":
      if accept("BY") { try expect("GROUP") }
      column.isAutoIncrement = true
    case "WITH", "WITHOUT":
      try expect("SYSTEM")
      try expect("VERSIONING")
    case "COMMENT", "COLUMN_FORMAT", "STORAGE", "SRID", "ENGINE_ATTRIBUTE",
      "SECONDARY_ENGINE_ATTRIBUTE":
      _ = accept("=")
      guard token.kind != .end, token.kind != .unterminated else { throw error("expected a value") }
      advance()
    case "VIRTUAL", "STORED", "PERSISTENT", "VISIBLE", "ENFORCED": break
    default:
      // MariaDB's engine-defined attributes have the form name = value.
      guard accept("="), token.kind != .end else {
        throw error("unknown column attribute \(attribute)")
      }
      advance()
    }
  }

  /// Whether json_valid(column) stands in the parentheses that come next.
  private func isJSONCheck(of column: String) -> Bool {
    var ahead = self
    return ahead.accept("(") && ahead.accept("JSON_VALID") && ahead.accept("(")
      && (try? ahead.name())?.lowercased() == column.lowercased() && ahead.accept(")")
      && ahead.accept(")")
  }

  // MARK: Options

  /// The table's options and partitions, up to the end of the statement or the query that fills the
  /// table.
  mutating func tableOptions() throws(SQLSyntaxError) -> TableDefinition.Options {
    var options = TableDefinition.Options()
    while token.kind != .end {
      guard token.kind != .unterminated else { throw error("") }
      switch token.keyword {
      case "AS", "SELECT", "VALUES":
        options.hasQuery = true
        return options
      case "(":
        if Self.queryVerbs.contains(peek().keyword) {
          options.hasQuery = true
          return options
        }
        try skipParenthesized()
      case "WITH":
        advance()
        if accept("SYSTEM") {
          try expect("VERSIONING")
          options.isSystemVersioned = true
        } else if token.kind == .word || token.kind == .quotedName, peek().keyword == "AS" {
          options.hasQuery = true
          return options
        }
      case "SEQUENCE":
        advance()
        if accept("=") {
          options.isSequence = lexer.text(of: token) == "1"
          advance()
        }
      case "ENGINE", "TYPE":
        advance()
        _ = accept("=")
        if token.kind == .string || token.kind == .word || token.kind == .quotedName {
          options.storageEngine = lexer.text(of: token)
          advance()
        }
      case "COMMENT", "CONNECTION", "PASSWORD":
        advance()
        _ = accept("=")
        advance()
      default:
        if try !options.charset.accept(from: &self) {
          guard token.keyword != ")" else { throw error("unexpected )") }
          advance()
        }
      }
    }
    return options
  }

  private static let queryVerbs: Set<String> = ["SELECT", "WITH", "VALUES", "TABLE"]
  /// What follows a column's definition in ALTER TABLE.
  private static let wordsAfterColumns: Set<String> = ["AFTER", "FIRST", "PARTITION", "REMOVE"]
}
