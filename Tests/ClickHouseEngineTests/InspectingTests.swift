import MagicCore
import Testing

@testable import ClickHouseEngine

@Suite struct InspectingTests {
  private func inspect(
    _ statement: String, _ parameters: [String: String] = [:]
  ) throws -> StatementInspection {
    try StatementInspection(SQLText(statement), parameters: parameters)
  }

  /// The names of a statement, as `database.table`.
  private func names(_ names: [StatementInspection.Name]) -> Set<String> {
    Set(names.map { "\($0.database ?? "-").\($0.table ?? "-")" })
  }

  @Test(
    arguments: [
      ("SELECT 1", .read), ("/* */ select 1", .read), ("(SELECT 1) UNION ALL (SELECT 2)", .read),
      ("WITH 1 AS x SELECT x", .read), ("FROM t SELECT a", .read), ("SELRAW * FROM t", .read),
      ("SHOW TABLES", .read), ("SHOW CREATE TABLE t", .read), ("DESCRIBE t", .read),
      ("DESC TABLE t", .read), ("EXISTS t", .read), ("CHECK TABLE t", .read),
      ("EXPLAIN SELECT 1", .read), ("EXPLAIN actions = 1 SELECT 1", .read),
      ("INSERT INTO t VALUES (1)", .write), ("WITH 1 AS x INSERT INTO t SELECT x", .write),
      ("UPSERT INTO t VALUES (1)", .write), ("IMPORT INTO t VALUES (1)", .write),
      ("UPDATE t SET a = 1 WHERE 1", .write), ("DELETE FROM t WHERE 1", .write),
      ("EXPLAIN INSERT INTO t SELECT 1", .write),
      ("INSERT INTO FUNCTION null('a Int8') SELECT 1", .write),
      ("CREATE TABLE t (a Int8) ENGINE = Memory", .declare),
      ("CREATE VIEW v AS SELECT 1", .declare),
      ("CREATE DATABASE d", .declare), ("DROP TABLE IF EXISTS t", .declare),
      ("ALTER TABLE t ADD COLUMN b Int8", .declare), ("RENAME TABLE a TO b", .declare),
      ("EXCHANGE TABLES a AND b", .declare), ("TRUNCATE t", .declare),
      ("OPTIMIZE TABLE t", .declare),
      ("SET a = 1", .session), ("USE d", .session), ("KILL QUERY WHERE query_id = 'x'", .kill),
      ("KILL QUERY WHERE query_id = 'x' SYNC", .kill),
      ("KILL QUERY WHERE query_id = 'x' OR 1", .administer), ("KILL QUERY WHERE 1", .administer),
      ("SYSTEM SHUTDOWN", .administer), ("CREATE DICTIONARY d (a Int8) PRIMARY KEY a", .administer),
      ("CREATE FUNCTION f AS x -> x", .administer), ("CREATE USER u", .administer),
      ("ATTACH TABLE t", .administer), ("DETACH TABLE t", .administer),
      ("BACKUP TABLE t TO Disk('d', 'x')", .administer), ("SET ROLE r", .administer),
      ("ALTER TABLE t FREEZE", .administer), ("ALTER USER u IDENTIFIED BY 'x'", .administer),
      ("DROP FUNCTION f", .administer), ("GRANT SELECT ON *.* TO u", .administer),
      ("CREATE DATABASE a PARALLEL WITH CREATE DATABASE b", .administer),
      ("SELECT 1 INTO OUTFILE '/tmp/x'", .administer),
      ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", .administer), ("1 + 1", .administer),
      ("SHOW PROCESSLIST", .administer), ("SHOW GRANTS", .administer), ("WATCH v", .administer),
      ("EXPLAIN SYSTEM SHUTDOWN", .administer), ("CHECK ALL TABLES", .administer),
      ("EXPLAIN TABLE OVERRIDE mysql('', '', '', '', '') COLUMNS (a Int8)", .administer),
      ("UNDROP TABLE t", .administer), ("EXECUTE AS u SELECT 1", .administer),
    ] as [(String, StatementInspection.Kind)])
  func kinds(_ statement: String, _ kind: StatementInspection.Kind) throws {
    #expect(try inspect(statement).kind == kind, "\(statement)")
  }

  @Test(
    arguments: [
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
      ("SELECT * FROM (array JOIN d.t ON 1)", ["d.t"]), ("SELECT 1.5FROM d.t", []),
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
    ] as [(String, Set<String>)])
  func sources(_ statement: String, _ expected: Set<String>) throws {
    #expect(names(try inspect(statement).sources) == expected, "\(statement)")
  }

  @Test(
    arguments: [
      ("INSERT INTO d.t (a, b) VALUES (1, 2)", ["d.t"]), ("UPDATE d.t SET a = 1 WHERE 1", ["d.t"]),
      ("WITH 1 AS x INSERT INTO d.t SELECT x", ["d.t"]), ("DELETE FROM d.t WHERE 1", ["d.t"]),
      ("CREATE TABLE IF NOT EXISTS d.t (a Int8) ENGINE = Memory", ["d.t"]),
      ("CREATE OR REPLACE VIEW d.v AS SELECT 1", ["d.v"]),
      ("CREATE DATABASE IF NOT EXISTS d", ["d.-"]),
      ("CREATE MATERIALIZED VIEW d.v TO e.t AS SELECT 1", ["d.v", "e.t"]),
      ("DROP TABLE IF EXISTS d.t, e.t", ["d.t", "e.t"]), ("DROP DATABASE d", ["d.-"]),
      ("TRUNCATE TABLE d.t", ["d.t"]), ("TRUNCATE ALL TABLES FROM d", ["d.-"]),
      ("RENAME TABLE d.t TO e.t, f.t TO g.t", ["d.t", "e.t", "f.t", "g.t"]),
      ("EXCHANGE TABLES d.t AND e.t", ["d.t", "e.t"]), ("CREATE INDEX i ON d.t (a)", ["d.t"]),
      ("ALTER TABLE d.t MOVE PARTITION 1 TO TABLE e.t", ["d.t", "e.t"]),
    ] as [(String, Set<String>)])
  func targets(_ statement: String, _ expected: Set<String>) throws {
    #expect(names(try inspect(statement).targets) == expected, "\(statement)")
  }

  @Test func functionsAreFoundHoweverTheyAreCalled() throws {
    for statement in [
      "SELECT file('x')", "SELECT `file` ('x')", "SELECT file/**/('x')",
      "SELECT arrayMap(file, ['x'])",
      "SELECT arrayMap((file), ['x'])", "SELECT * APPLY(file) FROM t", "SELECT * APPLY file FROM t",
      "SELECT COLUMNS('a') APPLY (x -> file(x)) FROM t",
      "CREATE TABLE t (a String DEFAULT file('x'))",
      "INSERT INTO t VALUES (file('x'))", "SELECT 1 // '\n, file('x') // '",
    ] {
      #expect(try inspect(statement).functions.contains("file"), "\(statement)")
    }
    let reading = try inspect("SELECT max(a) FROM numbers(10), values('a Int8', 1)")
    #expect(reading.functions == ["max", "numbers", "values"])
    #expect(reading.tableFunctions == ["numbers", "values"])
    #expect(try inspect("CREATE TABLE t AS numbers(3)").tableFunctions == ["numbers"])
    #expect(try inspect("DESCRIBE file('x')").tableFunctions == ["file"])
    #expect(try inspect("INSERT INTO FUNCTION file('x') SELECT 1").tableFunctions == ["file"])
  }

  @Test func enginesAndSettingsAreFound() throws {
    let creation = try inspect(
      "CREATE TABLE t (engine String) ENGINE = URL('http://x', CSV) SETTINGS disk = 'd', b = disk(type = l)"
    )
    #expect(creation.engines == ["URL"])
    #expect(
      creation.settings == [.init(name: "disk", value: "d"), .init(name: "b", value: nil)])
    #expect(try inspect("CREATE DATABASE d ENGINE MySQL('x')").engines == ["MySQL"])
    #expect(
      try inspect("SELECT 1 FROM (SELECT 1 SETTINGS a = 1) SETTINGS b = 'x', c = -2").settings == [
        .init(name: "a", value: "1"), .init(name: "b", value: "x"), .init(name: "c", value: "-2"),
      ])
    #expect(try inspect("SET a = 1, b = 'y'").settings.map(\.name) == ["a", "b"])
    #expect(try inspect("ALTER TABLE t MODIFY SETTING a = 1").settings.map(\.name) == ["a"])
  }

  @Test func parametersStandForNames() throws {
    let statement = "SELECT {v:String}, {c:Identifier} FROM {d:Identifier}.{t:Identifier}"
    let known = try inspect(statement, ["c": "c", "d": "shop", "t": "x\\ty"])
    #expect(known.sources == [.init(database: "shop", table: "x\ty")])
    #expect(known.missingParameters.isEmpty)
    #expect(try inspect(statement).missingParameters == ["c", "d", "t"])
    #expect(try inspect("SELECT ?, a ? 1 : 2 FROM t WHERE x = ?").positionalParameterCount == 2)
    #expect(try inspect("SELECT $1, $3 FROM t").positionalParameterCount == 3)
  }

  @Test func namesThatAreNotTold() throws {
    for statement in [
      "SELECT dictGet(concat('d', '.x'), 'a', 1)", "SELECT hasColumnInTable('d' || 'e', 't', 'c')",
      "WITH select AS (SELECT 1) SELECT * FROM (select AS x, d.t)",
      "SELECT * FROM (with x, d.t)", "SELECT * FROM (select x, d.t FINAL)",
      "SELECT * FROM (select x, d.t JOIN t ON 1)", "SELECT 'x' IN system.databases",
      "SELECT system.tables FROM t AS system",
      "SHOW TABLES WHERE name = 'x'", "FROM t select FINAL, d.t SELECT 1",
    ] {
      #expect(try inspect(statement).isOpaque, "\(statement)")
    }
    for statement in [
      "SELECT final, sample FROM t", "SELECT * FROM (SELECT a, b.c FROM t)",
      "SELECT * FROM ((SELECT 1) UNION ALL (SELECT a, o.b FROM t AS o))",
      "WITH x AS (SELECT 1) SELECT * FROM (WITH y AS (SELECT 1) SELECT * FROM y)",
    ] {
      let inspection = try inspect(statement)
      #expect(!inspection.isOpaque && inspection.sources.isEmpty, "\(statement)")
    }
  }

  @Test func systemTablesAreGuarded() throws {
    let limit = "LIMIT \(Int.max))"
    #expect(
      try inspect("SELECT * FROM system.columns WHERE x").guarded
        == "SELECT * FROM (SELECT * FROM system.columns \(limit) AS `columns` WHERE x")
    #expect(
      try inspect("SELECT * FROM system.parts AS t, information_schema.columns c").guarded
        == "SELECT * FROM (SELECT * REPLACE ('' AS path), bytes, marks_size, part_name "
        + "FROM system.parts \(limit) AS t, "
        + "(SELECT * FROM information_schema.columns \(limit) c")
    #expect(try inspect("SELECT * FROM system.numbers LIMIT 1").guarded == nil)
  }

  @Test func patternsHoldNoData() throws {
    for (statement, pattern) in [
      ("SELECT  a, 'x' /* y */ FROM t -- z", "SELECT a, ? FROM t"),
      ("SELECT 1 WHERE a IN (1, -2, 'x')", "SELECT ? WHERE a IN (?..)"),
      ("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (-3, 'c')", "INSERT INTO t VALUES (?..)"),
      ("INSERT INTO t FORMAT CSV\n1,secret", "INSERT INTO t FORMAT CSV"),
      ("CREATE USER u IDENTIFIED BY 'secret'", "CREATE USER u IDENTIFIED BY ?"),
      ("SELECT * FROM mysql('h', 'd', 't', 'u', 'secret')", "SELECT * FROM mysql(?..)"),
      ("SELECT $x$secret$x$, x'4142', 1e5", "SELECT ?, x?.."),
      (
        "SELECT \"a_1\", `b c` FROM t WHERE s = \"it's secret\"",
        "SELECT \"a_1\", `b c` FROM t WHERE s = ?"
      ),
    ] {
      let found = try inspect(statement).pattern
      #expect(found == pattern)
    }
    let long = "SELECT " + (0..<5000).map { "c\($0)" }.joined(separator: ", ")
    #expect(try inspect(long).pattern.utf8.count < 4200)
  }

  @Test func strangeTextIsRefused() throws {
    for statement in [
      "", "  -- x", "SELECT 1; SELECT 2", "SELECT 1\u{A0}FROM d.t", "SELECT * FROM “d”.t",
      "SELECT 1\0", "SELECT é", "SELECT \u{1}",
    ] {
      #expect(throws: EngineError.self, "\(statement)") { try inspect(statement) }
    }
    #expect(try inspect("SELECT 'é\u{A0}', `ü` FROM \"日\".t;").sources.first?.database == "日")
  }

  @Test func valuesAreToldFromOtherRows() throws {
    #expect(try inspect("INSERT INTO t VALUES (1)").hasValues)
    #expect(try inspect("INSERT INTO t SETTINGS a = 1 VALUES").hasValues)
    #expect(try !inspect("INSERT INTO t FORMAT Values (file('x'))").hasValues)
    #expect(try !inspect("INSERT INTO t FORMAT CSV\n1").hasValues)
    #expect(try !inspect("INSERT INTO t").hasValues)
    #expect(try !inspect("SELECT 1").hasValues)
  }

  /// A name without a value sets 1, and more may follow it.
  @Test(
    arguments: [
      ("SELECT 1 SETTINGS a, b = 2, c", ["a=1", "b=2", "c=1"]),
      ("SELECT 1 SETTINGS a == 2, `b` = 'x', c = -3", ["a=2", "b=x", "c=-3"]),
      (
        "SELECT 1 SETTINGS a = {v:UInt8}, b = {'x': [1, 2]}, c = d(e = 1), f = DEFAULT, g = h.i",
        ["a=-", "b=-", "c=-", "f=-", "g=-"]
      ),
      ("SELECT 1 SETTINGS final, limit, offset, a", ["final=1", "limit=1", "offset=1", "a=1"]),
      ("SET a = 1, b, c = 'x'", ["a=1", "b=1", "c=x"]), ("SET a", ["a=1"]),
      ("SELECT * FROM (SELECT 1 SETTINGS a, b = 2) SETTINGS c", ["a=1", "b=2", "c=1"]),
      ("SELECT 1 SETTINGS a FORMAT CSV SETTINGS b, c = 2", ["a=1", "b=1", "c=2"]),
      (
        "SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2, b = 3 SETTINGS limit, c",
        ["a=1", "limit=1", "c=1"]
      ),
      ("INSERT INTO t SETTINGS a, b = 1 VALUES (1)", ["a=1", "b=1"]),
      ("INSERT INTO t SETTINGS a, b = 1 FORMAT Values", ["a=1", "b=1"]),
      (
        "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS a, disk = disk(type = local)",
        ["a=1", "disk=-"]
      ),
      ("CREATE TABLE t (a Int8 SETTINGS (b = 1, c)) ENGINE = Memory", ["b=1", "c=1"]),
      ("ALTER TABLE t MODIFY SETTING a, b = 2", ["a=1", "b=2"]),
      ("ALTER TABLE t RESET SETTING a, b", ["a=1", "b=1"]),
      // Before the clause stands what may be a column's name.
      ("WITH 1 AS from SELECT from SETTINGS a = 2", ["a=2"]),
      ("SELECT join SETTINGS a, b = 2", ["a=1", "b=2"]),
      ("SELECT by SETTINGS a, b = 2", ["a=1", "b=2"]),
      ("SELECT ? SETTINGS a, b = 2", ["a=1", "b=2"]),
      ("SELECT settings FROM t", []), ("SELECT a, settings b FROM t ORDER BY settings DESC", []),
      ("SELECT settings AS s FROM t WHERE settings = 1 AND settings LIKE 'x'", []),
    ] as [(String, [String])])
  func settings(_ statement: String, _ expected: [String]) throws {
    let inspection = try inspect(statement)
    #expect(inspection.settings.map { "\($0.name)=\($0.value ?? "-")" } == expected, "\(statement)")
    #expect(inspection.kind != .administer, "\(statement)")
  }

  @Test(
    arguments: [
      "SELECT 1 SETTINGS a = 1 + 1, b = 2", "SELECT 1 SETTINGS a = ?, b = 2",
      "SELECT 1 SETTINGS a,",
      "SELECT 1 SETTINGS a = 'x' 'y', b = 1", "SET a = 1 + 1", "SET a = 1, ", "SET a = 1 b = 2",
      "SET TRANSACTION SNAPSHOT 1", "ALTER TABLE t MODIFY SETTING a = 1 + 1, b = 2",
    ])
  func settingsThatAreNotTold(_ statement: String) throws {
    #expect(try inspect(statement).kind == .administer, "\(statement)")
  }

  /// The engine's lexer has more spaces and quotes than ASCII's.
  @Test(arguments: [
    "DROP TABLE w.“'”, secret.t --'", "TRUNCATE TABLE magic\u{A0}.query_log",
    "SET param_x = [‘'’], max_threads = ‘1’", "DESCRIBE “magic”.“query_log”", "SELECT\u{1}1",
  ])
  func whatIsNotASCII(_ statement: String) {
    let kind = try? inspect(statement).kind
    #expect(kind == nil || kind == .administer)
  }

  @Test func namesThatMayBeAliases() throws {
    for statement in [
      "WITH 'secret.d' AS n SELECT dictGet(n, 's', 1)", "SELECT dictGet(`secret.d`, 's', 1)",
      "SELECT joinGet(shop.j, 's', 1)", "SELECT dictHas({x:Identifier}, 1)",
      "CREATE VIEW shop.v AS SELECT * FROM {d:Identifier}.t",
      "CREATE OR REPLACE MATERIALIZED VIEW shop.v AS SELECT {s:String} AS s",
    ] {
      #expect(try inspect(statement, ["d": "shop", "s": "s", "x": "d"]).isOpaque, "\(statement)")
    }
    #expect(try !inspect("SELECT dictGet('shop.d', 's', 1)").isOpaque)
    #expect(try inspect("DESCRIBE FROM secret.t").sources.map(\.database) == ["secret"])
  }

  /// A table function's columns can have expressions.
  @Test func columnsInStrings() throws {
    for statement in [
      "SELECT a FROM null(concat('x Int8, a String ALI', 'AS f()'))",
      "INSERT INTO FUNCTION null('x Int8, a String \\x41LIAS f()') SELECT 1",
      "SELECT a FROM null('x Int8, a String\u{A0}ALIAS\u{A0}f()')",
    ] {
      #expect(try inspect(statement).kind == .administer, "\(statement)")
    }
    for statement in [
      "SELECT a FROM values('x Int8, a String ALIAS f()', 1)", "SELECT * FROM values(s, 1)",
      "SELECT * FROM `values`(x'78', 1)", "SELECT * FROM generateRandom('a Int8')",
    ] {
      #expect(try inspect(statement).tableFunctions.count == 1, "\(statement)")
    }
    for statement in [
      "INSERT INTO t VALUES (?, 'x')",
      "INSERT INTO t (a) SETTINGS b = 1 VALUES ('default', {p:Int8})",
      "WITH 1 AS x INSERT INTO t VALUES ('alias ttl', 1)",
    ] {
      #expect(try inspect(statement).kind == .write, "\(statement)")
    }
    for (statement, isTable) in [
      ("SELECT format('{} {}', a, b)", false), ("SELECT * FROM format(CSV, '1')", true),
      ("SELECT format('Values', 'a String', '(1)')", true),
      ("SELECT * FROM format('{' || 'x', '1')", true),
    ] {
      #expect(try inspect(statement).tableFunctions.contains("format") == isTable, "\(statement)")
    }
  }
}
