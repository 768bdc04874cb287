/// A token of ClickHouse's SQL, as far as it takes to find a statement's clauses and its end.
public struct Token: Sendable {
  /// What a token is.
  public enum Kind: Sendable {
    /// A keyword or an unquoted name.
    case word
    case number
    /// `'…'` or `$tag$…$tag$`.
    case string
    /// `"…"` or a name in backquotes.
    case quotedName
    case symbol
  }

  /// What it is.
  public let kind: Kind
  /// The bytes of the statement that it takes.
  public let range: Range<Int>
  /// How many brackets are open around it; a bracket counts as outside of itself.
  public let depth: Int
}

/// Splits a statement into tokens and leaves out space and comments. It never fails: whatever is
/// wrong with a statement, the engine says it better.
public struct Tokenizer: Sendable {
  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0
  /// Where each `$tag$` stands; nil while none was looked for.
  private var heredocTags: [ArraySlice<UInt8>: [Int]]?
  /// What a dot and digits after the last token are.
  private var last = Preceding.other

  private enum Preceding {
    /// A dot, after which digits are an index.
    case dot
    /// What has parts, so that a dot after it leads to one of them.
    case operand
    case other
  }

  /// Begins at the beginning of `bytes`, which are UTF-8.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The next token; nil at the end.
  public mutating func next() -> Token? {
    skipSpaceAndComments()
    guard position < bytes.count else { return nil }
    let start = position
    let kind = read()
    var level = depth
    if kind == .symbol { level = adjustDepth(for: bytes[start]) }
    last = preceding(kind, bytes[start])
    return Token(kind: kind, range: start..<position, depth: level)
  }

  private func preceding(_ kind: Token.Kind, _ first: UInt8) -> Preceding {
    switch kind {
    case .word, .quotedName, .number: .operand
    case .string: .other
    case .symbol:
      switch first {
      case UInt8(ascii: "."): .dot
      case UInt8(ascii: ")"), UInt8(ascii: "]"): .operand
      default: .other
      }
    }
  }

  private func byte(_ ahead: Int = 0) -> UInt8? {
    position + ahead < bytes.count ? bytes[position + ahead] : nil
  }

  private mutating func skipSpaceAndComments() {
    while let byte = byte() {
      if byte == 0x20 || (0x09...0x0D).contains(byte) {
        position += 1
      } else if self.byte(1) == byte, byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/") {
        skipLine()
      } else if byte == UInt8(ascii: "#"), self.byte(1) == 0x20 || self.byte(1) == 0x21 {
        skipLine()
      } else if byte == UInt8(ascii: "/"), self.byte(1) == UInt8(ascii: "*") {
        skipBlockComment()
      } else {
        return
      }
    }
  }

  private mutating func skipLine() {
    while let byte = byte(), byte != 0x0A { position += 1 }
  }

  /// Passes a comment, in which others may be nested.
  private mutating func skipBlockComment() {
    var level = 0
    repeat {
      guard let byte = byte() else { return }
      position += 1
      if byte == UInt8(ascii: "/"), self.byte() == UInt8(ascii: "*") {
        level += 1
        position += 1
      } else if byte == UInt8(ascii: "*"), self.byte() == UInt8(ascii: "/") {
        level -= 1
        position += 1
      }
    } while level > 0
  }

  private mutating func read() -> Token.Kind {
    let byte = bytes[position]
    switch byte {
    case UInt8(ascii: "'"):
      skipQuoted(byte)
      return .string
    case UInt8(ascii: "\""), UInt8(ascii: "`"):
      skipQuoted(byte)
      return .quotedName
    case UInt8(ascii: "$"):
      if skipHeredoc() { return .string }
      skipWord()
      return .word
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      return readNumber()
    case UInt8(ascii: ".") where last == .other && Self.isDigit(self.byte(1)):
      position += 1
      skipDigits(isHex: false)
      skipExponent(isHex: false)
      return .number
    default:
      if Self.isWordByte(byte) {
        skipWord()
        return .word
      }
      position += 1
      return .symbol
    }
  }

  /// Passes a quoted text, in which the quote is doubled or escaped by a backslash.
  private mutating func skipQuoted(_ quote: UInt8) {
    position += 1
    while let byte = byte() {
      position += 1
      if byte == UInt8(ascii: "\\") {
        position = min(position + 1, bytes.count)
      } else if byte == quote {
        guard self.byte() == quote else { return }
        position += 1
      }
    }
  }

  /// Passes `$tag$…$tag$`; stays and gives false when there is none.
  private mutating func skipHeredoc() -> Bool {
    if heredocTags == nil { findHeredocTags() }
    guard let tag = tag(at: position), let places = heredocTags?[tag] else { return false }
    let end = position + tag.count
    // The first place after the opening tag.
    var low = 0
    var high = places.count
    while low < high {
      let middle = (low + high) / 2
      if places[middle] < end { low = middle + 1 } else { high = middle }
    }
    guard low < places.count else { return false }
    position = places[low] + tag.count
    return true
  }

  /// The `$tag$` that begins at a `$`.
  private func tag(at start: Int) -> ArraySlice<UInt8>? {
    var end = start + 1
    while end < bytes.count, bytes[end] != UInt8(ascii: "$"), Self.isWordByte(bytes[end]) {
      end += 1
    }
    guard end < bytes.count, bytes[end] == UInt8(ascii: "$") else { return nil }
    return bytes[start...end]
  }

  /// Finds where each tag stands, so that the text is not searched for every one of many.
  private mutating func findHeredocTags() {
    var tags: [ArraySlice<UInt8>: [Int]] = [:]
    for start in bytes.indices where bytes[start] == UInt8(ascii: "$") {
      if let tag = tag(at: start) { tags[tag, default: []].append(start) }
    }
    heredocTags = tags
  }

  /// Passes a number, or a name that begins with a digit.
  private mutating func readNumber() -> Token.Kind {
    let start = position
    if last == .dot {
      skipDigits(isHex: false)
    } else {
      let prefix = byte(1).map { $0 | 0x20 }
      let isHex = byte() == UInt8(ascii: "0") && prefix == UInt8(ascii: "x") && isHexDigit(byte(2))
      let isBinary =
        byte() == UInt8(ascii: "0") && prefix == UInt8(ascii: "b") && Self.isDigit(byte(2))
      if isHex || isBinary { position += 2 }
      skipDigits(isHex: isHex)
      if byte() == UInt8(ascii: ".") {
        position += 1
        skipDigits(isHex: isHex)
      }
      skipExponent(isHex: isHex)
    }
    guard let byte = byte(), Self.isWordByte(byte) else { return .number }
    skipWord()
    return bytes[start..<position].allSatisfy(Self.isWordByte) ? .word : .number
  }

  private mutating func skipExponent(isHex: Bool) {
    guard let byte = byte(), byte | 0x20 == UInt8(ascii: isHex ? "p" : "e"), self.byte(1) != nil
    else { return }
    position += 1
    if self.byte() == UInt8(ascii: "+") || self.byte() == UInt8(ascii: "-") { position += 1 }
    skipDigits(isHex: false)
  }

  /// Passes digits, and `_` between them.
  private mutating func skipDigits(isHex: Bool) {
    while let byte = byte() {
      let isDigit = isHex ? isHexDigit(byte) : Self.isDigit(byte)
      let isSeparator =
        byte == UInt8(ascii: "_") && position > 0 && Self.isDigit(bytes[position - 1])
        && Self.isDigit(self.byte(1))
      guard isDigit || isSeparator else { return }
      position += 1
    }
  }

  private static func isDigit(_ byte: UInt8?) -> Bool {
    byte.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
  }

  private func isHexDigit(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return Self.isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
  }

  private mutating func skipWord() {
    while let byte = byte(), Self.isWordByte(byte) { position += 1 }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    isLetterDigitOrUnderscore(byte) || byte == UInt8(ascii: "$") || byte >= 0x80
  }

  private mutating func adjustDepth(for symbol: UInt8) -> Int {
    switch symbol {
    case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"):
      depth += 1
      return depth - 1
    case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
      depth = max(depth - 1, 0)
      return depth
    default:
      return depth
    }
  }
}
