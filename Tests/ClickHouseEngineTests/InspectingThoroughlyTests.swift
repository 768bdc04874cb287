import MagicCore
import Testing

@testable import ClickHouseEngine

/// What statements read and call, which the engine's own parser tells.
extension EngineTests {
  private struct Inspector {
    let path: StatementPath

    func callAsFunction(
      _ statement: String, _ parameters: [String: String] = [:]
    ) async throws -> StatementInspection {
      try await path.inspect(statement, parameters: parameters, thoroughly: true)
    }
  }

  private func withInspector(_ body: (Inspector) async throws -> Void) async throws {
    try await withTables { _, path, _ in try await body(Inspector(path: path)) }
  }

  /// The names of a statement, as `database.table`.
  private func names(_ names: [StatementInspection.Name]) -> Set<String> {
    Set(names.map { "\($0.database ?? "-").\($0.table ?? "-")" })
  }

  @Test func whatStatementsReadIsFound() async throws {
    let cases: [(String, Set<String>)] = [
      ("SELECT o.a FROM shop.t AS o, x.y WHERE o.b = 1", ["shop.t", "x.y"]),
      ("SELECT a FROM t JOIN d.u ON t.a = u.a, e.v", ["d.u", "e.v"]),
      ("SELECT a FROM t ARRAY JOIN n.b AS b, n.c AS c", []),
      ("SELECT 1 IN d.t, 2 IN (d.u), in(1, d.v), 1 IN ((d.w))", ["d.t", "d.u", "d.v", "d.w"]),
      ("SELECT o.a IN (o.b, o.c), x IN (1, 2) FROM t AS o", []),
      ("SELECT extract(year FROM o.d), trim(BOTH ' ' FROM o.s) FROM t AS o", []),
      ("SELECT a IS DISTINCT FROM o.b FROM t AS o", []),
      ("WITH 1 AS is SELECT is DISTINCT FROM d.t", ["d.t"]),
      ("WITH where AS (SELECT 1) SELECT * FROM where, d.t", ["d.t"]),
      ("WITH 1 AS group SELECT 1 FROM t AS a JOIN t AS b ON group = 1, d.t", ["d.t"]),
      ("WITH 'a' AS limit SELECT 1 FROM t AS a JOIN t AS b ON x REGEXP limit, d.t", ["d.t"]),
      ("WITH 1 AS array SELECT 1 FROM t AS a JOIN t AS b ON array JOIN d.t ON 1", ["d.t"]),
      ("SELECT * FROM (t AS a JOIN d.t AS b ON a.a = b.a)", ["d.t"]),
      ("SELECT * FROM (array JOIN d.t ON 1)", ["d.t"]),
      ("SELECT 1, .5FROM d.t", ["d.t"]), ("SELECT * FROM 2024_sales.t", ["2024_sales.t"]),
      ("SELECT * FROM /* */ `d` -- \n . \"t\"", ["d.t"]), ("SELECT * FROM `\\x64`.t", ["d.t"]),
      ("SELECT 1 // ' \n FROM d.t // '", ["d.t"]), ("FROM d.t SELECT a, o.b", ["d.t"]),
      ("SELECT dictGet('d.x', 'a', 1), joinGet('d.j', 'a', 1)", ["d.x", "d.j"]),
      ("SELECT hasColumnInTable('d', 't', 'c')", ["d.t"]),
      ("DESCRIBE d.t", ["d.t"]), ("SHOW CREATE d.t", ["d.t"]), ("EXISTS DATABASE d", ["d.-"]),
      ("SHOW TABLES FROM d", ["system.tables", "d.-"]), ("USE d", ["d.-"]),
      ("EXPLAIN SELECT * FROM d.t", ["d.t"]),
      ("SELECT system.one.dummy FROM system.one", ["system.one"]),
      ("CREATE TABLE t AS d.u", ["d.u"]),
      ("CREATE VIEW v AS SELECT a AS b, o.c FROM d.u AS o", ["d.u"]),
      ("ALTER TABLE t REPLACE PARTITION 1 FROM d.u", ["d.u"]),
      ("SELECT * FROM d.view_of(x = 1)", ["d.view_of"]),
      ("INSERT INTO t SELECT * FROM d.u", ["d.u"]),
      ("SELECT a FROM t WHERE b = (SELECT 1 FROM d.u)", ["d.u"]),
    ]
    try await withInspector { inspect in
      for (statement, expected) in cases {
        let inspection = try await inspect(statement)
        #expect(names(inspection.sources) == expected, "\(statement)")
        #expect(inspection.kind != .administer, "\(statement)")
      }
    }
  }

  @Test func functionsAreFoundHoweverTheyAreCalled() async throws {
    try await withInspector { inspect in
      for statement in [
        "SELECT file('x')", "SELECT `file` ('x')", "SELECT file/**/('x')",
        "SELECT arrayMap(file, ['x'])", "SELECT arrayMap((file), ['x'])",
        "SELECT * APPLY(file) FROM t", "SELECT * APPLY file FROM t",
        "SELECT COLUMNS('a') APPLY (x -> file(x)) FROM t",
        "CREATE TABLE t (a String DEFAULT file('x'))", "INSERT INTO t VALUES (1), (file('x'))",
        "SELECT 1 // '\n, file('x') // '",
      ] {
        #expect(try await inspect(statement).functions.contains("file"), "\(statement)")
      }
      let reading = try await inspect("SELECT max(a) FROM numbers(10), values('a Int8', 1)")
      #expect(reading.functions == ["max", "numbers", "values"])
      #expect(reading.tableFunctions == ["numbers", "values"])
      for (statement, function) in [
        ("CREATE TABLE t AS numbers(3)", "numbers"), ("DESCRIBE file('x')", "file"),
        ("INSERT INTO FUNCTION file('x') SELECT 1", "file"),
        ("SELECT * FROM format(CSV, '1')", "format"),
        ("SELECT a FROM values('x Int8, a String ALIAS f()', 1)", "values"),
        ("SELECT * FROM generateRandom('a Int8')", "generateRandom"),
        ("SELECT a FROM null('x Int8, a String ALIAS f()')", "null"),
      ] {
        #expect(try await inspect(statement).tableFunctions == [function], "\(statement)")
      }
      #expect(try await inspect("SELECT format('{} {}', a, b)").tableFunctions == [])
    }
  }

  @Test func enginesAreFound() async throws {
    try await withInspector { inspect in
      for (statement, engines) in [
        (
          "CREATE TABLE t (engine String) ENGINE = URL('http://x', CSV) SETTINGS disk = 'd'",
          ["URL"]
        ),
        ("CREATE DATABASE d ENGINE MySQL('x')", ["MySQL"]),
        ("CREATE TABLE t (a Int8) ORDER BY toDate(a)", []),
        ("CREATE MATERIALIZED VIEW v ENGINE = Memory AS SELECT 1", ["Memory"]),
      ] as [(String, Set<String>)] {
        let found = try await inspect(statement).engines
        #expect(found == engines, "\(statement)")
      }
    }
  }

  @Test func parametersStandForNames() async throws {
    try await withInspector { inspect in
      let statement = "SELECT {v:String}, {c:Identifier} FROM {d:Identifier}.{t:Identifier}"
      let known = try await inspect(
        statement, ["c": "c", "d": "shop", "t": "x y", "v": "\\N"])
      #expect(known.sources == [.init(database: "shop", table: "x y")])
      #expect(known.missingParameters.isEmpty)
    }
  }

  @Test func namesThatAreNotTold() async throws {
    try await withInspector { inspect in
      for statement in [
        "SELECT dictGet(concat('d', '.x'), 'a', 1)",
        "SELECT hasColumnInTable('d' || 'e', 't', 'c')", "SELECT 'x' IN system.databases",
        "SELECT system.tables FROM t AS system",
        "WITH 'secret.d' AS n SELECT dictGet(n, 's', 1)", "SELECT dictGet(`secret.d`, 's', 1)",
        "SELECT joinGet(shop.j, 's', 1)", "SELECT dictHas({x:Identifier}, 1)",
        "SELECT naiveBayesClassifierWithAllProbs(n, 'x')",
        "SELECT dictGet('123e4567-e89b-12d3-a456-426655440000', 's', 1)",
        "CREATE VIEW shop.v AS SELECT * FROM {d:Identifier}.t",
        "CREATE OR REPLACE MATERIALIZED VIEW shop.v AS SELECT {s:String} AS s",
        "ALTER TABLE shop.t ADD COLUMN e String DEFAULT joinGet('j', 's', id)",
        "DELETE FROM shop.t WHERE joinGet('j', 's', id) = 'x'",
      ] {
        #expect(
          try await inspect(statement, ["d": "shop", "s": "s", "x": "d"]).isOpaque, "\(statement)")
      }
      for statement in [
        "SELECT final, sample FROM t", "SELECT * FROM (SELECT a, b.c FROM t)",
        "SELECT * FROM ((SELECT 1) UNION ALL (SELECT a, o.b FROM t AS o))",
        "WITH x AS (SELECT 1) SELECT * FROM (WITH y AS (SELECT 1) SELECT * FROM y)",
        "SELECT dictGet('d', 's', 1)",
      ] {
        let inspection = try await inspect(statement)
        #expect(!inspection.isOpaque && inspection.sources.isEmpty, "\(statement)")
      }
    }
  }

  /// What the words of a statement and the engine's parser do not agree about.
  @Test func whatIsNotBelieved() async throws {
    try await withInspector { inspect in
      for statement in [
        "EXPLAIN, [(SELECT any(s) FROM b.secret)] FROM (SELECT 1 AS EXPLAIN)",
        "SET max_threads, limit = [toString(['1'] AS limit)] AS SET",
        "SELECT 1 FROM t SETTINGS a = (SELECT 1)", "SHOW TABLES WHERE name = 'x'",
        "SHOW TABLES LIMIT (SELECT 1)",
      ] {
        let kind = try? await inspect(statement).kind
        #expect(kind == nil || kind == .administer, "\(statement)")
      }
      for statement in [
        "SELECT * FROM a.t t JOIN (SELECT 1 AS limit) u ON t.id = 1 * limit, b.secret",
        "SELECT s, 1*AS FROM b.secret, (SELECT 1 AS AS) z",
        "SELECT 1*in((1,'SECRET1'), b.secret)", "SELECT TOP 5 in(7, b.secret)",
        "SELECT DISTINCT ON (1) in(7, b.secret)", "SELECT 1 QUALIFY in(7, b.secret)",
        "CREATE TABLE a.ali (id Int32, y UInt8 ALIAS in(id, b.secret)) ENGINE = Memory",
        "SELECT TOP 5 AS FROM b.secret, (SELECT 1 AS AS) z",
        "SELECT any(s) FROM a.sm AS x SAMPLE 1 OFFSET 0, b.secret AS y",
        "INSERT INTO a.t VALUES ((SELECT s FROM b.secret))", "SELECT * FROM \"\\x62\".secret",
        "SELRAW * FROM b.secret", "SELECT * APPLY (x -> x IN b.secret) FROM a.t",
      ] {
        let found = try await inspect(statement).sources
        #expect(found.contains(.init(database: "b", table: "secret")), "\(statement)")
      }
      for (statement, isPlain) in [
        ("INSERT INTO a.t VALUES (1 + 1, 'x')", true),
        ("INSERT INTO a.t VALUES ([/*]), ('*/')", false),
        ("INSERT INTO a.t VALUES ([1])", false), ("INSERT INTO a.t VALUES (1) -- x", false),
        ("INSERT INTO a.t VALUES ($$x$$)", false), ("INSERT INTO a.t VALUES (`x`)", false),
        ("INSERT INTO a.t VALUES", false), ("INSERT INTO a.t FORMAT Values (file('x'))", false),
        ("INSERT INTO a.t SELECT 1", false), ("INSERT INTO a.t VALUES (1)(2)", false),
      ] {
        #expect(try await inspect(statement).hasPlainValues == isPlain, "\(statement)")
      }
    }
  }

  @Test func ownWordsAreTheEngines() async throws {
    try await withInspector { inspect in
      for statement in [
        "UPSERT INTO d.t SELECT 1 SETTINGS max_threads = 1",
        "INSERT INTO d.t SETTINGS async_insert = 1 SELECT 1 SETTINGS max_threads = 1",
        "IMPORT INTO d.t VALUES (1)", "UPDATE d.t SET n.a = [1], b = n.a[1] WHERE n.a = [2]",
        "WITH (SELRAW max(a) FROM d.u) AS x SELECT x",
        "SHOW FULL TABLES FROM d NOT LIKE 'x%' LIMIT 5",
        "SHOW CREATE TABLE d.t FORMAT TSVRaw", "SHOW SETTINGS LIKE 'x'", "SHOW SETTING max_threads",
        "SELECT now() - INTERVAL 5 DAY, COLUMNS('a') APPLY (x -> x + 1) FROM d.t",
        "SELECT * APPLY sum, * APPLY(quantile(0.5)) FROM d.t",
        "ALTER TABLE d.t ADD STATISTICS s TYPE tdigest",
        "ALTER TABLE d.t MODIFY COLUMN c REMOVE TTL",
        "CREATE TABLE d.t (a DateTime) ENGINE = MergeTree ORDER BY a TTL a + INTERVAL 1 DAY",
      ] {
        let inspection = try await inspect(statement)
        #expect(inspection.kind != .administer, "\(statement)")
      }
    }
  }

  @Test func systemTablesAreGuarded() async throws {
    let limit = "LIMIT \(Int.max))"
    try await withInspector { inspect in
      let plain = try await inspect("SELECT * FROM system.columns WHERE x").guarded
      #expect(
        plain
          == "SELECT * FROM (SELECT * FROM system.columns \(limit) AS `columns` WHERE x")
      let several = try await inspect(
        "SELECT * FROM system.parts AS t, information_schema.columns c"
      ).guarded
      #expect(
        several
          == "SELECT * FROM (SELECT * REPLACE ('' AS path), bytes, marks_size, part_name "
          + "FROM system.parts \(limit) AS t, "
          + "(SELECT * FROM information_schema.columns \(limit) c")
      let numbers = try await inspect("SELECT * FROM system.numbers LIMIT 1").guarded
      #expect(numbers == nil)
    }
  }
}
