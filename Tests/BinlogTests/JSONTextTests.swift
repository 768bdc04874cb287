import Binlog
import Foundation
import Testing
import WireFormat

@Suite struct JSONTextTests {
  private func text(_ value: [UInt8]) throws -> String {
    var text = bytes("→")
    try appendJSONText(of: value.span.bytes, to: &text)
    return String(String(decoding: text, as: UTF8.self).dropFirst())
  }

  private func opaque(_ type: UInt8, _ data: [UInt8]) -> [UInt8] {
    [0x0F, type, UInt8(data.count)] + data
  }

  /// A small array of values, of which literals and short integers are in the entries.
  private func array(_ values: [[UInt8]]) -> [UInt8] {
    var entries: [UInt8] = []
    var data: [UInt8] = []
    for value in values {
      let offset = UInt16(4 + 3 * values.count + data.count)
      switch value[0] {
      case 4: entries += [4, value[1], 0]
      case 5, 6: entries += value
      default:
        entries += [value[0]] + littleEndian(offset)
        data += value[1...]
      }
    }
    let size = UInt16(4 + entries.count + data.count)
    return [2] + littleEndian(UInt16(values.count)) + littleEndian(size) + entries + data
  }

  private func double(_ value: Double) -> [UInt8] { [0x0B] + littleEndian(value.bitPattern) }

  @Test(
    arguments: [
      ([], "null"), ([4, 0], "null"), ([4, 1], "true"), ([4, 2], "false"),
      ([5, 0xFE, 0xFF], "-2"), ([6, 0xFE, 0xFF], "65534"), ([7, 0, 0, 0, 0x80], "-2147483648"),
      ([8, 0xFF, 0xFF, 0xFF, 0xFF], "4294967295"),
      ([9, 0, 0, 0, 0, 0, 0, 0, 0x80], "-9223372036854775808"),
      ([10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "18446744073709551615"),
      ([12, 2, 0xC3, 0xA9], "\"é\""), ([12, 0], "\"\""),
      ([2, 0, 0, 4, 0], "[]"), ([0, 0, 0, 4, 0], "{}"),
      ([3, 0, 0, 0, 0, 8, 0, 0, 0], "[]"), ([1, 0, 0, 0, 0, 8, 0, 0, 0], "{}"),
    ] as [([UInt8], String)]) func scalars(_ value: [UInt8], _ expected: String) throws
  {
    #expect(try text(value) == expected)
  }

  @Test func escapes() throws {
    let string: [UInt8] = [0, 7, 8, 9, 10, 11, 12, 13, 0x1F, 0x22, 0x5C, 0x2F, 0x7F, 0x61]
    #expect(
      try text([12, UInt8(string.count)] + string)
        == #""\u0000\u0007\b\t\n\u000b\f\r\u001f\"\\/"# + "\u{7F}a\"")
  }

  /// Expected texts are those of MySQL's `my_gcvt` with a field of 34 characters.
  @Test(
    arguments: [
      (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"), (123.456, "123.456"),
      (1e14, "100000000000000.0"), (1e15, "1e15"), (123_456_789_012_345, "123456789012345.0"),
      (1_234_567_890_123_456, "1.234567890123456e15"), (2251799813685249.5, "2251799813685249.5"),
      (1e20, "1e20"), (1.5e300, "1.5e300"), (1e-5, "0.00001"), (1e-15, "0.000000000000001"),
      (1.5e-15, "0.0000000000000015"), (1e-16, "1e-16"), (-2.5e-100, "-2.5e-100"),
      (.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e308"),
      (3.141592653589793, "3.141592653589793"), (0.30000000000000004, "0.30000000000000004"),
    ] as [(Double, String)]) func doubles(_ value: Double, _ expected: String) throws
  {
    #expect(try text(double(value)) == expected)
    #expect(Double(expected) == value)
  }

  @Test func doublesGiveTheNumberBack() throws {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<5000 {
      let value = Double(bitPattern: generator.next())
      if value.isFinite { #expect(Double(try text(double(value))) == value) }
    }
    #expect(try decodeErrorCode { _ = try text(double(.infinity)) } == .malformed)
    #expect(try decodeErrorCode { _ = try text(double(.nan)) } == .malformed)
  }

  @Test func decimals() throws {
    // 1234567890.1234 as DECIMAL(14,4): the example of MySQL's decimal2bin.
    let example: [UInt8] = [0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2]
    #expect(try text(opaque(246, [14, 4] + example)) == "1234567890.1234")
    #expect(try text(opaque(246, [14, 4] + example.map { ~$0 })) == "-1234567890.1234")
    #expect(try text(opaque(246, [3, 2, 0x80, 0x05])) == "0.05")
    #expect(try text(opaque(246, [4, 0, 0x80, 0x07])) == "7")
    #expect(try text(opaque(246, [1, 0, 0x80])) == "0")
    #expect(try text(opaque(246, [10, 9, 0x81] + [0x3B, 0x9A, 0xC9, 0xFF])) == "1.999999999")
    for bad: [UInt8] in [[0, 0], [66, 0], [5, 6], [4, 0, 0x80], [4, 0, 0x80, 7, 0], [4]] {
      #expect(throws: DecodeError.self) { try text(opaque(246, bad)) }
    }
  }

  @Test func dates() throws {
    let date = Int64((2015 * 13 + 1) << 5 | 15) << 41
    func time(_ hour: Int64, _ minute: Int64, _ second: Int64) -> Int64 {
      (hour << 12 | minute << 6 | second) << 24
    }
    #expect(try text(opaque(10, littleEndian(date))) == "\"2015-01-15\"")
    let moment = littleEndian(date + time(23, 24, 25) + 120_000)
    #expect(try text(opaque(12, moment)) == "\"2015-01-15 23:24:25.120000\"")
    #expect(try text(opaque(7, moment)) == "\"2015-01-15 23:24:25.120000\"")
    #expect(try text(opaque(11, littleEndian(time(15, 9, 33)))) == "\"15:09:33.000000\"")
    #expect(
      try text(opaque(11, littleEndian(-(time(838, 59, 59) + 5))))
        == "\"-838:59:59.000005\"")
    #expect(try decodeErrorCode { _ = try text(opaque(10, [1, 2, 3])) } == .truncated)
    #expect(
      try decodeErrorCode { _ = try text(opaque(10, littleEndian(date) + [0])) }
        == .trailingBytes)
  }

  @Test func base64() throws {
    #expect(
      try text(opaque(15, bytes("any carnal pleas")))
        == "\"base64:type15:YW55IGNhcm5hbCBwbGVhcw==\"")
    #expect(try text(opaque(16, [1])) == "\"base64:type16:AQ==\"")
    #expect(try text(opaque(252, [1, 2])) == "\"base64:type252:AQI=\"")
    #expect(try text(opaque(252, [])) == "\"base64:type252:\"")
    let long = (0..<100).map { UInt8($0) }
    let encoded = Data(long).base64EncodedString()
    #expect(
      try text(opaque(252, long))
        == "\"base64:type252:\(encoded.prefix(76))\\n\(encoded.dropFirst(76))\"")
  }

  @Test func containers() throws {
    #expect(
      try text(array([[4, 1], [5, 0xFF, 0xFF], array([]), [12, 1, 0x61], double(2)]))
        == "[true, -1, [], \"a\", 2.0]")
    // {"a": 1, "bc": [2]}
    let object: [UInt8] = [
      0, 2, 0, 32, 0, 18, 0, 1, 0, 19, 0, 2, 0, 5, 1, 0, 2, 21, 0, 0x61, 0x62, 0x63,
    ]
    let inner: [UInt8] = [1, 0, 7, 0, 5, 2, 0]
    var small = object
    small[3] = UInt8(small.count - 1 + inner.count)
    #expect(try text(small + inner) == "{\"a\": 1, \"bc\": [2]}")
    // {"k": 70000}: in a large object 32 bits are in the entry.
    let large: [UInt8] =
      [1] + littleEndian(UInt32(1)) + littleEndian(UInt32(20)) + littleEndian(UInt32(19)) + [1, 0]
      + [7] + littleEndian(Int32(70000)) + [0x6B]
    #expect(try text(large) == "{\"k\": 70000}")
  }

  /// Strings whose lengths take one to three bytes, in an array above 64 KiB.
  @Test func largeContainers() throws {
    let lengths = [127, 128, 16_383, 16_384, 70_000]
    var entries: [UInt8] = []
    var data: [UInt8] = []
    for length in lengths {
      entries += [12] + littleEndian(UInt32(8 + 5 * lengths.count + data.count))
      var rest = length
      repeat {
        data.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
        rest >>= 7
      } while rest > 0
      data += [UInt8](repeating: 0x61, count: length)
    }
    let size = UInt32(8 + entries.count + data.count)
    let value = [3] + littleEndian(UInt32(lengths.count)) + littleEndian(size) + entries + data
    let strings = lengths.map { "\"" + String(repeating: "a", count: $0) + "\"" }
    #expect(try text(value) == "[" + strings.joined(separator: ", ") + "]")
  }

  @Test func depth() throws {
    var value = array([])
    for _ in 1..<100 { value = array([value]) }
    #expect(
      try text(value) == String(repeating: "[", count: 100) + String(repeating: "]", count: 100))
    #expect(try decodeErrorCode { _ = try text(array([value])) } == .limitExceeded)
  }

  @Test func sharedBytesCannotMakeTheTextEndless() throws {
    // Arrays of 200 elements that all lead to the next array: 200 to the power of 6 values.
    var value: [UInt8] = []
    let levels = 6
    for level in 0..<levels {
      let offset = UInt16(4 + 3 * 200)
      let size = UInt16((levels - level) * Int(offset))
      let entry = level == levels - 1 ? [4, 0, 0] : [2] + littleEndian(offset)
      value += littleEndian(UInt16(200)) + littleEndian(size)
      value += Array(repeatElement(entry, count: 200).joined())
    }
    #expect(try decodeErrorCode { _ = try text([2] + value) } == .limitExceeded)
  }

  @Test func everyPrefixIsAnErrorOrShorter() throws {
    let value = array([
      [12, 3, 0x61, 0x62, 0x63], array([double(1)]), opaque(246, [3, 2, 0x80, 5]),
    ])
    for count in 1..<value.count {
      #expect(throws: DecodeError.self) { try text(Array(value[..<count])) }
    }
  }

  @Test func mutatedValuesNeverCrash() throws {
    let value = array([
      [12, 3, 0x61, 0x62, 0x63], array([double(1), [4, 1]]), opaque(246, [3, 2, 0x80, 5]),
      opaque(12, littleEndian(Int64(1) << 60)), opaque(252, [1, 2, 3]),
    ])
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<20_000 {
      var mutated = value
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<mutated.count, using: &generator)
        mutated[index] = UInt8.random(in: 0...255, using: &generator)
      }
      _ = try decodeErrorCode { _ = try text(mutated) }
    }
  }
}
