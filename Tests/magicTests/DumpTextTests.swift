import Foundation
import Testing

@testable import magic

@Suite struct DumpTextTests {
  @Test(arguments: [
    (0, "1970-01-01"), (-1, "1969-12-31"), (11_016, "2000-02-29"), (-719_528, "0000-01-01"),
    (-719_468, "0000-03-01"), (2_932_896, "9999-12-31"), (19_782, "2024-02-29"),
    (-25_509, "1900-02-28"), (-25_508, "1900-03-01"),
  ])
  func dates(days: Int, text: String) {
    #expect(ValueText.date(days: days) == text)
  }

  @Test(arguments: [
    (0, 0, "1970-01-01 00:00:00"), (-1, 6, "1969-12-31 23:59:59.999999"),
    (253_402_300_799_999_999, 6, "9999-12-31 23:59:59.999999"),
    (1_709_251_199_120_000, 2, "2024-02-29 23:59:59.12"),
  ])
  func datetimes(microseconds: Int, digits: Int, text: String) {
    #expect(ValueText.datetime(microseconds: microseconds, fractionalDigits: digits) == text)
  }

  @Test(arguments: [
    (0, 0, "00:00:00"), (-3_020_399_000_000, 0, "-838:59:59"), (-500_000, 1, "-00:00:00.5"),
    (86_399_000_001, 6, "23:59:59.000001"),
  ])
  func times(microseconds: Int, digits: Int, text: String) {
    #expect(ValueText.time(microseconds: microseconds, fractionalDigits: digits) == text)
  }

  @Test(arguments: [
    ("20010db8000000000000000000000001", "2001:db8::1"),
    ("00000000000000000000000000000000", "::"),
    ("00000000000000000000000000000001", "::1"),
    ("00000000000000000000000000010002", "::0.1.0.2"),
    ("00000000000000000000ffff01020304", "::ffff:1.2.3.4"),
    ("00010000000200030004000500060007", "1::2:3:4:5:6:7"),
    ("00010002000300040005000600070000", "1:2:3:4:5:6:7::"),
    ("00000000000100000000000100000000", "::1:0:0:1:0:0"),
    ("0064ff9b000000000000000001020304", "64:ff9b::102:304"),
    ("20010db8000000000001000000000000", "2001:db8:0:0:1::"),
    ("00010002000300040005000600070008", "1:2:3:4:5:6:7:8"),
  ])
  func ipv6Addresses(digits: String, text: String) {
    let digits = Array(digits)
    let bytes = stride(from: 0, to: 32, by: 2).compactMap {
      UInt8(String(digits[$0...($0 + 1)]), radix: 16)
    }
    #expect(bytes.withUnsafeBytes { ValueText.ipv6($0) } == text)
  }

  @Test func decimals() {
    func text(_ magnitude: (UInt64, UInt64, UInt64, UInt64), _ scale: Int, negative: Bool = false)
      -> String
    {
      ValueText.decimal(magnitude: magnitude, isNegative: negative, scale: scale)
    }
    #expect(text((0, 0, 0, 0), 0) == "0")
    #expect(text((0, 0, 0, 0), 2) == "0.00")
    #expect(text((10, 0, 0, 0), 2, negative: true) == "-0.10")
    #expect(text((12_345, 0, 0, 0), 2) == "123.45")
    #expect(text((0, 1, 0, 0), 0) == "18446744073709551616")
    #expect(text((1_000_000_000_000_000_000, 0, 0, 0), 0) == "1000000000000000000")
    let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
    #expect(text((.max, .max, .max, .max), 0) == most)
    #expect(text((.max, .max, .max, .max), 78) == "0." + most)
  }

  @Test func everyLineIsJSON() throws {
    var line = JSONLine()
    line.open("{")
    line.key("a\"\\\u{1}\n")
    line.raw("1")
    line.key("list")
    line.open("[")
    line.string("ü€🜁")
    line.open("[")
    line.close("]")
    line.raw("null")
    line.close("]")
    line.key("bad")
    [UInt8]([0x61, 0xFF, 0x62]).withUnsafeBytes { line.string($0) }
    line.close("}")
    line.endLine()
    let text = String(decoding: line.take(), as: UTF8.self)
    #expect(
      text == #"{"a\"\\\u0001\n":1,"list":["ü€🜁",[],null],"bad":"a"# + "\u{FFFD}" + #"b"}"# + "\n")
    #expect(line.take() == [])
  }

  @Test(arguments: [0, 1, 2, 3, 4, 5, 31, 32, 33])
  func base64(count: Int) {
    let data = Data((0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + 250) })
    var line = JSONLine()
    data.withUnsafeBytes { line.base64($0) }
    #expect(String(decoding: line.take(), as: UTF8.self) == "\"\(data.base64EncodedString())\"")
  }
}
