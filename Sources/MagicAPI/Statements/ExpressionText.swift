/// A piece of SQL from outside that is put into a statement, and must not reach beyond its place.
struct ExpressionText {
  private var rest: ArraySlice<UInt8>
  /// The brackets that must follow, the last one first of all.
  private var closings: [UInt8] = []
  private var isEmpty = true

  private init(_ sql: String) { rest = Array(sql.utf8)[...] }

  /// Why a text is not one expression that ends where the text ends; nil when it is one, as far as
  /// its tokens tell. Where versions of the engine read something differently, it is refused.
  static func problem(in sql: String) -> String? {
    var text = ExpressionText(sql)
    return text.problem()
  }

  private mutating func problem() -> String? {
    var isAfterWord = false
    while let byte = rest.first {
      let wasAfterWord = isAfterWord
      isAfterWord = false
      switch byte {
      case 0x09...0x0D, 0x20:
        rest.removeFirst()
        continue
      case UInt8(ascii: "-") where starts("--"), UInt8(ascii: "/") where starts("//"),
        UInt8(ascii: "#") where starts("# ") || starts("#!"):
        guard skip(past: "\n") else { return "the comment at its end hides what follows" }
        continue
      case UInt8(ascii: "/") where starts("/*"):
        guard skipBlockComment() else { return "a comment is not closed" }
        continue
      case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
        guard let hasEscapes = skipQuoted(byte) else { return "a quote is not closed" }
        // Whether x'…' has any is not for us to say.
        if wasAfterWord, hasEscapes { return "a text right after a word has a backslash" }
      case UInt8(ascii: "("): open(")")
      case UInt8(ascii: "["): open("]")
      case UInt8(ascii: "{"): open("}")
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
        guard closings.popLast() == byte else { return "a bracket closes that is not open" }
        rest.removeFirst()
      case UInt8(ascii: ";"): return "it has a ;"
      case UInt8(ascii: "$"), UInt8(ascii: "\\"), 0x00...0x1F, 0x7F...0xFF:
        return "outside of '…', \"…\" and `…` there must be no $, no backslash, and only ASCII"
      default:
        isAfterWord = Self.isWordByte(byte)
        rest.removeFirst()
      }
      isEmpty = false
    }
    if !closings.isEmpty { return "a bracket is not closed" }
    return isEmpty ? "it is empty" : nil
  }

  private func starts(_ prefix: StaticString) -> Bool {
    rest.starts(with: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
  }

  private mutating func open(_ closing: Unicode.Scalar) {
    closings.append(UInt8(ascii: closing))
    rest.removeFirst()
  }

  private mutating func skip(past end: Unicode.Scalar) -> Bool {
    guard let index = rest.firstIndex(of: UInt8(ascii: end)) else { return false }
    rest = rest[(index + 1)...]
    return true
  }

  /// Passes a comment, in which others may be nested.
  private mutating func skipBlockComment() -> Bool {
    var level = 0
    repeat {
      if starts("/*") {
        level += 1
        rest.removeFirst(2)
      } else if starts("*/") {
        level -= 1
        rest.removeFirst(2)
      } else if rest.popFirst() == nil {
        return false
      }
    } while level > 0
    return true
  }

  /// Passes a text or a name, in which the quote is doubled or escaped by a backslash.
  ///
  /// - Returns: whether it has a backslash; nil when it does not end.
  private mutating func skipQuoted(_ quote: UInt8) -> Bool? {
    var hasEscapes = false
    rest.removeFirst()
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        _ = rest.popFirst()
      } else if byte == quote {
        guard rest.first == quote else { return hasEscapes }
        rest.removeFirst()
      }
    }
    return nil
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte | 0x20 {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: byte == UInt8(ascii: "_")
    }
  }
}
