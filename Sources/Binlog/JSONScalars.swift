import WireFormat

extension [UInt8] {
  /// Appends an integer in decimal digits.
  mutating func append(decimal value: some FixedWidthInteger) {
    append(contentsOf: String(value).utf8)
  }

  /// Appends an integer with zeros before it up to `width` digits.
  mutating func append(decimal value: UInt64, width: Int) {
    let digits = String(value).utf8
    if digits.count < width { append(contentsOf: repeatElement(0x30, count: width - digits.count)) }
    append(contentsOf: digits)
  }

  /// Appends a string in double quotes with the escapes that the server uses.
  mutating func appendJSONString(_ bytes: RawSpan) {
    append(UInt8(ascii: "\""))
    bytes.withUnsafeBytes { buffer in
      var start = 0
      for (index, byte) in buffer.enumerated()
      where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        append(contentsOf: buffer[start..<index])
        appendJSONEscape(byte)
        start = index + 1
      }
      append(contentsOf: buffer[start...])
    }
    append(UInt8(ascii: "\""))
  }

  private mutating func appendJSONEscape(_ byte: UInt8) {
    append(UInt8(ascii: "\\"))
    switch byte {
    case 0x08: append(UInt8(ascii: "b"))
    case 0x09: append(UInt8(ascii: "t"))
    case 0x0A: append(UInt8(ascii: "n"))
    case 0x0C: append(UInt8(ascii: "f"))
    case 0x0D: append(UInt8(ascii: "r"))
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
    default:
      append(contentsOf: byte < 0x10 ? "u000".utf8 : "u001".utf8)
      append(contentsOf: String(byte & 0x0F, radix: 16).utf8)
    }
  }

  /// Appends a floating-point number in the fewest digits that give it back.
  ///
  /// The server writes an exponent when the point would be more than 15 digits after the first
  /// digit or 14 zeros before it, and marks whole numbers with `.0`.
  mutating func appendJSONDouble(_ value: Double) throws(DecodeError) {
    guard value.isFinite else { throw DecodeError(.malformed, "JSON number", at: 0) }
    if value.sign == .minus { append(UInt8(ascii: "-")) }
    let (digits, point) = shortestDigits(value.magnitude)
    if point < -14 || (point > 15 && digits.count <= point) {
      append(digits[0])
      if digits.count > 1 {
        append(UInt8(ascii: "."))
        append(contentsOf: digits[1...])
      }
      append(UInt8(ascii: "e"))
      append(decimal: point - 1)
    } else if point <= 0 {
      append(contentsOf: "0.".utf8)
      append(contentsOf: repeatElement(0x30, count: -point))
      append(contentsOf: digits)
    } else if digits.count <= point {
      append(contentsOf: digits)
      append(contentsOf: repeatElement(0x30, count: point - digits.count))
      append(contentsOf: ".0".utf8)
    } else {
      append(contentsOf: digits[..<point])
      append(UInt8(ascii: "."))
      append(contentsOf: digits[point...])
    }
  }
}

/// The digits of a number that is not negative, without zeros at either end, and how many of them
/// (or of zeros after them) come before the decimal point. Zero is one digit `0` before the point.
private func shortestDigits(_ value: Double) -> (digits: [UInt8], point: Int) {
  let parts = value.description.split(separator: "e")
  let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
  let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
  let digits = mantissa.flatMap(\.utf8)
  let leadingZeros = digits.prefix { $0 == 0x30 }.count
  let significant = digits.dropFirst(leadingZeros)
  let trailingZeros = significant.reversed().prefix { $0 == 0x30 }.count
  let result = [UInt8](significant.dropLast(trailingZeros))
  if result.isEmpty { return ([0x30], 1) }
  return (result, mantissa[0].utf8.count + exponent - leadingZeros)
}
