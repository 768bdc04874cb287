/// The little that a binding must know about a statement's text.
public struct StatementText {
  /// What lasts longer than the statement.
  public enum SessionEffect: Hashable, Sendable {
    /// Nothing.
    case none
    /// `USE database`.
    case use(String)
    /// `SET`, or a temporary table: needs a session of the engine.
    case engine
  }

  /// The first tokens: words, quoted names without their quotes, and other characters.
  private let tokens: [Token]

  private struct Token: Hashable {
    var text: String
    var isQuoted: Bool

    func isWord(_ word: String) -> Bool { !isQuoted && text.uppercased() == word }

    /// Whether it can be a table's name.
    var isName: Bool { isQuoted || text.first.map { $0.isLetter || $0 == "_" } == true }
  }

  /// More than any text that matters here has.
  private static let tokenCount = 12

  /// Reads the beginning of a statement.
  public init(_ sql: String) {
    var tokens: [Token] = []
    var rest = Substring(sql)
    while tokens.count < Self.tokenCount, let token = Self.next(&rest) { tokens.append(token) }
    self.tokens = tokens
  }

  /// What of the statement lasts.
  public var sessionEffect: SessionEffect {
    guard let first = tokens.first else { return .none }
    if first.isWord("USE"), tokens.count == 2 { return .use(tokens[1].text) }
    if first.isWord("SET") { return .engine }
    let words = tokens.prefix(4).map { $0.isQuoted ? "" : $0.text.uppercased() }
    let declaresTemporary =
      words.starts(with: ["CREATE", "TEMPORARY"])
      || words == ["CREATE", "OR", "REPLACE", "TEMPORARY"]
    return declaresTemporary ? .engine : .none
  }

  /// Whether its first word alone tells that it only reads.
  public var isPlainRead: Bool {
    guard let first = tokens.first else { return false }
    return ["SELECT", "SHOW", "DESCRIBE", "DESC", "EXISTS"].contains { first.isWord($0) }
  }

  /// The database, if one is written, and the table of a `SELECT * FROM table`.
  public var scannedTable: (database: String?, table: String)? {
    guard tokens.count >= 4, tokens[0].isWord("SELECT"),
      tokens[1] == Token(text: "*", isQuoted: false),
      tokens[2].isWord("FROM"), tokens[3].isName
    else { return nil }
    switch tokens.count {
    case 4: return (nil, tokens[3].text)
    case 6 where tokens[4] == Token(text: ".", isQuoted: false) && tokens[5].isName:
      return (tokens[3].text, tokens[5].text)
    default: return nil
    }
  }

  /// Takes the next token from `rest`; nil at the end, which a `;` is too.
  private static func next(_ rest: inout Substring) -> Token? {
    while let character = rest.first {
      if character.isWhitespace {
        rest.removeFirst()
      } else if rest.hasPrefix("--") || rest.hasPrefix("#") {
        rest = rest.drop { !$0.isNewline }
      } else if rest.hasPrefix("/*") {
        guard let end = rest.firstRange(of: "*/") else { return nil }
        rest = rest[end.upperBound...]
      } else {
        break
      }
    }
    guard let first = rest.first, first != ";" else { return nil }
    if first == "`" || first == "\"" || first == "'" {
      rest.removeFirst()
      var text = ""
      while let character = rest.popFirst(), character != first {
        text.append(character == "\\" ? rest.popFirst() ?? character : character)
      }
      // A text in single quotes is no name.
      return first == "'"
        ? Token(text: "'\(text)", isQuoted: false) : Token(text: text, isQuoted: true)
    }
    let isInWord = { (character: Character) in
      character.isLetter || character.isNumber || character == "_"
    }
    let word = rest.prefix(while: isInWord)
    if word.isEmpty { return Token(text: String(rest.removeFirst()), isQuoted: false) }
    rest = rest[word.endIndex...]
    return Token(text: String(word), isQuoted: false)
  }
}
