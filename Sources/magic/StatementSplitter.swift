/// Splits SQL text at the `;` between statements.
///
/// It knows the places where ClickHouse's lexer takes a `;` for something else: quotes, comments
/// and heredocs.
struct StatementSplitter {
  /// The statements that a `;` ends, without it and without the space before them; blank ones are
  /// left out.
  private(set) var statements: [String] = []
  /// What follows the last `;`: a statement not ended yet, or a blank.
  private(set) var rest = ""
  /// Whether `rest` has nothing but spaces and comments.
  private(set) var isRestBlank = true

  private var bytes: ArraySlice<UInt8>

  /// Splits `text`.
  init(_ text: String) {
    bytes = Array(text.utf8)[...]
    var statement = bytes.startIndex
    var isBlank = true
    let all = bytes
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: ";"):
        if !isBlank {
          let text = all[statement..<bytes.startIndex - 1].drop { $0 <= UInt8(ascii: " ") }
          statements.append(String(decoding: text, as: UTF8.self))
        }
        statement = bytes.startIndex
        isBlank = true
      case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
        skipQuoted(byte)
        isBlank = false
      case UInt8(ascii: "-") where bytes.first == UInt8(ascii: "-"),
        UInt8(ascii: "#") where bytes.first == UInt8(ascii: " ") || bytes.first == UInt8(ascii: "!"):
        skip(through: Array("\n".utf8))
      case UInt8(ascii: "/") where bytes.first == UInt8(ascii: "*"):
        bytes.removeFirst()
        skip(through: Array("*/".utf8))
      case UInt8(ascii: "$"):
        skipHeredoc()
        isBlank = false
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): break
      default: isBlank = false
      }
    }
    rest = String(decoding: all[statement...], as: UTF8.self)
    isRestBlank = isBlank
  }

  /// Skips to the closing quote. A doubled quote only begins the next quoted part.
  private mutating func skipQuoted(_ quote: UInt8) {
    while let byte = bytes.popFirst(), byte != quote {
      if byte == UInt8(ascii: "\\") { _ = bytes.popFirst() }
    }
  }

  private mutating func skip(through end: [UInt8]) {
    while !bytes.isEmpty && !bytes.starts(with: end) { bytes.removeFirst() }
    bytes = bytes.dropFirst(end.count)
  }

  /// Skips `$tag$…$tag$`, the `$` having been read; a `$` without a heredoc is left alone.
  private mutating func skipHeredoc() {
    let tag = bytes.prefix { byte in
      byte == UInt8(ascii: "_") || Character(UnicodeScalar(byte)).isLetter
        || Character(UnicodeScalar(byte)).isNumber
    }
    guard bytes.dropFirst(tag.count).first == UInt8(ascii: "$") else { return }
    bytes = bytes.dropFirst(tag.count + 1)
    skip(through: [UInt8(ascii: "$")] + tag + [UInt8(ascii: "$")])
  }
}
