/// A key, and values that are hard to put into a literal or to order.
struct KeyCase: Sendable {
  var name: String
  /// The columns of the key, as they are declared, without NOT NULL.
  var columns: [String]
  /// For each column, expressions of the source's SQL.
  var values: [[String]]
  /// What follows the columns instead of the primary key.
  var key: String?
}

let keyCases: [KeyCase] = [
  KeyCase(
    name: "bigint", columns: ["BIGINT"],
    values: [
      ["-9223372036854775808", "-9223372036854775807", "-1", "0", "1", "9223372036854775807"]
    ]),
  KeyCase(
    name: "unsigned", columns: ["BIGINT UNSIGNED"],
    values: [["0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551615"]]),
  KeyCase(name: "tinyint", columns: ["TINYINT"], values: [["-128", "-1", "0", "1", "127"]]),
  KeyCase(
    name: "decimal", columns: ["DECIMAL(65,30)"],
    values: [
      [
        "-12345678901234567890123456789012345.123456789012345678901234567890",
        "-12345678901234567890123456789012345.123456789012345678901234567889", "0", "-1e-30",
        "1e-30", "0.1", "99999999999999999999999999999999999.999999999999999999999999999999",
      ]
    ]),
  KeyCase(name: "bit1", columns: ["BIT(1)"], values: [["b'0'", "b'1'"]]),
  KeyCase(
    name: "bit64", columns: ["BIT(64)"],
    values: [["b'0'", "1", "0x7FFFFFFFFFFFFFFF", "0x8000000000000000", "0xFFFFFFFFFFFFFFFF"]]),
  KeyCase(
    name: "date", columns: ["DATE"],
    values: [
      [
        "'0000-00-00'", "'2024-00-00'", "'2024-02-00'", "'2024-02-31'", "'2024-03-01'",
        "'0001-01-01'", "'9999-12-31'",
      ]
    ]),
  KeyCase(
    name: "datetime", columns: ["DATETIME(6)"],
    values: [
      [
        "'0000-00-00 00:00:00'", "'2024-00-00 00:00:00'", "'2024-02-31 23:59:59.999999'",
        "'1000-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.999999'", "'2024-03-31 02:30:00'",
      ]
    ]),
  KeyCase(
    name: "timestamp", columns: ["TIMESTAMP(3) DEFAULT '2000-01-01 00:00:00'"],
    values: [
      [
        "0", "'1970-01-01 00:00:01'", "'2024-06-01 12:00:00.123'", "'2024-06-01 12:00:00.124'",
        "'2038-01-19 03:14:07.999'",
      ]
    ]),
  KeyCase(
    name: "time", columns: ["TIME(6)"],
    values: [
      [
        "'-838:59:59.999999'", "'-838:59:59'", "'-00:00:00.000001'", "'00:00:00'", "'24:00:00'",
        "'838:59:59.999999'", "'-00:00:01'", "'99:00:00'", "'100:00:00'",
      ]
    ]),
  KeyCase(
    name: "year", columns: ["YEAR"], values: [["'0000'", "1901", "1970", "2000", "2001", "2155"]]),
  KeyCase(
    name: "utf8mb4", columns: ["VARCHAR(20) CHARACTER SET utf8mb4"],
    values: [
      [
        "''", "'a'", "'ö'", "'B'", "'b b'", "'ß'", "'ss!'", "'𝄞'", "'''\\\\\"`'", "'x\\0'",
        "'y\\n'", "'%_'", "'中文'", "'\\t'",
      ]
    ]),
  KeyCase(
    name: "nopad", columns: ["VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"],
    values: [["''", "' '", "'a'", "'a '", "'a  '", "'A'", "'a\\0'", "'ä'", "'𝄞'"]]),
  KeyCase(
    name: "czech", columns: ["VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_czech_ci"],
    values: [["'c'", "'cz'", "'ch'", "'h'", "'hz'", "'i'", "'č'"]]),
  KeyCase(
    name: "uca1400", columns: ["VARCHAR(20) CHARACTER SET utf8mb4 COLLATE uca1400_swedish_as_cs"],
    values: [["'a'", "'A'", "'å'", "'ä'", "'ö'", "'z'", "'Z'"]]),
  KeyCase(
    name: "latin1", columns: ["CHAR(5) CHARACTER SET latin1 COLLATE latin1_german2_ci"],
    values: [["''", "'ä'", "'aez'", "'é'", "'ß'", "'ssz'", "'z'", "'€'"]]),
  KeyCase(
    name: "gbk", columns: ["VARCHAR(20) CHARACTER SET gbk"],
    values: [["''", "'中文'", "'中'", "'啊'", "'a'"]]),
  KeyCase(
    name: "utf16", columns: ["VARCHAR(20) CHARACTER SET utf16"],
    values: [["''", "'a'", "'a𝄞'", "'ü'", "'中'"]]),
  KeyCase(
    name: "ucs2", columns: ["CHAR(4) CHARACTER SET ucs2"], values: [["''", "'a'", "'ü'", "'Ł'"]]),
  KeyCase(
    name: "sjis", columns: ["VARCHAR(9) CHARACTER SET sjis"],
    values: [["'ソ'", "'表'", "'a'", "''"]]),
  KeyCase(
    name: "binary", columns: ["BINARY(4)"],
    values: [["''", "X'00000001'", "X'01'", "'a'", "'a '", "'A'", "X'FFFFFFFF'", "X'5C275C27'"]]),
  KeyCase(
    name: "varbinary", columns: ["VARBINARY(9)"],
    values: [["''", "X'00'", "X'0000'", "'a'", "'a '", "X'6100'", "X'FF'", "X'275C'"]]),
  KeyCase(
    name: "enum", columns: ["ENUM('z','größer','a','1') CHARACTER SET latin1"],
    values: [["'z'", "'größer'", "'a'", "'1'", "0"]]),
  KeyCase(
    name: "set", columns: ["SET(\((1...64).map { "'m\($0)'" }.joined(separator: ",")))"],
    values: [["0", "1", "2", "9223372036854775808", "18446744073709551615", "3"]]),
  KeyCase(
    name: "uuid", columns: ["UUID"],
    values: [
      [
        "'00000000-0000-0000-0000-000000000000'", "'123e4567-e89b-12d3-a456-426655440000'",
        "'223e4567-e89b-12d3-a456-426655440000'", "'123e4567-e89b-42d3-a456-426655440001'",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
      ]
    ]),
  KeyCase(
    name: "inet6", columns: ["INET6"],
    values: [["'::'", "'::1'", "'::ffff:1.2.3.4'", "'2001:db8::1'", "'ffff::'"]]),
  KeyCase(
    name: "inet4", columns: ["INET4"],
    values: [["'0.0.0.0'", "'10.0.0.1'", "'9.0.0.1'", "'255.255.255.255'"]]),
  KeyCase(
    name: "two", columns: ["INT", "VARCHAR(9) CHARACTER SET latin1"],
    values: [["-1", "0", "7"], ["''", "'a'", "'ä'", "'b'"]]),
  KeyCase(
    name: "three", columns: ["VARCHAR(5)", "DATE", "DECIMAL(3,1)"],
    values: [["''", "'a'", "'b'"], ["'0000-00-00'", "'2024-01-01'"], ["-0.1", "0.1", "0.2"]]),
  KeyCase(
    name: "four", columns: ["ENUM('b','a')", "BIT(3)", "YEAR", "DECIMAL(5,2)"],
    values: [["1", "2"], ["0", "5"], ["'0000'", "1999"], ["-1.5", "0", "1.25"]]),
  KeyCase(
    name: "unique", columns: ["VARCHAR(9)", "INT"], values: [["'x'", "'y'"], ["1", "2", "3"]],
    key: "UNIQUE KEY other (v), UNIQUE KEY `the``key` (k0, k1)"),
]

extension KeyCase {
  var hasImpossibleDates: Bool { statements.contains("0000-00-00") || name == "timestamp" }
  var keyColumns: [String] { columns.indices.map { "k\($0)" } }

  /// Declares the table and inserts every combination of the values.
  var statements: String {
    let declarations = zip(keyColumns, columns).map { name, type in
      type.hasPrefix("TIMESTAMP")
        ? "\(name) \(type.replacing("DEFAULT", with: "NOT NULL DEFAULT"))"
        : "\(name) \(type) NOT NULL"
    }
    let rows = values.reduce([[]]) { rows, next in
      rows.flatMap { row in next.map { row + [$0] } }
    }
    let tuples = rows.enumerated().map { index, row in
      "(\((["\(index)"] + row).joined(separator: ", ")))"
    }
    let key = self.key ?? "PRIMARY KEY (\(keyColumns.joined(separator: ", ")))"
    return """
      CREATE TABLE d.`t_\(name)` (v INT, \(declarations.joined(separator: ", ")), \(key));
      INSERT INTO d.`t_\(name)` VALUES \(tuples.joined(separator: ", "));
      """
  }
}
