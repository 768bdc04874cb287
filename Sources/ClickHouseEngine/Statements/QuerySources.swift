/// A table's name where a query reads it.
struct QuerySource {
  let name: WrittenName
  /// The position of the name.
  let index: Int
  /// The position after the name.
  let next: Int
}

extension SQLText {
  /// Whether a bracket, or the ones that follow it at once, open a query.
  func opensQuery(_ open: Int) -> Bool {
    var index = open
    while isSymbol(index, "(") { index += 1 }
    switch word(index) {
    case "SELECT", "SELRAW", "WITH": return hasMoreOfItem(index + 1)
    case "FROM": return identifier(index + 1) != nil || isSymbol(index + 1, "(")
    default: return false
    }
  }

  /// Whether the item of a list that a word began goes on at a position.
  private func hasMoreOfItem(_ index: Int) -> Bool {
    tokens.indices.contains(index) && ![",", ")", "."].contains { isSymbol(index, $0) }
  }

  /// Whether UNION, INTERSECT or EXCEPT stands between two queries.
  func isSetOperator(_ index: Int) -> Bool {
    switch word(index) {
    case "UNION", "INTERSECT": return endsExpression(index - 1) && hasMoreOfItem(index + 1)
    case "EXCEPT":
      switch word(index + 1) {
      case "SELECT", "SELRAW", "WITH", "ALL", "DISTINCT": return true
      default: return opensQuery(index + 1)
      }
    default: return false
    }
  }

  /// The position of the query after an outermost AS.
  func definingQuery(from start: Int) -> Int? {
    tokens.indices.dropFirst(start).first {
      guard tokens[$0].depth == 0, word($0) == "AS", !isSymbol($0 - 1, ".") else { return false }
      switch word($0 + 1) {
      case "SELECT", "SELRAW", "WITH": return true
      case "FROM": return identifier($0 + 2) != nil || isSymbol($0 + 2, "(")
      default: return isSymbol($0 + 1, "(")
      }
    }.map { $0 + 1 }
  }

  /// The tables after FROM, JOIN and the commas of FROM lists, of the queries at one depth. Table
  /// functions, subqueries and parameters are left out.
  func sources(in range: Range<Int>, depth: Int) -> [QuerySource] {
    var result: [QuerySource] = []
    var list = FromList()
    var index = range.lowerBound
    while index < range.upperBound {
      guard tokens[index].depth == depth, list.advance(to: index, in: self),
        let (name, next) = name(at: index + 1), next <= range.upperBound
      else {
        index += 1
        continue
      }
      if !isSymbol(next, "(") {
        result.append(QuerySource(name: name, index: index + 1, next: next))
      }
      index = next
    }
    return result
  }

  /// The tables that any query reads from a position on, in their order.
  func allSources(from start: Int) -> [WrittenName] {
    var result = sources(in: start..<tokens.count, depth: 0)
    for open in start..<tokens.count where isSymbol(open, "(") {
      let inside = open + 1..<(closing(open) ?? tokens.count)
      let level = tokens[open].depth + 1
      // `extract(year FROM x)` is no query.
      guard
        inside.contains(where: {
          tokens[$0].depth == level && ["SELECT", "SELRAW"].contains(word($0))
        })
      else { continue }
      result += sources(in: inside, depth: level)
    }
    return result.sorted { $0.index < $1.index }.map(\.name)
  }
}

/// What a query's FROM list awaits, token by token.
private struct FromList {
  private var isOpen = false
  private var commaSeparatesTables = false

  /// Tells whether a table's name can follow the token.
  mutating func advance(to index: Int, in text: SQLText) -> Bool {
    if text.isSymbol(index, ",") { return commaSeparatesTables }
    let word = text.word(index)
    // Other keywords are aliases after AS, but FROM may begin the query of a view.
    guard !text.isSymbol(index - 1, "."), word == "FROM" || text.word(index - 1) != "AS" else {
      return false
    }
    switch word {
    case "FROM":
      let isOperator =
        text.word(index - 1) == "DISTINCT" && ["IS", "NOT"].contains(text.word(index - 2))
      if isOperator { return false }
      isOpen = true
      commaSeparatesTables = true
      return true
    case "JOIN" where isOpen:
      commaSeparatesTables = text.word(index - 1) != "ARRAY"
      return commaSeparatesTables
    case "USING" where isOpen:
      commaSeparatesTables = text.isSymbol(index + 1, "(")
    case "WHERE", "PREWHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET",
      "FETCH", "SETTINGS", "FORMAT", "INTO", "UNION", "INTERSECT", "EXCEPT", "SELECT", "SELRAW":
      isOpen = false
      commaSeparatesTables = false
    default: break
    }
    return false
  }
}
