import MagicCore
import Testing

@testable import ClickHouseEngine

@Suite struct InspectingTests {
  private func inspect(
    _ statement: String, _ parameters: [String: String] = [:]
  ) throws -> StatementInspection {
    try StatementInspection.scan(SQLText(statement), parameters: parameters).0
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

  @Test func settingsAreFound() throws {
    #expect(
      try inspect("SELECT 1 FROM (SELECT 1 SETTINGS a = 1) SETTINGS b = 'x', c = -2").settings == [
        .init(name: "a", value: "1"), .init(name: "b", value: "x"), .init(name: "c", value: "-2"),
      ])
    #expect(try inspect("SET a = 1, b = 'y'").settings.map(\.name) == ["a", "b"])
    #expect(try inspect("ALTER TABLE t MODIFY SETTING a = 1").settings.map(\.name) == ["a"])
  }

  @Test func placesOfValuesAreCounted() throws {
    let statement = "SELECT {v:String}, {c:Identifier} FROM {d:Identifier}.{t:Identifier}"
    #expect(try inspect(statement).missingParameters == ["c", "d", "t", "v"])
    #expect(try inspect("SELECT ?, a ? 1 : 2 FROM t WHERE x = ?").positionalParameterCount == 2)
    #expect(try inspect("SELECT $1, $3 FROM t").positionalParameterCount == 3)
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
    #expect(try inspect("DROP TABLE \"日\".t;").targets.first?.database == "日")
    #expect(try inspect("DROP TABLE \"\\x6gmagic\".t;").targets.first?.database == "_magic")
  }

  /// A name without a value sets 1, and more may follow it.
  @Test(
    arguments: [
      ("SELECT 1 SETTINGS a, b = 2, c", ["a=1", "b=2", "c=1"]),
      ("SELECT 1 SETTINGS a == 2, `b` = 'x', c = -3", ["a=2", "b=x", "c=-3"]),
      (
        "SELECT 1 SETTINGS f = DEFAULT, g = h", ["f=-", "g=h"]
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
        "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS a, disk = 'd'",
        ["a=1", "disk=d"]
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
      "SELECT 1 SETTINGS a = 1 + 1, b = 2", "SELECT 1 SETTINGS a = {v:UInt8}",
      "SELECT 1 SETTINGS a = {'x': [1, 2]}", "SELECT 1 SETTINGS a = d(e = 1)",
      "SELECT 1 SETTINGS a = (SELECT 1)", "SET a = [1]", "SELECT 1 SETTINGS a = ?, b = 2",
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
}
