/// Finds where a statement ends and the rows of an INSERT begin, in bytes of which perhaps only the
/// beginning is there.
///
/// It knows no more of SQL than that takes: comments, quotes, brackets and words. The rows begin
/// after `FORMAT Name` or `VALUES`, outside of brackets; a query in their place has no rows.
struct StatementScanner {
  enum Answer: Equatable {
    /// More of the text is needed.
    case undecided
    /// All of it is the statement.
    case statement
    /// Rows begin there, in the format that the statement names.
    case format(rowsAt: Int)
    /// Rows begin there, as `VALUES` has them.
    case values(rowsAt: Int)
  }

  private enum Token: Equatable {
    case word(String)
    case symbol(UInt8)
    case end
  }

  private let bytes: [UInt8]
  private let isComplete: Bool
  private var position = 0

  private init(_ bytes: [UInt8], isComplete: Bool) {
    self.bytes = bytes
    self.isComplete = isComplete
  }

  /// - Parameter isComplete: whether no more bytes follow.
  static func scan(_ bytes: [UInt8], isComplete: Bool) -> Answer {
    var scanner = StatementScanner(bytes, isComplete: isComplete)
    let answer = scanner.scan()
    if case .format = answer { return answer }
    // A word that ends with the bytes may go on.
    return isComplete || scanner.position < bytes.count ? answer : .undecided
  }

  private mutating func scan() -> Answer {
    guard case .word(let verb) = next(), ["INSERT", "UPSERT", "IMPORT"].contains(verb) else {
      return .statement
    }
    var depth = 0
    var previous = Token.word(verb)
    while true {
      let token = next()
      switch token {
      case .end: return .statement
      case .symbol(let symbol):
        switch symbol {
        case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
        default: break
        }
      // A word after one of these is a name.
      case .word(let word) where depth == 0 && !Self.precedesName(previous):
        switch word {
        case "SELECT", "SELRAW", "WITH", "WATCH", "FROM": return .statement
        case "VALUES": return .values(rowsAt: position)
        case "FORMAT":
          let name = next()
          if case .word = name { return rowsAfterFormat() }
          if name == .end { return .statement }
        default: break
        }
      case .word: break
      }
      previous = token
    }
  }

  private static func precedesName(_ token: Token) -> Bool {
    switch token {
    case .word("INTO"), .word("TABLE"), .word("FUNCTION"), .symbol(UInt8(ascii: ".")): true
    default: false
    }
  }

  /// Blanks and one line break stand between the format's name and the rows.
  private mutating func rowsAfterFormat() -> Answer {
    guard position < bytes.count || isComplete else { return .undecided }
    while position < bytes.count, [0x20, 0x09, 0x0C].contains(bytes[position]) { position += 1 }
    if position < bytes.count, bytes[position] == 0x0D { position += 1 }
    if position < bytes.count {
      if bytes[position] == 0x0A { position += 1 }
    } else if !isComplete {
      return .undecided
    }
    return .format(rowsAt: position)
  }

  private mutating func next() -> Token {
    skipBlanks()
    guard position < bytes.count else { return .end }
    let byte = bytes[position]
    if Self.isWordByte(byte) {
      let start = position
      while position < bytes.count, Self.isWordByte(bytes[position]) { position += 1 }
      return .word(String(decoding: bytes[start..<position], as: UTF8.self).uppercased())
    }
    position += 1
    if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "`") {
      skipQuoted(byte)
    }
    return .symbol(byte)
  }

  private mutating func skipBlanks() {
    while position < bytes.count {
      let byte = bytes[position]
      let following = position + 1 < bytes.count ? bytes[position + 1] : 0
      if byte <= 0x20 {
        position += 1
      } else if byte == UInt8(ascii: "-") && following == byte
        || byte == UInt8(ascii: "#") && (following == 0x20 || following == UInt8(ascii: "!"))
      {
        while position < bytes.count, bytes[position] != 0x0A { position += 1 }
      } else if byte == UInt8(ascii: "/") && following == UInt8(ascii: "*") {
        position += 2
        while position < bytes.count,
          bytes[position] != UInt8(ascii: "/") || bytes[position - 1] != UInt8(ascii: "*")
        {
          position += 1
        }
        position = min(position + 1, bytes.count)
      } else {
        return
      }
    }
  }

  private mutating func skipQuoted(_ quote: UInt8) {
    while position < bytes.count {
      let byte = bytes[position]
      position += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == quote { return }
    }
    position = min(position, bytes.count)
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
      true
    default: false
    }
  }
}
