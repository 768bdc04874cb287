import MagicCore

/// One SQL statement of a user, taken apart as far as it takes to direct its result.
struct StatementText {
  /// What a statement gives.
  enum Kind {
    /// Rows that the engine writes in any format by itself: a SELECT.
    case select
    /// Rows, but the engine writes them in any format only by way of a SELECT.
    case information
    /// No rows.
    case command
  }

  let kind: Kind
  /// The name in the statement's own FORMAT clause.
  let format: String?
  /// The statement without what follows its last token: `;`, comments and space.
  let text: String
  /// The words and names that it begins with, without quotes: all that a command can change is
  /// among them.
  let names: [String]
  private let bytes: [UInt8]
  /// The bytes of the FORMAT clause, or the empty place after the last token.
  private let formatRange: Range<Int>
  private let end: Int

  /// - Throws: ``EngineError`` when there is no statement or more than one, and for INTO OUTFILE,
  ///   which would write a file on the engine's host.
  init(_ statement: String) throws {
    bytes = Array(statement.utf8)
    var tokens = StatementTokens(bytes)
    kind = tokens.kind
    names = tokens.list.prefix(64).filter { $0.kind == .word || $0.kind == .quotedName }.map {
      [bytes] token in
      let name = String(decoding: bytes[token.range], as: UTF8.self)
      return token.kind == .word ? name : String(name.dropFirst().dropLast())
    }
    let isData = tokens.cutInlineData()
    try tokens.cutSemicolons()
    guard let last = tokens.list.last else { throw EngineError(message: "the statement is empty") }
    if tokens.hasOutfile {
      throw EngineError(
        message: "INTO OUTFILE would write a file on the engine's host; leave it out and redirect "
          + "the result instead")
    }
    // Rows that follow the statement belong to it, byte for byte.
    end = isData ? bytes.count : last.range.upperBound
    text = String(decoding: bytes[..<end], as: UTF8.self)
    if kind != .command, let clause = tokens.formatClause {
      format = clause.name
      formatRange = clause.range
    } else {
      format = nil
      formatRange = end..<end
    }
  }

  /// The statement with another FORMAT clause in the place of its own.
  func replacingFormat(with clause: String) -> String {
    String(decoding: bytes[..<formatRange.lowerBound], as: UTF8.self) + " " + clause
      + String(decoding: bytes[formatRange.upperBound..<end], as: UTF8.self)
  }
}

/// The tokens of a statement, and what its clauses look like in them.
private struct StatementTokens {
  private let bytes: [UInt8]
  private(set) var list: [Token] = []

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var tokenizer = Tokenizer(bytes)
    while let token = tokenizer.next() { list.append(token) }
  }

  /// A word in capitals; empty for another token and past the end.
  private func word(_ index: Int) -> String {
    guard list.indices.contains(index), list[index].kind == .word else { return "" }
    return String(decoding: bytes[list[index].range], as: UTF8.self).uppercased()
  }

  private func symbol(_ index: Int) -> UInt8? {
    guard list.indices.contains(index), list[index].kind == .symbol else { return nil }
    return bytes[list[index].range.lowerBound]
  }

  private func isOutermost(_ index: Int) -> Bool { list[index].depth == 0 }

  /// The outermost position of `INSERT INTO`, which may follow a WITH clause.
  private var insertPosition: Int? {
    switch word(0) {
    case "INSERT": 0
    case "WITH":
      list.indices.first {
        isOutermost($0) && word($0) == "INSERT" && word($0 + 1) == "INTO"
      }
    default: nil
    }
  }

  var kind: StatementText.Kind {
    if insertPosition != nil { return .command }
    switch word(0) {
    case "SELECT", "WITH", "FROM": return .select
    case "ALTER", "ATTACH", "BEGIN", "COMMIT", "CREATE", "DELETE", "DETACH", "DROP", "EXCHANGE",
      "EXECUTE", "GRANT", "MOVE", "OPTIMIZE", "RENAME", "REPLACE", "REVOKE", "ROLLBACK", "SET",
      "SYSTEM", "TRUNCATE", "UNDROP", "UPDATE", "USE":
      return .command
    default: return symbol(0) == UInt8(ascii: "(") ? .select : .information
    }
  }

  /// Forgets the tokens of rows that follow `INSERT … FORMAT name`; tells whether there may be any.
  mutating func cutInlineData() -> Bool {
    guard let insert = insertPosition else { return false }
    for index in list.indices.dropFirst(insert) where isOutermost(index) {
      switch word(index) {
      case "SELECT", "WITH", "VALUES", "WATCH": return false
      case "FORMAT" where word(index + 1) != "":
        if word(index + 1) == "VALUES" { return false }
        list.removeSubrange((index + 2)...)
        return true
      default: break
      }
    }
    return false
  }

  /// Forgets the `;` at the end.
  mutating func cutSemicolons() throws {
    guard let first = list.indices.first(where: { symbol($0) == UInt8(ascii: ";") }) else { return }
    guard list.indices[first...].allSatisfy({ symbol($0) == UInt8(ascii: ";") }) else {
      throw EngineError(message: "there is more than one statement; send them one by one")
    }
    list.removeSubrange(first...)
  }

  var hasOutfile: Bool {
    list.indices.contains {
      isOutermost($0) && word($0) == "INTO" && word($0 + 1) == "OUTFILE"
        && list.indices.contains($0 + 2) && list[$0 + 2].kind == .string
    }
  }

  /// The FORMAT clause at the end, which only SETTINGS may follow.
  var formatClause: (name: String, range: Range<Int>)? {
    for index in list.indices.dropFirst().reversed() where isOutermost(index) {
      guard word(index) == "FORMAT", list.indices.contains(index + 1),
        list[index + 1].kind == .word, endsExpression(index - 1),
        index + 2 == list.count || word(index + 2) == "SETTINGS"
      else { continue }
      let name = list[index + 1].range
      return (
        String(decoding: bytes[name], as: UTF8.self), list[index].range.lowerBound..<name.upperBound
      )
    }
    return nil
  }

  /// Whether what stands at a position can be the end of an expression or a clause; after anything
  /// else `FORMAT` is a column's name.
  private func endsExpression(_ index: Int) -> Bool {
    switch list[index].kind {
    case .number, .string, .quotedName: true
    case .symbol:
      switch symbol(index) {
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "*"): true
      default: false
      }
    case .word:
      switch word(index) {
      case "ALL", "AND", "AS", "BETWEEN", "BY", "CASE", "DESC", "DESCRIBE", "DISTINCT", "ELSE",
        "FROM", "HAVING", "ILIKE", "IN", "INTERVAL", "IS", "JOIN", "LIKE", "LIMIT", "NOT", "OFFSET",
        "ON", "OR", "PREWHERE", "SELECT", "SETTINGS", "TABLE", "THEN", "UNION", "USING", "WHEN",
        "WHERE", "WITH":
        // DESC also ends an ORDER BY, where a clause may follow.
        word(index) == "DESC" && index > 0
      default: true
      }
    }
  }
}
