import Testing

@testable import ClickHouseEngine

@Suite struct ChangeStatementTests {
  @Test func insertsAreTakenApart() throws {
    let cases: [(String, [String]?, Bool, InsertStatement.Source, Int)] = [
      ("INSERT INTO t VALUES (1)", nil, false, .values, 4),
      ("INSERT INTO t(a, `b c`, n.x) values(1)", ["a", "b c", "n.x"], false, .values, 3),
      ("INSERT INTO t (* EXCEPT(a)) SELECT 1", [], true, .select, 0),
      ("INSERT INTO t (a, COLUMNS('x')) FORMAT CSV", ["a"], true, .format("CSV"), 0),
      ("INSERT INTO t (* EXCEPT a, b) SELECT 1", ["b"], true, .select, 0),
      ("INSERT INTO t (a APPLY f) SELECT 1", [], true, .select, 0),
      ("INSERT INTO t () SELECT 1", [], false, .select, 0),
      ("INSERT INTO t (SELECT 1)", nil, false, .select, 0),
      ("INSERT INTO t ((WITH 1 AS x SELECT 1))", nil, false, .select, 0),
      ("INSERT INTO t (with, select) (SELECT 1)", ["with", "select"], false, .select, 0),
      (
        "INSERT INTO t SETTINGS a = 1, b = 'VALUES' FORMAT CSV\n1,2;", nil, false, .format("CSV"), 5
      ),
      ("INSERT INTO format FORMAT CSV 1", nil, false, .format("CSV"), 2),
      ("INSERT INTO values (format) VALUES (1)", ["format"], false, .values, 4),
      ("INSERT INTO t FORMAT CSV '((`", nil, false, .format("CSV"), 5),
      (
        "INSERT INTO t FROM INFILE 'x' COMPRESSION 'gzip' FORMAT CSV", nil, false, .format("CSV"), 0
      ),
      ("INSERT INTO t FROM INFILE 'x'", nil, false, .none, 0),
      ("INSERT INTO t FROM u SELECT a", nil, false, .select, 0),
      ("INSERT INTO t WITH 1 AS x SELECT x", nil, false, .select, 0),
      ("INSERT INTO t SELRAW * FROM u", nil, false, .select, 0),
      ("INSERT INTO t SELECT format FROM u", nil, false, .select, 0),
      ("INSERT INTO t", nil, false, .none, 0), ("INSERT INTO t (a)", ["a"], false, .none, 0),
    ]
    for (statement, columns, hasMatcher, source, count) in cases {
      let insert = try #require(InsertStatement(SQLText(statement)), "\(statement)")
      #expect(insert.columns == columns, "\(statement)")
      #expect(insert.hasColumnMatcher == hasMatcher, "\(statement)")
      #expect(insert.source == source, "\(statement)")
      #expect(insert.dataByteCount == count, "\(statement)")
    }
  }

  @Test func insertsAreRewritten() throws {
    let cases: [(String, String?, String)] = [
      ("upsert into TABLE d . t (a)\nVALUES (1);", nil, "INSERT into TABLE x (a)\nVALUES (1);"),
      ("IMPORT INTO t FORMAT CSV\n1;'", "a, b", "INSERT INTO x (a, b) FORMAT CSV\n1;'"),
      ("Insert INTO t ( a , b )VALUES (1)", "c", "Insert INTO x (c)VALUES (1)"),
      (
        "WITH t AS (SELECT 1) UPSERT INTO t (SELECT 1) SETTINGS a = 1", "c",
        "WITH t AS (SELECT 1) INSERT INTO x (c) (SELECT 1) SETTINGS a = 1"
      ),
      (
        "INSERT INTO t SETTINGS a = 1 SELECT * FROM t", nil,
        "INSERT INTO x SETTINGS a = 1 SELECT * FROM t"
      ),
    ]
    for (statement, columns, expected) in cases {
      let insert = try #require(InsertStatement(SQLText(statement)), "\(statement)")
      #expect(insert.rewritten(into: "x", columns: columns) == expected)
    }
  }

  @Test func rowsHaveNoTokens() {
    for statement in [
      "INSERT INTO t FORMAT CSV SELRAW 1", "INSERT INTO FUNCTION file('x') FORMAT CSV SELRAW 1",
      "INSERT INTO {t:Identifier} (a) FORMAT CSV SELRAW 1",
      "WITH 1 AS x INSERT INTO t FORMAT C SELRAW 1",
      "INSERT INTO t SELECT * FROM input('a A') FORMAT CSV\nx SELRAW y",
      "INSERT INTO t FROM INFILE 'x' FORMAT CSV SELRAW 1",
    ] {
      #expect(!SQLText(statement).mentions("SELRAW"), "\(statement)")
    }
    #expect(SQLText("INSERT INTO t SELECT format csv, 1 FROM u").mentions("u"))
  }

  @Test func updatesAreTakenApart() throws {
    let update = try #require(
      UpdateStatement(
        SQLText(
          "UPDATE d.`t` SET a = f(b, 'x, WHERE'), t.`c d` = [1, 2]::Array(UInt8), d.t.e = (SELECT "
            + "1 WHERE 0), n.x = settings WHERE a = 1 AND where_ SETTINGS x = 1, y = 'z';")))
    #expect(update.assignments.map(\.column) == ["a", "c d", "e", "n.x"])
    #expect(
      update.assignments.map(\.expression) == [
        "f(b, 'x, WHERE')", "[1, 2]::Array(UInt8)", "(SELECT 1 WHERE 0)", "settings",
      ])
    #expect(update.condition == "a = 1 AND where_" && update.settings == "x = 1, y = 'z'")
    #expect(!update.isInPartition && !update.isOnCluster)
    let other = try #require(
      UpdateStatement(SQLText("update t on cluster 'c' set a=1 in partition (1, 2)")))
    #expect(other.isInPartition && other.isOnCluster && other.condition == nil)
    #expect(other.assignments.map(\.expression) == ["1"] && other.settings == nil)
  }

  @Test func deletesAreTakenApart() throws {
    let cases: [(String, String?, String?, Bool, Bool)] = [
      ("t WHERE a = 'WHERE' -- x", "a = 'WHERE'", nil, false, false),
      (
        "d.t ON CLUSTER c IN PARTITION ID 'x' WHERE a IN (1) SETTINGS x = 1", "a IN (1)", "x = 1",
        true, true
      ),
      ("t SETTINGS x = 1", nil, "x = 1", false, false), ("t", nil, nil, false, false),
      ("limit WHERE settings = 1", "settings = 1", nil, false, false),
      ("t IN PARTITION 1", nil, nil, true, false),
    ]
    for (rest, condition, settings, isInPartition, isOnCluster) in cases {
      let delete = try #require(DeleteStatement(SQLText("DELETE FROM \(rest)")), "\(rest)")
      #expect(delete.condition == condition && delete.settings == settings, "\(rest)")
      #expect(delete.isInPartition == isInPartition, "\(rest)")
      #expect(delete.isOnCluster == isOnCluster, "\(rest)")
    }
  }

  @Test func altersAreSplitIntoCommands() throws {
    let cases = [
      ("ADD COLUMN a Int8, drop column b", ["ADD COLUMN a Int8", "drop column b"]),
      (
        "MODIFY SETTING a = 1, b = 2, RESET SETTING c, d",
        ["MODIFY SETTING a = 1, b = 2", "RESET SETTING c, d"]
      ),
      (
        "UPDATE a = 1, comment = 'x, DROP COLUMN y' WHERE 1, DELETE WHERE 2",
        ["UPDATE a = 1, comment = 'x, DROP COLUMN y' WHERE 1", "DELETE WHERE 2"]
      ),
      ("(ADD COLUMN a Int8), (DROP COLUMN b)", ["ADD COLUMN a Int8", "DROP COLUMN b"]),
      (
        "MODIFY ORDER BY (a, drop x), COMMENT COLUMN a ','",
        ["MODIFY ORDER BY (a, drop x)", "COMMENT COLUMN a ','"]
      ),
      ("ADD COLUMN settings Int8, FREEZE", ["ADD COLUMN settings Int8", "FREEZE"]),
      ("MODIFY COLUMN `a` UInt8 SETTINGS x = 1", ["MODIFY COLUMN `a` UInt8"]),
    ]
    for (rest, commands) in cases {
      let alter = try #require(AlterStatement(SQLText("ALTER TABLE t \(rest);")), "\(rest)")
      #expect(alter.commands.map(\.text) == commands)
      #expect(alter.rewritten(name: "x") == "ALTER TABLE x \(rest);")
    }
    let alter = try #require(
      AlterStatement(
        SQLText("ALTER TABLE t ON CLUSTER c modify column \"a b\" UInt8 SETTINGS x = 1")))
    #expect(alter.commands[0].words == ["MODIFY", "COLUMN"])
    #expect(alter.commands[0].names == ["modify", "column", "a b", "UInt8"])
    #expect(alter.isOnCluster)
  }
}
