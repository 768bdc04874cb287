import MySQLSchema
import TestSupport
import Testing

/// Every kind of column, with values at its borders.
private let kinds: [(declaration: String, values: [String])] = [
  ("TINYINT", ["-128", "127", "0"]), ("TINYINT UNSIGNED", ["0", "255"]),
  ("SMALLINT", ["-32768", "32767"]), ("SMALLINT UNSIGNED", ["65535"]),
  ("MEDIUMINT", ["-8388608", "8388607"]), ("INT", ["-2147483648", "2147483647"]),
  ("INT UNSIGNED", ["4294967295"]), ("INT(7) ZEROFILL", ["42"]),
  ("BIGINT", ["-9223372036854775808", "9223372036854775807"]),
  ("BIGINT UNSIGNED", ["18446744073709551615"]), ("BOOL", ["1"]),
  ("FLOAT", ["0.1", "-3.4e38", "1e-30", "16777216"]), ("FLOAT(7,2)", ["1.27", "-9999.99"]),
  ("FLOAT UNSIGNED", ["0.3"]), ("DOUBLE", ["0.1", "-1e300", "5e-324", "-0e0"]),
  ("DOUBLE(10,3)", ["0.125"]), ("DECIMAL(5,2)", ["-999.99", "0.05"]),
  ("DECIMAL(7,2)", ["99999.99"]), ("DECIMAL(9,4)", ["-99999.9999"]),
  ("DECIMAL(5,2) UNSIGNED", ["999.99"]), ("DECIMAL(5,0)", ["-99999"]),
  ("DECIMAL(40,10)", ["-123456789012345678901234567890.0123456789"]),
  ("BIT(3)", ["b'101'"]), ("BIT(12)", ["b'111100001111'"]), ("BIT(64)", ["0xFFFFFFFFFFFFFFFF"]),
  ("DATE", ["'2024-02-29'", "'0000-00-00'", "'2024-00-10'"]),
  ("DATETIME", ["'2024-02-29 23:59:59'", "'0000-00-00 00:00:00'"]),
  ("DATETIME(3)", ["'9999-12-31 23:59:59.999'"]), ("DATETIME(6)", ["'1000-01-01 00:00:00.000001'"]),
  ("TIMESTAMP NULL", ["'2038-01-19 03:14:07'", "'1970-01-01 00:00:01'"]),
  ("TIMESTAMP(4) NULL", ["'2024-02-29 23:59:59.9999'"]),
  ("TIME", ["'-838:59:59'", "'00:00:01'"]), ("TIME(2)", ["'838:59:58.99'"]),
  ("TIME(6)", ["'-00:00:00.000001'"]), ("YEAR", ["1901", "2155", "0"]),
  ("CHAR(10)", ["'abc  '", "'äöü€'", "''"]), ("CHAR(12) CHARACTER SET latin1", ["'äöü€'", "' a'"]),
  ("VARCHAR(10)", ["'abc  '", "'😀é'"]), ("VARCHAR(20)", ["'abcdefghijklmnopqrst'"]),
  ("VARCHAR(20) CHARACTER SET latin1", ["'ÿéäöü'", "'x '"]),
  ("VARCHAR(20) CHARACTER SET utf8mb3", ["'€uro'"]), ("VARCHAR(20) CHARACTER SET gbk", ["'你好'"]),
  ("VARCHAR(20) CHARACTER SET ucs2", ["'é你'"]), ("VARCHAR(20) CHARACTER SET utf16", ["'é😀'"]),
  ("VARCHAR(20) CHARACTER SET ascii", ["'ascii'"]),
  ("VARCHAR(20) CHARACTER SET cp1251", ["'Жук'"]),
  ("TINYTEXT", ["REPEAT('ü', 127)"]), ("TINYTEXT CHARACTER SET latin1", ["REPEAT('ü', 255)"]),
  ("TEXT", ["REPEAT('x', 3000)", "'a '"]), ("TEXT CHARACTER SET latin1", ["REPEAT('é', 3000)"]),
  ("MEDIUMTEXT", ["'m'"]), ("LONGTEXT", ["'l'"]), ("VARCHAR(300)", ["REPEAT('€', 300)"]),
  ("BINARY(3)", ["'a'", "'abc'", "x'00ff00'"]), ("BINARY(6)", ["'abcdef'"]),
  ("VARBINARY(5)", ["'a '", "x'6100'"]), ("VARBINARY(300)", ["REPEAT('v', 300)"]),
  ("TINYBLOB", ["x'00ff'"]), ("BLOB", ["REPEAT('b', 3000)"]), ("LONGBLOB", ["x'01'"]),
  ("ENUM('a','b')", ["'a'", "'b'", "0"]), ("ENUM('a','b','c')", ["'c'"]),
  ("ENUM('b','a')", ["'b'"]), ("ENUM('a','b') CHARACTER SET latin1", ["'b'"]),
  ("SET('a','b')", ["'a,b'", "''"]), ("SET('a','b','c','d','e','f','g','h','i')", ["'a,i'"]),
  ("SET('b','a')", ["'b'"]), ("JSON", ["'{\"a\": [1,2]}'"]), ("UUID", ["UUID()"]),
  ("INET4", ["'1.2.3.4'"]), ("INET6", ["'::1'", "'2001:db8::ff'"]),
]

private struct Sample {
  var column: Column
  var before: [String]
}

@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveConversionTests {
  /// Changes a column of every kind into every kind: where the plan says that the copy's values serve,
  /// the server's values are these.
  @Test func knowsWhatEveryConversionKeeps() async throws {
    try await withLiveClient { client in
      _ = try client.rows("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'")
      let samples = try makeBase(client)
      var claims = 0
      for target in kinds {
        claims += try convertAll(samples, to: target.declaration, client)
      }
      // What the plan says of 4,200 pairs; more is welcome, fewer would be a loss.
      #expect(claims > 230, "\(claims)")
    }
  }

  /// In strict mode more is known: what the server lets pass, it leaves as it is.
  @Test func knowsWhatStrictConversionsKeep() async throws {
    try await withLiveClient { client in
      _ = try client.rows("SET sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'")
      var claims = 0
      let changes = try kinds.map { (kind) -> (AlterTable, AlterTable) in
        let change = "ALTER TABLE s MODIFY c \(kind.declaration)"
        return (try alteration(change), try alteration(change + " NOT NULL"))
      }
      for (place, source) in kinds.enumerated() where !source.declaration.hasPrefix("TIMESTAMP") {
        let old = try definition(of: "CREATE TABLE d.s (c \(source.declaration))")
          .withDefaultCharset("utf8mb4")
        for (target, change) in zip(kinds, changes)
        where try isKnownOnlyWhenStrict(change.0, of: old) {
          claims += try checkStrictly(source, old.columns[0], target.declaration, client)
        }
        if try isKnownOnlyWhenStrict(changes[place].1, of: old) {
          claims += try checkStrictly(
            source, old.columns[0], source.declaration + " NOT NULL", client)
        }
      }
      #expect(claims > 60, "\(claims)")
    }
  }
}

private func isKnownOnlyWhenStrict(_ change: AlterTable, of old: TableSchema) throws -> Bool {
  try isKnown(old.plan(change, isStrict: true)) && !isKnown(old.plan(change))
}

/// Returns 1 when the server took the change, else 0.
private func checkStrictly(
  _ source: (declaration: String, values: [String]), _ old: Column, _ target: String,
  _ client: LiveClient
) throws -> Int {
  _ = try client.rows("CREATE TABLE s (c \(source.declaration)) ENGINE=MyISAM")
  defer { _ = try? client.rows("DROP TABLE s") }
  _ = try client.run("INSERT IGNORE INTO s VALUES \(tuples(source.values))")
  let before = try cells(of: old, "s", client)
  guard try client.run("ALTER TABLE s MODIFY c \(target)") != nil else { return 0 }
  let column = try client.schema(of: "s").columns[0]
  let seen = try cells(of: column, "s", client)
  #expect(
    seen.map { widened($0, from: column.type, to: column.type) }
      == before.map { widened($0, from: old.type, to: column.type) },
    "\(source.declaration) to \(target)")
  return 1
}

private func makeBase(_ client: LiveClient) throws -> [Sample] {
  let columns = kinds.enumerated().map { "c\($0) \($1.declaration)" }.joined(separator: ", ")
  _ = try client.rows("CREATE TABLE base (\(columns), id int) ENGINE=MyISAM")
  let count = kinds.map(\.values.count).max() ?? 0
  for row in 0...count {
    let values = kinds.map { row < $0.values.count ? $0.values[row] : "NULL" }
    _ = try client.rows("INSERT INTO base VALUES (\(values.joined(separator: ", ")), \(row))")
  }
  let schema = try client.schema(of: "base")
  return try schema.columns.dropLast().map {
    Sample(column: $0, before: try cells(of: $0, "base", client, order: "id"))
  }
}

/// Returns of how many columns the plan knew the values.
private func convertAll(_ samples: [Sample], to declaration: String, _ client: LiveClient) throws
  -> Int
{
  let changes = samples.map { "MODIFY \($0.column.name) \(declaration)" }
  _ = try client.rows("CREATE TABLE x LIKE base; INSERT INTO x SELECT * FROM base")
  defer { _ = try? client.rows("DROP TABLE x") }
  guard try client.run("ALTER TABLE x \(changes.joined(separator: ", "))") != nil else {
    // Some kinds refuse some values in every mode: then one by one.
    return try samples.reduce(0) { count, sample in
      let change = "MODIFY \(sample.column.name) \(declaration)"
      guard try client.run("ALTER TABLE x \(change)") != nil else { return count }
      return count + (try check(sample, declaration, client) ? 1 : 0)
    }
  }
  return try samples.reduce(0) { $0 + (try check($1, declaration, client) ? 1 : 0) }
}

/// Compares a column's values with what the plan says, if it says anything.
private func check(_ sample: Sample, _ declaration: String, _ client: LiveClient) throws -> Bool {
  let name = TableName(database: "d", table: "x")
  let old = TableSchema(
    name: name, columns: [sample.column], primaryKey: [], defaultCharset: "utf8mb4", keys: [])
  let change = "ALTER TABLE x MODIFY \(sample.column.name) \(declaration)"
  let plan = try plan(change, of: old, isStrict: false)
  guard isKnown(plan) else { return false }
  let column = plan.schema.columns[0]
  let after = try cells(of: column, "x", client, order: "id")
  let expected = sample.before.map { widened($0, from: sample.column.type, to: column.type) }
  let seen = after.map { widened($0, from: column.type, to: column.type) }
  #expect(seen == expected, "\(sample.column.type) \(change)")
  return true
}

private func plan(_ change: String, of schema: TableSchema, isStrict: Bool) throws
  -> TableChangePlan
{
  try schema.plan(try alteration(change), isStrict: isStrict)
}

private func alteration(_ change: String) throws -> AlterTable {
  let parsed = parseDDL(change, defaultDatabase: "d")
  guard case .alterTable(let alteration) = parsed else { throw NoDefinition(parsed: parsed) }
  return alteration
}

private func isKnown(_ plan: TableChangePlan) -> Bool {
  switch plan.rows {
  case .unchanged, .converted: true
  case .unknown: false
  }
}

private func tuples(_ values: [String]) -> String {
  values.map { "(\($0))" }.joined(separator: ", ")
}

private func cells(
  of column: Column, _ table: String, _ client: LiveClient, order: String? = nil
) throws -> [String] {
  let ending = order.map { " ORDER BY \($0)" } ?? ""
  return try client.rows("SELECT \(cellExpression(column)) FROM \(table)\(ending)").map { $0[0] }
}
