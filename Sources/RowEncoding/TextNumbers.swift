import Glibc
import WireFormat

// Numbers of the text protocol, parsed from bytes without a String. They are strict: the server
// prints them in one form only, so anything else means that the bytes are not what they are taken
// for.

/// A run of text bytes that is consumed from the front.
struct TextCursor {
  private let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }
  var remaining: Int { bytes.count - offset }

  func error(_ what: String) -> DecodeError { DecodeError(.malformed, what, at: offset) }

  /// Consumes `byte` if it comes next.
  mutating func accept(_ byte: UInt8) -> Bool {
    guard offset < bytes.count, bytes[offset] == byte else { return false }
    offset += 1
    return true
  }

  mutating func expect(_ byte: UInt8, _ what: String) throws(DecodeError) {
    if !accept(byte) { throw error(what) }
  }

  func expectEnd(_ what: String) throws(DecodeError) {
    if !isAtEnd { throw error(what) }
  }

  /// Consumes one digit; nil when something else comes next.
  mutating func digit() -> UInt64? {
    guard offset < bytes.count else { return nil }
    let value = bytes[offset] &- UInt8(ascii: "0")
    guard value <= 9 else { return nil }
    offset += 1
    return UInt64(value)
  }

  /// Consumes one hexadecimal digit; nil when something else comes next.
  mutating func hexDigit() -> UInt8? {
    guard offset < bytes.count else { return nil }
    let value: UInt8
    switch bytes[offset] {
    case let byte where byte &- UInt8(ascii: "0") <= 9: value = byte - UInt8(ascii: "0")
    case let byte where byte &- UInt8(ascii: "a") <= 5: value = byte - UInt8(ascii: "a") + 10
    case let byte where byte &- UInt8(ascii: "A") <= 5: value = byte - UInt8(ascii: "A") + 10
    default: return nil
    }
    offset += 1
    return value
  }

  /// Consumes the digits that come next, at least one, as a number.
  mutating func number(_ what: String) throws(DecodeError) -> UInt64 {
    guard var value = digit() else { throw error(what) }
    while let next = digit() {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(next)
      if overflow || carry { throw error(what) }
      value = sum
    }
    return value
  }

  /// Consumes exactly `count` digits as a number; `count` is at most 19.
  mutating func number(digits count: Int, _ what: String) throws(DecodeError) -> Int {
    var value = 0
    for _ in 0..<count {
      guard let next = digit() else { throw error(what) }
      value = value &* 10 &+ Int(next)
    }
    return value
  }

  /// Consumes a fraction of a second of at most `maximumDigits` digits, with its point, as
  /// microseconds; 0 without one.
  mutating func microseconds(maximumDigits: Int) throws(DecodeError) -> Int {
    guard accept(UInt8(ascii: ".")) else { return 0 }
    let what = "fraction of a second"
    let count = min(remaining, maximumDigits)
    if count == 0 { throw error(what) }
    var value = try number(digits: count, what)
    for _ in count..<6 { value *= 10 }
    return value
  }
}

/// Parses a whole number as a 64-bit pattern, two's complement when `isSigned`, that fits
/// `byteCount` bytes.
func parseInteger(_ cell: UnsafeRawBufferPointer, byteCount: Int, isSigned: Bool)
  throws(DecodeError) -> UInt64
{
  var cursor = TextCursor(cell)
  let isNegative = cursor.accept(UInt8(ascii: "-"))
  let magnitude = try cursor.number("integer")
  try cursor.expectEnd("integer")
  let bits = UInt64(byteCount * 8)
  let limit: UInt64
  if isSigned {
    limit = (1 &<< (bits - 1)) - (isNegative ? 0 : 1)
  } else {
    limit = isNegative ? 0 : UInt64.max >> (64 - bits)
  }
  guard magnitude <= limit else { throw cursor.error("integer out of its column's range") }
  return isNegative ? 0 &- magnitude : magnitude
}

/// Parses a floating-point number in decimal notation.
func parseDouble(_ cell: UnsafeRawBufferPointer) throws(DecodeError) -> Double {
  // The server prints at most 17 digits or, in plain notation, about 330 characters.
  guard cell.count > 0, cell.count < 512, cell.allSatisfy(isNumberByte) else {
    throw DecodeError(.malformed, "floating-point number", at: 0)
  }
  let parsed: Double? = withUnsafeTemporaryAllocation(of: CChar.self, capacity: cell.count + 1) {
    text in
    for index in 0..<cell.count { text[index] = CChar(bitPattern: cell[index]) }
    text[cell.count] = 0
    guard let start = text.baseAddress else { return nil }
    var end: UnsafeMutablePointer<CChar>?
    // strtod reads the point of the C locale, which no part of this program changes.
    let value = strtod(start, &end)
    return end == start + cell.count ? value : nil
  }
  guard let value = parsed, value.isFinite else {
    throw DecodeError(.malformed, "floating-point number", at: 0)
  }
  return value
}

private func isNumberByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
    UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
    true
  default: false
  }
}
