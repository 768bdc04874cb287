/// Which of the source's tables are replicated: patterns of the form `database.table`, in which
/// `*` stands for any text and `?` for one character.
///
/// A table is selected when an include pattern matches it and no exclude pattern does. The
/// server's own databases are never selected.
public struct TableFilter: Hashable, Sendable, Codable {
  public var include: [String]
  public var exclude: [String]

  /// The databases that hold the server's own tables.
  public static let systemDatabases: Set<String> = [
    "mysql", "information_schema", "performance_schema", "sys",
  ]

  /// Makes a filter of patterns; an empty `include` means every table.
  public init(include: [String] = [], exclude: [String] = []) {
    self.include = include
    self.exclude = exclude
  }

  /// Whether the table is selected.
  public func selects(_ name: TableName) -> Bool {
    guard !Self.systemDatabases.contains(name.database.lowercased()) else { return false }
    let text = Array(name.description.unicodeScalars)
    let isIncluded = include.isEmpty || include.contains { Self.matches(text, $0) }
    return isIncluded && !exclude.contains { Self.matches(text, $0) }
  }

  /// Matches with one remembered star, so that time stays linear in text × pattern.
  private static func matches(_ text: [Unicode.Scalar], _ patternText: String) -> Bool {
    let pattern = Array(patternText.unicodeScalars)
    var textIndex = 0
    var patternIndex = 0
    var star: (pattern: Int, text: Int)?
    while textIndex < text.count {
      if patternIndex < pattern.count, pattern[patternIndex] == "*" {
        star = (patternIndex, textIndex)
        patternIndex += 1
      } else if patternIndex < pattern.count,
        pattern[patternIndex] == "?" || pattern[patternIndex] == text[textIndex]
      {
        textIndex += 1
        patternIndex += 1
      } else if let last = star {
        star = (last.pattern, last.text + 1)
        patternIndex = last.pattern + 1
        textIndex = last.text + 1
      } else {
        return false
      }
    }
    return pattern[patternIndex...].allSatisfy { $0 == "*" }
  }
}
