/// `ALTER TABLE name …`.
struct AlterStatement {
  /// One of the changes between commas.
  struct Command {
    /// The words that it begins with, in capitals, four at most; names may be among them.
    let words: [String]
    /// The command without brackets around it.
    let text: String
    /// All its words and quoted names, without quotes.
    let names: [String]
  }

  let text: SQLText
  let name: WrittenName
  let commands: [Command]
  let isOnCluster: Bool

  /// Nil when it is another statement or a wrong one.
  init?(_ text: SQLText) {
    var cursor = StatementCursor(text)
    guard cursor.take("ALTER", "TABLE"), let name = cursor.takeName() else { return nil }
    isOnCluster = cursor.takeCluster()
    let settings = text.settingsClause(from: cursor.index)
    let range = cursor.index..<(settings ?? text.tokens.count)
    guard !range.isEmpty else { return nil }
    self.text = text
    self.name = name
    commands = Self.split(range, in: text).map { Self.command($0, in: text) }
  }

  /// The same statement for another table.
  func rewritten(name target: String) -> String { text.replacing([(name.range, target)]) }

  /// Parts at the commas that a command follows; other commas are inside of a command.
  private static func split(_ range: Range<Int>, in text: SQLText) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var start = range.lowerBound
    for index in range where text.tokens[index].depth == 0 && text.isSymbol(index, ",") {
      guard isCommand(index + 1, in: text) else { continue }
      parts.append(start..<index)
      start = index + 1
    }
    return parts + [start..<range.upperBound]
  }

  /// Whether a command begins, and not a column or a setting that is called like its verb.
  private static func isCommand(_ index: Int, in text: SQLText) -> Bool {
    let verb = text.isSymbol(index, "(") ? index + 1 : index
    return verbs.contains(text.word(verb))
      && (text.identifier(verb + 1) != nil || text.word(verb) == "FREEZE")
  }

  private static let verbs: Set<String> = [
    "ADD", "ALTER", "APPLY", "ATTACH", "CLEAR", "COMMENT", "DELETE", "DETACH", "DROP", "EXECUTE",
    "FETCH", "FORGET", "FREEZE", "MATERIALIZE", "MODIFY", "MOVE", "REMOVE", "RENAME", "REPLACE",
    "RESET", "REWRITE", "UNFREEZE", "UPDATE",
  ]

  private static func command(_ range: Range<Int>, in text: SQLText) -> Command {
    var range = range
    if text.isSymbol(range.lowerBound, "("), text.closing(range.lowerBound) == range.upperBound - 1
    {
      range = range.lowerBound + 1..<range.upperBound - 1
    }
    return Command(
      words: range.prefix(4).map(text.word).prefix { !$0.isEmpty }.map { $0 },
      text: text.text(range), names: range.compactMap(text.identifier))
  }
}
