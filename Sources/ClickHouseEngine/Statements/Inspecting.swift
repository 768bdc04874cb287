import MagicCore

extension StatementPath {
  /// What a statement would touch, as far as its text tells.
  ///
  /// - Throws: ``EngineError`` when the text is not even a statement.
  public func inspect(
    _ statement: String, parameters: [String: String]
  ) throws -> StatementInspection {
    try StatementInspection(SQLText(statement), parameters: parameters)
  }
}

extension StatementInspection {
  init(_ text: SQLText, parameters: [String: String]) throws {
    guard !text.tokens.isEmpty else { throw EngineError(message: "the statement is empty") }
    // The engine takes more characters for spaces and quotes than are known here.
    guard text.tokens.indices.allSatisfy(text.isPlain) else {
      throw EngineError(
        code: 62,
        message:
          "control characters, and characters beyond ASCII, are allowed in quotes only; quotes "
          + "are ', \" and `")
    }
    let verb = text.isSymbol(0, "(") ? "SELECT" : text.word(0)
    let declares = ["CREATE", "REPLACE", "ALTER"].contains(verb)
    var scanner = StatementScanner(text, parameters: parameters, declares: declares)
    let (kind, start) = scanner.scanHead()
    try scanner.scan(from: start)
    scanner.scanSettings()
    self.init(
      kind: scanner.isUnruly ? .administer : kind, verb: verb, targets: scanner.targets,
      pattern: text.pattern, positionalParameterCount: try text.positionalParameterCount())
    sources = scanner.sources
    functions = scanner.functions
    tableFunctions = scanner.tableFunctions
    engines = scanner.engines
    settings = scanner.settings
    missingParameters = scanner.missingParameters
    // The engine keeps a view's parameters, for which others give values.
    let isView = (0..<6).contains { text.word($0) == "VIEW" }
    let hasParameters = text.tokens.indices.contains { text.isSymbol($0, "{") }
    isOpaque = scanner.isOpaque || declares && isView && hasParameters
    if !scanner.guards.isEmpty { guarded = text.replacing(scanner.guards) }
    killedStatement = kind == .kill ? scanner.killedStatement : nil
    hasValues = kind == .write && InsertStatement(text)?.source == .values
  }
}
