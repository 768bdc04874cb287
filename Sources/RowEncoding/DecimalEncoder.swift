import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// How many bytes a DECIMAL takes in a row image: nine digits in four bytes on either side of the
/// point, and the digits left over, first before the point and last after it, in as few bytes as
/// they need.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/precision-math-decimal-characteristics.html>
struct DecimalLayout: Equatable {
  /// Digits before and after the point.
  let integerDigits: Int
  let fractionDigits: Int

  /// `nil` for a precision and a scale that no server declares.
  init?(precision: Int, scale: Int) {
    guard (1...65).contains(precision), (0...min(precision, 38)).contains(scale) else { return nil }
    integerDigits = precision - scale
    fractionDigits = scale
  }

  /// The bytes that 0 to 9 digits take.
  static func byteCount(digits: Int) -> Int { (digits + 1) / 2 - digits / 9 }

  static func byteCount(side digits: Int) -> Int {
    digits / 9 * 4 + byteCount(digits: digits % 9)
  }

  var byteCount: Int {
    Self.byteCount(side: integerDigits) + Self.byteCount(side: fractionDigits)
  }

  /// The digits of each group, in the order in which the groups are stored.
  var groups: [Int] {
    var groups: [Int] = []
    if integerDigits % 9 > 0 { groups.append(integerDigits % 9) }
    groups += Array(repeating: 9, count: integerDigits / 9 + fractionDigits / 9)
    if fractionDigits % 9 > 0 { groups.append(fractionDigits % 9) }
    return groups
  }
}

/// 10 to the power of 0 to 9.
private let powersOfTen: [UInt32] = [
  1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
]

/// An unsigned integer of 256 bits, wide enough for the 65 digits of a DECIMAL.
private struct Magnitude {
  var limbs: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// Multiplies by `factor` and adds `addend`. What passes 256 bits is lost; callers count digits.
  mutating func multiply(by factor: UInt32, adding addend: UInt32) {
    var carry = UInt64(addend)
    func step(_ limb: inout UInt64) {
      let product = limb.multipliedFullWidth(by: UInt64(factor))
      let (low, overflow) = product.low.addingReportingOverflow(carry)
      limb = low
      carry = product.high &+ (overflow ? 1 : 0)
    }
    step(&limbs.0)
    if carry == 0 && limbs.1 == 0 && limbs.2 == 0 && limbs.3 == 0 { return }
    step(&limbs.1)
    step(&limbs.2)
    step(&limbs.3)
  }
}

/// DECIMAL(precision, scale), exact.
final class DecimalEncoder: ColumnEncoder {
  private let values: DecimalBuilder
  private let precision: Int
  private let scale: Int
  private let groups: [(digits: Int, byteCount: Int)]

  /// - Precondition: `layout` is that of `precision` and `scale`.
  init(
    _ column: Column, _ field: Field, _ context: ColumnContext, precision: Int, scale: Int,
    layout: DecimalLayout
  ) {
    values = DecimalBuilder(precision: precision, scale: scale)
    self.precision = precision
    self.scale = scale
    groups = layout.groups.map { ($0, DecimalLayout.byteCount(side: $0)) }
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    wire == .decimal(precision: precision, scale: scale)
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    var magnitude = Magnitude()
    var isNegative = false
    var isFirst = true
    for (digits, byteCount) in groups {
      var group = UInt32(truncatingIfNeeded: try reader.readBigEndianUInt(byteCount: byteCount))
      let sign = UInt32(1) &<< UInt32(byteCount * 8 - 1)
      if isFirst {
        // The first bit of all is 1 for numbers from 0 on; the bits of negative numbers are
        // inverted.
        isNegative = group & sign == 0
        group ^= sign
        isFirst = false
      }
      if isNegative { group ^= sign | (sign &- 1) }
      guard group < powersOfTen[digits] else {
        throw DecodeError(.malformed, "digits of a decimal", at: start)
      }
      magnitude.multiply(by: powersOfTen[digits], adding: group)
    }
    values.append(magnitude: magnitude.limbs, isNegative: isNegative)
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    let isNegative = cursor.accept(UInt8(ascii: "-"))
    var magnitude = Magnitude()
    var digitCount = 0
    var significantCount = 0
    func append(_ digit: UInt64) {
      digitCount += 1
      if digit != 0 || significantCount > 0 { significantCount += 1 }
      magnitude.multiply(by: 10, adding: UInt32(digit))
    }
    while let digit = cursor.digit() { append(digit) }
    guard digitCount > 0, significantCount <= precision - scale else {
      throw cursor.error("digits of a decimal")
    }
    var fractionCount = 0
    if cursor.accept(UInt8(ascii: ".")) {
      while let digit = cursor.digit() {
        append(digit)
        fractionCount += 1
      }
      if fractionCount == 0 { throw cursor.error("digits of a decimal") }
    }
    try cursor.expectEnd("digits of a decimal")
    guard fractionCount <= scale else {
      throw cursor.error("more fractional digits than the column has")
    }
    for _ in fractionCount..<scale { append(0) }
    values.append(magnitude: magnitude.limbs, isNegative: isNegative)
  }
}
