import MagicCore

/// Finds what a statement reads and calls, token by token.
///
/// It knows only as much of the grammar as it takes to tell a table's name from a column's. Where
/// the engine's parser could take a word for a keyword or for a name, what would hide a table here is
/// not believed: a name too many only refuses a statement, a name too few would be a door.
struct StatementScanner {
  typealias Name = StatementInspection.Name

  /// What is expected after a token.
  private enum Expectation {
    case nothing
    /// A table's name, a table function or a bracket.
    case table
    /// What follows IN: a table's name, or a bracket or a value.
    case set
  }

  /// What a function's brackets mean.
  private enum Call {
    case none
    /// The arguments of `in(x, t)` and its relatives.
    case membership
    /// Such as `extract(year FROM x)`, where FROM begins no clause.
    case clauses
    /// Such as `arrayMap`, whose arguments may be functions' names.
    case higherOrder
  }

  /// What a pair of brackets holds, or the statement outside of all.
  private struct Level {
    var expects = Expectation.nothing
    var call = Call.none
    /// Whether a comma separates tables.
    var listsTables = false
    /// Whether a word SELECT was seen, of the query since the last UNION.
    var hasSelect = false
    var hasFrom = false
    /// Whether the brackets stand in the place of a table, so that `select` and `with` in front may
    /// be a table's name.
    var isTable = false
    /// Whether the brackets follow IN, and hold a query, a table or values.
    var isSet = false
    /// Whether the brackets hold a query if they stand in the place of a table.
    var isQuery = false
  }

  let text: SQLText
  private let parameters: [String: String]
  /// Whether AS can be followed by a table or a query.
  private let declares: Bool
  let keywords: [Keyword?]
  var targets: [Name] = []
  var sources: [Name] = []
  private(set) var functions: Set<String> = []
  var tableFunctions: Set<String> = []
  private(set) var engines: Set<String> = []
  private(set) var settings: [StatementInspection.Setting] = []
  private(set) var missingParameters: Set<String> = []
  var isOpaque = false
  /// What takes the place of system tables' names to guard them.
  private(set) var guards: [(range: Range<Int>, text: String)] = []
  /// Whether it reads or writes files by itself, is more than one statement, or does not tell which
  /// settings or columns it brings.
  private(set) var isUnruly = false
  /// The position of the VALUES or FORMAT before the rows of an INSERT.
  private let rows: Int?
  private var levels = [Level()]
  /// The keyword that the last token was taken for.
  private var previous: Keyword?
  /// The function whose bracket comes next.
  private var called: String?
  /// The last word that was taken for a name because it follows AS.
  private var alias: Int?
  private var index = 0

  init(_ text: SQLText, parameters: [String: String], declares: Bool) {
    self.text = text
    self.parameters = parameters
    self.declares = declares
    rows = InsertHead(text).flatMap { $0.name == nil ? nil : $0.source(in: text) }
    keywords = text.tokens.map { $0.kind == .word ? Keyword(text.bytes[$0.range]) : nil }
  }

  private var level: Level {
    get { levels[levels.count - 1] }
    set { levels[levels.count - 1] = newValue }
  }

  // MARK: Tokens

  /// Takes in all tokens from a position on.
  mutating func scan(from start: Int) throws {
    index = start
    while index < text.tokens.count {
      let token = text.tokens[index]
      switch token.kind {
      case .symbol: try scanSymbol(text.bytes[token.range.lowerBound])
      case .string, .number: passValue()
      case .word, .quotedName: scanWord()
      }
    }
  }

  private mutating func passValue() {
    level.expects = .nothing
    previous = nil
    called = nil
    index += 1
  }

  private mutating func scanSymbol(_ symbol: UInt8) throws {
    switch symbol {
    case UInt8(ascii: "("): open()
    case UInt8(ascii: "["): levels.append(Level())
    case UInt8(ascii: "{"):
      if scanParameter() { return }
      levels.append(Level())
    case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
      close()
    case UInt8(ascii: ","):
      level.expects = level.listsTables ? .table : level.call == .membership ? .set : .nothing
    case UInt8(ascii: ";"):
      throw EngineError(message: "there is more than one statement; send them one by one")
    default: level.expects = .nothing
    }
    previous = nil
    called = nil
    index += 1
  }

  /// Passes `{name:Type}`; false for another bracket.
  private mutating func scanParameter() -> Bool {
    guard text.identifier(index + 1) != nil, text.isSymbol(index + 2, ":"),
      let close = text.closing(index), text.isSymbol(close, "}")
    else { return false }
    if text.word(index + 3) == "IDENTIFIER" {
      scanName()
    } else {
      index = close
      passValue()
    }
    return true
  }

  /// Takes in a bracket, whose contents depend on what stands before it.
  private mutating func open() {
    var inner = Level()
    let first = index + 1 < keywords.count ? keywords[index + 1] : nil
    if let called {
      inner.call = Self.call(called)
      if inner.call == .membership { inner.expects = .set }
      checkNamedArguments(of: called)
      checkStructure(of: called)
    } else {
      if level.call == .higherOrder { inner.call = .higherOrder }
      switch level.expects {
      case .nothing: break
      case .set:
        inner.isSet = true
        inner.expects = first.map(Self.beginsQuery) == true ? .nothing : .set
      case .table:
        inner.isTable = true
        let isQuery =
          first.map(Self.beginsQuery) == true && first != .explain
          && !(text.isSymbol(index + 2, ",") || text.isSymbol(index + 2, ")"))
          && text.word(index + 2) != "AS"
        inner.isQuery = isQuery
        if !isQuery {
          let mayBeQuery = first.map(Self.beginsQuery) == true
          if mayBeQuery, first != .explain { isOpaque = true }
          inner.expects = mayBeQuery ? .nothing : .table
          inner.listsTables = true
        }
      }
    }
    level.expects = .nothing
    levels.append(inner)
  }

  private mutating func close() {
    if levels.count > 1 {
      let inner = levels.removeLast()
      // `with` was a table's name.
      if inner.isTable, inner.isQuery, !inner.hasSelect, !inner.hasFrom { isOpaque = true }
    }
    level.expects = .nothing
  }

  private static func beginsQuery(_ keyword: Keyword) -> Bool {
    switch keyword {
    case .select, .selraw, .with, .from, .explain: true
    default: false
    }
  }

  private static func call(_ name: String) -> Call {
    let name = name.lowercased()
    if membershipFunctions.contains(name) { return .membership }
    if clauseFunctions.contains(name) { return .clauses }
    return name.hasPrefix("array") || name.hasPrefix("map") ? .higherOrder : .none
  }

  private static let membershipFunctions: Set<String> = Set(
    ["in", "notin", "nullin", "notnullin"].flatMap {
      [$0, "global\($0)", "\($0)ignoreset", "global\($0)ignoreset"]
    })

  private static let clauseFunctions: Set<String> = [
    "extract", "trim", "ltrim", "rtrim", "substring", "substr", "mid", "overlay", "overlayutf8",
    "substringutf8", "trimboth", "trimleft", "trimright",
  ]

  // MARK: Words

  private mutating func scanWord() {
    if let keyword = keywords[index], !text.isSymbol(index + 1, "."),
      !text.isSymbol(index - 1, "."), !isName(keyword), take(keyword)
    {
      previous = keyword
      called = nil
      index += 1
    } else {
      scanName()
    }
  }

  /// Whether a word stands where a name does. FROM is believed to be a keyword even there, since the
  /// word before may have been a column's name.
  private func isName(_ keyword: Keyword) -> Bool {
    if previous == .as { return !(declares && Self.beginsQuery(keyword)) }
    if keyword == .in, text.isSymbol(index + 1, "(") { return !endsExpression(index - 1) }
    if keyword == .format, text.isSymbol(index + 1, "(") { return true }
    return level.expects == .table && keyword != .from
  }

  /// What can follow a word in the place of a table that may be a keyword as well.
  private func expectation(after index: Int) -> Expectation {
    guard level.expects == .table else { return .nothing }
    switch keywords[index] {
    case .join: return .table
    case .in: return .set
    default: return .nothing
    }
  }

  /// Takes in a word as a keyword; false when it is a name after all.
  private mutating func take(_ keyword: Keyword) -> Bool {
    level.expects = .nothing
    switch keyword {
    case .select, .selraw: takeSelect()
    case .from:
      if level.call == .clauses || isDistinctFrom { return true }
      if text.word(index + 1) == "INFILE", text.kind(index + 2) == .string { isUnruly = true }
      level.hasFrom = true
      level.listsTables = true
      level.expects = .table
    case .join:
      noteTableWord()
      level.listsTables = previous != .array || !endsExpression(index - 2)
      if level.listsTables { level.expects = .table }
    case .in: level.expects = .set
    case .into:
      if text.word(index + 1) == "OUTFILE" { isUnruly = true }
      closeList()
    case .where, .prewhere, .group, .having, .order, .limit, .offset, .qualify, .window, .format:
      closeList()
    case .settings:
      if endsExpression(index - 1) || index == 0 { closeList() }
    case .union, .intersect, .except:
      closeList()
      level.hasSelect = false
      level.hasFrom = false
    case .final, .sample, .stream, .on, .using: noteTableWord()
    case .apply: takeTransformer()
    case .engine: takeEngine()
    case .with:
      // Several statements in one.
      if previous == .parallel { isUnruly = true }
    case .as:
      // Anywhere else it is a column's name.
      return endsExpression(index - 1) || (declares && levels.count == 1)
    case .alter, .array, .distinct, .explain, .infile, .is, .not, .outfile, .parallel: break
    }
    return true
  }

  /// A clause ends the list of tables, unless the word is a column's name in a condition of ON.
  private mutating func closeList() {
    if endsExpression(index - 1) { level.listsTables = false }
  }

  private mutating func takeSelect() {
    if level.hasSelect { isOpaque = true }
    level.hasSelect = true
    let isAlias =
      text.isSymbol(index + 1, ",") || text.isSymbol(index + 1, ")")
      || !text.tokens.indices.contains(index + 1)
    if isAlias { isOpaque = true } else { level.listsTables = false }
  }

  /// Brackets in the place of a table, in which the words of joins come before FROM, may hold a list
  /// of tables of which one is called `select` or `with`.
  private mutating func noteTableWord() {
    if level.isTable, !level.hasFrom, !level.listsTables { isOpaque = true }
  }

  /// Whether FROM belongs to `a IS [NOT] DISTINCT FROM b`.
  private var isDistinctFrom: Bool {
    guard previous == .distinct else { return false }
    let position = text.word(index - 2) == "NOT" ? index - 3 : index - 2
    return text.word(position) == "IS" && endsExpression(position - 1)
  }

  /// Whether a token can be the end of an expression. When in doubt it cannot.
  private func endsExpression(_ index: Int) -> Bool {
    guard text.kind(index) == .word else { return text.endsExpression(index) }
    if text.isSymbol(index - 1, ".") || index == alias { return true }
    return text.endsExpression(index) && !Self.operatorWords.contains(text.word(index))
  }

  private static let operatorWords: Set<String> = [
    "ALL", "ANY", "ESCAPE", "EXISTS", "GLOBAL", "REGEXP", "RLIKE", "SOME", "ZONE",
  ]

  /// `APPLY(f)` and `APPLY f` call a function by its name.
  private mutating func takeTransformer() {
    let start = text.isSymbol(index + 1, "(") ? index + 2 : index + 1
    guard let name = text.identifier(start), !text.isSymbol(start + 1, "-") else { return }
    functions.insert(name)
    if Self.takesNames(name) { isOpaque = true }
  }

  private mutating func takeEngine() {
    guard declares, levels.count == 1 else { return }
    let start = text.isSymbol(index + 1, "=") ? index + 2 : index + 1
    if let name = text.identifier(start), keywords[start] == nil { engines.insert(name) }
  }

  // MARK: Settings

  /// Takes in all clauses SETTINGS, wherever one may stand: a word too many only refuses a statement.
  mutating func scanSettings() {
    for index in keywords.indices where keywords[index] == .settings {
      let opens = text.kind(index - 1) == .symbol && !text.endsExpression(index - 1)
      if opens, !text.isSymbol(index - 1, "?") { continue }
      // The settings of a column stand in brackets.
      let first = text.isSymbol(index + 1, "(") ? index + 2 : index + 1
      guard text.identifier(first) != nil, !isAfterName(first) else { continue }
      if takeSettings(from: first) == nil { isUnruly = true }
    }
  }

  /// Whether a word is one that follows a column's name, and no name of a setting that needs no value.
  private func isAfterName(_ index: Int) -> Bool {
    switch keywords[index] {
    case .final, .limit, .offset: false
    case nil: Self.wordsAfterColumns.contains(text.word(index))
    default: true
    }
  }

  private static let wordsAfterColumns: Set<String> = [
    "AND", "ASC", "BETWEEN", "DESC", "ELSE", "END", "ILIKE", "LIKE", "NULLS", "OR", "THEN",
  ]

  /// Takes in `name = value, …`, where a name without a value stands for `name = 1`.
  ///
  /// - Returns: the position after them; nil when the engine may see others there.
  @discardableResult mutating func takeSettings(from start: Int) -> Int? {
    var position = start
    while true {
      guard let (parts, equals) = text.path(at: position) else { return nil }
      var next = equals
      var value: String? = "1"
      if text.isSymbol(equals, "=") {
        let first = text.isSymbol(equals + 1, "=") ? equals + 2 : equals + 1
        guard let end = endOfValue(first) else { return nil }
        value = literal(first..<end)
        next = end
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

  /// Takes in a name of any number of parts, of which some may be parameters.
  private mutating func scanName() {
    let start = index
    if previous == .as { alias = index }
    let isPlain =
      (text.kind(start) == .word || text.kind(start) == .quotedName)
      && !text.isSymbol(start + 1, ".")
      && !text.isSymbol(start + 1, "(") && level.call != .higherOrder
    guard !isPlain, let (parts, next) = scanPath(at: start) else {
      let expects = expectation(after: start)
      passValue()
      level.expects = expects
      return
    }
    let expects = level.expects
    let isCall = text.isSymbol(next, "(")
    let followsAs = previous == .as
    let isTable = expects == .table || (declares && followsAs && levels.count == 1)
    level.expects = .nothing
    previous = nil
    index = next
    if isCall, parts.count == 1 {
      functions.insert(parts[0])
      if isTable { tableFunctions.insert(parts[0]) }
      called = parts[0]
      return
    }
    called = nil
    if parts.count == 1, level.call == .higherOrder { functions.insert(parts[0]) }
    guard parts.count > 1 else { return }
    let isMember = expects == .set && (!level.isSet || closesOrNames(next))
    let isSystem = Self.isSystem(parts[0])
    if isTable || isMember || isSystem {
      sources.append(Name(database: parts[0], table: parts[1]))
    }
    guard isSystem, parts.count == 2, !Self.unguardedTables.contains(parts[1]) else { return }
    // Where it is no table's name for sure, it cannot be guarded.
    if isTable { guardTable(start..<next, parts[0], parts[1]) } else { isOpaque = true }
  }

  /// Whether a table's name in the brackets after IN can end before a token.
  private func closesOrNames(_ next: Int) -> Bool {
    text.isSymbol(next, ")") || text.identifier(next) != nil || level.call == .membership
  }

  /// Databases whose tables are told by their names alone, wherever these stand.
  static func isSystem(_ database: String) -> Bool {
    database == "system" || database == StorageName.database
      || database.lowercased() == "information_schema"
  }

  /// The parts of a name, with parameters replaced by their values, and the position after it.
  mutating func scanPath(at start: Int) -> (parts: [String], next: Int)? {
    guard var (part, next) = scanPart(at: start) else { return nil }
    var parts = [part]
    while text.isSymbol(next, ".") {
      guard let following = scanPart(at: next + 1) else { break }
      (part, next) = following
      parts.append(part)
    }
    return (parts, next)
  }

  private mutating func scanPart(at index: Int) -> (String, Int)? {
    if let name = text.identifier(index) { return (name, index + 1) }
    guard text.isSymbol(index, "{"), let name = text.identifier(index + 1),
      text.isSymbol(index + 2, ":"), text.word(index + 3) == "IDENTIFIER",
      text.isSymbol(index + 4, "}")
    else { return nil }
    guard let value = parameters[name] else {
      missingParameters.insert(name)
      return ("", index + 5)
    }
    return (Self.unescaped(value), index + 5)
  }

  /// A value in the form of the TSV format.
  private static func unescaped(_ value: String) -> String {
    guard value.utf8.contains(UInt8(ascii: "\\")) else { return value }
    return SQLText("'" + value.replacing("'", with: "\\'") + "'").string(0) ?? value
  }

  // MARK: Guards

  /// A condition can fail, and tell by that what it has seen. The engine may evaluate it before the
  /// filter of a session, but not before a LIMIT.
  private mutating func guardTable(_ name: Range<Int>, _ database: String, _ table: String) {
    let range = text.byteRange(name)
    let columns = (database == "system" ? Self.guardedColumns[table] : nil) ?? "*"
    var replacement = "(SELECT \(columns) FROM \(text.text(name)) LIMIT \(Int.max))"
    if !hasAlias(at: name.upperBound) { replacement += " AS \(quotedIdentifier(table))" }
    guards.append((range, replacement))
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

  // MARK: Functions that take names

  /// Whether a function's first argument is a dictionary's or a table's name.
  private static func takesNames(_ function: String) -> Bool {
    let name = function.lowercased()
    return name.hasPrefix("dict") || name.hasPrefix("joinget") || name == "hascolumnintable"
  }

  /// Takes in the names in the arguments of a function, whose bracket comes next.
  private mutating func checkNamedArguments(of function: String) {
    guard Self.takesNames(function) else { return }
    let first = index + 1
    if function.lowercased() == "hascolumnintable" {
      // Seven arguments name another server.
      guard let database = text.string(first), text.isSymbol(first + 1, ","),
        text.kind(first + 2) == .string, text.isSymbol(first + 3, ","),
        text.kind(first + 4) == .string, text.isSymbol(first + 5, ")")
      else {
        isOpaque = true
        return
      }
      sources.append(Name(database: database, table: text.string(first + 2)))
    } else if let name = text.string(first), isArgumentEnd(first + 1) {
      let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      if name.contains(where: { "`\"\\".contains($0) }) {
        isOpaque = true
      } else if parts.count == 2 {
        sources.append(Name(database: String(parts[0]), table: String(parts[1])))
      }
    } else {
      // Any other name may be an alias of a text.
      isOpaque = true
    }
  }

  // MARK: Functions that take columns

  /// Looks at what declares columns in a table function, whose bracket comes next: they can have
  /// expressions.
  private mutating func checkStructure(of function: String) {
    let name = function.lowercased()
    switch name {
    case "format":
      // The name of a format, unless it is the template of the other function `format`.
      let isTemplate = text.string(index + 1)?.contains("{") == true && isArgumentEnd(index + 2)
      if !isTemplate { tableFunctions.insert(function) }
    case "values", "sqlstandardvalues", "generaterandom":
      if rows != index - 1 { tableFunctions.insert(function) }
    case "null":
      for position in firstArgument where !mayDeclare(position) { isUnruly = true }
    default: break
    }
  }

  /// The first argument of a function, whose bracket comes next.
  private var firstArgument: Range<Int> {
    let first = index + 1
    let end = (first..<max(first, text.tokens.count)).first {
      text.depth($0) <= text.depth(index)
        || (text.depth($0) == text.depth(first) && text.isSymbol($0, ","))
    }
    return first..<(end ?? text.tokens.count)
  }

  /// Whether a token of an argument that has to be a literal brings no expression for a column.
  private func mayDeclare(_ position: Int) -> Bool {
    switch text.kind(position) {
    case .string:
      guard let structure = text.string(position) else { return false }
      let columns = SQLText(structure)
      return columns.tokens.indices.allSatisfy {
        columns.isPlain($0) && !Self.expressionWords.contains(columns.word($0))
      }
    case .number, nil: return true
    case .symbol: return text.isSymbol(position, "(") || text.isSymbol(position, ")")
    case .word, .quotedName: return false
    }
  }

  private static let expressionWords: Set<String> = [
    "ALIAS", "CODEC", "DEFAULT", "EPHEMERAL", "MATERIALIZED", "SETTINGS", "STATISTICS", "TTL",
  ]

  private func isArgumentEnd(_ index: Int) -> Bool {
    text.isSymbol(index, ",") || text.isSymbol(index, ")")
  }
}
