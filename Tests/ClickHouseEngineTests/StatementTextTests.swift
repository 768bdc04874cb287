import MagicCore
import Testing

@testable import ClickHouseEngine

@Suite struct StatementTextTests {
  /// The statement with `@` where its FORMAT clause belongs.
  private func directed(_ statement: String) throws -> String {
    try StatementText(SQLText(statement)).replacingFormat(with: "@")
  }

  @Test func theFormatClauseIsFoundAtTheEnd() throws {
    let cases = [
      ("SELECT 1", nil, "SELECT 1 @"),
      ("SELECT 1 FORMAT CSV", "CSV", "SELECT 1  @"),
      ("select 1 format CSV ;; ", "CSV", "select 1  @"),
      ("SELECT 1 FORMAT CSV SETTINGS a = 1", "CSV", "SELECT 1  @ SETTINGS a = 1"),
      ("SELECT 1 SETTINGS a = 1 FORMAT CSV", "CSV", "SELECT 1 SETTINGS a = 1  @"),
      ("SELECT 1 SETTINGS a = 1", nil, "SELECT 1 SETTINGS a = 1 @"),
      ("SELECT 1 -- FORMAT CSV", nil, "SELECT 1 @"),
      ("SELECT 1 # FORMAT CSV", nil, "SELECT 1 @"),
      ("SELECT 1 /* FORMAT CSV; */", nil, "SELECT 1 @"),
      ("SELECT 1 -- c\nFORMAT/**/CSV", "CSV", "SELECT 1 -- c\n @"),
      ("SELECT 'FORMAT CSV'", nil, "SELECT 'FORMAT CSV' @"),
      ("SELECT '\\' FORMAT CSV'", nil, "SELECT '\\' FORMAT CSV' @"),
      ("SELECT 'it''s;' FORMAT CSV", "CSV", "SELECT 'it''s;'  @"),
      ("SELECT $x$;' FORMAT TSV$x$ FORMAT CSV", "CSV", "SELECT $x$;' FORMAT TSV$x$  @"),
      ("SELECT `format` csv", nil, "SELECT `format` csv @"),
      ("SELECT format csv FROM t", nil, "SELECT format csv FROM t @"),
      ("SELECT a FROM t ORDER BY format DESC", nil, "SELECT a FROM t ORDER BY format DESC @"),
      ("SELECT a FROM t ORDER BY a DESC FORMAT CSV", "CSV", "SELECT a FROM t ORDER BY a DESC  @"),
      ("SELECT (SELECT 1 FORMAT CSV)", nil, "SELECT (SELECT 1 FORMAT CSV) @"),
      ("SELECT 1e-5 FORMAT CSV", "CSV", "SELECT 1e-5  @"),
      ("SELECT format('{}', 'a')", nil, "SELECT format('{}', 'a') @"),
      ("SELECT * FROM t FORMAT \"x\"", nil, "SELECT * FROM t FORMAT \"x\" @"),
      ("(SELECT 1) UNION ALL (SELECT 2) FORMAT CSV", "CSV", "(SELECT 1) UNION ALL (SELECT 2)  @"),
    ]
    for (statement, format, expected) in cases {
      #expect(try StatementText(SQLText(statement)).format == format, "\(statement)")
      #expect(try directed(statement) == expected)
    }
  }

  @Test func theFirstWordTellsWhatAStatementGives() throws {
    let cases: [(String, StatementText.Kind)] = [
      ("SELECT 1", .select), ("/* x */ select 1", .select), ("((SELECT 1))", .select),
      ("WITH 1 AS x SELECT x", .select), ("FROM t SELECT a", .select),
      ("WITH 1 AS x INSERT INTO t SELECT x", .command), ("INSERT INTO t VALUES (1)", .command),
      ("-- x\ncreate table t (a Int8)", .command), ("SET a = 1", .command),
      ("SHOW TABLES", .information), ("DESC t", .information), ("EXPLAIN SELECT 1", .information),
      ("EXISTS TABLE t", .information), ("KILL QUERY WHERE 0", .information),
      ("1 + 1", .information),
    ]
    for (statement, kind) in cases {
      #expect(try StatementText(SQLText(statement)).kind == kind, "\(statement)")
    }
  }

  @Test func semicolonsAndCommentsAtTheEndAreCut() throws {
    #expect(try StatementText(SQLText(" SELECT 1 ; -- end\n;")).text == " SELECT 1")
    #expect(
      try StatementText(SQLText("INSERT INTO t VALUES (1) /* x */;")).text
        == "INSERT INTO t VALUES (1)")
  }

  @Test func rowsThatFollowAnInsertAreNotTouched() throws {
    let rows = "INSERT INTO t FORMAT CSV\n1,\"a;b\"\n2,-- x\n"
    #expect(try StatementText(SQLText(rows)).text == rows)
    #expect(try StatementText(SQLText(rows)).kind == .command)
  }

  @Test func whatIsNotOneStatementIsRefused() {
    for statement in ["", " -- x", ";"] {
      #expect(throws: EngineError.self) { try StatementText(SQLText(statement)) }
    }
    #expect(throws: EngineError(message: "there is more than one statement; send them one by one"))
    {
      try StatementText(SQLText("SELECT 1; SELECT 2"))
    }
    #expect(throws: EngineError.self) {
      try StatementText(SQLText("SELECT 1 INTO OUTFILE 'x' FORMAT CSV"))
    }
  }

  @Test func noPrefixOfAStatementTraps() {
    let statement = Array(
      "WITH a AS (SELECT 'x\\'' FROM `b` WHERE $t$q$t$ = \"c\" /* d */) -- e\nINSERT INTO f FORMAT g 1"
        .utf8)
    for length in 0...statement.count {
      for start in 0...length {
        _ = try? StatementText(SQLText(String(decoding: statement[start..<length], as: UTF8.self)))
      }
    }
  }
}
