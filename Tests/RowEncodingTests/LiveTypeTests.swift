import Arrow
import Binlog
import Foundation
import MySQLSchema
import TestSupport
import Testing
import WireFormat

@testable import RowEncoding

/// A column on a server: its declaration, the literals that are stored, and what they become.
private struct LiveColumn {
  var declaration: String
  var type: ColumnType
  var values: [(literal: String, expected: String)]
  /// Whether table maps describe the column as `type`: MariaDB's own types look like others there.
  var isDescribed = true
  /// Whether the server writes the format of releases before 5.6.
  var isOldFormat = false

  init(_ declaration: String, _ type: ColumnType, _ values: [(String, String)]) {
    self.declaration = declaration
    self.type = type
    self.values = values
  }

  func notDescribed() -> LiveColumn {
    var copy = self
    copy.isDescribed = false
    return copy
  }

  func inOldFormat() -> LiveColumn {
    var copy = self
    copy.isOldFormat = true
    return copy
  }

  /// The bytes that the text protocol has for the column, in hexadecimal.
  var selection: String {
    switch type {
    case .float, .double: "HEX(CAST(c * 1e0 AS CHAR))"
    case .enumeration, .set: "HEX(CAST(CAST(c AS UNSIGNED) AS CHAR))"
    case .bit(let width): "LPAD(HEX(c), \((width + 7) / 8 * 2), '0')"
    case .string, .binary, .bytes, .json, .geometry: "HEX(c)"
    case .integer, .decimal, .date, .datetime, .timestamp, .time, .year, .inet4, .inet6, .uuid,
      .vector:
      "HEX(CAST(c AS CHAR))"
    }
  }
}

private let nines35 = String(repeating: "9", count: 35)
private let nines30 = String(repeating: "9", count: 30)

private let liveColumns: [LiveColumn] = [
  LiveColumn("TINYINT", .integer(.tiny, isUnsigned: false), [("-128", "-128"), ("127", "127")]),
  LiveColumn("TINYINT UNSIGNED", .integer(.tiny, isUnsigned: true), [("255", "255")]),
  LiveColumn("BOOLEAN", .integer(.tiny, isUnsigned: false), [("TRUE", "1")]),
  LiveColumn("SMALLINT", .integer(.small, isUnsigned: false), [("-32768", "-32768")]),
  LiveColumn("SMALLINT(6) UNSIGNED ZEROFILL", .integer(.small, isUnsigned: true), [("7", "7")]),
  LiveColumn(
    "MEDIUMINT", .integer(.medium, isUnsigned: false),
    [("-8388608", "-8388608"), ("8388607", "8388607"), ("-1", "-1")]),
  LiveColumn("MEDIUMINT UNSIGNED", .integer(.medium, isUnsigned: true), [("16777215", "16777215")]),
  LiveColumn("INT", .integer(.int, isUnsigned: false), [("-2147483648", "-2147483648")]),
  LiveColumn("INT UNSIGNED", .integer(.int, isUnsigned: true), [("4294967295", "4294967295")]),
  LiveColumn(
    "BIGINT", .integer(.big, isUnsigned: false),
    [("-9223372036854775808", "-9223372036854775808")]),
  LiveColumn(
    "BIGINT UNSIGNED", .integer(.big, isUnsigned: true),
    [("18446744073709551615", "18446744073709551615")]),
  LiveColumn(
    "FLOAT", .float,
    [("-3.402823466e38", "-3.4028235e+38"), ("0.1", "0.1"), ("16777216", "16777216.0")]),
  LiveColumn("FLOAT(7,2)", .float, [("12345.67", "12345.67")]),
  LiveColumn(
    "DOUBLE", .double,
    [("-1.7976931348623157e308", "-1.7976931348623157e+308"), ("0.1", "0.1"), ("1e-300", "1e-300")]),
  LiveColumn(
    "DECIMAL(10,4)", .decimal(precision: 10, scale: 4),
    [("-999999.9999", "-999999.9999"), ("0", "0.0000"), ("-0.0001", "-0.0001")]),
  LiveColumn(
    "DECIMAL(65,30)", .decimal(precision: 65, scale: 30),
    [
      ("-\(nines35).\(nines30)", "-\(nines35).\(nines30)"),
      ("1", "1." + nines30.map { _ in "0" }.joined()),
    ]),
  LiveColumn(
    "DECIMAL(38,38)", .decimal(precision: 38, scale: 38),
    [("0.\(nines30)12345678", "0.\(nines30)12345678")]),
  LiveColumn(
    "DECIMAL(19,0) UNSIGNED ZEROFILL", .decimal(precision: 19, scale: 0),
    [("12345678901234567", "12345678901234567")]),
  LiveColumn("BIT(1)", .bit(width: 1), [("1", "1"), ("0", "0")]),
  LiveColumn("BIT(12)", .bit(width: 12), [("0xAAA", "2730"), ("1", "1")]),
  LiveColumn("BIT(64)", .bit(width: 64), [("0xFFFFFFFFFFFFFFFF", "18446744073709551615")]),
  LiveColumn("YEAR", .year, [("2155", "2155"), ("'0000'", "0"), ("1901", "1901")]),
  LiveColumn(
    "DATE", .date,
    [
      ("'1000-01-01'", "-354285"), ("'9999-12-31'", "2932896"), ("'0000-00-00'", "NULL"),
      ("'2024-00-10'", "NULL"), ("'2024-02-31'", "NULL"), ("'0001-01-01'", "-719162"),
    ]),
  LiveColumn(
    "DATETIME", .datetime(fractionalDigits: 0),
    [
      ("'9999-12-31 23:59:59'", "253402300799"), ("'0000-00-00 00:00:00'", "NULL"),
      ("'1000-01-01 00:00:00'", "-30610224000"),
    ]),
  LiveColumn(
    "DATETIME(1)", .datetime(fractionalDigits: 1),
    [("'9999-12-31 23:59:59.9'", "253402300799900"), ("'1969-12-31 23:59:59.5'", "-500")]),
  LiveColumn(
    "DATETIME(3)", .datetime(fractionalDigits: 3), [("'2024-02-29 16:00:00.123'", "1709222400123")]),
  LiveColumn(
    "DATETIME(4)", .datetime(fractionalDigits: 4),
    [("'2024-02-29 16:00:00.1234'", "1709222400123400")]),
  LiveColumn(
    "DATETIME(6)", .datetime(fractionalDigits: 6),
    [("'9999-12-31 23:59:59.999999'", "253402300799999999")]),
  LiveColumn(
    "TIMESTAMP NULL", .timestamp(fractionalDigits: 0),
    [
      ("'1970-01-01 00:00:01'", "1"), ("'2038-01-19 03:14:07'", "2147483647"),
      ("'0000-00-00 00:00:00'", "NULL"),
    ]),
  LiveColumn(
    "TIMESTAMP(6) NULL", .timestamp(fractionalDigits: 6),
    [("'2038-01-19 03:14:07.999999'", "2147483647999999"), ("'0000-00-00 00:00:00'", "NULL")]),
  LiveColumn(
    "TIME", .time(fractionalDigits: 0),
    [("'-838:59:59'", "-3020399000000"), ("'838:59:59'", "3020399000000"), ("'00:00:00'", "0")]),
  LiveColumn(
    "TIME(2)", .time(fractionalDigits: 2),
    [("'-00:00:00.01'", "-10000"), ("'-00:00:01.01'", "-1010000")]),
  LiveColumn(
    "TIME(6)", .time(fractionalDigits: 6),
    [("'-838:59:59.999999'", "-3020399999999"), ("'-00:00:00.000001'", "-1")]),
  LiveColumn(
    "DATETIME", .datetime(fractionalDigits: 0),
    [
      ("'9999-12-31 23:59:59'", "253402300799"), ("'0000-00-00 00:00:00'", "NULL"),
    ]
  ).inOldFormat(),
  LiveColumn(
    "TIMESTAMP NULL", .timestamp(fractionalDigits: 0),
    [
      ("'2038-01-19 03:14:07'", "2147483647"), ("'0000-00-00 00:00:00'", "NULL"),
    ]
  ).inOldFormat(),
  LiveColumn(
    "TIME", .time(fractionalDigits: 0),
    [
      ("'-838:59:59'", "-3020399000000"), ("'838:59:59'", "3020399000000"),
    ]
  ).inOldFormat(),
  LiveColumn(
    "CHAR(5) CHARACTER SET utf8mb4", .string(charset: "utf8mb4"),
    [("'aé😀'", "aé😀"), ("''", ""), ("'ab   '", "ab"), ("' a'", " a")]),
  LiveColumn(
    "CHAR(255) CHARACTER SET utf8mb4", .string(charset: "utf8mb4"),
    [("REPEAT('😀', 255)", String(repeating: "😀", count: 255))]),
  LiveColumn("CHAR(9) CHARACTER SET latin1", .string(charset: "latin1"), [("'aŠé€'", "aŠé€")]),
  LiveColumn(
    "CHAR(9) CHARACTER SET ucs2", .string(charset: "ucs2"), [("'a中 '", "a中"), ("''", "")]),
  LiveColumn("VARCHAR(9) CHARACTER SET utf16", .string(charset: "utf16"), [("'a中😀 '", "a中😀 ")]),
  LiveColumn("VARCHAR(50) CHARACTER SET gbk", .string(charset: "gbk"), [("'中文 '", "中文 ")]),
  LiveColumn("VARCHAR(50) CHARACTER SET sjis", .string(charset: "sjis"), [("'日本ｱ'", "日本ｱ")]),
  LiveColumn(
    "VARCHAR(50) CHARACTER SET cp1251", .string(charset: "cp1251"), [("'Привет'", "Привет")]),
  LiveColumn(
    "VARCHAR(300) CHARACTER SET utf8mb3", .string(charset: "utf8mb3"),
    [("''", ""), ("REPEAT('é', 300)", String(repeating: "é", count: 300))]),
  LiveColumn(
    "VARCHAR(99) COMPRESSED CHARACTER SET utf8mb4", .string(charset: "utf8mb4"),
    [
      ("REPEAT('é', 99)", String(repeating: "é", count: 99)), ("'a'", "a"), ("''", ""),
    ]),
  LiveColumn("TINYTEXT", .string(charset: "utf8mb4"), [("'é'", "é")]),
  LiveColumn("TEXT CHARACTER SET latin1", .string(charset: "latin1"), [("'é'", "é")]),
  LiveColumn(
    "LONGTEXT", .string(charset: "utf8mb4"),
    [
      ("REPEAT('ab', 50000)", String(repeating: "ab", count: 50_000))
    ]),
  LiveColumn(
    "BLOB COMPRESSED", .bytes,
    [
      ("REPEAT(x'00FF', 500)", String(repeating: "00ff", count: 500))
    ]),
  LiveColumn("JSON", .json, [("'{\"a\": [1, \"é\"]}'", "{\"a\": [1, \"é\"]}")]).notDescribed(),
  LiveColumn(
    "BINARY(5)", .binary(length: 5),
    [
      ("x'610000'", "6100000000"), ("''", "0000000000"), ("x'2020202020'", "2020202020"),
      ("x'2020202000'", "2020202000"),
    ]),
  LiveColumn(
    "BINARY(255)", .binary(length: 255), [("x'61'", "61" + String(repeating: "00", count: 254))]),
  LiveColumn("VARBINARY(300)", .bytes, [("x'00FF2000'", "00ff2000"), ("''", "")]),
  LiveColumn("TINYBLOB", .bytes, [("x'00FF'", "00ff")]),
  LiveColumn("MEDIUMBLOB", .bytes, [("x'00FF'", "00ff")]),
  LiveColumn(
    "GEOMETRY", .geometry,
    [
      ("ST_GeomFromText('POINT(1 2)', 4326)", "0101000000000000000000f03f0000000000000040")
    ]),
  LiveColumn("POINT", .geometry, [("POINT(1, 2)", "0101000000000000000000f03f0000000000000040")]),
  LiveColumn(
    "ENUM('a', 'é') CHARACTER SET latin1", .enumeration(["a", "é"]),
    [
      ("'é'", "é"), ("'a'", "a"), ("0", ""),
    ]),
  LiveColumn(
    "SET('x', 'y', 'ö') CHARACTER SET latin1", .set(["x", "y", "ö"]),
    [
      ("'x,ö'", "[x, ö]"), ("''", "[]"),
    ]),
  LiveColumn(
    "SET(\((1...64).map { "'s\($0)'" }.joined(separator: ",")))", .set((1...64).map { "s\($0)" }),
    [
      ("'s1,s64'", "[s1, s64]")
    ]),
  LiveColumn(
    "UUID", .uuid,
    [
      ("'123e4567-e89b-12d3-a456-426614174000'", "123e4567e89b12d3a456426614174000"),
      ("'00000000-0000-0000-0000-000000000000'", "00000000000000000000000000000000"),
      ("'ffffffff-ffff-ffff-ffff-ffffffff2020'", "ffffffffffffffffffffffffffff2020"),
      ("'123e4567-e89b-72d3-0456-426614170000'", "123e4567e89b72d30456426614170000"),
    ]
  ).notDescribed(),
  LiveColumn(
    "INET4", .inet4,
    [
      ("'10.1.2.3'", "167838211"), ("'0.0.0.0'", "0"), ("'1.2.3.0'", "16909056"),
      ("'1.2.3.32'", "16909088"),
    ]
  ).notDescribed(),
  LiveColumn(
    "INET6", .inet6,
    [
      ("'2001:db8::1'", "20010db8000000000000000000000001"),
      ("'::'", "00000000000000000000000000000000"),
      ("'::ffff:1.2.3.4'", "00000000000000000000ffff01020304"),
      ("'1:0:2:3:4:5:6:7'", "00010000000200030004000500060007"),
      ("'0:0:1:0:0:1:0:0'", "00000000000100000000000100000000"),
      ("'::0.1.0.2'", "00000000000000000000000000010002"),
      ("'64:ff9b::1.2.3.4'", "0064ff9b000000000000000001020304"),
      ("'1:2:3:4:5:6:7:0'", "00010002000300040005000600070000"),
    ]
  ).notDescribed(),
]

@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveTypeTests {
  @Test func everyTypeByCopyAndStream() async throws {
    let server = try await MariaDBServer.start(options: [
      "--sql-mode=ALLOW_INVALID_DATES", "--default-time-zone=+00:00",
      "--column-compression-threshold=20",
    ])
    var statements = "CREATE DATABASE d; USE d;\n"
    for (index, column) in liveColumns.enumerated() {
      if column.isOldFormat { statements += "SET GLOBAL mysql56_temporal_format = OFF;\n" }
      statements += "CREATE TABLE c\(index) (id INT PRIMARY KEY, c \(column.declaration));\n"
      if column.isOldFormat { statements += "SET GLOBAL mysql56_temporal_format = ON;\n" }
      for (row, value) in (column.values.map(\.literal) + ["NULL"]).enumerated() {
        statements += "INSERT INTO c\(index) VALUES (\(row), \(value));\n"
      }
    }
    try await server.sql(statements)
    var copied: [[String]] = []
    for (index, column) in liveColumns.enumerated() {
      let cells = try await server.rows(
        "SELECT CONCAT('x', \(column.selection)) FROM d.c\(index) ORDER BY id")
      copied.append(cells.map { $0[0] })
    }
    let log = try [UInt8](Data(contentsOf: server.folder.appending(path: "data/mysql-bin.000001")))
    await server.stop()

    let streamed = try decodeChanges(log)
    for (index, column) in liveColumns.enumerated() {
      let comment = Comment(rawValue: column.declaration)
      let expected = column.values.map(\.expected) + ["NULL"]
      let stream = try #require(streamed["c\(index)"], comment)
      #expect(stream.values == expected, comment)
      if column.isDescribed { #expect(stream.type == column.type, comment) }
      let encoder = try TableEncoder(
        schema: table([Column(name: "c", type: column.type, isNullable: true)], primaryKey: []))
      for cell in copied[index] {
        try appendText(encoder, [cell == "NULL" ? nil : bytes(String(cell.dropFirst()))])
      }
      #expect(try rows(encoder.finish()).map { $0[0] } == expected, comment)
    }
  }

  /// The values of column `c` of each table in a binlog, and the type that its table map describes.
  private func decodeChanges(_ log: [UInt8]) throws -> [String: (
    values: [String], type: ColumnType?
  )] {
    var encoders: [String: TableEncoder] = [:]
    var types: [String: ColumnType] = [:]
    var framer = EventFramer()
    var decoder = BinlogDecoder()
    var version: UInt64 = 1
    try framer.push(log.span.bytes) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        guard case .rows(let change) = decoded.body, change.tableMap.database == "d",
          let index = Int(change.tableMap.table.dropFirst())
        else { return }
        let name = change.tableMap.table
        if encoders[name] == nil {
          types[name] = try TableSchema(tableMap: change.tableMap).columns[1].type
          encoders[name] = try TableEncoder(
            schema: table([
              column("id", .integer(.int, isUnsigned: false), isNullable: false),
              column("c", liveColumns[index].type),
            ]))
        }
        try encoders[name]?.append(change, in: bytes, nextVersion: &version)
      }
    }
    var result: [String: (values: [String], type: ColumnType?)] = [:]
    for (name, encoder) in encoders {
      result[name] = (try rows(encoder.finish()).map { $0[1] }, types[name])
    }
    return result
  }
}
