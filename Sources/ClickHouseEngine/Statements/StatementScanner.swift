import MagicCore

/// Finds what the words of a statement tell: what it is about, the settings that it sets, and what
/// the engine's parser keeps to itself.
///
/// Names that a query reads and functions that it calls are not found here, but by ``SyntaxTree``.
struct StatementScanner {
  typealias Name = StatementInspection.Name

  let text: SQLText
  private let parameters: [String: String]
  var targets: [Name] = []
  var sources: [Name] = []
  /// The functions of APPLY.
  private(set) var functions: Set<String> = []
  private(set) var settings: [StatementInspection.Setting] = []
  private(set) var missingParameters: Set<String> = []
  var isOpaque = false
  /// Whether it reads or writes files by itself, names a table by its UUID, is more than one
  /// statement, or does not tell which settings it brings.
  private(set) var isUnruly = false
  /// How many clauses of settings, and how many APPLY there are.
  private(set) var settingsCount = 0
  private(set) var transformerCount = 0
  /// Whether there is a word APPLY that is followed by something else.
  private(set) var hasOddTransformer = false

  init(_ text: SQLText, parameters: [String: String]) {
    self.text = text
    self.parameters = parameters
  }

  // MARK: Words

  /// Looks at all words.
  ///
  /// - Parameter declares: whether AS can be followed by a table.
  /// - Throws: ``EngineError`` when there is more than one statement.
  mutating func scan(declares: Bool) throws {
    for index in text.tokens.indices {
      if text.isSymbol(index, ";") {
        throw EngineError(message: "there is more than one statement; send them one by one")
      }
      noteParameter(at: index)
      // After a dot it is a part of a name.
      if text.isSymbol(index - 1, ".") { continue }
      switch text.word(index) {
      case "INTO" where text.word(index + 1) == "OUTFILE": isUnruly = true
      case "FROM" where text.word(index + 1) == "INFILE": isUnruly = true
      case "PARALLEL" where text.word(index + 1) == "WITH": isUnruly = true
      case "UUID" where text.kind(index + 1) == .string: isUnruly = true
      case "APPLY": takeTransformer(at: index)
      case "AS" where declares && text.depth(index) == 0: takeSource(at: index + 1)
      case "ON" where declares && text.word(index - 1) == "DEPENDS": takeSources(at: index + 1)
      case "FROM" where text.word(0) == "ALTER": takeSource(at: index + 1)
      case "SETTINGS": takeSettingsClause(at: index)
      default: break
      }
    }
  }

  /// Takes in the name of a table that the engine's parser does not tell.
  ///
  /// - Returns: the position after it.
  @discardableResult private mutating func takeSource(at index: Int) -> Int? {
    guard let (parts, next) = scanPath(at: index) else { return nil }
    if parts.count == 2 { sources.append(Name(database: parts[0], table: parts[1])) }
    return next
  }

  /// Takes in such names with commas between.
  private mutating func takeSources(at index: Int) {
    var position = index
    while let next = takeSource(at: position), text.isSymbol(next, ",") { position = next + 1 }
  }

  /// `APPLY f` and `APPLY(…)`: what is in the brackets is read by the engine's parser. Whatever else
  /// follows is not told, if the word is no name.
  private mutating func takeTransformer(at index: Int) {
    if text.isSymbol(index + 1, "(") {
      transformerCount += 1
    } else if let name = text.identifier(index + 1),
      !["(", "-", "."].contains(where: { text.isSymbol(index + 2, $0) })
    {
      transformerCount += 1
      functions.insert(name)
      if SyntaxTree.takesName(name) { isOpaque = true }
    } else {
      hasOddTransformer = true
    }
  }

  private mutating func noteParameter(at index: Int) {
    if let name = text.parameter(index), parameters[name] == nil { missingParameters.insert(name) }
  }

  // MARK: Settings

  /// Takes in a clause SETTINGS, wherever one may stand: a word too many only refuses a statement.
  private mutating func takeSettingsClause(at index: Int) {
    let opens = text.kind(index - 1) == .symbol && !text.endsExpression(index - 1)
    if opens, !text.isSymbol(index - 1, "?") { return }
    // The settings of a column stand in brackets.
    let first = text.isSymbol(index + 1, "(") ? index + 2 : index + 1
    guard text.identifier(first) != nil, !isAfterName(first) else { return }
    if takeSettings(from: first) == nil { isUnruly = true }
  }

  /// Whether a word is one that follows a column's name, and no name of a setting that needs no value.
  private func isAfterName(_ index: Int) -> Bool {
    Self.wordsAfterColumns.contains(text.word(index))
  }

  private static let wordsAfterColumns: Set<String> = [
    "ALTER", "AND", "APPLY", "ARRAY", "AS", "ASC", "BETWEEN", "DESC", "DISTINCT", "ELSE", "END",
    "ENGINE", "EXCEPT", "EXPLAIN", "FORMAT", "FROM", "GROUP", "HAVING", "ILIKE", "IN", "INFILE",
    "INTERSECT", "INTO", "IS", "JOIN", "LIKE", "NOT", "NULLS", "ON", "OR", "ORDER", "OUTFILE",
    "PARALLEL", "PREWHERE", "QUALIFY", "SAMPLE", "SELECT", "SELRAW", "SETTINGS", "STREAM", "THEN",
    "UNION", "USING", "WHERE", "WINDOW", "WITH",
  ]

  /// Takes in `name = value, …`, where a name without a value stands for `name = 1`.
  ///
  /// - Returns: the position after them; nil when the engine may see others there.
  @discardableResult mutating func takeSettings(from start: Int) -> Int? {
    var position = start
    settingsCount += 1
    while true {
      guard let (parts, equals) = text.path(at: position) else { return nil }
      var next = equals
      var value: String? = "1"
      if text.isSymbol(equals, "=") {
        let first = text.isSymbol(equals + 1, "=") ? equals + 2 : equals + 1
        guard let end = endOfValue(first) else { return nil }
        value = literal(first..<end)
        next = end
        // What is computed could read tables.
        if value == nil, text.word(first) != "DEFAULT" { isUnruly = true }
      }
      settings.append(.init(name: parts.joined(separator: "."), value: value))
      guard text.isSymbol(next, ",") else {
        let isEnd = text.kind(next) == nil || text.kind(next) == .word || text.isSymbol(next, ")")
        return isEnd ? next : nil
      }
      position = next + 1
    }
  }

  /// The position after a setting's value.
  private func endOfValue(_ start: Int) -> Int? {
    switch text.kind(start) {
    case .string, .number: return start + 1
    case .word, .quotedName:
      guard let (_, next) = text.path(at: start) else { return nil }
      return text.isSymbol(next, "(") ? text.closing(next).map { $0 + 1 } : next
    case .symbol:
      if text.isSymbol(start, "-") || text.isSymbol(start, "+") {
        return text.kind(start + 1) == .number ? start + 2 : nil
      }
      let isOpen = ["(", "[", "{"].contains { text.isSymbol(start, $0) }
      return isOpen ? text.closing(start).map { $0 + 1 } : nil
    case nil: return nil
    }
  }

  /// The value of a number, a string or a word.
  private func literal(_ range: Range<Int>) -> String? {
    switch range.count {
    case 1:
      if let string = text.string(range.lowerBound) { return string }
      let isPlain = text.kind(range.lowerBound) == .number || text.kind(range.lowerBound) == .word
      return isPlain && text.word(range.lowerBound) != "DEFAULT" ? text.text(range) : nil
    case 2 where text.isSymbol(range.lowerBound, "-"): return "-" + text.text(range.dropFirst())
    default: return nil
    }
  }

  // MARK: Names

  /// The parts of a name, with parameters replaced by their values, and the position after it.
  func scanPath(at start: Int) -> (parts: [String], next: Int)? {
    guard var (part, next) = scanPart(at: start) else { return nil }
    var parts = [part]
    while text.isSymbol(next, ".") {
      guard let following = scanPart(at: next + 1) else { break }
      (part, next) = following
      parts.append(part)
    }
    return (parts, next)
  }

  private func scanPart(at index: Int) -> (String, Int)? {
    if let name = text.identifier(index) { return (name, index + 1) }
    guard let name = text.parameter(index), text.word(index + 3) == "IDENTIFIER",
      text.isSymbol(index + 4, "}")
    else { return nil }
    return (parameters[name].map(Self.unescaped) ?? "", index + 5)
  }

  /// A value in the form of the TSV format.
  static func unescaped(_ value: String) -> String {
    String(decoding: withoutEscapes(Array(value.utf8)[...]), as: UTF8.self)
  }

  // MARK: Guards

  /// What takes the place of system tables' names in a query, and how often each of them is named.
  ///
  /// A condition can fail, and tell by that what it has seen. The engine may evaluate it before the
  /// filter of a session, but not before a LIMIT.
  func guards(from start: Int) -> (
    edits: [(range: Range<Int>, text: String)], counts: [String: Int]
  ) {
    var edits: [(range: Range<Int>, text: String)] = []
    var counts: [String: Int] = [:]
    for index in text.tokens.indices.dropFirst(start) where !text.isSymbol(index - 1, ".") {
      guard text.isSymbol(index + 1, ".") || text.isSymbol(index, "{") else { continue }
      guard let (parts, next) = scanPath(at: index), parts.count == 2,
        Self.isSystem(parts[0]), !text.isSymbol(next, "("), !text.isSymbol(next, ".")
      else { continue }
      counts[parts.joined(separator: "."), default: 0] += 1
      if Self.unguardedTables.contains(parts[1]) { continue }
      let columns = (parts[0] == "system" ? Self.guardedColumns[parts[1]] : nil) ?? "*"
      var replacement = "(SELECT \(columns) FROM \(text.text(index..<next)) LIMIT \(Int.max))"
      if !hasAlias(at: next) { replacement += " AS \(quotedIdentifier(parts[1]))" }
      edits.append((text.byteRange(index..<next), replacement))
    }
    return (edits, counts)
  }

  /// Databases whose tables are told by their names alone, wherever these stand.
  static func isSystem(_ database: String) -> Bool {
    database == "system" || database == StorageName.database
      || database.lowercased() == "information_schema"
  }

  /// What is read of tables that also tell where the files are, and names of other databases.
  private static let guardedColumns: [String: String] = [
    "databases": "* REPLACE ('' AS data_path, '' AS metadata_path), database",
    "dictionaries": "* REPLACE ('' AS origin, '' AS source)",
    "parts": "* REPLACE ('' AS path), bytes, marks_size, part_name",
    "parts_columns": "* REPLACE ('' AS path), bytes, marks_size, part_name",
    "tables": "* REPLACE ('' AS metadata_path, '' AS target_database, '' AS target_table, "
      + [
        "data_paths", "dependencies_database", "dependencies_table",
        "loading_dependencies_database", "loading_dependencies_table",
        "loading_dependent_database", "loading_dependent_table",
      ].map { "emptyArrayString() AS \($0)" }.joined(separator: ", ") + "), table",
  ]

  private func hasAlias(at index: Int) -> Bool {
    text.identifier(index) != nil && !Self.wordsAfterTables.contains(text.word(index))
  }

  private static let wordsAfterTables: Set<String> = [
    "ALL", "ANTI", "ANY", "ARRAY", "ASOF", "CROSS", "EXCEPT", "FETCH", "FINAL", "FORMAT", "FULL",
    "GLOBAL", "GROUP", "HAVING", "INNER", "INTERSECT", "INTO", "JOIN", "LEFT", "LIMIT", "LOCAL",
    "NATURAL", "OFFSET", "ON", "ONLY", "ORDER", "PASTE", "PREWHERE", "QUALIFY", "RIGHT", "SAMPLE",
    "SELECT", "SELRAW", "SEMI", "SETTINGS", "STREAM", "UNION", "USING", "WHERE", "WINDOW", "WITH",
  ]

  /// Tables of numbers: the same for everybody.
  private static let unguardedTables: Set<String> = [
    "numbers", "numbers_mt", "one", "primes", "zeros", "zeros_mt",
  ]
}
