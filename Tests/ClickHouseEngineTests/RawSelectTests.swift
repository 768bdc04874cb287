import MagicCore
import Testing

@testable import ClickHouseEngine

@Suite struct RawSelectTests {
  /// Tables called `t`, `u` and `my t` are replaced.
  private func replaced(_ statement: String) -> String {
    SQLText(statement).replacingSelraw { ["t", "u", "my t"].contains($0.table) ? "(@)" : nil }
  }

  @Test func selrawReadsOtherTables() {
    let cases = [
      ("SELRAW * FROM t", "SELECT * FROM (@) AS t"),
      ("selraw * from d . t;", "SELECT * from (@) AS t;"),
      ("SELRAW * FROM `my t`WHERE a", "SELECT * FROM (@) AS `my t`WHERE a"),
      ("SELRAW * FROM t AS x, u y, other, t", "SELECT * FROM (@) AS x, (@) y, other, (@) AS t"),
      ("SELRAW * FROM t `x` FINAL", "SELECT * FROM (@) `x` FINAL"),
      ("SELRAW * FROM t FINAL", "SELECT * FROM (@) AS t FINAL"),
      (
        "SELRAW * FROM t ANY LEFT JOIN u ON t.a = u.a GLOBAL ASOF JOIN t USING (a), u",
        "SELECT * FROM (@) AS t ANY LEFT JOIN (@) AS u ON t.a = u.a GLOBAL ASOF JOIN (@) AS t "
          + "USING (a), (@) AS u"
      ),
      (
        "SELRAW a FROM t ARRAY JOIN u, t ORDER BY t, u",
        "SELECT a FROM (@) AS t ARRAY JOIN u, t ORDER BY t, u"
      ),
      ("SELRAW a FROM t JOIN u USING a, t", "SELECT a FROM (@) AS t JOIN (@) AS u USING a, t"),
      (
        "SELRAW * FROM t(1), (SELECT * FROM t), {t:Identifier}",
        "SELECT * FROM t(1), (SELECT * FROM t), {t:Identifier}"
      ),
      (
        "SELECT * FROM (SELRAW * FROM t) JOIN t USING a",
        "SELECT * FROM (SELECT * FROM (@) AS t) JOIN t USING a"
      ),
      (
        "SELRAW 1 FROM t UNION ALL SELECT 1 FROM t",
        "SELECT 1 FROM (@) AS t UNION ALL SELECT 1 FROM t"
      ),
      (
        "SELECT 1 FROM t EXCEPT SELRAW * EXCEPT (t) FROM t",
        "SELECT 1 FROM t EXCEPT SELECT * EXCEPT (t) FROM (@) AS t"
      ),
      (
        "SELRAW * EXCEPT t FROM t INTERSECT DISTINCT SELRAW 1 FROM u",
        "SELECT * EXCEPT t FROM (@) AS t INTERSECT DISTINCT SELECT 1 FROM (@) AS u"
      ),
      (
        "SELRAW extract(day FROM t), a IS DISTINCT FROM t FROM t",
        "SELECT extract(day FROM t), a IS DISTINCT FROM t FROM (@) AS t"
      ),
      (
        "WITH t AS (SELRAW * FROM t) SELRAW * FROM t, u",
        "WITH t AS (SELECT * FROM (@) AS t) SELECT * FROM t, (@) AS u"
      ),
      (
        "WITH 1 AS selraw, u(a) AS MATERIALIZED (SELECT 1) SELRAW * FROM u, d.u",
        "WITH 1 AS selraw, u(a) AS MATERIALIZED (SELECT 1) SELECT * FROM u, (@) AS u"
      ),
      (
        "SELECT (WITH t AS (SELECT 1) SELRAW 1 FROM t), (SELRAW 1 FROM t)",
        "SELECT (WITH t AS (SELECT 1) SELECT 1 FROM t), (SELECT 1 FROM (@) AS t)"
      ),
      (
        "INSERT INTO t (selraw, a) SELRAW * FROM t",
        "INSERT INTO t (selraw, a) SELECT * FROM (@) AS t"
      ),
      (
        "UPSERT INTO t SETTINGS a = 1 WITH 1 AS x SELRAW x FROM t",
        "UPSERT INTO t SETTINGS a = 1 WITH 1 AS x SELECT x FROM (@) AS t"
      ),
      (
        "CREATE TABLE t (selraw UInt8) ENGINE = Log AS SELRAW 1 FROM t",
        "CREATE TABLE t (selraw UInt8) ENGINE = Log AS SELECT 1 FROM (@) AS t"
      ),
      ("EXPLAIN header = 1 SELRAW 1 FROM t", "EXPLAIN header = 1 SELECT 1 FROM (@) AS t"),
      (
        "ALTER TABLE v MODIFY QUERY SELRAW 1 FROM t",
        "ALTER TABLE v MODIFY QUERY SELECT 1 FROM (@) AS t"
      ),
      ("DESCRIBE (SELRAW 1 FROM t)", "DESCRIBE (SELECT 1 FROM (@) AS t)"),
      ("SELRAW 1 FROM/**/t/**/FORMAT CSV", "SELECT 1 FROM/**/(@) AS t/**/FORMAT CSV"),
    ]
    for (statement, expected) in cases {
      #expect(SQLText(statement).hasSelraw, "\(statement)")
      #expect(replaced(statement) == expected)
    }
  }

  @Test func otherStatementsStay() {
    for statement in [
      "SELECT selraw FROM t", "SELECT 1 AS selraw FROM t", "SELECT f(selraw), (selraw, 1) FROM t",
      "SELECT `SELRAW` FROM t", "SELECT 'SELRAW 1 FROM t' FROM t", "SELECT 1 /* SELRAW 1 */ FROM t",
      "SELECT 1 selraw FROM t", "INSERT INTO selraw SELECT 1 FROM t", "DROP TABLE selraw",
      "CREATE TABLE t (selraw UInt8)", "SELECT * EXCEPT selraw FROM t",
      "INSERT INTO t (selraw) VALUES (1)",
      "INSERT INTO t FORMAT CSV\nSELRAW 1 FROM t",
    ] {
      #expect(!SQLText(statement).hasSelraw, "\(statement)")
      #expect(replaced(statement) == statement)
    }
  }

  @Test func anErrorPassesThrough() {
    #expect(throws: EngineError.self) {
      try SQLText("SELRAW 1 FROM t").replacingSelraw { _ in throw EngineError(message: "x") }
    }
  }
}
