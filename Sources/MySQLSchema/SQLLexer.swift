/// What of the server's `sql_mode` decides how statement text is read.
public struct SQLTextMode: Hashable, Sendable {
  /// ANSI_QUOTES: `"x"` is a name and not a string.
  public var ansiQuotes: Bool
  /// NO_BACKSLASH_ESCAPES: a backslash in a string is a backslash.
  public var noBackslashEscapes: Bool
  /// REAL_AS_FLOAT: REAL is FLOAT and not DOUBLE.
  public var realAsFloat: Bool

  public init(
    ansiQuotes: Bool = false, noBackslashEscapes: Bool = false, realAsFloat: Bool = false
  ) {
    self.ansiQuotes = ansiQuotes
    self.noBackslashEscapes = noBackslashEscapes
    self.realAsFloat = realAsFloat
  }

  /// What the bits say that the binlog has of `sql_mode`, the same for MySQL and MariaDB.
  public init(sqlMode: UInt64) {
    self.init(
      ansiQuotes: sqlMode & 0x4 != 0, noBackslashEscapes: sqlMode & 0x10_0000 != 0,
      realAsFloat: sqlMode & 0x1 != 0)
  }
}

/// A lexical element of SQL text, with the bytes it spans.
struct SQLToken {
  enum Kind {
    /// A keyword or an unquoted name.
    case word
    case quotedName
    case string
    case number
    /// `x'41'` or `0x41`.
    case hexadecimal
    /// `b'01'` or `0b01`.
    case bits
    case symbol
    case end
    /// A string, quoted name or comment that the text does not close.
    case unterminated
  }

  var kind: Kind
  var range: Range<Int>
  /// The word in upper case, or the symbol; empty for other kinds, so that quoted text never equals
  /// a keyword.
  var keyword: String
}

/// Splits SQL text into tokens, one at a time, in time linear in its length.
///
/// The content of executable comments (`/*! … */`, `/*M! … */`) counts as text: a server replaces
/// those that it does not execute before it logs a statement, and prints in SHOW CREATE and in
/// dumps only those that it would execute.
struct SQLLexer {
  let bytes: [UInt8]
  let mode: SQLTextMode
  /// Offset of the next byte to read.
  var position: Int
  /// Where the text ends in ``bytes``.
  let end: Int
  private var isInExecutableComment = false

  init(_ bytes: [UInt8], range: Range<Int>, mode: SQLTextMode) {
    self.bytes = bytes
    self.mode = mode
    position = range.lowerBound
    end = range.upperBound
  }

  private func byte(at offset: Int) -> UInt8? { offset < end ? bytes[offset] : nil }

  mutating func next() -> SQLToken {
    guard skipSpaceAndComments() else { return token(.unterminated, from: position) }
    let start = position
    guard let first = byte(at: start) else { return token(.end, from: start) }
    switch first {
    case UInt8(ascii: "'"): return quoted(by: first, as: .string)
    case UInt8(ascii: "\""): return quoted(by: first, as: mode.ansiQuotes ? .quotedName : .string)
    case UInt8(ascii: "`"): return quoted(by: first, as: .quotedName)
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return numberOrWord()
    case UInt8(ascii: ".") where byte(at: start + 1).map(isDigit) == true:
      return fraction(from: start)
    case _ where isWordByte(first): return wordOrPrefixedLiteral()
    default:
      position += 1
      return token(.symbol, from: start)
    }
  }

  private func token(_ kind: SQLToken.Kind, from start: Int) -> SQLToken {
    let hasKeyword = kind == .word || kind == .symbol
    let keyword =
      hasKeyword
      ? String(decoding: bytes[start..<position].lazy.map(uppercased), as: UTF8.self) : ""
    return SQLToken(kind: kind, range: start..<position, keyword: keyword)
  }

  // MARK: Space and comments

  /// Returns false when a comment has no end.
  private mutating func skipSpaceAndComments() -> Bool {
    while let current = byte(at: position) {
      let following = byte(at: position + 1)
      if current == 0x20 || (0x09...0x0D).contains(current) || current == 0 {
        position += 1
      } else if current == UInt8(ascii: "#") || isDashComment(current, following) {
        skipLine()
      } else if current == UInt8(ascii: "/"), following == UInt8(ascii: "*") {
        guard enterOrSkipComment() else { return false }
      } else if isInExecutableComment, current == UInt8(ascii: "*"), following == UInt8(ascii: "/")
      {
        isInExecutableComment = false
        position += 2
      } else {
        return true
      }
    }
    return true
  }

  /// `--` begins a comment only before a space, a control character or the end.
  private func isDashComment(_ current: UInt8, _ following: UInt8?) -> Bool {
    guard current == UInt8(ascii: "-"), following == UInt8(ascii: "-") else { return false }
    return byte(at: position + 2).map { $0 <= 0x20 } ?? true
  }

  private mutating func skipLine() {
    while let current = byte(at: position), current != 0x0A { position += 1 }
  }

  private mutating func enterOrSkipComment() -> Bool {
    var content = position + 2
    if byte(at: content) == UInt8(ascii: "M") { content += 1 }
    if byte(at: content) == UInt8(ascii: "!") {
      content += 1
      let version = bytes[content..<min(content + 6, end)].prefix(while: isDigit)
      // All nines is the version that no server has: text for other programs.
      if !(version.count >= 5 && version.allSatisfy { $0 == UInt8(ascii: "9") }) {
        position = version.count >= 5 ? version.endIndex : content
        isInExecutableComment = true
        return true
      }
    }
    content = position + 2
    while content + 1 < end {
      if bytes[content] == UInt8(ascii: "*"), bytes[content + 1] == UInt8(ascii: "/") {
        position = content + 2
        return true
      }
      content += 1
    }
    position = end
    return false
  }

  // MARK: Words and literals

  private mutating func quoted(by quote: UInt8, as kind: SQLToken.Kind) -> SQLToken {
    let start = position
    position += 1
    while let current = byte(at: position) {
      position += 1
      if current == quote {
        guard byte(at: position) == quote else { return token(kind, from: start) }
        position += 1
      } else if current == UInt8(ascii: "\\"), kind == .string, !mode.noBackslashEscapes {
        position = min(position + 1, end)
      }
    }
    return token(.unterminated, from: start)
  }

  private mutating func numberOrWord() -> SQLToken {
    let start = position
    while let current = byte(at: position), isWordByte(current) { position += 1 }
    let run = bytes[start..<position]
    if run.allSatisfy(isDigit) {
      guard byte(at: position) == UInt8(ascii: ".") else { return token(.number, from: start) }
      return fraction(from: start)
    }
    let second = run.dropFirst().first.map { $0 | 0x20 }
    if run.first == UInt8(ascii: "0"), run.count > 2 {
      if second == UInt8(ascii: "x"), run.dropFirst(2).allSatisfy({ hexadecimalDigit($0) != nil }) {
        return token(.hexadecimal, from: start)
      }
      if second == UInt8(ascii: "b"), run.dropFirst(2).allSatisfy({ $0 & 0xFE == 0x30 }) {
        return token(.bits, from: start)
      }
    }
    if isMantissaWithExponent(run) {
      skipExponentSign()
      return token(.number, from: start)
    }
    return token(.word, from: start)
  }

  /// Reads `.digits` and an exponent after the digits before the point, if any.
  private mutating func fraction(from start: Int) -> SQLToken {
    position += 1
    let digits = position
    while let current = byte(at: position), isWordByte(current) { position += 1 }
    if isMantissaWithExponent(bytes[digits..<position]) { skipExponentSign() }
    return token(.number, from: start)
  }

  private func isMantissaWithExponent(_ run: ArraySlice<UInt8>) -> Bool {
    let rest = run.drop(while: isDigit)
    return rest.first.map { $0 | 0x20 } == UInt8(ascii: "e") && rest.dropFirst().allSatisfy(isDigit)
  }

  private mutating func skipExponentSign() {
    guard bytes[position - 1] | 0x20 == UInt8(ascii: "e"), let sign = byte(at: position),
      sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")
    else { return }
    position += 1
    while let current = byte(at: position), isDigit(current) { position += 1 }
  }

  private mutating func wordOrPrefixedLiteral() -> SQLToken {
    let start = position
    while let current = byte(at: position), isWordByte(current) { position += 1 }
    guard position == start + 1, byte(at: position) == UInt8(ascii: "'") else {
      return token(.word, from: start)
    }
    let kind: SQLToken.Kind
    switch bytes[start] | 0x20 {
    case UInt8(ascii: "x"): kind = .hexadecimal
    case UInt8(ascii: "b"): kind = .bits
    case UInt8(ascii: "n"): kind = .string
    default: return token(.word, from: start)
    }
    let literal = quoted(by: UInt8(ascii: "'"), as: .string)
    return token(literal.kind == .string ? kind : .unterminated, from: start)
  }
}

// MARK: - The content of tokens

extension SQLLexer {
  /// The text of a name or a string, without its quotes and escapes.
  func text(of token: SQLToken) -> String {
    switch token.kind {
    case .string, .quotedName: String(decoding: unquoted(token), as: UTF8.self)
    case .word, .number, .hexadecimal, .bits, .symbol, .end, .unterminated:
      String(decoding: bytes[token.range], as: UTF8.self)
    }
  }

  private func unquoted(_ token: SQLToken) -> [UInt8] {
    var index = token.range.lowerBound
    // N'…' is a string whose first byte is not its quote.
    if isWordByte(bytes[index]) { index += 1 }
    let quote = bytes[index]
    let last = token.range.upperBound - 1
    let hasEscapes = token.kind == .string && !mode.noBackslashEscapes
    var result: [UInt8] = []
    index += 1
    while index < last {
      let current = bytes[index]
      index += 1
      if current == quote {
        index += 1
      } else if current == UInt8(ascii: "\\"), hasEscapes, index < last {
        appendEscape(bytes[index], to: &result)
        index += 1
        continue
      }
      result.append(current)
    }
    return result
  }

  private func appendEscape(_ escaped: UInt8, to result: inout [UInt8]) {
    switch escaped {
    case UInt8(ascii: "0"): result.append(0)
    case UInt8(ascii: "b"): result.append(8)
    case UInt8(ascii: "n"): result.append(10)
    case UInt8(ascii: "r"): result.append(13)
    case UInt8(ascii: "t"): result.append(9)
    case UInt8(ascii: "Z"): result.append(26)
    // These two keep the backslash, for the patterns of LIKE.
    case UInt8(ascii: "%"), UInt8(ascii: "_"): result += [UInt8(ascii: "\\"), escaped]
    default: result.append(escaped)
    }
  }

  /// The bytes that a hexadecimal or bit literal stands for.
  func literalBytes(of token: SQLToken) -> [UInt8] {
    let isHexadecimal = token.kind == .hexadecimal
    let digits = bytes[token.range].dropFirst(2).compactMap(hexadecimalDigit)
    let digitsPerByte = isHexadecimal ? 2 : 8
    let padding = (digitsPerByte - digits.count % digitsPerByte) % digitsPerByte
    let padded = repeatElement(0, count: padding) + digits
    return stride(from: 0, to: padded.count, by: digitsPerByte).map { start in
      padded[start..<(start + digitsPerByte)].reduce(0) { $0 << (isHexadecimal ? 4 : 1) | $1 }
    }
  }
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

private func isWordByte(_ byte: UInt8) -> Bool {
  let letter = byte | 0x20
  return (letter >= 0x61 && letter <= 0x7A) || isDigit(byte) || byte >= 0x80
    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
}

private func uppercased(_ byte: UInt8) -> UInt8 {
  byte >= 0x61 && byte <= 0x7A ? byte & 0xDF : byte
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  if isDigit(byte) { return byte - 0x30 }
  let letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : nil
}
