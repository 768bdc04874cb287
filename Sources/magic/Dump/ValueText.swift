/// The texts of values that JSON has no numbers for.
enum ValueText {
  /// A date, `2024-02-29`, from days since 1970-01-01.
  static func date(days: Int) -> String {
    let (year, month, day) = civil(days: days)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  /// A date and time, `2024-02-29 23:59:59.123`, from microseconds since 1970-01-01.
  static func datetime(microseconds: Int, fractionalDigits: Int) -> String {
    let day = 86_400_000_000
    let days = floored(microseconds, day)
    let rest = microseconds - days * day
    return date(days: days) + " " + time(microseconds: rest, fractionalDigits: fractionalDigits)
  }

  /// A TIME, `-838:59:59.5`, from microseconds.
  static func time(microseconds: Int, fractionalDigits: Int) -> String {
    let magnitude = microseconds.magnitude
    let seconds = Int(magnitude / 1_000_000)
    var text = microseconds < 0 ? "-" : ""
    text +=
      "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
    if fractionalDigits > 0 {
      text += "." + padded(Int(magnitude % 1_000_000), 6).prefix(fractionalDigits)
    }
    return text
  }

  /// A decimal number, `-0.10`, from its magnitude in little-endian limbs.
  static func decimal(
    magnitude: (UInt64, UInt64, UInt64, UInt64), isNegative: Bool, scale: Int
  ) -> String {
    let groupBase: UInt64 = 1_000_000_000_000_000_000
    var limbs = [magnitude.3, magnitude.2, magnitude.1, magnitude.0]
    var groups: [UInt64] = []
    while limbs.contains(where: { $0 != 0 }) {
      var remainder: UInt64 = 0
      for index in limbs.indices {
        (limbs[index], remainder) = groupBase.dividingFullWidth((remainder, limbs[index]))
      }
      groups.append(remainder)
    }
    var digits = ""
    for (index, group) in groups.reversed().enumerated() {
      let text = String(group)
      digits += (index == 0 ? "" : String(repeating: "0", count: 18 - text.count)) + text
    }
    if digits.count <= scale {
      digits = String(repeating: "0", count: scale + 1 - digits.count) + digits
    }
    let point = digits.index(digits.endIndex, offsetBy: -scale)
    let sign = isNegative ? "-" : ""
    return scale == 0 ? sign + digits : "\(sign)\(digits[..<point]).\(digits[point...])"
  }

  /// A UUID in its usual form, from its 16 bytes.
  static func uuid(_ bytes: UnsafeRawBufferPointer) -> String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text += "-" }
      text += byte < 16 ? "0" : ""
      text += String(byte, radix: 16)
    }
    return text
  }

  /// The form of RFC 5952, except that, as the server does, a single zero group is shortened too and
  /// an address of which only the last 32 bits are set ends in dotted form.
  static func ipv6(_ bytes: UnsafeRawBufferPointer) -> String {
    let groups = stride(from: 0, to: bytes.count, by: 2).map {
      Int(bytes[$0]) << 8 | Int(bytes[$0 + 1])
    }
    var gap = 0..<0
    var start = 0
    for (index, group) in groups.enumerated() {
      if group != 0 {
        start = index + 1
      } else if index + 1 - start > gap.count {
        gap = start..<(index + 1)
      }
    }
    let isMapped = gap == 0..<5 && groups[5] == 0xFFFF
    let isDotted = gap == 0..<6 || isMapped
    var parts = groups.map { String($0, radix: 16) }
    if isDotted {
      parts[6...] = [bytes[12...].map { String($0) }.joined(separator: ".")]
    }
    guard !gap.isEmpty else { return parts.joined(separator: ":") }
    return parts[..<gap.lowerBound].joined(separator: ":") + "::"
      + parts[min(gap.upperBound, parts.count)...].joined(separator: ":")
  }

  /// The day of the proleptic Gregorian calendar. A year is counted from March here, so that the
  /// leap day ends it; 400 years have 146,097 days.
  private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = floored(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }

  private static func floored(_ value: Int, _ divisor: Int) -> Int {
    value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }
}
