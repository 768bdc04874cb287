import Glibc

extension SQLLiteral {
  /// The value in a column of times, or nil when it is not certain.
  func temporal(_ value: Value, _ type: ColumnType) -> String? {
    switch (type, value) {
    case (.year, .number(let text)): return TemporalText.year(text, zeroes: ["0", "0000"])
    case (.year, .text(let text)): return TemporalText.year(text, zeroes: ["0000"])
    case (.date, .text(let text)): return TemporalText.date(text)
    case (.date, .number(let text)): return TemporalText.date(digits: text)
    case (.datetime(let digits), .text(let text)):
      return TemporalText.datetime(text, fractionalDigits: digits)
    case (.datetime(let digits), .number(let text)):
      return TemporalText.datetime(digits: text, fractionalDigits: digits)
    case (.timestamp(let digits), .text(let text)):
      // Any other value is one of the session's time zone.
      let result = TemporalText.datetime(text, fractionalDigits: digits)
      return result == TemporalText.zeroDatetime(digits) ? result : nil
    case (.timestamp(let digits), .number(let text)):
      let result = TemporalText.datetime(digits: text, fractionalDigits: digits)
      return result == TemporalText.zeroDatetime(digits) ? result : nil
    case (.time(let digits), .text(let text)):
      return TemporalText.time(text, fractionalDigits: digits)
    case (.time(let digits), .number(let text)):
      return TemporalText.time(digits: text, fractionalDigits: digits)
    default: return nil
    }
  }

  /// The value in a column of addresses or UUIDs, or nil when it is not certain.
  func networkOrUUID(_ text: String, _ type: ColumnType) -> String? {
    switch type {
    case .inet4: return canonicalAddress(text, AF_INET)
    case .inet6: return canonicalAddress(text, AF_INET6)
    case .uuid:
      let parts = text.lowercased().split(separator: "-", omittingEmptySubsequences: false)
      let isHexadecimal = parts.joined().utf8.allSatisfy {
        ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66)
      }
      guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12], isHexadecimal else { return nil }
      return parts.joined(separator: "-")
    default: return nil
    }
  }

  /// The address, if it is written as it is printed.
  private func canonicalAddress(_ text: String, _ family: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard inet_pton(family, text, &bytes) == 1 else { return nil }
    var printed = [CChar](repeating: 0, count: 64)
    guard inet_ntop(family, bytes, &printed, socklen_t(printed.count)) != nil else { return nil }
    let lowercased = text.lowercased()
    let isSame = printed.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)) == Array(lowercased.utf8)
    return isSame ? lowercased : nil
  }
}

/// Dates and times in the one form that the server prints, from the forms in which they are usually
/// written. What is not certain gives nil.
enum TemporalText {
  static func zeroDatetime(_ fractionalDigits: Int) -> String {
    "0000-00-00 00:00:00" + zeroFraction(fractionalDigits)
  }

  static func year(_ text: String, zeroes: Set<String>) -> String? {
    if zeroes.contains(text) { return "0000" }
    guard text.utf8.count == 4, let number = UInt16(text), (1901...2155).contains(number) else {
      return nil
    }
    return text
  }

  /// `2024-1-31`.
  static func date(_ text: String) -> String? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].utf8.count == 4, let year = field(parts[0], 9999),
      let month = field(parts[1], 12), let day = field(parts[2], 31)
    else { return nil }
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  /// `20240131` and 0.
  static func date(digits: String) -> String? {
    if digits == "0" { return "0000-00-00" }
    guard digits.utf8.count == 8 else { return nil }
    return date("\(digits.prefix(4))-\(digits.dropFirst(4).prefix(2))-\(digits.suffix(2))")
  }

  /// `2024-01-31 23:59:59.5`, or a date alone.
  static func datetime(_ text: String, fractionalDigits: Int) -> String? {
    let parts = text.split(
      maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: { $0 == " " || $0 == "T" })
    guard let first = parts.first, let date = date(String(first)) else { return nil }
    let time = parts.count > 1 ? String(parts[1]) : "0:0:0"
    guard time.utf8.count(where: { $0 == UInt8(ascii: ":") }) == 2,
      let clock = clock(time, maximumHour: 23, fractionalDigits: fractionalDigits)
    else { return nil }
    return "\(date) \(clock)"
  }

  /// `20240131235959`, `20240131` and 0.
  static func datetime(digits: String, fractionalDigits: Int) -> String? {
    if let date = date(digits: digits) {
      return datetime(date, fractionalDigits: fractionalDigits)
    }
    guard digits.utf8.count == 14, let date = date(digits: String(digits.prefix(8))) else {
      return nil
    }
    let time = digits.dropFirst(8)
    return datetime(
      "\(date) \(time.prefix(2)):\(time.dropFirst(2).prefix(2)):\(time.suffix(2))",
      fractionalDigits: fractionalDigits)
  }

  /// `-838:59:59.5` or `12:34`.
  static func time(_ text: String, fractionalDigits: Int) -> String? {
    let isNegative = text.hasPrefix("-")
    guard text.contains(":"),
      let clock = clock(
        String(text.dropFirst(isNegative ? 1 : 0)), maximumHour: 838,
        fractionalDigits: fractionalDigits)
    else { return nil }
    let isZero = clock.utf8.allSatisfy { [0x30, 0x3A, 0x2E].contains($0) }
    return isNegative && !isZero ? "-" + clock : clock
  }

  /// `123456` and shorter numbers, whose last digits are the seconds.
  static func time(digits: String, fractionalDigits: Int) -> String? {
    guard !digits.isEmpty, digits.utf8.count <= 7, let number = Int(digits), number >= 0 else {
      return nil
    }
    return time(
      "\(number / 10_000):\(number / 100 % 100):\(number % 100)", fractionalDigits: fractionalDigits
    )
  }

  /// Hours, minutes and perhaps seconds with a fraction.
  private static func clock(_ text: String, maximumHour: Int, fractionalDigits: Int) -> String? {
    let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = halves.first else { return nil }
    let parts = whole.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3 || (parts.count == 2 && halves.count == 1),
      let hour = field(parts[0], maximumHour), let minute = field(parts[1], 59),
      let second = parts.count == 3 ? field(parts[2], 59) : 0,
      let fraction = fraction(
        halves.count > 1 ? String(halves[1]) : "", fractionalDigits: fractionalDigits)
    else { return nil }
    return "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))\(fraction)"
  }

  /// The fraction with its point; nil when digits would be lost.
  private static func fraction(_ digits: String, fractionalDigits: Int) -> String? {
    let kept = digits.prefix(fractionalDigits)
    guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      digits.dropFirst(fractionalDigits).allSatisfy({ $0 == "0" })
    else { return nil }
    guard fractionalDigits > 0 else { return "" }
    return "." + kept + String(repeating: "0", count: fractionalDigits - kept.utf8.count)
  }

  static func zeroFraction(_ fractionalDigits: Int) -> String {
    fractionalDigits > 0 ? "." + String(repeating: "0", count: fractionalDigits) : ""
  }

  private static func field(_ text: Substring, _ maximum: Int) -> Int? {
    guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      let value = Int(text), value <= maximum
    else { return nil }
    return value
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let text = "\(value)"
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }
}
