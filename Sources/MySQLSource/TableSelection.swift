import MySQLSchema

/// Which tables of the source are meant: patterns of the form `database.table`, in which `*` stands for any
/// characters and `?` for one.
public struct TableSelection: Hashable, Sendable {
  /// The databases that hold the server's own tables, never the user's.
  static let systemSchemas: Set<String> = [
    "mysql", "information_schema", "performance_schema", "sys",
  ]

  private let include: [Pattern]
  private let exclude: [Pattern]

  /// - Parameters:
  ///   - include: what is meant; everything when empty.
  ///   - exclude: what is not meant even if `include` says so.
  /// - Throws: ``SourceError`` with code `configuration` for a pattern without a dot.
  public init(include: [String], exclude: [String] = []) throws(SourceError) {
    self.include = try include.map(Pattern.init)
    self.exclude = try exclude.map(Pattern.init)
  }

  /// Whether a table is meant. Tables of the system schemas never are.
  public func contains(_ name: TableName) -> Bool {
    !Self.systemSchemas.contains(name.database.lowercased())
      && (include.isEmpty || include.contains { $0.matches(name) })
      && !exclude.contains { $0.matches(name) }
  }

  private struct Pattern: Hashable {
    let database: [Character]
    let table: [Character]

    init(_ text: String) throws(SourceError) {
      // A database's name may hold dots only if it was quoted; the last dot divides.
      guard let dot = text.lastIndex(of: "."), dot != text.startIndex,
        text.index(after: dot) != text.endIndex
      else {
        throw SourceError(
          .configuration, "the table pattern '\(text)' is not of the form database.table",
          advice: "write for example shop.* or shop.order_?")
      }
      database = Array(text[..<dot])
      table = Array(text[text.index(after: dot)...])
    }

    func matches(_ name: TableName) -> Bool {
      wildcardMatch(database, Array(name.database)) && wildcardMatch(table, Array(name.table))
    }
  }
}

/// Matches `*` and `?`. On a mismatch only the last `*` takes one character more, so the time is bounded by the
/// product of the lengths.
func wildcardMatch(_ pattern: [Character], _ text: [Character]) -> Bool {
  var patternIndex = 0
  var textIndex = 0
  var retry: (pattern: Int, text: Int)?
  while textIndex < text.count {
    if patternIndex < pattern.count, pattern[patternIndex] == "*" {
      patternIndex += 1
      retry = (patternIndex, textIndex)
    } else if patternIndex < pattern.count,
      pattern[patternIndex] == "?" || pattern[patternIndex] == text[textIndex]
    {
      patternIndex += 1
      textIndex += 1
    } else if let last = retry {
      retry = (last.pattern, last.text + 1)
      patternIndex = last.pattern
      textIndex = last.text + 1
    } else {
      return false
    }
  }
  return pattern[patternIndex...].allSatisfy { $0 == "*" }
}
