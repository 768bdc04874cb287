import Arrow
import Binlog
import MySQLSchema
import Testing
import WireFormat

@testable import RowEncoding

/// One kind of column: cells as a row image has them and as the text protocol has them, and what
/// both become.
struct TypeCase: CustomTestStringConvertible, Sendable {
  var type: ColumnType
  var wire: WireColumnType
  var arrowType: DataType
  /// Bytes of the image in hexadecimal, bytes of the text, and the value.
  var cells: [(image: String, text: [UInt8], value: String)]

  init(
    _ type: ColumnType, _ wire: WireColumnType, _ arrowType: DataType,
    _ cells: [(String, String, String)]
  ) {
    self.type = type
    self.wire = wire
    self.arrowType = arrowType
    self.cells = cells.map { ($0, Array($1.utf8), $2) }
  }

  /// The text in hexadecimal too.
  static func raw(
    _ type: ColumnType, _ wire: WireColumnType, _ arrowType: DataType,
    _ cells: [(String, String, String)]
  ) -> TypeCase {
    var result = TypeCase(type, wire, arrowType, cells)
    result.cells = cells.map { ($0, bytes($1), $2) }
    return result
  }

  var testDescription: String { "\(type) from \(wire)" }
}

private let milliseconds = DataType.timestamp(.millisecond, timeZone: "UTC")
private let microseconds = DataType.timestamp(.microsecond, timeZone: "UTC")
private let seconds = DataType.timestamp(.second, timeZone: "UTC")

private let numbers: [TypeCase] = [
  TypeCase(
    .integer(.tiny, isUnsigned: false), .integer(byteCount: 1), .int8,
    [
      ("80", "-128", "-128"), ("7f", "127", "127"), ("00", "0", "0"),
    ]),
  TypeCase(
    .integer(.tiny, isUnsigned: true), .integer(byteCount: 1), .uint8,
    [
      ("ff", "255", "255"), ("00", "000", "0"),
    ]),
  TypeCase(
    .integer(.small, isUnsigned: false), .integer(byteCount: 2), .int16,
    [
      ("0080", "-32768", "-32768"), ("ff7f", "32767", "32767"),
    ]),
  TypeCase(
    .integer(.small, isUnsigned: true), .integer(byteCount: 2), .uint16,
    [
      ("ffff", "65535", "65535")
    ]),
  TypeCase(
    .integer(.medium, isUnsigned: false), .integer(byteCount: 3), .int32,
    [
      ("000080", "-8388608", "-8388608"), ("ffff7f", "8388607", "8388607"), ("ffffff", "-1", "-1"),
    ]),
  TypeCase(
    .integer(.medium, isUnsigned: true), .integer(byteCount: 3), .uint32,
    [
      ("ffffff", "16777215", "16777215")
    ]),
  TypeCase(
    .integer(.int, isUnsigned: false), .integer(byteCount: 4), .int32,
    [
      ("00000080", "-2147483648", "-2147483648"), ("ffffff7f", "2147483647", "2147483647"),
    ]),
  TypeCase(
    .integer(.int, isUnsigned: true), .integer(byteCount: 4), .uint32,
    [
      ("ffffffff", "4294967295", "4294967295")
    ]),
  TypeCase(
    .integer(.big, isUnsigned: false), .integer(byteCount: 8), .int64,
    [
      ("0000000000000080", "-9223372036854775808", "-9223372036854775808"),
      ("ffffffffffffff7f", "9223372036854775807", "9223372036854775807"),
    ]),
  TypeCase(
    .integer(.big, isUnsigned: true), .integer(byteCount: 8), .uint64,
    [
      ("ffffffffffffffff", "18446744073709551615", "18446744073709551615")
    ]),
  TypeCase(
    .float, .float, .float32,
    [
      ("ffff7fff", "-3.4028234663852886e38", "-3.4028235e+38"),
      ("cdcccc3d", "0.10000000149011612", "0.1"),
      ("01000000", "1.401298464324817e-45", "1e-45"), ("00000080", "-0", "0.0"),
    ]),
  TypeCase(
    .double, .double, .float64,
    [
      ("ffffffffffffefff", "-1.7976931348623157e308", "-1.7976931348623157e+308"),
      ("0100000000000000", "5e-324", "5e-324"), ("9a9999999999b93f", "0.1", "0.1"),
    ]),
  TypeCase.raw(.bit(width: 1), .bit(width: 1), .uint64, [("01", "01", "1"), ("00", "00", "0")]),
  TypeCase.raw(.bit(width: 12), .bit(width: 12), .uint64, [("0aaa", "0aaa", "2730")]),
  TypeCase.raw(
    .bit(width: 64), .bit(width: 64), .uint64,
    [
      ("ffffffffffffffff", "ffffffffffffffff", "18446744073709551615")
    ]),
  TypeCase(
    .year, .year, .uint16, [("00", "0000", "0"), ("01", "1901", "1901"), ("ff", "2155", "2155")]),
  TypeCase(
    .decimal(precision: 10, scale: 4), .decimal(precision: 10, scale: 4),
    .decimal128(precision: 10, scale: 4),
    [
      // The server's manual: 1234567890.1234 in DECIMAL(14,4) begins with 81 0D FB 38 D2 04 D2.
      ("8f423f 270f", "999999.9999", "999999.9999"),
      ("70bdc0 d8f0", "-999999.9999", "-999999.9999"),
      ("800000 0000", "0.0000", "0.0000"), ("800000 0001", "0.0001", "0.0001"),
      ("7fffff fffe", "-0.0001", "-0.0001"),
    ]),
  TypeCase(
    .decimal(precision: 14, scale: 4), .decimal(precision: 14, scale: 4),
    .decimal128(precision: 14, scale: 4),
    [
      ("810dfb38d2 04d2", "1234567890.1234", "1234567890.1234"),
      ("7ef204c72d fb2d", "-1234567890.1234", "-1234567890.1234"),
    ]),
  TypeCase(
    .decimal(precision: 38, scale: 38), .decimal(precision: 38, scale: 38),
    .decimal128(precision: 38, scale: 38),
    [
      (
        "bb9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 63", "0." + String(repeating: "9", count: 38),
        "0." + String(repeating: "9", count: 38)
      )
    ]),
  TypeCase(
    .decimal(precision: 65, scale: 30), .decimal(precision: 65, scale: 30),
    .decimal256(precision: 65, scale: 30),
    [
      (
        "85f5e0ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 03e7",
        String(repeating: "9", count: 35) + "." + String(repeating: "9", count: 30),
        String(repeating: "9", count: 35) + "." + String(repeating: "9", count: 30)
      ),
      (
        "7a0a1f00 c4653600 c4653600 c4653600 c4653600 c4653600 c4653600 fc18",
        "-" + String(repeating: "9", count: 35) + "." + String(repeating: "9", count: 30),
        "-" + String(repeating: "9", count: 35) + "." + String(repeating: "9", count: 30)
      ),
    ]),
  TypeCase(
    .decimal(precision: 65, scale: 0), .decimal(precision: 65, scale: 0),
    .decimal256(precision: 65, scale: 0),
    [
      (
        "e3 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff 3b9ac9ff",
        String(repeating: "9", count: 65), String(repeating: "9", count: 65)
      )
    ]),
]

private let times: [TypeCase] = [
  TypeCase(
    .date, .date, .date32,
    [
      ("21d007", "1000-01-01", "-354285"), ("9f1f4e", "9999-12-31", "2932896"),
      ("5dd00f", "2024-02-29", "19782"), ("21640f", "1970-01-01", "0"),
      ("210000", "0000-01-01", "-719528"),
      ("000000", "0000-00-00", "NULL"), ("0ad00f", "2024-00-10", "NULL"),
      ("5fd00f", "2024-02-31", "NULL"),
      ("40d00f", "2024-02-00", "NULL"),
    ]),
  TypeCase(
    .datetime(fractionalDigits: 0), .datetime(fractionalDigits: 0), seconds,
    [
      ("fef3ff7efb", "9999-12-31 23:59:59", "253402300799"),
      ("8000000000", "0000-00-00 00:00:00", "NULL"),
      ("8cb2420000", "1000-01-01 00:00:00", "-30610224000"),
    ]),
  TypeCase(
    .datetime(fractionalDigits: 0), .oldDatetime, seconds,
    [
      ("7787d105f15a0000", "9999-12-31 23:59:59", "253402300799"),
      ("0000000000000000", "0000-00-00 00:00:00", "NULL"),
    ]),
  TypeCase(
    .datetime(fractionalDigits: 3), .datetime(fractionalDigits: 3), milliseconds,
    [
      ("fef3ff7efb 2706", "9999-12-31 23:59:59.999", "253402300799999"),
      ("99b2bb0000 0000", "2024-02-29 16:00:00.000", "1709222400000"),
    ]),
  TypeCase(
    .datetime(fractionalDigits: 1), .datetime(fractionalDigits: 1), milliseconds,
    [
      ("fef3ff7efb 5a", "9999-12-31 23:59:59.9", "253402300799900")
    ]),
  TypeCase(
    .datetime(fractionalDigits: 6), .datetime(fractionalDigits: 6), microseconds,
    [
      ("fef3ff7efb 0f423f", "9999-12-31 23:59:59.999999", "253402300799999999"),
      ("8cb2420000 000001", "1000-01-01 00:00:00.000001", "-30610223999999999"),
    ]),
  TypeCase(
    .timestamp(fractionalDigits: 0), .timestamp(fractionalDigits: 0), seconds,
    [
      ("00000001", "1970-01-01 00:00:01", "1"), ("7fffffff", "2038-01-19 03:14:07", "2147483647"),
      ("ffffffff", "2106-02-07 06:28:15", "4294967295"),
      ("00000000", "0000-00-00 00:00:00", "NULL"),
    ]),
  TypeCase(
    .timestamp(fractionalDigits: 0), .oldTimestamp, seconds,
    [
      ("01000000", "1970-01-01 00:00:01", "1"), ("00000000", "0000-00-00 00:00:00", "NULL"),
    ]),
  TypeCase(
    .timestamp(fractionalDigits: 2), .timestamp(fractionalDigits: 2), milliseconds,
    [
      ("7fffffff 63", "2038-01-19 03:14:07.99", "2147483647990")
    ]),
  TypeCase(
    .timestamp(fractionalDigits: 6), .timestamp(fractionalDigits: 6), microseconds,
    [
      ("7fffffff 0f423f", "2038-01-19 03:14:07.999999", "2147483647999999")
    ]),
  TypeCase(
    .time(fractionalDigits: 0), .time(fractionalDigits: 0), .int64,
    [
      ("b46efb", "838:59:59", "3020399000000"), ("4b9105", "-838:59:59", "-3020399000000"),
      ("800000", "00:00:00", "0"), ("7fffff", "-00:00:01", "-1000000"),
    ]),
  TypeCase(
    .time(fractionalDigits: 0), .oldTime, .int64,
    [
      ("a7f57f", "838:59:59", "3020399000000"), ("590a80", "-838:59:59", "-3020399000000"),
    ]),
  TypeCase(
    .time(fractionalDigits: 2), .time(fractionalDigits: 2), .int64,
    [
      ("800000 63", "00:00:00.99", "990000"), ("7fffff ff", "-00:00:00.01", "-10000"),
      ("7ffffe ff", "-00:00:01.01", "-1010000"),
    ]),
  TypeCase(
    .time(fractionalDigits: 4), .time(fractionalDigits: 4), .int64,
    [
      ("7fffff ffff", "-00:00:00.0001", "-100"), ("b46efb 270f", "838:59:59.9999", "3020399999900"),
    ]),
  TypeCase(
    .time(fractionalDigits: 6), .time(fractionalDigits: 6), .int64,
    [
      ("7fffff ffffff", "-00:00:00.000001", "-1"),
      ("4b9105 f0bdc1", "-838:59:58.999999", "-3020398999999"),
    ]),
]

private let texts: [TypeCase] = [
  TypeCase(
    .string(charset: "utf8mb4"), .varchar(maximumLength: 80), .utf8,
    [
      ("00", "", ""), ("07 61c3a9f09f9880", "aé😀", "aé😀"),
    ]),
  TypeCase(
    .string(charset: "utf8mb4"), .varchar(maximumLength: 1020), .utf8, [("0200 6162", "ab", "ab")]),
  TypeCase(
    .string(charset: "utf8mb3"), .string(maximumLength: 15), .utf8, [("02 6162", "ab", "ab")]),
  TypeCase(
    .string(charset: "utf8mb4"), .blob(lengthBytes: 3), .utf8, [("020000 6162", "ab", "ab")]),
  TypeCase.raw(
    .string(charset: "latin1"), .varchar(maximumLength: 20), .utf8,
    [
      ("03 618ae9", "618ae9", "aŠé"), ("01 80", "80", "€"), ("02 6162", "6162", "ab"),
    ]),
  TypeCase.raw(
    .string(charset: "gbk"), .varchar(maximumLength: 20), .utf8,
    [
      ("04 d6d0cec4", "d6d0cec4", "中文")
    ]),
  TypeCase.raw(
    .string(charset: "ucs2"), .varchar(maximumLength: 20), .utf8,
    [
      ("04 00614e2d", "00614e2d", "a中")
    ]),
  TypeCase.raw(
    .binary(length: 5), .string(maximumLength: 5), .binary,
    [
      ("01 61", "6100000000", "6100000000"), ("00", "0000000000", "0000000000"),
      ("05 2020202020", "2020202020", "2020202020"), ("04 20202020", "2020202000", "2020202000"),
    ]),
  TypeCase.raw(
    .binary(length: 300), .string(maximumLength: 300), .binary,
    [
      ("0200 6162", "6162", "6162" + String(repeating: "00", count: 298))
    ]),
  TypeCase.raw(
    .bytes, .varchar(maximumLength: 8), .binary,
    [
      ("00", "", ""), ("04 00ff2000", "00ff2000", "00ff2000"),
    ]),
  TypeCase.raw(.bytes, .blob(lengthBytes: 1), .binary, [("02 00ff", "00ff", "00ff")]),
  TypeCase.raw(.bytes, .blob(lengthBytes: 4), .binary, [("02000000 00ff", "00ff", "00ff")]),
  TypeCase.raw(
    .geometry, .geometry(lengthBytes: 4), .binary,
    [
      (
        "19000000 e6100000 0101000000000000000000f03f0000000000000040",
        "e6100000 0101000000000000000000f03f0000000000000040",
        "0101000000000000000000f03f0000000000000040"
      )
    ]),
  TypeCase(
    .json, .blob(lengthBytes: 4), .utf8,
    [("0a000000 7b2261223a20c3a92e7d", "{\"a\": é.}", "{\"a\": é.}")]),
  TypeCase.raw(
    .vector(dimensions: 3), .vector(lengthBytes: 4), .list(ColumnType.item(.float32)),
    [("08000000 0000803f 000000c0", "0000803f 000000c0", "[1.0, -2.0]")]),
]

private let members: [TypeCase] = [
  TypeCase(
    .enumeration(["a", "é"]), .enumeration(byteCount: 1), .dictionary(index: .int16, values: .utf8),
    [("01", "1", "a"), ("02", "2", "é"), ("00", "0", "")]),
  TypeCase(
    .enumeration(["a", "", "b"]), .enumeration(byteCount: 1),
    .dictionary(index: .int16, values: .utf8),
    [("01", "1", "a"), ("02", "2", ""), ("03", "3", "b"), ("00", "0", "")]),
  // The texts of members that the column's charset lacks.
  TypeCase(
    .enumeration(["?", "a", "?"]), .enumeration(byteCount: 1),
    .dictionary(index: .int16, values: .utf8),
    [("01", "1", "?"), ("02", "2", "a"), ("03", "3", "?"), ("00", "0", "")]),
  TypeCase(
    .set(["?", "a", "?"]), .set(byteCount: 1),
    .list(ColumnType.item(.dictionary(index: .int16, values: .utf8))),
    [("05", "5", "[?, ?]"), ("06", "6", "[a, ?]")]),
  TypeCase(
    .enumeration((1...300).map { "m\($0)" }), .enumeration(byteCount: 2),
    .dictionary(index: .int16, values: .utf8), [("2c01", "300", "m300"), ("0000", "0", "")]),
  TypeCase(
    .enumeration((1...40_000).map { "m\($0)" }), .enumeration(byteCount: 2),
    .dictionary(index: .int32, values: .utf8), [("409c", "40000", "m40000")]),
  TypeCase(
    .set(["x", "y", "ü"]), .set(byteCount: 1),
    .list(ColumnType.item(.dictionary(index: .int16, values: .utf8))),
    [("05", "5", "[x, ü]"), ("00", "0", "[]"), ("07", "7", "[x, y, ü]")]),
  TypeCase(
    .set((1...64).map { "s\($0)" }), .set(byteCount: 8),
    .list(ColumnType.item(.dictionary(index: .int16, values: .utf8))),
    [("0100000000000080", "9223372036854775809", "[s1, s64]")]),
  TypeCase(
    .uuid, .string(maximumLength: 16), .fixedSizeBinary(16),
    [
      (
        "0f 123e4567e89b12d3a4564266141740", "123e4567-e89b-12d3-a456-426614174000",
        "123e4567e89b12d3a456426614174000"
      ),
      ("00", "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000"),
      (
        "10 ffffffffffffffffffffffffffff2020", "FFFFFFFF-ffff-ffff-ffff-ffffffff2020",
        "ffffffffffffffffffffffffffff2020"
      ),
    ]),
  TypeCase(
    .inet4, .string(maximumLength: 4), .uint32,
    [
      ("04 0a010203", "10.1.2.3", "167838211"), ("00", "0.0.0.0", "0"),
      ("03 010203", "1.2.3.0", "16909056"),
      ("04 ffffffff", "255.255.255.255", "4294967295"),
    ]),
  TypeCase(
    .inet6, .string(maximumLength: 16), .fixedSizeBinary(16),
    [
      ("10 20010db8000000000000000000000001", "2001:db8::1", "20010db8000000000000000000000001"),
      ("00", "::", "00000000000000000000000000000000"),
      ("10 00000000000000000000000000000001", "::1", "00000000000000000000000000000001"),
      ("10 00000000000000000000000000010002", "::0.1.0.2", "00000000000000000000000000010002"),
      ("0c 00000000000000000000ffff", "::ffff:0.0.0.0", "00000000000000000000ffff00000000"),
      ("10 00000000000000000000ffff01020304", "::ffff:1.2.3.4", "00000000000000000000ffff01020304"),
      ("10 00010000000200030004000500060007", "1::2:3:4:5:6:7", "00010000000200030004000500060007"),
      ("0e 0001000200030004000500060007", "1:2:3:4:5:6:7::", "00010002000300040005000600070000"),
      ("0c 000000000001000000000001", "::1:0:0:1:0:0", "00000000000100000000000100000000"),
      (
        "10 0064ff9b000000000000000001020304", "64:ff9b::102:304",
        "0064ff9b000000000000000001020304"
      ),
      (
        "10 0000000000000000ffff000001020304", "::ffff:0:102:304",
        "0000000000000000ffff000001020304"
      ),
      ("0a 20010db8000000000001", "2001:db8:0:0:1::", "20010db8000000000001000000000000"),
      (
        "10 ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ffffffffffffffffffffffffffffffff"
      ),
    ]),
]

@Suite struct TypeTests {
  @Test(arguments: numbers + times + texts + members)
  func imageAndTextBecomeTheSame(_ type: TypeCase) throws {
    let schema = table([column("c", type.type)], primaryKey: [])
    let encoder = try TableEncoder(schema: schema)
    #expect(encoder.storageSchema.fields[0].type == type.arrowType)
    var images: [UInt8] = []
    for cell in type.cells { images += [0] + bytes(cell.image) }
    images += [1]
    var version: UInt64 = 1
    try encoder.append(
      event(.write, tableMap([type.wire]), images: images), in: images.span.bytes,
      nextVersion: &version)
    let streamed = try encoder.finish()
    for cell in type.cells { try appendText(encoder, [cell.text]) }
    try appendText(encoder, [nil])
    let copied = try encoder.finish()
    let expected = type.cells.map(\.value) + ["NULL"]
    #expect(rows(streamed).map { $0[0] } == expected)
    #expect(rows(copied).map { $0[0] } == expected)
    try streamed.columns[0].validate()
    try copied.columns[0].validate()
  }

  @Test(arguments: [
    (ColumnType.integer(.tiny, isUnsigned: false), "128"),
    (.integer(.tiny, isUnsigned: false), "-129"),
    (.integer(.tiny, isUnsigned: true), "256"), (.integer(.tiny, isUnsigned: true), "-1"),
    (.integer(.int, isUnsigned: false), ""), (.integer(.int, isUnsigned: false), "1 "),
    (.integer(.int, isUnsigned: false), "+1"), (.integer(.int, isUnsigned: false), "-"),
    (.integer(.big, isUnsigned: false), "9223372036854775808"),
    (.integer(.big, isUnsigned: true), "18446744073709551616"),
    (.float, "1e39"), (.float, "nan"), (.float, ""), (.double, "0x10"), (.double, "1.5x"),
    (.double, "1e400"),
    (.decimal(precision: 4, scale: 2), "123.00"), (.decimal(precision: 4, scale: 2), "1.234"),
    (.decimal(precision: 4, scale: 2), "1."), (.decimal(precision: 4, scale: 2), ".5"),
    (.decimal(precision: 4, scale: 2), ""), (.decimal(precision: 4, scale: 2), "1e1"),
    (.date, "2024-1-01"), (.date, "2024-01-01 "), (.date, "24-01-01"),
    (.datetime(fractionalDigits: 0), "2024-01-01"),
    (.datetime(fractionalDigits: 0), "2024-01-01 24:00:00"),
    (.datetime(fractionalDigits: 0), "2024-01-01 00:60:00"),
    (.datetime(fractionalDigits: 6), "2024-01-01 00:00:00."),
    (.datetime(fractionalDigits: 3), "2024-01-01 00:00:00.1234"),
    (.datetime(fractionalDigits: 6), "2024-01-01T00:00:00.000000"),
    (.time(fractionalDigits: 0), "839:00:00"), (.time(fractionalDigits: 0), "1:2:3"),
    (.time(fractionalDigits: 0), "99999999999999999999:00:00"),
    (.year, "99"), (.year, "1900"), (.year, "2156"), (.bit(width: 4), "\u{10}"),
    (.bit(width: 64), "123456789"),
    (.binary(length: 2), "abc"), (.enumeration(["a"]), "2"), (.enumeration(["a"]), "a"),
    (.set(["a", "b"]), "4"), (.geometry, "abc"), (.vector(dimensions: 1), "abc"),
    (.vector(dimensions: 1), "abcdefgh"), (.uuid, "123e4567e89b12d3a456426614174000"),
    (.uuid, "123e4567-e89b-12d3-a456-42661417400g"), (.inet4, "1.2.3"), (.inet4, "1.2.3.256"),
    (.inet6, "x"), (.inet6, ""), (.inet6, "1:2:3:4:5:6:7"), (.inet6, "::\0"),
    (.inet6, "1::2 "),
  ])
  func refusesTextThatTheTypeCannotHold(_ type: ColumnType, _ text: String) throws {
    let encoder = try TableEncoder(schema: table([column("c", type)], primaryKey: []))
    let error = #expect(throws: EncodingError.self) { try appendText(encoder, [Array(text.utf8)]) }
    #expect(error?.code == .invalidValue)
    #expect(error?.column == "c")
  }

  @Test(arguments: [
    (
      ColumnType.decimal(precision: 10, scale: 4), WireColumnType.decimal(precision: 10, scale: 4),
      "ffffff ffff"
    ),
    (.date, .date, "ffff"),
    (.datetime(fractionalDigits: 0), .datetime(fractionalDigits: 0), "7fffffffff"),
    (.datetime(fractionalDigits: 0), .datetime(fractionalDigits: 0), "99b2bbf000"),
    (.datetime(fractionalDigits: 6), .datetime(fractionalDigits: 6), "99b2bb0000 ffffff"),
    (.datetime(fractionalDigits: 0), .oldDatetime, "ffffffffffffffff"),
    (.timestamp(fractionalDigits: 6), .timestamp(fractionalDigits: 6), "00000001 ffffff"),
    (.time(fractionalDigits: 0), .time(fractionalDigits: 0), "ffffff"),
    (.time(fractionalDigits: 0), .time(fractionalDigits: 0), "000000"),
    (.bit(width: 4), .bit(width: 4), "10"), (.enumeration(["a"]), .enumeration(byteCount: 1), "02"),
    (.set(["a"]), .set(byteCount: 1), "02"),
    (.binary(length: 2), .string(maximumLength: 2), "03 616263"),
    (.uuid, .string(maximumLength: 16), "11 0000000000000000000000000000000000"),
    (.inet4, .string(maximumLength: 4), "05 0102030405"),
    (.geometry, .geometry(lengthBytes: 1), "03 000000"),
    (.string(charset: "utf8mb4"), .varchar(maximumLength: 20), "05 61"),
    (.bytes, .blob(lengthBytes: 4), "ffffffff 61"),
  ])
  func refusesImagesThatTheTypeCannotHold(
    _ type: ColumnType, _ wire: WireColumnType, _ image: String
  ) throws {
    let encoder = try TableEncoder(schema: table([column("c", type)], primaryKey: []))
    let images = [0] + bytes(image)
    var version: UInt64 = 1
    let error = #expect(throws: EncodingError.self) {
      try encoder.append(
        event(.write, tableMap([wire]), images: images), in: images.span.bytes,
        nextVersion: &version)
    }
    #expect(error?.column == "c")
    #expect(error?.cause != nil)
    #expect(try encoder.finish().rowCount == 0)
  }
}
