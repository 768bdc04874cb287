/// The charset that CHARACTER SET and COLLATE clauses give, in whatever order they come.
struct CharsetClause: Hashable, Sendable {
  /// The charset's name, or nil when no clause gives one.
  private(set) var name: String?

  init(name: String? = nil) { self.name = name.map(Charset.canonicalName) }

  /// Moves past `CHARACTER SET [=] x`, `CHARSET [=] x` or `COLLATE [=] x` and takes it in, if one
  /// comes next.
  mutating func accept(from parser: inout DDLParser) throws(SQLSyntaxError) -> Bool {
    switch parser.token.keyword {
    case "CHARSET": parser.advance()
    case "CHARACTER", "CHAR":
      guard parser.peek().keyword == "SET" else { return false }
      parser.advance()
      parser.advance()
    case "COLLATE":
      parser.advance()
      _ = parser.accept("=")
      // A collation decides only where no charset is given, except that the two never contradict
      // each other.
      let collation = try Self.value(from: &parser)
      if let charset = Charset.name(collationName: collation) { name = charset }
      return true
    default: return false
    }
    _ = parser.accept("=")
    let charset = try Self.value(from: &parser)
    if charset.lowercased() != "default" { name = Charset.canonicalName(charset) }
    return true
  }

  private static func value(from parser: inout DDLParser) throws(SQLSyntaxError) -> String {
    guard parser.token.kind == .string else { return try parser.name() }
    let text = parser.lexer.text(of: parser.token)
    parser.advance()
    return text
  }
}
