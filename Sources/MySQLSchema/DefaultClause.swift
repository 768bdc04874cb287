/// What follows DEFAULT in a definition, as it is written.
enum DefaultClause: Hashable, Sendable {
  case none
  case null
  case literal(SQLLiteral)
  case expression

  /// The value in a column of this type.
  func normalized(for type: ColumnType, _ detail: TypeDetail) -> ColumnDefault {
    switch self {
    case .none: .none
    case .null: .null
    case .expression: .expression
    case .literal(let literal):
      literal.text(for: type, detail).map(ColumnDefault.literal) ?? .expression
    }
  }
}

/// A literal of SQL text.
struct SQLLiteral: Hashable, Sendable {
  enum Value: Hashable, Sendable {
    case text(String)
    /// A number as it is written, with its sign.
    case number(String)
    case bytes([UInt8], mayBeNumber: Bool)
  }

  /// Nil for NULL.
  var value: Value?
  /// The charset in front of the literal, without its underscore.
  var introducer: String?
  var isParenthesized = false
}

// MARK: - The value in a column

extension SQLLiteral {
  /// The text that the text protocol gives for the literal in a column of this type, or nil when
  /// it is not certain.
  func text(for type: ColumnType, _ detail: TypeDetail) -> [UInt8]? {
    guard let value else { return nil }
    switch type {
    case .integer(let width, let isUnsigned):
      return number(value)?.integer(width, isUnsigned: isUnsigned).map { Array($0.utf8) }
    case .decimal(let precision, let scale):
      guard let number = number(value), !(number.isNegative && detail.isUnsigned) else {
        return nil
      }
      return number.fixed(precision: precision, scale: scale).map { Array($0.utf8) }
    case .float, .double: return floatingPoint(value, type, detail).map { Array($0.utf8) }
    case .bit(let width): return bits(value, width: width)
    case .date, .datetime, .timestamp, .time, .year:
      return temporal(value, type).map { Array($0.utf8) }
    case .string(let charset): return string(value, charset: charset, detail)
    case .binary(let length):
      guard let bytes = bytes(value), bytes.count <= length else { return nil }
      return bytes + repeatElement(0, count: length - bytes.count)
    case .bytes:
      guard let bytes = bytes(value), bytes.count <= detail.byteCapacity ?? 0 else { return nil }
      return bytes
    case .enumeration(let members):
      guard let text = plainText(value), let index = members.firstIndex(of: text) else {
        return nil
      }
      return Array("\(index + 1)".utf8)
    case .set(let members): return set(value, members).map { Array("\($0)".utf8) }
    case .json:
      // MySQL takes a default only in parentheses, and prints it in its own form.
      guard !isParenthesized, case .text(let text) = value, introducer == nil else { return nil }
      return Array(text.utf8)
    case .inet4, .inet6, .uuid:
      guard let text = plainText(value) else { return nil }
      return networkOrUUID(text, type).map { Array($0.utf8) }
    case .geometry, .vector: return nil
    }
  }

  /// Text whose characters are certain: those of another charset may have come through the
  /// connection in its bytes.
  private func plainText(_ value: Value) -> String? {
    guard case .text(let text) = value, !text.unicodeScalars.contains("\u{FFFD}") else {
      return nil
    }
    // Servers differ in what they make of other characters behind a charset's name.
    guard let introducer else { return text }
    return introducer != "binary" && text.utf8.allSatisfy { $0 < 0x80 } ? text : nil
  }

  // MARK: Numbers

  private func number(_ value: Value) -> DecimalLiteral? {
    switch value {
    case .number(let text): return DecimalLiteral(text)
    case .text: return plainText(value).flatMap(DecimalLiteral.init)
    case .bytes(let bytes, mayBeNumber: true) where introducer == nil && bytes.count <= 8:
      return DecimalLiteral("\(bytes.reduce(0 as UInt64) { $0 << 8 | UInt64($1) })")
    case .bytes: return nil
    }
  }

  private func floatingPoint(_ value: Value, _ type: ColumnType, _ detail: TypeDetail) -> String? {
    let text: String
    switch value {
    case .number(let digits): text = digits
    case .text:
      guard let plain = plainText(value) else { return nil }
      text = plain
    case .bytes: return nil
    }
    guard !text.isEmpty, text.utf8.allSatisfy({ Self.floatingPointBytes.contains($0) }),
      let parsed = Double(text)
    else { return nil }
    // SHOW CREATE TABLE prints 6 digits of a FLOAT, so that what has as many may have had more.
    guard type == .double || Self.significantDigitCount(text) < 6 else { return nil }
    let number = type == .float ? Double(Float(parsed)) : parsed
    guard number.isFinite, !(number < 0 && detail.isUnsigned) else { return nil }
    if let decimals = detail.decimals, number.rounded() != number {
      // The server rounds by multiplying, which in a DOUBLE may give another last bit.
      guard type == .float, let digits = DecimalLiteral(text)?.fraction.count, digits <= decimals
      else { return nil }
    }
    // A server prints no negative zero, no plus in an exponent and no fraction of zero.
    let printed = (number == 0 ? 0 : number).description.filter { $0 != "+" }
    return printed.hasSuffix(".0") ? String(printed.dropLast(2)) : printed
  }

  private static func significantDigitCount(_ text: String) -> Int {
    let mantissa = text.utf8.prefix { $0 | 0x20 != UInt8(ascii: "e") }
    let digits = mantissa.filter { $0 >= 0x30 }.drop { $0 == 0x30 }
    return digits.reversed().drop { $0 == 0x30 }.count
  }

  private static let floatingPointBytes = Set("0123456789.eE+-".utf8)

  private func bits(_ value: Value, width: Int) -> [UInt8]? {
    var bytes: [UInt8]
    switch value {
    case .bytes(let literal, _) where introducer == nil: bytes = literal
    case .number(let text):
      guard let number = UInt64(text) else { return nil }
      bytes = (0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    case .text(let text):
      guard text.utf8.allSatisfy({ $0 < 0x80 }), introducer == nil else { return nil }
      bytes = Array(text.utf8)
    case .bytes: return nil
    }
    let size = (width + 7) / 8
    bytes = Array(bytes.drop { $0 == 0 })
    guard bytes.count <= size else { return nil }
    bytes = repeatElement(0, count: size - bytes.count) + bytes
    let unused = size * 8 - width
    return bytes[0] >> (8 - unused) == 0 || unused == 0 ? bytes : nil
  }

  // MARK: Texts and bytes

  private func string(_ value: Value, charset: String?, _ detail: TypeDetail) -> [UInt8]? {
    var text: String
    switch value {
    case .text:
      guard let plain = plainText(value) else { return nil }
      text = plain
    case .number(let digits):
      guard let printed = DecimalLiteral(digits)?.printed else { return nil }
      text = printed
    case .bytes(let bytes, _):
      guard introducer == nil, let charset, let decoder = CharsetDecoder(charset: charset) else {
        return nil
      }
      text = decoder.string(from: bytes)
      guard decoder.invalidCount == 0, !text.unicodeScalars.contains("\u{FFFD}") else {
        return nil
      }
    }
    if detail.isFixedLength { text = withoutTrailingSpaces(text) }
    guard Charset.holds(text, in: charset) else { return nil }
    let count = text.unicodeScalars.count
    if let capacity = detail.characterCapacity { return count <= capacity ? Array(text.utf8) : nil }
    let width = charset.map { Charset.characterWidths($0).upperBound } ?? 4
    return count * width <= detail.byteCapacity ?? 0 ? Array(text.utf8) : nil
  }

  private func bytes(_ value: Value) -> [UInt8]? {
    switch value {
    case .bytes(let bytes, _): return introducer == nil ? bytes : nil
    case .number(let digits): return DecimalLiteral(digits)?.printed.map { Array($0.utf8) }
    case .text(let text):
      // Other characters have the bytes that the connection's charset gives them.
      return text.utf8.allSatisfy { $0 < 0x80 } ? Array(text.utf8) : nil
    }
  }

  private func set(_ value: Value, _ members: [String]) -> UInt64? {
    guard let text = plainText(value), members.count <= 64 else { return nil }
    if text.isEmpty { return 0 }
    var mask: UInt64 = 0
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let index = members.firstIndex(of: String(item)) else { return nil }
      mask |= 1 << UInt64(index)
    }
    return mask
  }
}

/// The text without the spaces at its end.
func withoutTrailingSpaces(_ text: String) -> String {
  String(decoding: text.utf8.reversed().drop { $0 == 0x20 }.reversed(), as: UTF8.self)
}

// MARK: - Numbers

/// A number written with digits and a point.
struct DecimalLiteral {
  var isNegative: Bool
  /// The digits before the point, without zeros in front.
  var whole: Substring.UTF8View
  /// The digits behind the point.
  var fraction: Substring.UTF8View

  /// Nil for exponents and whatever else is no plain number.
  init?(_ text: String) {
    var rest = text[...].utf8
    isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    let isDigit = { (byte: UInt8) in byte >= 0x30 && byte <= 0x39 }
    let digits = rest.prefix(while: isDigit)
    whole = digits.drop { $0 == UInt8(ascii: "0") }
    rest = rest[digits.endIndex...]
    if rest.first == UInt8(ascii: ".") { rest = rest.dropFirst() }
    fraction = rest
    guard !digits.isEmpty || !fraction.isEmpty, fraction.allSatisfy(isDigit) else { return nil }
  }

  private var wholeText: String { whole.isEmpty ? "0" : String(Substring(whole)) }
  private var isZero: Bool { whole.isEmpty && fraction.allSatisfy { $0 == UInt8(ascii: "0") } }
  private var sign: String { isNegative && !isZero ? "-" : "" }

  /// As the server prints the literal itself.
  var printed: String? {
    sign + wholeText + (fraction.isEmpty ? "" : "." + String(Substring(fraction)))
  }

  /// The number in an integer column; nil when it has a fraction or does not fit.
  func integer(_ width: IntegerWidth, isUnsigned: Bool) -> String? {
    guard fraction.allSatisfy({ $0 == UInt8(ascii: "0") }) else { return nil }
    let text = sign + wholeText
    let bits = UInt64(width.rawValue * 8)
    if isUnsigned {
      guard let value = UInt64(text), bits == 64 || value >> bits == 0 else { return nil }
    } else {
      guard let value = Int64(text), bits == 64 || value.magnitudeForRange >> Int64(bits - 1) == 0
      else { return nil }
    }
    return text
  }

  /// The number with exactly `scale` decimals; nil when it has to be rounded or does not fit.
  func fixed(precision: Int, scale: Int) -> String? {
    guard whole.count <= precision - scale,
      fraction.dropFirst(scale).allSatisfy({ $0 == UInt8(ascii: "0") })
    else { return nil }
    guard scale > 0 else { return sign + wholeText }
    let kept = String(Substring(fraction.prefix(scale)))
    return sign + wholeText + "." + kept + String(repeating: "0", count: scale - kept.utf8.count)
  }
}

extension Int64 {
  /// The value, with negative ones moved so that a range has as many of them as of others.
  fileprivate var magnitudeForRange: Int64 { self < 0 ? ~self : self }
}
