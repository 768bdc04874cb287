import WireFormat

extension [UInt8] {
  /// Appends a value of a column type that JSON does not have: a decimal as a number, a date or
  /// time as a string, any other as a string with the type's number and base64.
  mutating func appendJSONOpaque(fieldType: UInt8, _ data: RawSpan) throws(DecodeError) {
    switch fieldType {
    case 246:
      try appendDecimal(data)
    case 7, 10, 11, 12:
      var reader = ByteReader(data)
      let packed: Int64 = try reader.read()
      try reader.expectEnd("date or time in JSON")
      append(UInt8(ascii: "\""))
      if fieldType == 11 {
        appendTime(packed)
      } else {
        appendDatetime(UInt64(bitPattern: packed), hasTime: fieldType != 10)
      }
      append(UInt8(ascii: "\""))
    default:
      append(contentsOf: "\"base64:type\(fieldType):".utf8)
      data.withUnsafeBytes { appendBase64($0) }
      append(UInt8(ascii: "\""))
    }
  }

  /// Appends a DECIMAL with its precision and scale in the two bytes before it.
  private mutating func appendDecimal(_ data: RawSpan) throws(DecodeError) {
    var reader = ByteReader(data)
    let precision = Int(try reader.read(UInt8.self))
    let scale = Int(try reader.read(UInt8.self))
    guard (1...65).contains(precision), scale <= Swift.min(precision, 38) else {
      throw DecodeError(.malformed, "precision of a decimal in JSON", at: 0)
    }
    var groups = DecimalGroups(try reader.readArray(reader.remaining))
    if groups.isNegative { append(UInt8(ascii: "-")) }
    let whole = try groups.take(digitCount: precision - scale, isFraction: false)
    append(contentsOf: whole.isEmpty ? [0x30] : whole)
    if scale > 0 {
      append(UInt8(ascii: "."))
      append(contentsOf: try groups.take(digitCount: scale, isFraction: true))
    }
    guard groups.isAtEnd else { throw DecodeError(.trailingBytes, "decimal in JSON", at: 2) }
  }

  /// Appends a time: 24 bits of microseconds below 6 bits of seconds, 6 of minutes and the hours.
  private mutating func appendTime(_ packed: Int64) {
    if packed < 0 { append(UInt8(ascii: "-")) }
    let bits = packed.magnitude
    append(decimal: bits >> 36 & 0x3FF, width: 2)
    appendMinutes(bits)
  }

  /// Appends a date, and the time below it: 5 bits of hours, 17 in all without the microseconds;
  /// above, 5 bits of day and the month counted in years of 13 months.
  private mutating func appendDatetime(_ packed: UInt64, hasTime: Bool) {
    let months = packed >> 46 & 0x1_FFFF
    append(decimal: months / 13, width: 4)
    append(UInt8(ascii: "-"))
    append(decimal: months % 13, width: 2)
    append(UInt8(ascii: "-"))
    append(decimal: packed >> 41 & 0x1F, width: 2)
    guard hasTime else { return }
    append(UInt8(ascii: " "))
    append(decimal: packed >> 36 & 0x1F, width: 2)
    appendMinutes(packed)
  }

  private mutating func appendMinutes(_ bits: UInt64) {
    append(UInt8(ascii: ":"))
    append(decimal: bits >> 30 & 0x3F, width: 2)
    append(UInt8(ascii: ":"))
    append(decimal: bits >> 24 & 0x3F, width: 2)
    append(UInt8(ascii: "."))
    append(decimal: bits & 0xFF_FFFF, width: 6)
  }

  /// Appends base64 in lines of 76 characters, with the line ends as they are in a JSON string.
  private mutating func appendBase64(_ bytes: UnsafeRawBufferPointer) {
    let lineByteCount = 57
    for line in stride(from: 0, to: bytes.count, by: lineByteCount) {
      if line > 0 { append(contentsOf: "\\n".utf8) }
      let lineEnd = Swift.min(line + lineByteCount, bytes.count)
      for start in stride(from: line, to: lineEnd, by: 3) {
        let count = Swift.min(3, lineEnd - start)
        var bits: UInt32 = 0
        for index in 0..<3 {
          bits = bits << 8 | (index < count ? UInt32(bytes[start + index]) : 0)
        }
        for index in 0..<4 {
          let digit = Int(bits >> UInt32(18 - 6 * index) & 0x3F)
          append(index <= count ? base64Digits[digit] : UInt8(ascii: "="))
        }
      }
    }
  }
}

private let base64Digits = [UInt8](
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

/// The digits of MySQL's binary DECIMAL: groups of nine digits in four bytes, highest byte first,
/// and at each outer end a shorter group. The first bit is set unless the number is negative, in
/// which case all bits are inverted.
private struct DecimalGroups {
  /// For each number of digits the bytes that they take.
  private static let byteCounts = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]

  let isNegative: Bool
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    let isNegative = (bytes.first ?? 0x80) & 0x80 == 0
    var plain = bytes.map { isNegative ? ~$0 : $0 }
    if !plain.isEmpty { plain[0] ^= 0x80 }
    self.isNegative = isNegative
    self.bytes = plain[...]
  }

  var isAtEnd: Bool { bytes.isEmpty }

  /// Takes the digits on one side of the point; those before it lose their leading zeros.
  mutating func take(digitCount: Int, isFraction: Bool) throws(DecodeError) -> [UInt8] {
    let full = [Int](repeating: 9, count: digitCount / 9)
    let partial = digitCount % 9 > 0 ? [digitCount % 9] : []
    var digits: [UInt8] = []
    for count in isFraction ? full + partial : partial + full {
      let byteCount = Self.byteCounts[count]
      guard bytes.count >= byteCount else {
        throw DecodeError(.truncated, "decimal in JSON", at: 2)
      }
      let value = bytes.prefix(byteCount).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      bytes = bytes.dropFirst(byteCount)
      guard String(value).utf8.count <= count else {
        throw DecodeError(.malformed, "decimal in JSON", at: 2)
      }
      digits.append(decimal: value, width: count)
    }
    return isFraction ? digits : [UInt8](digits.drop { $0 == 0x30 })
  }
}
