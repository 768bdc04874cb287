import MagicCore

extension StatementPath {
  /// What a statement would touch.
  ///
  /// - Throws: ``EngineError`` when the text is not even a statement.
  public func inspect(
    _ statement: String, parameters: [String: String], thoroughly: Bool
  ) async throws -> StatementInspection {
    let text = SQLText(statement)
    var (inspection, scanner, next) = try StatementInspection.scan(text, parameters: parameters)
    guard thoroughly, inspection.kind != .administer, inspection.missingParameters.isEmpty else {
      return inspection
    }
    guard text.tokens.count <= 200_000 else {
      throw EngineError(
        code: 241, message: "the statement has more than 200,000 words; an admin's may have more")
    }
    guard !text.hasOpenHeredoc else {
      throw EngineError(code: 62, message: "a name with a $ stands in quotes")
    }
    guard !text.mentions("SELRAW") || text.tokens.count <= 20_000 else {
      throw EngineError(
        code: 241, message: "a statement with SELRAW has at most 20,000 words; an admin's more")
    }
    let forEngine = try ParserText(text, parameters: parameters)
    inspection.add(try await parser.tree(of: forEngine.statement), to: scanner, from: next)
    inspection.sources += forEngine.rawSources
    if !forEngine.transformers.isEmpty {
      let tree = try await parser.tree(of: forEngine.transformers)
      inspection.add(expressions: tree)
      // A function's name alone.
      inspection.functions.formUnion(tree.identifiers)
      if tree.identifiers.contains(where: SyntaxTree.takesName) { inspection.isOpaque = true }
    }
    if inspection.kind == .write, InsertStatement(text)?.source == .values, text.hasPlainValues {
      do {
        inspection.add(expressions: try await parser.tree(of: forEngine.values, isKept: false))
        inspection.hasPlainValues = true
      } catch is EngineError {
        // Then the engine takes them for nothing but values.
      }
    }
    return inspection
  }
}

extension StatementInspection {
  /// What the words of a statement tell, the scanner that knows more, and the position after the
  /// names that the statement begins with.
  static func scan(
    _ text: SQLText, parameters: [String: String]
  ) throws -> (Self, StatementScanner, next: Int) {
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
    var scanner = StatementScanner(text, parameters: parameters)
    let (kind, next) = scanner.scanHead()
    try scanner.scan(declares: declares)
    var inspection = Self(
      kind: scanner.isUnruly ? .administer : kind, verb: verb, targets: scanner.targets,
      pattern: text.pattern, positionalParameterCount: try text.positionalParameterCount())
    inspection.sources = scanner.sources
    inspection.functions = scanner.functions
    inspection.settings = scanner.settings
    inspection.missingParameters = scanner.missingParameters
    // The engine keeps a view's parameters, for which others give values.
    let isView = (0..<6).contains { text.word($0) == "VIEW" }
    let hasParameters = text.tokens.indices.contains { text.isSymbol($0, "{") }
    inspection.isOpaque = scanner.isOpaque || declares && isView && hasParameters
    inspection.killedStatement = kind == .kill ? scanner.killedStatement : nil
    return (inspection, scanner, next)
  }

  /// Adds what the engine's parser says. Where that is more than the words have told, and it matters,
  /// the statement is not believed.
  fileprivate mutating func add(_ tree: SyntaxTree, to scanner: StatementScanner, from next: Int) {
    let isTold =
      Self.kind(of: tree) == kind && !tree.namesFile
      && (tree.settingsCounts == 0...0 || tree.settingsCounts.contains(scanner.settingsCount))
      && (tree.transformerCount == 0 || !scanner.hasOddTransformer)
      && (tree.transformerCount == 0 || tree.transformerCount == scanner.transformerCount)
      && tree.altersAsKnown && !(tree.hasTimeToLive && scanner.text.hasHiddenTimeToLive)
      && !(tree.hasHiddenTarget && targets.count < 2)
      && (kind != .write && kind != .declare || tree.subjects.isSubset(of: subjects))
    if !isTold { kind = .administer }
    engines = tree.engines
    let guards = scanner.guards(from: next)
    var counts: [String: Int] = [:]
    for name in tree.tables {
      counts[name, default: 0] += 1
      readsOwnTables = readsOwnTables || !name.utf8.contains(UInt8(ascii: "."))
      addSources(name)
    }
    for name in tree.members {
      addSources(name)
      // A column's name, or a table's that cannot be guarded.
      if guards.counts[name] != nil { isOpaque = true }
    }
    // What is no table's name for sure cannot be guarded.
    let isGuarded = guards.counts.allSatisfy { counts[$0.key] == $0.value }
    let isFound = counts.keys.allSatisfy { name in
      !Self.isOfSystem(name) || guards.counts[name] != nil
    }
    if !isGuarded || !isFound { isOpaque = true }
    if !guards.edits.isEmpty { guarded = scanner.text.replacing(guards.edits) }
    addCalls(of: tree)
  }

  /// Adds what expressions of the statement do that the engine's parser does not show within it.
  fileprivate mutating func add(expressions tree: SyntaxTree) {
    if tree.settingsCounts != 0...0 || tree.transformerCount > 0 { kind = .administer }
    for name in tree.tables + tree.members {
      readsOwnTables = readsOwnTables || !name.utf8.contains(UInt8(ascii: "."))
      addSources(name)
      if Self.isOfSystem(name) { isOpaque = true }
    }
    addCalls(of: tree)
  }

  /// What right a statement takes, as far as the engine's parser tells.
  private static func kind(of tree: SyntaxTree) -> Kind {
    switch tree.kind {
    case "SelectWithUnionQuery", "DescribeQuery", "CheckQuery": .read
    case let kind where kind.hasPrefix("Show") || kind.hasPrefix("Exists"): .read
    case "InsertQuery", "UpdateQuery", "DeleteQuery": .write
    case "CreateQuery", "CreateIndexQuery", "AlterQuery", "DropQuery", "DropIndexQuery",
      "TruncateQuery", "Rename", "OptimizeQuery":
      .declare
    case "Set", "UseQuery", "ASTTransactionControl": .session
    case "KillQueryQuery": .kill
    default: .administer
    }
  }

  /// The names at the statement's beginning.
  private var subjects: Set<String> {
    Set((targets + sources).flatMap { [$0.database, $0.table].compactMap(\.self) })
  }

  /// Adds a name with dots. A dot may be part of a name, so each of them is taken for the one after
  /// the database.
  private mutating func addSources(_ name: String) {
    // A dot and what combines with it are one character, but not to the engine.
    let bytes = Array(name.utf8)
    guard bytes.count(where: { $0 == UInt8(ascii: ".") }) <= 16 else {
      isOpaque = true
      return
    }
    for dot in bytes.indices where bytes[dot] == UInt8(ascii: ".") {
      sources.append(
        Name(
          database: String(decoding: bytes[..<dot], as: UTF8.self),
          table: String(decoding: bytes[(dot + 1)...], as: UTF8.self)))
    }
  }

  /// Whether a name with dots is of a table that is guarded.
  private static func isOfSystem(_ name: String) -> Bool {
    let database = name.utf8.prefix { $0 != UInt8(ascii: ".") }
    return database.count < name.utf8.count
      && StatementScanner.isSystem(String(decoding: Array(database), as: UTF8.self))
  }

  /// Adds the functions, and the dictionaries and tables whose names are their arguments.
  private mutating func addCalls(of tree: SyntaxTree) {
    functions.formUnion(tree.functions)
    for function in tree.tableFunctions {
      // A view with parameters is called like a function.
      let isView = function.utf8.contains(UInt8(ascii: "."))
      if isView { addSources(function) } else { tableFunctions.insert(function) }
    }
    for (function, name) in tree.namingCalls where function.lowercased() != "hascolumnintable" {
      guard let name, !name.contains(where: { "`\"\\".contains($0) }), !Self.isUUID(name) else {
        isOpaque = true
        continue
      }
      addSources(name)
      // Where the engine evaluates it later, another database may be the current one.
      let isLater = kind == .declare || ["UPDATE", "DELETE"].contains(verb)
      if isLater, !name.utf8.contains(UInt8(ascii: ".")) { isOpaque = true }
    }
    for strings in tree.strings(ofCallsOf: "hascolumnintable") {
      // Seven arguments name another server.
      guard let strings, strings.count == 3 else {
        isOpaque = true
        continue
      }
      sources.append(Name(database: strings[0], table: strings[1]))
    }
  }

  /// Whether a text is in the form of a UUID, by which the engine finds what it has another name for.
  private static func isUUID(_ text: String) -> Bool {
    text.wholeMatch(of: /[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}/) != nil
  }
}

/// A statement as the engine's parser knows it, without the rows of an INSERT: with the engine's words
/// for those of the mutable tables, and with something in the places of values.
struct ParserText {
  let statement: String
  /// The tables that SELRAW reads.
  let rawSources: [StatementInspection.Name]
  /// A query with what APPLY has in brackets.
  let transformers: String
  /// A query with the rows after VALUES.
  let values: String

  init(_ original: SQLText, parameters: [String: String]) throws {
    var text = original
    if let places = try text.bindingNulls() { text = places }
    try text.checkLength(with: parameters)
    text = SQLText(text.replacing(text.parameterValues(parameters) + text.assignedPaths))
    guard text.hasPlainNames else {
      throw EngineError(
        code: 62,
        message:
          "names with control characters, \" (alias \" or \" (children \", and of more than 1024 "
          + "bytes, are an admin's")
    }
    var rawSources: [StatementInspection.Name] = []
    if text.hasSelraw {
      text = SQLText(
        text.replacingSelraw { name in
          rawSources.append(.init(database: name.database, table: name.table))
          return nil
        })
    }
    self.rawSources = rawSources
    var brackets: [String] = []
    var end = 0
    // What is within brackets is among what they hold.
    for index in text.tokens.indices where index >= end {
      guard text.word(index) == "APPLY", text.isSymbol(index + 1, "("),
        let close = text.closing(index + 1)
      else { continue }
      brackets.append(text.text(index + 1..<close + 1))
      end = close
    }
    transformers = brackets.isEmpty ? "" : "SELECT " + brackets.joined(separator: ", ")
    let count = text.tokens.count
    guard let head = InsertHead(text) else {
      statement = text.text(0..<count)
      values = ""
      return
    }
    let source = head.source(in: text)
    let rows = text.word(source) == "VALUES" ? source + 1 : count
    let verb = text.tokens[head.verb].range
    let last = text.byteRange(0..<rows).upperBound
    let parts = [
      text.bytes[text.tokens[0].range.lowerBound..<verb.lowerBound], Array("INSERT".utf8)[...],
      text.bytes[verb.upperBound..<last],
    ]
    statement = String(decoding: parts.joined(), as: UTF8.self)
    values = "SELECT " + text.text(rows..<count)
  }
}

extension SQLText {
  /// What takes the place of each `{name:Type}`: a name's value, and a text for what is no name.
  fileprivate func parameterValues(
    _ parameters: [String: String]
  ) -> [(range: Range<Int>, text: String)] {
    tokens.indices.compactMap { index in
      guard let name = parameter(index), let close = closing(index), isSymbol(close, "}") else {
        return nil
      }
      let range = byteRange(index..<close + 1)
      let raw = parameters[name] ?? ""
      let value = StatementScanner.unescaped(raw)
      if word(index + 3) == "IDENTIFIER" { return (range, " \(quotedIdentifier(value)) ") }
      if raw == "\\N" { return (range, " NULL ") }
      let isNumber = value.wholeMatch(of: /-?[0-9]{1,30}/) != nil && word(index + 3) != "STRING"
      return (range, isNumber ? " \(value) " : " \(quotedString(value)) ")
    }
  }

  /// - Throws: ``EngineError`` when the statement would be too long with all values in it.
  fileprivate func checkLength(with parameters: [String: String]) throws {
    var count = bytes.count
    for index in tokens.indices {
      count += parameter(index).flatMap { parameters[$0]?.utf8.count } ?? 0
    }
    if count > StatementParser.byteLimit { throw StatementParser.tooLong }
  }

  /// Whether a word has a `$` that is no place of a value: what is put into the statement later could
  /// make it the beginning of a text.
  fileprivate var hasOpenHeredoc: Bool {
    tokens.indices.contains { index in
      guard kind(index) == .word else { return false }
      let word = bytes[tokens[index].range]
      return word.contains(UInt8(ascii: "$"))
        && !(word.first == UInt8(ascii: "$")
          && word.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    }
  }

  /// Whether no quoted name can be taken for something else in what the engine's parser tells.
  fileprivate var hasPlainNames: Bool {
    tokens.indices.allSatisfy { index in
      kind(index) != .quotedName || identifier(index).map(Self.isPlainName) ?? false
    }
  }

  private static func isPlainName(_ name: String) -> Bool {
    name.utf8.count <= 1024 && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
      && ![" (alias ", " (children "].contains { name.utf8.firstRange(of: $0.utf8) != nil }
  }

  /// Whether a TTL may do what the engine's parser does not tell: compute values, or move rows.
  fileprivate var hasHiddenTimeToLive: Bool {
    tokens.indices.contains { ["SET", "DISK", "VOLUME"].contains(word($0)) }
  }

  /// What takes the place of each name with dots that an UPDATE assigns to: the engine's has none.
  fileprivate var assignedPaths: [(range: Range<Int>, text: String)] {
    guard word(0) == "UPDATE" else { return [] }
    return tokens.indices.compactMap { index in
      guard depth(index) == 0, isSymbol(index - 1, ",") || word(index - 1) == "SET",
        let (parts, next) = path(at: index), parts.count > 1, isSymbol(next, "=")
      else { return nil }
      return (byteRange(index..<next), quotedIdentifier(parts.joined(separator: ".")))
    }
  }

  /// Whether the VALUES of an INSERT are written so that there are no two ways to read them: nothing
  /// but space between words, and no brackets that a type may read in its own way.
  fileprivate var hasPlainValues: Bool {
    guard let head = InsertHead(self) else { return false }
    let source = head.source(in: self)
    // Rows that come from outside of the text are values only.
    guard source + 1 < tokens.count else { return false }
    var end: Int?
    for index in tokens.indices.dropFirst(source) {
      let token = tokens[index]
      let gap = bytes[(end ?? token.range.lowerBound)..<token.range.lowerBound]
      let isHeredoc = token.kind == .string && bytes[token.range.lowerBound] == UInt8(ascii: "$")
      guard gap.allSatisfy({ $0 <= 0x20 }), token.kind != .quotedName, !isHeredoc,
        !isSymbol(index, "["), !isSymbol(index, "{")
      else { return false }
      end = token.range.upperBound
    }
    return bytes[(end ?? bytes.count)...].allSatisfy { $0 <= 0x20 || $0 == UInt8(ascii: ";") }
  }
}
