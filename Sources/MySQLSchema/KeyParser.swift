extension DDLParser {
  /// Reads an index, a constraint or a foreign key, if one comes next.
  mutating func tableConstraint(into definition: inout TableDefinition) throws(SQLSyntaxError)
    -> Bool
  {
    var symbol: String?
    var ifNotExists = false
    let start = self
    if accept("CONSTRAINT") {
      let hasNoName = Self.constraintKinds.contains(token.keyword) && !isNameOfConstraint
      if !hasNoName {
        ifNotExists = try acceptIfExists()
        symbol = try name()
      }
      guard Self.constraintKinds.contains(token.keyword) else {
        throw error("expected a constraint")
      }
    }
    let following = peek().keyword
    let isIndex = Self.indexWords.contains(following) || following == "UNIQUE"
    let keyCount = definition.keys.count
    switch token.keyword {
    case "PRIMARY": try primaryKey(into: &definition)
    case "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL": try index(into: &definition)
    // Words that may also name a column.
    case "GLOBAL" where isIndex, "CLUSTERED" where isIndex, "VECTOR" where isIndex:
      advance()
      try index(into: &definition)
    case "FOREIGN": try foreignKey(named: symbol, into: &definition)
    case "CHECK": try skipToEndOfElement()
    default:
      self = start
      return false
    }
    if definition.keys.count > keyCount, let last = definition.keys.indices.last {
      definition.keys[last].name = definition.keys[last].name ?? symbol
      if ifNotExists { definition.keys[last].ifNotExists = true }
    }
    return true
  }

  /// Whether the word after CONSTRAINT, which may begin a constraint, is the name of one.
  private var isNameOfConstraint: Bool {
    let following = peek().keyword
    return ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].contains(following)
  }

  private mutating func primaryKey(into definition: inout TableDefinition) throws(SQLSyntaxError) {
    try expect("PRIMARY")
    try expect("KEY")
    // An ignored name of the index, and its type.
    while token.keyword != "(" {
      guard token.kind == .word || token.kind == .quotedName else { throw error("expected (") }
      if token.keyword == "IF" { definition.primaryKeyIfNotExists = true }
      advance()
    }
    definition.primaryKey = try keyParts()
    guard !definition.primaryKey.contains(where: \.isExpression) else {
      throw error("an expression in a primary key")
    }
    try skipToEndOfElement()
  }

  private mutating func index(into definition: inout TableDefinition) throws(SQLSyntaxError) {
    let isUnique = token.keyword == "UNIQUE"
    advance()
    while accept(anyOf: ["GLOBAL", "LOCAL", "CLUSTERED"]) {}
    _ = accept(anyOf: Self.indexWords)
    var key = KeyDefinition(isUnique: isUnique, parts: [])
    key.ifNotExists = try acceptIfExists()
    let isTypeOnly = ["USING", "TYPE"].contains(token.keyword) && peek().kind == .word
    if token.keyword != "(", !isTypeOnly { key.name = try name() }
    while try acceptIndexType(of: &key) {}
    key.parts = try keyParts()
    try indexOptions(of: &key)
    definition.keys.append(key)
  }

  mutating func acceptIndexType(of key: inout KeyDefinition) throws(SQLSyntaxError) -> Bool {
    guard accept(anyOf: ["USING", "TYPE"]) else { return false }
    key.type = try name().uppercased()
    return true
  }

  /// What follows the columns of an index.
  mutating func indexOptions(of key: inout KeyDefinition) throws(SQLSyntaxError) {
    while !isEndOfElement {
      if try !acceptIndexType(of: &key) { try skipPartOfElement() }
    }
  }

  private mutating func foreignKey(named symbol: String?, into definition: inout TableDefinition)
    throws(SQLSyntaxError)
  {
    try expect("FOREIGN")
    try expect("KEY")
    let ifNotExists = try acceptIfExists()
    let indexName = token.keyword == "(" ? nil : try name()
    let parts = try keyParts()
    try expect("REFERENCES")
    var reference = try reference(from: parts.map(\.name))
    // MySQL makes up a name here that only its SHOW CREATE TABLE tells.
    reference.name = symbol ?? indexName
    reference.ifNotExists = ifNotExists
    definition.foreignKeys.append(reference)
    definition.keys.append(
      KeyDefinition(
        name: symbol ?? indexName, parts: parts, ifNotExists: ifNotExists, isImplied: true))
    try skipToEndOfElement()
  }

  /// The referenced table and the actions, after REFERENCES.
  mutating func reference(from columns: [String]) throws(SQLSyntaxError) -> ForeignKeyDefinition {
    let following = peek()
    let isQualified = following.keyword == "." || following.kind == .number
    let table = try tableName()
    var reference = ForeignKeyDefinition(
      columns: columns, database: isQualified ? table.database : nil, table: table.table)
    if token.keyword == "(" { try skipParenthesized() }
    while true {
      if accept("MATCH") {
        advance()
      } else if token.keyword == "ON", ["DELETE", "UPDATE"].contains(peek().keyword) {
        advance()
        let isDelete = token.keyword == "DELETE"
        advance()
        let action = try referenceAction()
        if isDelete { reference.onDelete = action } else { reference.onUpdate = action }
      } else {
        return reference
      }
    }
  }

  private mutating func referenceAction() throws(SQLSyntaxError) -> ForeignKey.Action {
    let word = token.keyword
    advance()
    switch word {
    case "RESTRICT": return .restrict
    case "CASCADE": return .cascade
    case "NO":
      try expect("ACTION")
      return .noAction
    case "SET":
      if accept("NULL") { return .setNull }
      try expect("DEFAULT")
      return .setDefault
    default: throw error("unknown action of a foreign key")
    }
  }

  /// The columns of a key, in parentheses.
  mutating func keyParts() throws(SQLSyntaxError) -> [TableDefinition.KeyPart] {
    try expect("(")
    var parts: [TableDefinition.KeyPart] = []
    repeat {
      guard parts.count < 32 else { throw error("more than 32 columns in an index") }
      parts.append(try keyPart())
    } while accept(",")
    try expect(")")
    return parts
  }

  private mutating func keyPart() throws(SQLSyntaxError) -> TableDefinition.KeyPart {
    var part = TableDefinition.KeyPart(name: "")
    if token.keyword == "(" {
      try skipParenthesized()
      part.isExpression = true
    } else {
      part.name = try name()
      if accept("(") {
        part.prefixLength = try unsignedInteger()
        try expect(")")
      }
      if accept("WITHOUT") {
        try expect("OVERLAPS")
        part.isPeriod = true
      }
    }
    _ = accept(anyOf: ["ASC", "DESC"])
    return part
  }

  static let indexWords: Set<String> = ["INDEX", "KEY"]
  private static let constraintKinds: Set<String> = [
    "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "KEY", "INDEX",
  ]
}
