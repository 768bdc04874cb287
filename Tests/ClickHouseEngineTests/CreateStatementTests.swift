import MagicCore
import Testing

@testable import ClickHouseEngine

private func mutable(_ statement: String) throws -> CreateMutableTable {
  let text = SQLText(statement)
  let head = try #require(CreateHead(text), "\(statement)")
  return try #require(try CreateMutableTable(text, head), "\(statement)")
}

@Suite struct CreateStatementTests {
  @Test func theStorageStatementKeepsTheRest() throws {
    let cases = [
      (
        "CREATE OR REPLACE TABLE IF NOT EXISTS d.t (a Int8)\n ENGINE = MutableMergeTree ORDER BY a",
        "CREATE TABLE s (a Int8)\n ENGINE = MergeTree ORDER BY a"
      ),
      (
        "create table t(a Int8)engine MutableMergeTree()order by a -- c",
        "CREATE TABLE s(a Int8)ENGINE = MergeTree order by a -- c"
      ),
      (
        "CREATE TABLE t ENGINE = `MutableMergeTree` ORDER BY a COMMENT 'x' AS /**/ SELECT 1 AS a;",
        "CREATE TABLE s ENGINE = MergeTree ORDER BY a COMMENT 'x' EMPTY AS /**/ SELECT 1 AS a;"
      ),
      (
        "CREATE TABLE t ORDER BY engine ENGINE = MutableMergeTree EMPTY AS (SELECT 1)",
        "CREATE TABLE s ORDER BY engine ENGINE = MergeTree EMPTY AS (SELECT 1)"
      ),
      (
        "CREATE TABLE t (a A) ENGINE = MutableMergeTree((a, f(b, c)), 8192) PARTITION BY a",
        "CREATE TABLE s (a A) ENGINE = MergeTree ORDER BY (a, f(b, c)) PARTITION BY a "
          + "SETTINGS index_granularity = 8192"
      ),
      (
        "CREATE TABLE t (a A) ENGINE = MutableMergeTree(a, 1) TTL d SETTINGS x = 1, y = 2",
        "CREATE TABLE s (a A) ENGINE = MergeTree ORDER BY a TTL d "
          + "SETTINGS index_granularity = 1, x = 1, y = 2"
      ),
      (
        "CREATE TABLE t (a A) ENGINE = MutableMergeTree(a,1)AS SELECT 1 SETTINGS x = 1",
        "CREATE TABLE s (a A) ENGINE = MergeTree ORDER BY a  SETTINGS index_granularity = 1 "
          + "EMPTY AS SELECT 1 SETTINGS x = 1"
      ),
      (
        "CREATE TABLE t (a A) ENGINE = MutableMergeTree(a, 1) COMMENT 'x' AS SELECT 1",
        "CREATE TABLE s (a A) ENGINE = MergeTree ORDER BY a SETTINGS index_granularity = 1 "
          + "COMMENT 'x' EMPTY AS SELECT 1"
      ),
      (
        "CREATE TABLE t (a A) ENGINE = MutableMergeTree(a) -- c",
        "CREATE TABLE s (a A) ENGINE = MergeTree ORDER BY a -- c"
      ),
      (
        "CREATE TABLE t UUID 'x' AS d.u ENGINE = MutableMergeTree PRIMARY KEY a",
        "CREATE TABLE s UUID 'x' AS d.u ENGINE = MergeTree PRIMARY KEY a"
      ),
    ]
    for (statement, expected) in cases {
      #expect(try mutable(statement).storageStatement(name: "s") == expected)
    }
    #expect(
      try mutable("CREATE TABLE t AS u ENGINE = MutableMergeTree")
        .storageStatement(name: "s", like: "v") == "CREATE TABLE s AS v ENGINE = MergeTree")
  }

  @Test func thePartsAreFound() throws {
    let table = try mutable(
      "CREATE TABLE IF NOT EXISTS t (a Int8, b String DEFAULT ')') ENGINE = MutableMergeTree "
        + "ORDER BY a COMMENT $x$it's$x$ AS WITH 1 AS x SELECT x SETTINGS y = 1;")
    #expect(table.ifNotExists && !table.orReplace)
    #expect(table.select == "WITH 1 AS x SELECT x SETTINGS y = 1")
    #expect(try mutable("CREATE TABLE t ENGINE = MutableMergeTree EMPTY AS SELECT 1").select == nil)
    #expect(
      try mutable("CREATE TABLE t ENGINE = MutableMergeTree AS (SELRAW 1)").select == "(SELRAW 1)")
    let copy = try mutable("CREATE OR REPLACE TABLE t AS d.u ENGINE = MutableMergeTree")
    #expect(copy.orReplace && copy.select == nil)
    #expect(copy.likeTable.map(short) == "d.u")
  }

  @Test func whatAMutableTableCannotBeIsRefused() {
    let engine = "ENGINE = MutableMergeTree"
    for statement in [
      "CREATE TEMPORARY TABLE t (a A) \(engine)",
      "CREATE TABLE t ON CLUSTER c (a A) \(engine)",
      "CREATE TABLE t UUID 'x' ON CLUSTER 'c' (a A) \(engine)",
      "CREATE TABLE t (a A) \(engine)(a, 1, 2)",
      "CREATE TABLE t (a A) \(engine)(a, b)",
      "CREATE TABLE t (a A) \(engine)(a, 1 + 1)",
      "CREATE TABLE t (a A) \(engine)(, 1)",
      "CREATE TABLE t (a A) \(engine)(a) ORDER BY a",
      "CREATE TABLE t (a A) \(engine)((a), 1) PRIMARY KEY a",
      "CREATE TABLE t (a A PRIMARY KEY) \(engine)(a)",
    ] {
      #expect(throws: EngineError.self, "\(statement)") {
        try Statement.recognise(SQLText(statement))
      }
    }
  }

  @Test func materializedViewsTellTheirTables() throws {
    let cases: [(String, Bool, String?, String)] = [
      ("v AS SELECT * FROM d.t", false, nil, "d.t"),
      (
        "IF NOT EXISTS v TO `x` AS SELECT * FROM t AS a, u b JOIN w USING (k), y", false, "x",
        "t u w y"
      ),
      (
        "v REFRESH EVERY 1 DAY TO x AS (SELECT * FROM (SELECT 1 FROM t) UNION ALL SELECT 1 FROM u)",
        true, "x", "t u"
      ),
      (
        "v ENGINE = Log POPULATE AS SELECT extract(day FROM d) FROM f(t) JOIN u ON 1", false, nil,
        "u"
      ),
      (
        "v AS WITH c AS (SELECT * FROM t) SELECT * FROM c WHERE a IN (SELECT 1 FROM u)", false, nil,
        "t c u"
      ),
      (
        "v AS SELECT 'FROM x' /* FROM y */ FROM t ARRAY JOIN a, b LEFT JOIN u USING k, l", false,
        nil, "t u"
      ),
      ("v AS SELECT a IS NOT DISTINCT FROM b FROM t ORDER BY c, d", false, nil, "t"),
      ("v AS FROM t SELECT a", false, nil, "t"),
    ]
    for (rest, isRefreshable, target, tables) in cases {
      let text = SQLText("CREATE MATERIALIZED VIEW \(rest)")
      let head = try #require(CreateHead(text))
      let view = try #require(CreateMaterializedView(text, head))
      #expect(view.name.table == "v" && view.isRefreshable == isRefreshable, "\(rest)")
      #expect(view.target?.table == target, "\(rest)")
      #expect(view.tables.map(short).joined(separator: " ") == tables, "\(rest)")
    }
  }
}
