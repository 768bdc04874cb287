extension DDLParser {
  /// Everything after the table's name in CREATE TABLE.
  mutating func tableSource(for name: TableName) throws(SQLSyntaxError) -> CreateTable.Source {
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
    return .definition(try definition.schema(name: name, options: options))
  }

  // MARK: Elements

  mutating func tableElement(into definition: inout TableDefinition) throws(SQLSyntaxError) {
    let following = peek().keyword
    let isIndex = ["INDEX", "KEY", "UNIQUE"].contains(following)
    switch token.keyword {
    case "PRIMARY": try primaryKey(into: &definition)
    case "KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK":
      try skipToEndOfElement()
    // Words that may also name a column.
    case "GLOBAL" where isIndex, "CLUSTERED" where isIndex, "VECTOR" where isIndex:
      try skipToEndOfElement()
    case "PERIOD" where following == "FOR": try period(into: &definition)
    case "CONSTRAINT":
      advance()
      if !Self.constraintKinds.contains(token.keyword) { _ = try name() }
      guard Self.constraintKinds.contains(token.keyword) else {
        throw error("expected a constraint")
      }
      if token.keyword == "PRIMARY" {
        try primaryKey(into: &definition)
      } else {
        try skipToEndOfElement()
      }
    default:
      guard definition.columns.count < 4096 else { throw error("more than 4096 columns") }
      definition.columns.append(try columnDefinition())
    }
  }

  private mutating func primaryKey(into definition: inout TableDefinition) throws(SQLSyntaxError) {
    try expect("PRIMARY")
    try expect("KEY")
    // An ignored name of the index, and its type.
    while token.keyword != "(" {
      guard token.kind == .word || token.kind == .quotedName else { throw error("expected (") }
      advance()
    }
    definition.primaryKey = try keyParts()
    try skipToEndOfElement()
  }

  /// The columns of a key, in parentheses.
  mutating func keyParts() throws(SQLSyntaxError) -> [TableDefinition.KeyPart] {
    try expect("(")
    var parts: [TableDefinition.KeyPart] = []
    repeat {
      var part = TableDefinition.KeyPart(name: try name())
      if accept("(") {
        _ = try unsignedInteger()
        try expect(")")
        part.hasPrefix = true
      }
      if accept("WITHOUT") {
        try expect("OVERLAPS")
        part.isPeriod = true
      }
      _ = accept(anyOf: ["ASC", "DESC"])
      parts.append(part)
    } while accept(",")
    try expect(")")
    return parts
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

  /// A column's name, type and attributes.
  mutating func columnDefinition() throws(SQLSyntaxError) -> TableDefinition.ColumnDefinition {
    var name = try name()
    while accept(".") { name = try self.name() }
    let isSerial = token.keyword == "SERIAL"
    var column = TableDefinition.ColumnDefinition(name: name, type: try columnType())
    if isSerial { column.isNullable = false }
    while token.kind == .word, !Self.wordsAfterColumns.contains(token.keyword) {
      if try acceptTypeAttribute(of: &column.type) { continue }
      try columnAttribute(of: &column)
    }
    return column
  }

  private mutating func columnAttribute(of column: inout TableDefinition.ColumnDefinition)
    throws(SQLSyntaxError)
  {
    let attribute = token.keyword
    advance()
    switch attribute {
    case "NOT":
      // NOT NULL, or the NOT ENFORCED of a check, or NOT SECONDARY.
      if accept("NULL") { column.isNullable = false } else { advance() }
    case "PRIMARY":
      try expect("KEY")
      column.isPrimaryKey = true
    case "KEY": column.isPrimaryKey = true
    case "UNIQUE": _ = accept("KEY")
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
    case "DEFAULT": try skipDefaultValue()
    case "ON":
      try expect("UPDATE")
      try skipDefaultValue()
    case "SERIAL":
      try expect("DEFAULT")
      try expect("VALUE")
      column.isNullable = false
    case "CHECK":
      if column.type.isLongText, isJSONCheck(of: column.name) {
        column.type = DeclaredType(.json)
      }
      try skipParenthesized()
    case "CONSTRAINT":
      if token.keyword != "CHECK", token.keyword != "REFERENCES" { _ = try name() }
    case "REFERENCES": try skipReference()
    case "COMPRESSED": if accept("=") { advance() }
    case "AUTO_INCREMENT": if accept("BY") { try expect("GROUP") }
    case "WITH", "WITHOUT":
      try expect("SYSTEM")
      try expect("VERSIONING")
    case "COMMENT", "COLUMN_FORMAT", "STORAGE", "SRID", "ENGINE_ATTRIBUTE",
      "SECONDARY_ENGINE_ATTRIBUTE":
      _ = accept("=")
      guard token.kind != .end, token.kind != .unterminated else { throw error("expected a value") }
      advance()
    case "NULL", "VIRTUAL", "STORED", "PERSISTENT", "VISIBLE", "ENFORCED": break
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

  /// Moves past a literal, an expression in parentheses, a function call or a CASE.
  private mutating func skipDefaultValue() throws(SQLSyntaxError) {
    while accept("-") || accept("+") {}
    switch token.kind {
    case .symbol: try skipParenthesized()
    case .string, .number, .hexadecimal, .bits: try skipLiteral()
    case .word, .quotedName:
      if token.keyword == "CASE" { return try skipCase() }
      if accept("NEXT") {
        try expect("VALUE")
        try expect("FOR")
      }
      let isLiteralPrefix =
        token.keyword.hasPrefix("_") || Self.literalPrefixes.contains(token.keyword)
      advance()
      if isLiteralPrefix, token.kind != .word, token.kind != .symbol { return try skipLiteral() }
      while accept(".") { _ = try name() }
      if token.keyword == "(" { try skipParenthesized() }
    case .end, .unterminated: throw error("expected a default value")
    }
  }

  /// Strings that follow one another are one literal.
  private mutating func skipLiteral() throws(SQLSyntaxError) {
    let isString = token.kind == .string
    advance()
    while isString, token.kind == .string { advance() }
  }

  private mutating func skipCase() throws(SQLSyntaxError) {
    var depth = 0
    repeat {
      guard token.kind != .end, token.kind != .unterminated else { throw error("expected END") }
      if token.keyword == "CASE" { depth += 1 }
      if token.keyword == "END" { depth -= 1 }
      advance()
    } while depth > 0
  }

  private mutating func skipReference() throws(SQLSyntaxError) {
    _ = try tableName()
    if token.keyword == "(" { try skipParenthesized() }
    while true {
      if accept("MATCH") {
        advance()
      } else if token.keyword == "ON", ["DELETE", "UPDATE"].contains(peek().keyword) {
        advance()
        advance()
        // SET NULL, SET DEFAULT and NO ACTION are two words; RESTRICT and CASCADE are one.
        if accept("SET") || accept("NO") { advance() } else { advance() }
      } else {
        return
      }
    }
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
  private static let constraintKinds: Set<String> = [
    "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "KEY", "INDEX",
  ]
  private static let literalPrefixes: Set<String> = ["DATE", "TIME", "TIMESTAMP", "N", "X", "B"]
}
