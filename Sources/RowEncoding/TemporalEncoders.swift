import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// DATE.
final class DateEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<Int32>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .date }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let packed = Int(try reader.readUInt(byteCount: 3))
    let date = CalendarDate(year: packed >> 9, month: packed >> 5 & 15, day: packed & 31)
    try append(date, at: start)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    let date = try cursor.date()
    try cursor.expectEnd("date")
    try append(date, at: 0)
  }

  private func append(_ date: CalendarDate, at offset: Int) throws(DecodeError) {
    if let days = date.daysSince1970 {
      values.append(Int32(truncatingIfNeeded: days))
    } else {
      try context.countZeroDate(at: offset)
      values.appendNull()
    }
  }
}

/// DATETIME and TIMESTAMP: one array for both, since both are stored as if in UTC.
class InstantEncoder: ColumnEncoder {
  fileprivate let values: PrimitiveBuilder<Int64>
  fileprivate let fractionalDigits: Int
  fileprivate let unit: SubsecondUnit
  /// Whether cells have the form of servers before 5.6.
  fileprivate var isOldFormat = false

  init(_ column: Column, _ field: Field, _ context: ColumnContext, fractionalDigits: Int) {
    values = PrimitiveBuilder(type: field.type)
    self.fractionalDigits = fractionalDigits
    unit = SubsecondUnit(digits: fractionalDigits)
    super.init(column, field, values, context)
  }

  final override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    let date = try cursor.date()
    try cursor.expect(UInt8(ascii: " "), "time")
    let hour = try cursor.number(digits: 2, "time")
    let time = try cursor.clockTime(afterHour: hour, fractionalDigits: fractionalDigits)
    try cursor.expectEnd("time")
    try append(date, time, at: 0)
  }

  @inline(__always)
  fileprivate final func append(_ date: CalendarDate, _ time: ClockTime, at offset: Int)
    throws(DecodeError)
  {
    guard time.isValid(maximumHour: 23) else {
      throw DecodeError(.malformed, "time of day", at: offset)
    }
    if let days = date.daysSince1970 {
      let seconds = days &* 86_400 &+ time.seconds
      values.append(unit.value(seconds: seconds, microseconds: time.microsecond))
    } else {
      try appendZeroDate(at: offset)
    }
  }

  fileprivate final func appendZeroDate(at offset: Int) throws(DecodeError) {
    try context.countZeroDate(at: offset)
    values.appendNull()
  }
}

/// DATETIME(n), as written.
final class DatetimeEncoder: InstantEncoder {
  override func accept(_ wire: WireColumnType) -> Bool {
    isOldFormat = wire == .oldDatetime
    // MariaDB's own format for fractions before 10.1 has the old type code too, but does not say
    // its size.
    return isOldFormat
      ? fractionalDigits == 0 : wire == .datetime(fractionalDigits: fractionalDigits)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    if isOldFormat { return try decodeOld(&reader) }
    let start = reader.offset
    let packed = Int(try reader.readBigEndianUInt(byteCount: 5))
    let microsecond = try reader.readMicroseconds(digits: fractionalDigits)
    // 1 bit that is set unless negative, which no date is, 17 bits of year * 13 + month, then 5
    // bits of day, 5 of hour, 6 of minute, 6 of second.
    guard packed >> 39 == 1 else { throw DecodeError(.malformed, "negative date", at: start) }
    let yearMonth = packed >> 22 & 0x1_FFFF
    let date = CalendarDate(year: yearMonth / 13, month: yearMonth % 13, day: packed >> 17 & 31)
    let time = ClockTime(
      hour: packed >> 12 & 31, minute: packed >> 6 & 63, second: packed & 63,
      microsecond: microsecond)
    try append(date, time, at: start)
  }

  /// The decimal number YYYYMMDDhhmmss.
  private func decodeOld(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let packed = try reader.read(UInt64.self)
    guard packed <= 9999_99_99_99_99_99 else { throw DecodeError(.malformed, "date", at: start) }
    let (day, clock) = (Int(packed / 1_000_000), Int(packed % 1_000_000))
    let date = CalendarDate(year: day / 10_000, month: day / 100 % 100, day: day % 100)
    let time = ClockTime(
      hour: clock / 10_000, minute: clock / 100 % 100, second: clock % 100, microsecond: 0)
    try append(date, time, at: start)
  }
}

/// TIMESTAMP(n), in UTC.
final class TimestampEncoder: InstantEncoder {
  override func accept(_ wire: WireColumnType) -> Bool {
    isOldFormat = wire == .oldTimestamp
    return isOldFormat
      ? fractionalDigits == 0 : wire == .timestamp(fractionalDigits: fractionalDigits)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let seconds = isOldFormat ? try reader.read(UInt32.self) : try reader.readBigEndian(UInt32.self)
    let microseconds = try reader.readMicroseconds(digits: fractionalDigits)
    guard microseconds < 1_000_000 else {
      throw DecodeError(.malformed, "fraction of a second", at: start)
    }
    // The first second of 1970 stands for 0000-00-00 00:00:00.
    if seconds == 0 { return try appendZeroDate(at: start) }
    values.append(unit.value(seconds: Int(seconds), microseconds: microseconds))
  }
}

/// TIME(n), -838:59:59 to 838:59:59, as microseconds.
final class TimeEncoder: ColumnEncoder {
  private let values: PrimitiveBuilder<Int64>
  private let fractionalDigits: Int
  private var isOldFormat = false

  init(_ column: Column, _ field: Field, _ context: ColumnContext, fractionalDigits: Int) {
    values = PrimitiveBuilder(type: field.type)
    self.fractionalDigits = fractionalDigits
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    isOldFormat = wire == .oldTime
    return isOldFormat ? fractionalDigits == 0 : wire == .time(fractionalDigits: fractionalDigits)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    if isOldFormat { return try decodeOld(&reader) }
    let start = reader.offset
    // Hours, minutes and seconds in three bytes and the fraction behind them are one big-endian
    // number, shifted so that it is not negative.
    let fractionBytes = (fractionalDigits + 1) / 2
    let shift = UInt64(fractionBytes * 8)
    let packed = Int(try reader.readBigEndianUInt(byteCount: 3 + fractionBytes))
    let value = packed - (0x80_0000 << shift)
    let magnitude = value.magnitude
    let fraction = Int(magnitude & ((1 << shift) - 1))
    let clock = Int(magnitude >> shift)
    let microsecond =
      switch fractionBytes {
      case 0: 0
      case 1: fraction * 10_000
      case 2: fraction * 100
      default: fraction
      }
    let time = ClockTime(
      hour: clock >> 12, minute: clock >> 6 & 63, second: clock & 63, microsecond: microsecond)
    try append(time, isNegative: value < 0, at: start)
  }

  /// The decimal number hhmmss, with a sign.
  private func decodeOld(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let bits = Int(try reader.readUInt(byteCount: 3))
    let value = bits & 0x80_0000 == 0 ? bits : bits - 0x100_0000
    let clock = Int(value.magnitude)
    let time = ClockTime(
      hour: clock / 10_000, minute: clock / 100 % 100, second: clock % 100, microsecond: 0)
    try append(time, isNegative: value < 0, at: start)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    let isNegative = cursor.accept(UInt8(ascii: "-"))
    let hour = try cursor.number("time")
    guard hour <= 838 else { throw cursor.error("time") }
    let time = try cursor.clockTime(afterHour: Int(hour), fractionalDigits: fractionalDigits)
    try cursor.expectEnd("time")
    try append(time, isNegative: isNegative, at: 0)
  }

  private func append(_ time: ClockTime, isNegative: Bool, at offset: Int) throws(DecodeError) {
    guard time.isValid(maximumHour: 838) else { throw DecodeError(.malformed, "time", at: offset) }
    let microseconds = Int64(time.seconds * 1_000_000 + time.microsecond)
    values.append(isNegative ? -microseconds : microseconds)
  }
}
