extension SQLText {
  /// Whether a SELRAW stands where a SELECT can begin a query.
  var hasSelraw: Bool { mentions("SELRAW") && !QueryOutline(self).rawSelects.isEmpty }

  /// The statement with SELECT for each SELRAW, whose own FROM list reads other tables.
  ///
  /// - Parameter source: gives the SQL to read in a table's place; nil keeps the name.
  func replacingSelraw(_ source: (WrittenName) throws -> String?) rethrows -> String {
    let outline = QueryOutline(self)
    var edits: [(range: Range<Int>, text: String)] = []
    for start in outline.rawSelects {
      edits.append((tokens[start].range, "SELECT"))
      let scope = start + 1..<endOfQuery(from: start)
      for table in sources(in: scope, depth: tokens[start].depth)
      where !outline.isCommonTable(table) {
        guard let sql = try source(table.name) else { continue }
        let alias = hasAlias(at: table.next) ? "" : " AS \(text(table.next - 1..<table.next))"
        edits.append((table.name.range, sql + alias))
      }
    }
    return replacing(edits)
  }

  /// The position after a query, which begins at `start`.
  private func endOfQuery(from start: Int) -> Int {
    let depth = tokens[start].depth
    return tokens.indices[(start + 1)...].first {
      tokens[$0].depth < depth
        || tokens[$0].depth == depth && (isSymbol($0, ";") || isSetOperator($0))
    } ?? tokens.count
  }

  func hasAlias(at index: Int) -> Bool {
    switch kind(index) {
    case .quotedName: true
    case .word: !Self.wordsAfterTable.contains(word(index))
    default: false
    }
  }

  /// The words that follow a table in a FROM list and are not its alias.
  private static let wordsAfterTable: Set<String> = [
    "ALL", "ANTI", "ANY", "ARRAY", "ASOF", "CROSS", "EXCEPT", "FETCH", "FINAL", "FORMAT", "FULL",
    "GLOBAL", "GROUP", "HAVING", "INNER", "INTERSECT", "INTO", "JOIN", "LEFT", "LIMIT", "LOCAL",
    "NATURAL", "OFFSET", "ON", "ORDER", "PASTE", "PREWHERE", "QUALIFY", "RIGHT", "SAMPLE", "SELECT",
    "SEMI", "SETTINGS", "UNION", "USING", "WHERE", "WINDOW", "WITH",
  ]
}

/// Where the queries of a statement begin, as far as SELRAW needs it.
private struct QueryOutline {
  /// A table that a WITH clause defines.
  private struct CommonTable {
    let name: String
    /// The positions where its name means it.
    let scope: Range<Int>
    /// The positions in its own definition, where its name means another table.
    let definition: Range<Int>
  }

  private let text: SQLText
  /// The position of the statement's first query; nil when it has none.
  private let first: Int?
  /// The positions of each SELRAW that begins a query.
  private(set) var rawSelects: [Int] = []
  private var commonTables: [CommonTable] = []

  init(_ text: SQLText) {
    self.text = text
    switch text.word(0) {
    // What else is in brackets there declares columns.
    case "ATTACH", "CREATE", "REPLACE": first = text.definingQuery(from: 1)
    default: first = 0
    }
    guard let first else { return }
    // The depths at which a SELECT is still to come, after what stands before it.
    var awaited: Set<Int> = []
    if ["DESC", "DESCRIBE", "EXPLAIN", "IMPORT", "INSERT", "UPSERT"].contains(text.word(0)) {
      awaited.insert(0)
    }
    for index in text.tokens.indices.dropFirst(first) {
      let depth = text.tokens[index].depth
      if text.isSymbol(index, ")") { awaited.remove(depth + 1) }
      guard beginsQuery(index) || awaited.contains(depth) && text.endsExpression(index - 1) else {
        continue
      }
      switch text.word(index) {
      case "WITH":
        awaited.insert(depth)
        addCommonTables(after: index)
      case "SELECT": awaited.remove(depth)
      case "SELRAW" where isBeforeExpression(index):
        awaited.remove(depth)
        rawSelects.append(index)
      default: break
      }
    }
  }

  /// Whether a name means the table of a WITH clause.
  func isCommonTable(_ source: QuerySource) -> Bool {
    source.name.database == nil
      && commonTables.contains {
        $0.name == source.name.table && $0.scope.contains(source.index)
          && !$0.definition.contains(source.index)
      }
  }

  private func beginsQuery(_ index: Int) -> Bool {
    if index == first || text.isSymbol(index - 1, "(") { return true }
    switch text.word(index - 1) {
    case "UNION", "INTERSECT", "EXCEPT": return true
    case "ALL", "DISTINCT":
      return ["UNION", "INTERSECT", "EXCEPT"].contains(text.word(index - 2))
    case "QUERY": return text.word(index - 2) == "MODIFY"
    default: return false
    }
  }

  /// Whether what a query selects can follow; else SELRAW is a column's name.
  private func isBeforeExpression(_ index: Int) -> Bool {
    switch text.kind(index + 1) {
    case nil: false
    case .symbol: ["*", "(", "[", "{", "-"].contains { text.isSymbol(index + 1, $0) }
    case .word:
      !["AND", "AS", "BETWEEN", "FROM", "ILIKE", "IN", "IS", "LIKE", "OR"].contains(
        text.word(index + 1))
    default: true
    }
  }

  /// Notes each `name [(columns)] AS [MATERIALIZED] (query)` of a WITH clause.
  private mutating func addCommonTables(after with: Int) {
    let tokens = text.tokens
    let depth = tokens[with].depth
    let isRecursive = text.word(with + 1) == "RECURSIVE"
    let end = tokens.indices[(with + 1)...].first { tokens[$0].depth < depth } ?? tokens.count
    var start = isRecursive ? with + 2 : with + 1
    while start < end {
      if let name = text.identifier(start), let body = definition(of: start) {
        let definition = isRecursive ? start..<start : body
        commonTables.append(CommonTable(name: name, scope: with..<end, definition: definition))
      }
      let comma = (start..<end).first {
        tokens[$0].depth == depth
          && (text.isSymbol($0, ",")
            || ["SELECT", "SELRAW"].contains(text.word($0)) && text.endsExpression($0 - 1))
      }
      guard let comma, text.isSymbol(comma, ",") else { return }
      start = comma + 1
    }
  }

  /// The positions of the query that a WITH clause gives a name to.
  private func definition(of name: Int) -> Range<Int>? {
    var cursor = StatementCursor(text, at: name + 1)
    if text.isSymbol(cursor.index, "("), let close = text.closing(cursor.index) {
      cursor = StatementCursor(text, at: close + 1)
    }
    guard cursor.take("AS") else { return nil }
    _ = cursor.take("NOT")
    _ = cursor.take("MATERIALIZED")
    guard text.isSymbol(cursor.index, "(") else { return nil }
    return cursor.index..<(text.closing(cursor.index) ?? text.tokens.count)
  }
}
