/// A table's name as a statement writes it.
struct WrittenName: Hashable {
  /// The database before the dot; nil when the session's own is meant.
  var database: String?
  /// The table, without quotes.
  var table: String
  /// The bytes of the statement that the name takes.
  var range: Range<Int>
}

/// One statement and its tokens. Rows that follow an insert's `FORMAT name` have no tokens, and a
/// `;` at the end has none either.
struct SQLText {
  /// The statement.
  let bytes: [UInt8]
  /// What it consists of, without space and comments.
  private(set) var tokens: [Token] = []
  /// Whether it is an insert that rows in a format may follow; they begin after the last token.
  private(set) var bringsRows = false
  /// For each token the next one that no more brackets are open around; beyond the last where there
  /// is none.
  private var closings: [Int] = []

  init(_ statement: String) {
    bytes = Array(statement.utf8)
    var tokenizer = Tokenizer(bytes)
    // The tokens whose closing is still to come; each is deeper than those before it.
    var open: [Int] = []
    var rows = RowsAfterInsert()
    while let token = tokenizer.next() {
      while let last = open.last, tokens[last].depth >= token.depth {
        closings[last] = tokens.count
        open.removeLast()
      }
      open.append(tokens.count)
      tokens.append(token)
      closings.append(.max)
      if rows.follow(self) {
        bringsRows = true
        return
      }
    }
    while isSymbol(tokens.count - 1, ";") { tokens.removeLast() }
  }

  // MARK: Tokens

  /// A word in capitals; empty for another token and outside of the statement.
  func word(_ index: Int) -> String {
    guard tokens.indices.contains(index), tokens[index].kind == .word else { return "" }
    return String(decoding: bytes[tokens[index].range], as: UTF8.self).uppercased()
  }

  /// Whether a token outside of quotes is made of printable ASCII only.
  func isPlain(_ index: Int) -> Bool {
    switch tokens[index].kind {
    case .string, .quotedName: true
    case .word, .number, .symbol:
      bytes[tokens[index].range].allSatisfy { (0x21...0x7E).contains($0) }
    }
  }

  /// Whether words stand one after another from a position on.
  func hasWords(_ words: [String], at index: Int) -> Bool {
    words.indices.allSatisfy { word(index + $0) == words[$0] }
  }

  /// Whether a token is that symbol.
  func isSymbol(_ index: Int, _ symbol: Unicode.Scalar) -> Bool {
    tokens.indices.contains(index) && tokens[index].kind == .symbol
      && bytes[tokens[index].range.lowerBound] == UInt8(ascii: symbol)
  }

  /// How many brackets are open around a token; -1 outside of the statement.
  func depth(_ index: Int) -> Int { tokens.indices.contains(index) ? tokens[index].depth : -1 }

  /// What a token is; nil outside of the statement.
  func kind(_ index: Int) -> Token.Kind? {
    tokens.indices.contains(index) ? tokens[index].kind : nil
  }

  /// The bytes from the first of some tokens to the last, as they are.
  func text(_ range: Range<Int>) -> String {
    guard !range.isEmpty else { return "" }
    return String(decoding: bytes[byteRange(range)], as: UTF8.self)
  }

  /// The bytes that some tokens take; there must be one at least.
  func byteRange(_ range: Range<Int>) -> Range<Int> {
    tokens[range.lowerBound].range.lowerBound..<tokens[range.upperBound - 1].range.upperBound
  }

  /// The bracket that closes the one at a position.
  func closing(_ open: Int) -> Int? {
    tokens.indices.contains(open) && closings[open] < tokens.count ? closings[open] : nil
  }

  /// The parts of some tokens between the commas at one depth.
  func split(_ range: Range<Int>, depth: Int) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var start = range.lowerBound
    for index in range where tokens[index].depth == depth && isSymbol(index, ",") {
      parts.append(start..<index)
      start = index + 1
    }
    return parts + [start..<range.upperBound]
  }

  /// The position of the outermost words that begin a clause.
  func clause(_ words: String..., in range: Range<Int>) -> Int? {
    range.first {
      tokens[$0].depth == 0 && hasWords(words, at: $0)
        && ($0 == range.lowerBound || endsExpression($0 - 1))
    }
  }

  /// Whether what stands at a position can be the end of an expression or a clause; after anything
  /// else a keyword is a column's name.
  func endsExpression(_ index: Int) -> Bool {
    switch kind(index) {
    case nil: false
    case .number, .string, .quotedName: true
    case .symbol: [")", "]", "}", "*"].contains { isSymbol(index, $0) }
    case .word: !Self.openWords.contains(word(index))
    }
  }

  /// The words after which an expression or a name must follow.
  private static let openWords: Set<String> = [
    "AND", "AS", "BETWEEN", "BY", "CASE", "DEFAULT", "DISTINCT", "DIV", "ELSE", "FROM", "HAVING",
    "ILIKE", "IN", "INTERVAL", "INTO", "IS", "JOIN", "KEY", "LIKE", "LIMIT", "MOD", "NOT", "OFFSET",
    "ON", "OR", "PREWHERE", "SELECT", "SELRAW", "SET", "SETTINGS", "TABLE", "THEN", "TTL", "USING",
    "WHEN", "WHERE", "WITH",
  ]

  // MARK: Names

  /// What a word or a quoted name says; nil for another token.
  func identifier(_ index: Int) -> String? {
    switch kind(index) {
    case .word: String(decoding: bytes[tokens[index].range], as: UTF8.self)
    case .quotedName: unquoted(bytes[tokens[index].range])
    default: nil
    }
  }

  /// The name in a `{name:Type}` that begins at a position.
  func parameter(_ index: Int) -> String? {
    guard isSymbol(index, "{"), isSymbol(index + 2, ":") else { return nil }
    return identifier(index + 1)
  }

  /// What a string says; nil for another token.
  func string(_ index: Int) -> String? {
    guard kind(index) == .string else { return nil }
    let literal = bytes[tokens[index].range]
    guard literal.first == UInt8(ascii: "$") else { return unquoted(literal) }
    let tag = literal.dropFirst().prefix { $0 != UInt8(ascii: "$") }.count + 2
    return String(decoding: literal.dropFirst(tag).dropLast(tag), as: UTF8.self)
  }

  /// The names between dots from a position on, and the position after them.
  func path(at index: Int) -> (parts: [String], next: Int)? {
    guard let first = identifier(index) else { return nil }
    var parts = [first]
    var next = index + 1
    while isSymbol(next, ".") {
      guard let part = identifier(next + 1) else { return nil }
      parts.append(part)
      next += 2
    }
    return (parts, next)
  }

  /// The table's name at a position, and the position after it.
  func name(at index: Int) -> (name: WrittenName, next: Int)? {
    guard let (parts, next) = path(at: index), parts.count <= 2 else { return nil }
    let range = byteRange(index..<next)
    let database = parts.count == 2 ? parts[0] : nil
    return (WrittenName(database: database, table: parts[parts.count - 1], range: range), next)
  }

  /// Whether a word or a quoted name is `word`, in any case.
  func mentions(_ word: String) -> Bool {
    let word = word.lowercased()
    return tokens.indices.contains { identifier($0)?.lowercased() == word }
  }

  /// Whether a database is named: before a dot anywhere, or where a statement says what it is about.
  func namesDatabase(where isMeant: (String) -> Bool) -> Bool {
    tokens.indices.contains {
      ($0 < 64 || isSymbol($0 + 1, ".")) && identifier($0).map(isMeant) ?? false
    }
  }

  /// The statement with other text in the place of some bytes, of which no two overlap.
  func replacing(_ edits: [(range: Range<Int>, text: String)]) -> String {
    replacing(edits, from: 0)
  }

  /// The statement from a byte on, with other text in the place of some of it.
  func replacing(_ edits: [(range: Range<Int>, text: String)], from start: Int) -> String {
    var result: [UInt8] = []
    var position = start
    // What is inserted before a byte comes before what replaces it.
    let ordered = edits.sorted {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    for edit in ordered {
      result += bytes[position..<edit.range.lowerBound]
      result += Array(edit.text.utf8)
      position = edit.range.upperBound
    }
    return String(decoding: result + bytes[position...], as: UTF8.self)
  }
}

/// Tells, token by token, where the rows of an insert begin.
private struct RowsAfterInsert {
  /// The position of the insert's query, or of its VALUES or FORMAT; nil while it is not known.
  private var source: Int?
  private var callsInput = false

  /// Whether the tokens so far end with the `FORMAT name` of an insert that brings its rows.
  mutating func follow(_ text: SQLText) -> Bool {
    let last = text.tokens.count - 1
    if text.isSymbol(last, "("), text.word(last - 1) == "INPUT" { callsInput = true }
    let format = last - 1
    guard text.word(format) == "FORMAT", text.depth(format) == 0, text.word(last) != "" else {
      return false
    }
    if source == nil, let head = InsertHead(text), format >= head.end {
      source = head.source(in: text)
    }
    guard let source else { return false }
    let isFromFile = text.word(source) == "FROM" && text.word(source + 1) == "INFILE"
    guard source < format, !isFromFile else { return true }
    // Only a query over input() reads rows.
    return callsInput && text.endsExpression(format - 1)
  }
}

/// The text inside quotes, whose escapes are resolved; nil when the last quote is missing.
private func unquoted(_ literal: ArraySlice<UInt8>) -> String? {
  guard let quote = literal.first else { return nil }
  var result: [UInt8] = []
  var rest = literal.dropFirst()
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "\\") {
      guard let escaped = rest.popFirst() else { return nil }
      result += resolved(escaped, &rest)
    } else if byte == quote {
      guard rest.popFirst() != nil else { return String(decoding: result, as: UTF8.self) }
      result.append(quote)
    } else {
      result.append(byte)
    }
  }
  return nil
}

/// A text without quotes in which escapes are resolved.
func withoutEscapes(_ text: ArraySlice<UInt8>) -> [UInt8] {
  var result: [UInt8] = []
  var rest = text
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
      result += resolved(escaped, &rest)
    } else {
      result.append(byte)
    }
  }
  return result
}

/// What a backslash and the byte after it mean; takes the digits of `\xHH` from `rest`.
private func resolved(_ escaped: UInt8, _ rest: inout ArraySlice<UInt8>) -> [UInt8] {
  switch escaped {
  case UInt8(ascii: "a"): return [0x07]
  case UInt8(ascii: "b"): return [0x08]
  case UInt8(ascii: "e"): return [0x1B]
  case UInt8(ascii: "f"): return [0x0C]
  case UInt8(ascii: "n"): return [0x0A]
  case UInt8(ascii: "r"): return [0x0D]
  case UInt8(ascii: "t"): return [0x09]
  case UInt8(ascii: "v"): return [0x0B]
  case UInt8(ascii: "0"): return [0x00]
  case UInt8(ascii: "N"): return []
  case UInt8(ascii: "x"):
    // The engine takes whatever stands there, and 255 for what is no digit.
    let digits = rest.prefix(2).map { hexDigit($0) ?? 255 }
    guard digits.count == 2 else { return [UInt8(ascii: "\\"), escaped] }
    rest = rest.dropFirst(2)
    return [digits[0] &* 16 &+ digits[1]]
  case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"),
    UInt8(ascii: "/"), UInt8(ascii: "="):
    return [escaped]
  default: return [UInt8(ascii: "\\"), escaped]
  }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
