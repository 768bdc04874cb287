import Arrow
import WireFormat

/// A date as the server stores it, which need not be a day of the calendar.
struct CalendarDate: Equatable {
  var year: Int
  var month: Int
  var day: Int

  /// Days since 1970-01-01 in the proleptic Gregorian calendar, which has a year 0; `nil` when
  /// there is no such day.
  var daysSince1970: Int? {
    guard (1...12).contains(month), day >= 1, day <= daysInMonth else { return nil }
    // Years are counted from March, so that the leap day is the last of its year. 400 years have
    // 146,097 days.
    let marchYear = month > 2 ? year : year - 1
    let cycle = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
    let yearOfCycle = marchYear - cycle * 400
    let marchMonth = month > 2 ? month - 3 : month + 9
    let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
    let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
    return cycle * 146_097 + dayOfCycle - 719_468
  }

  private var daysInMonth: Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

/// A time of the day, or the parts of a TIME.
struct ClockTime: Equatable {
  var hour: Int
  var minute: Int
  var second: Int
  var microsecond: Int

  /// Whether minutes, seconds and microseconds are in range and the hour is at most `maximumHour`.
  func isValid(maximumHour: Int) -> Bool {
    hour <= maximumHour && minute < 60 && second < 60 && microsecond < 1_000_000
  }

  /// Seconds without the fraction.
  var seconds: Int { (hour * 60 + minute) * 60 + second }
}

/// The unit in which a DATETIME or TIMESTAMP is stored: the coarsest that holds its fractional
/// digits.
enum SubsecondUnit {
  case second, millisecond, microsecond

  init(digits: Int) {
    self = digits == 0 ? .second : digits <= 3 ? .millisecond : .microsecond
  }

  var timeUnit: TimeUnit {
    switch self {
    case .second: .second
    case .millisecond: .millisecond
    case .microsecond: .microsecond
    }
  }

  /// Seconds and microseconds in this unit. The range of the server's dates fits by far.
  @inline(__always)
  func value(seconds: Int, microseconds: Int) -> Int64 {
    switch self {
    case .second: Int64(seconds)
    case .millisecond: Int64(seconds &* 1000 &+ microseconds / 1000)
    case .microsecond: Int64(seconds &* 1_000_000 &+ microseconds)
    }
  }
}

extension ByteReader {
  /// Reads the fraction of a second behind a temporal value, as microseconds.
  @inline(__always)
  mutating func readMicroseconds(digits: Int) throws(DecodeError) -> Int {
    switch (digits + 1) / 2 {
    case 0: 0
    case 1: Int(try read(UInt8.self)) * 10_000
    case 2: Int(try readBigEndian(UInt16.self)) * 100
    default: Int(try readBigEndianUInt(byteCount: 3))
    }
  }
}

extension TextCursor {
  /// Consumes `YYYY-MM-DD`.
  mutating func date() throws(DecodeError) -> CalendarDate {
    let year = try number(digits: 4, "date")
    try expect(UInt8(ascii: "-"), "date")
    let month = try number(digits: 2, "date")
    try expect(UInt8(ascii: "-"), "date")
    return CalendarDate(year: year, month: month, day: try number(digits: 2, "date"))
  }

  /// Consumes `:MM:SS` and a fraction if there is one.
  mutating func clockTime(afterHour hour: Int, fractionalDigits: Int) throws(DecodeError)
    -> ClockTime
  {
    try expect(UInt8(ascii: ":"), "time")
    let minute = try number(digits: 2, "time")
    try expect(UInt8(ascii: ":"), "time")
    let second = try number(digits: 2, "time")
    let microsecond = try microseconds(maximumDigits: fractionalDigits)
    return ClockTime(hour: hour, minute: minute, second: second, microsecond: microsecond)
  }
}
