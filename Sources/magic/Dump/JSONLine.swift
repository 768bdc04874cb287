/// Writes JSON text piece by piece (RFC 8259).
struct JSONLine {
  /// What was written so far.
  private(set) var bytes: [UInt8] = []
  /// Whether the next member or element follows another one.
  private var needsComma = false

  private static let hexDigits = Array("0123456789abcdef".utf8)
  private static let base64Digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Gives away what was written.
  mutating func take() -> [UInt8] {
    defer { bytes.removeAll(keepingCapacity: true) }
    return bytes
  }

  /// Begins an object or, with `[`, a list.
  mutating func open(_ bracket: Character) {
    raw(bracket == "{" ? "{" : "[")
    needsComma = false
  }

  /// Ends the object or list.
  mutating func close(_ bracket: Character) {
    bytes.append(bracket == "}" ? UInt8(ascii: "}") : UInt8(ascii: "]"))
    needsComma = true
  }

  /// Ends the line, on which is one object.
  mutating func endLine() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  /// Begins a member of an object; its value comes next.
  mutating func key(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes text that is JSON already: a number, `true`, `false` or `null`.
  mutating func raw(_ text: String) {
    separate()
    bytes += text.utf8
  }

  mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
  }

  /// Writes UTF-8 text. Bytes that are not valid UTF-8 become U+FFFD.
  mutating func string(_ text: UnsafeRawBufferPointer) {
    guard UTF8Validation.isValid(text) else {
      string(String(decoding: text, as: UTF8.self))
      return
    }
    separate()
    bytes.append(UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
      case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
      case UInt8(ascii: "\t"): bytes += Array("\\t".utf8)
      case 0..<0x20:
        bytes += Array("\\u00".utf8)
        bytes += [Self.hexDigits[Int(byte >> 4)], Self.hexDigits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Writes bytes as a string in Base64 (RFC 4648, section 4).
  mutating func base64(_ data: UnsafeRawBufferPointer) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    for start in stride(from: 0, to: data.count, by: 3) {
      let group = data[start..<min(start + 3, data.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for digit in 0..<4 {
        bytes.append(
          digit <= group.count
            ? Self.base64Digits[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }
}

private enum UTF8Validation {
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    // Most text is ASCII, which needs no decoding.
    if bytes.allSatisfy({ $0 < 0x80 }) { return true }
    return String(validating: bytes, as: UTF8.self) != nil
  }
}
