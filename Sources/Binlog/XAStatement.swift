/// A statement about an XA transaction, as servers log it: `XA COMMIT X'6731',X'62',1`.
///
/// A server logs a prepared transaction between `XA START` (for MariaDB, its GTID event) and
/// `XA END`, with an XA_PREPARE event behind them, and how it ends much later, perhaps behind other
/// transactions.
public enum XAStatement: Hashable, Sendable {
  /// The row changes of the transaction follow.
  case start(XAIdentifier)
  case end(XAIdentifier)
  /// MySQL before 5.7.7 and tools write it; servers have an event for it.
  case prepare(XAIdentifier)
  case commit(XAIdentifier, isOnePhase: Bool)
  case rollback(XAIdentifier)

  /// The transaction that the statement is about.
  public var identifier: XAIdentifier {
    switch self {
    case .start(let identifier), .end(let identifier), .prepare(let identifier),
      .commit(let identifier, _), .rollback(let identifier):
      identifier
    }
  }

  /// Parses a statement; nil when it is another one.
  public init?(_ statement: String) {
    var cursor = XATextCursor(statement)
    guard cursor.word() == "XA", let verb = cursor.word(),
      let identifier = cursor.identifier()
    else { return nil }
    switch verb {
    case "START", "BEGIN": self = .start(identifier)
    case "END": self = .end(identifier)
    case "PREPARE": self = .prepare(identifier)
    case "COMMIT":
      let isOnePhase = cursor.word() == "ONE"
      if isOnePhase && cursor.word() != "PHASE" { return nil }
      self = .commit(identifier, isOnePhase: isOnePhase)
    case "ROLLBACK": self = .rollback(identifier)
    default: return nil
    }
    if !cursor.isAtEnd { return nil }
  }
}

extension QueryEvent {
  /// What the statement says about an XA transaction, if it is such a statement.
  public var xaStatement: XAStatement? {
    // Most statements are not: they are told by their first letter.
    guard let first = statementBytes.first, first | 0x20 == UInt8(ascii: "x") else { return nil }
    return XAStatement(statement)
  }
}

extension XAIdentifier: CustomStringConvertible {
  /// The form in which servers log it: `X'6731',X'62',1`.
  public var description: String {
    func quoted(_ bytes: [UInt8]) -> String {
      let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
      return "X'" + digits.joined() + "'"
    }
    return "\(quoted(global)),\(quoted(branch)),\(formatID)"
  }

  /// Parses what follows the verb of a statement: one or two strings, in quotes or as hexadecimal
  /// digits, and a number, which is 1 when it is missing.
  public init?(_ text: String) {
    var cursor = XATextCursor(text)
    guard let identifier = cursor.identifier(), cursor.isAtEnd else { return nil }
    self = identifier
  }
}

/// Reads the text of an XA statement.
private struct XATextCursor {
  private let text: [UInt8]
  private var offset = 0

  init(_ text: String) { self.text = Array(text.utf8) }

  private mutating func skipSpace() {
    while offset < text.count, text[offset] <= 0x20 { offset += 1 }
  }

  var isAtEnd: Bool { text[offset...].allSatisfy { $0 <= 0x20 } }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard offset < text.count, text[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  /// A word in capitals.
  mutating func word() -> String? {
    skipSpace()
    let letters = text[offset...].prefix { (0x41...0x5A).contains($0 & 0xDF) }
    offset += letters.count
    return letters.isEmpty ? nil : String(decoding: letters.map { $0 & 0xDF }, as: UTF8.self)
  }

  mutating func identifier() -> XAIdentifier? {
    guard let global = string() else { return nil }
    var identifier = XAIdentifier(formatID: 1, global: global, branch: [])
    if accept(",") {
      guard let branch = string() else { return nil }
      identifier.branch = branch
      if accept(",") {
        guard let number = number() else { return nil }
        identifier.formatID = number
      }
    }
    return global.count <= 64 && identifier.branch.count <= 64 ? identifier : nil
  }

  private mutating func number() -> UInt32? {
    skipSpace()
    let digits = text[offset...].prefix { (0x30...0x39).contains($0) }
    offset += digits.count
    return UInt32(String(decoding: digits, as: UTF8.self))
  }

  /// The bytes of `'text'` or of `X'6731'`.
  private mutating func string() -> [UInt8]? {
    let isHexadecimal = accept("X") || accept("x")
    guard accept("'") else { return nil }
    let content = text[offset...].prefix { $0 != UInt8(ascii: "'") }
    offset += content.count
    guard accept("'") else { return nil }
    guard isHexadecimal else { return [UInt8](content) }
    let digits = content.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == content.count, digits.count % 2 == 0 else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
