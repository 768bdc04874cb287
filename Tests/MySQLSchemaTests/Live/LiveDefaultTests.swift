import MySQLSchema
import TestSupport
import Testing

private let types = [
  "TINYINT", "SMALLINT UNSIGNED", "INT", "BIGINT", "BIGINT UNSIGNED", "BOOL", "INT(5) ZEROFILL",
  "FLOAT", "FLOAT(7,2)", "DOUBLE", "DOUBLE(8,3)", "DOUBLE UNSIGNED", "DECIMAL(10,3)",
  "DECIMAL(3,0)", "DECIMAL(20,10) UNSIGNED", "BIT(1)", "BIT(10)", "BIT(64)", "DATE", "DATETIME",
  "DATETIME(3)", "TIMESTAMP NULL", "TIMESTAMP(2) NULL", "TIME", "TIME(6)", "YEAR", "CHAR(5)",
  "VARCHAR(20)", "VARCHAR(20) CHARACTER SET latin1", "VARCHAR(20) CHARACTER SET ucs2",
  "VARCHAR(4) CHARACTER SET gbk", "TEXT", "TINYTEXT CHARACTER SET utf8mb3", "BINARY(4)",
  "VARBINARY(9)", "BLOB", "ENUM('1','b','é')", "SET('a','b','1')", "JSON", "UUID", "INET4",
  "INET6",
]
private let literals = [
  "0", "1", "-1", "+7", "127", "300", "1.5", "1.50", "-0.0", "0.1", ".5", "1e3", "1.5e-3",
  "123456789012345678901", "20240229", "20240229123456", "2024", "123456", "'0'", "'1'", "'-5'",
  "'1.5'", "'0005'", "' 7 '", "'1e2'", "''", "'a'", "'a  '", "'b,a'", "'é'", "'你'", "'it''s \\\\'",
  "'abcdefghij'", "x'41'", "0x41", "0x0102", "b'101'", "0b1", "x'00ff'", "TRUE", "FALSE", "NULL",
  "'2024-02-29'", "'2024-2-9'", "'2024-02-29 12:34:56'", "'2024-02-29T12:34:56.789'",
  "'2024-02-29 12:34:56.7000000'", "'0000-00-00'", "'0000-00-00 00:00:00'", "'2024-00-00'",
  "'12:34:56'", "'-838:59:59'", "'12:34'", "'1:2:3.5'", "'2024'", "'24'", "DATE '2024-02-29'",
  "TIMESTAMP '2024-02-29 12:34:56'", "TIME '12:34:56'", "_latin1'x'", "_utf8mb4'é'", "_binary'ab'",
  "_latin1 x'E9'", "N'n'", "'x' 'y'", "(5)", "('a')", "(1 + 1)", "CURRENT_TIMESTAMP", "UUID()",
  "'{\"a\":1}'", "'00112233-4455-6677-8899-AABBCCDDEEFF'", "'1.2.3.4'", "'::1'", "'2001:DB8::'",
  "'::ffff:1.2.3.4'", "(NULL)",
]

@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveDefaultTests {
  /// Adds a column of every kind with every literal as its default: where the plan knows the value,
  /// the rows have it.
  @Test func knowsTheValuesOfNewColumns() async throws {
    try await withLiveClient { client in
      _ = try client.rows("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'")
      _ = try client.rows("CREATE TABLE t (id int) ENGINE=MyISAM; INSERT INTO t VALUES (1)")
      let base = try client.schema(of: "t")
      var claims = 0
      for type in types {
        let endings = literals.map { "DEFAULT \($0)" } + ["", "NOT NULL"]
        claims += try check(endings.map { "\(type) \($0)" }, base, client)
      }
      #expect(claims > 800, "\(claims)")
    }
  }
}

/// Adds columns with these definitions, as far as the plan knows their values, and returns how many
/// the server took.
private func check(_ definitions: [String], _ base: TableSchema, _ client: LiveClient) throws -> Int
{
  let known = try definitions.compactMap { definition in
    try plan("ALTER TABLE t ADD c \(definition)", base).flatMap { plan in
      plan.column.map { (definition: definition, column: $0, text: plan.text) }
    }
  }
  let changes = known.enumerated().map { "ADD c\($0) \($1.definition)" }
  // Those that the server refuses are found out one by one.
  var added = Array(known.indices)
  if try client.run("ALTER TABLE t \(changes.joined(separator: ", "))") == nil {
    added = try added.filter { try client.run("ALTER TABLE t \(changes[$0])") != nil }
  }
  let shown = try client.schema(of: "t")
  for (index, place) in zip(added, 1...) {
    let (definition, column, text) = known[index]
    #expect(shown.columns[place].type == column.type, "\(definition)")
    // The server prints bytes as text here.
    if case .literal(let printed) = shown.columns[place].default {
      #expect(column.default == .literal(printed), "\(definition)")
    }
    let seen = try client.rows("SELECT \(cellExpression(shown.columns[place])) FROM t")[0][0]
    #expect(
      widened(seen, from: column.type, to: column.type) == cell(text, column.type),
      "\(definition)")
  }
  let drops = added.map { "DROP c\($0)" }
  _ = try client.rows("ALTER TABLE t \(drops.joined(separator: ", "))")
  return added.count
}

/// The new column and its value, if the plan knows it.
private func plan(_ statement: String, _ base: TableSchema) throws -> (
  column: Column?, text: [UInt8]?
)? {
  let parsed = parseDDL(statement, defaultDatabase: "d")
  guard case .alterTable(let alteration) = parsed else { throw NoDefinition(parsed: parsed) }
  let plan = try base.plan(alteration)
  guard case .converted(let sources) = plan.rows, case .value(let text) = sources[1] else {
    return nil
  }
  return (plan.schema.columns[1], text)
}
