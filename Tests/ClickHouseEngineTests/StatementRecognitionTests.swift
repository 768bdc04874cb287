import Testing

@testable import ClickHouseEngine

/// The statement in short: its kind and its names.
private func summary(_ statement: String) throws -> String {
  func list(_ names: [WrittenName]) -> String { names.map(short).joined(separator: " ") }
  return switch try Statement.recognise(SQLText(statement)) {
  case .createMutableTable(let table): "mutable \(short(table.name))"
  case .insert(let insert): "\(insert.verb) \(short(insert.name))"
  case .update(let update): "update \(short(update.name))"
  case .delete(let delete): "delete \(short(delete.name))"
  case .alter(let alter): "alter \(short(alter.name))"
  case .truncate(let truncate): "truncate \(list(truncate.names))"
  case .truncateAll(let database): "truncate all \(database)"
  case .rename(let pairs): "rename " + list(pairs.flatMap { [$0.from, $0.to] })
  case .renameDatabases(let pairs): "rename databases \(pairs.map { "\($0.from) \($0.to)" })"
  case .exchange(let pairs): "exchange " + list(pairs.flatMap { [$0.0, $0.1] })
  case .drop(let drop): "drop \(drop.kind) \(list(drop.names))"
  case .detach(let detach): "detach \(detach.kind) \(list(detach.names))"
  case .attach(let attach): "attach \(short(attach.name))"
  case .optimize(let optimize): "optimize \(short(optimize.name))"
  case .describe(let describe): "describe \(short(describe.name))"
  case .showCreate(let show): "show \(short(show.name))"
  case .check(let check): "check \(short(check.name))"
  case .createMaterializedView(let view): "view \(short(view.name)): \(list(view.tables))"
  case .createOther(let names): "create \(list(names))"
  case .other: "other"
  }
}

/// A name without quotes, for comparison.
func short(_ name: WrittenName) -> String {
  (name.database.map { $0 + "." } ?? "") + name.table
}

@Suite struct StatementRecognitionTests {
  @Test func statementsAreTold() throws {
    let cases = [
      ("", "other"), (";", "other"), ("SELECT 1", "other"), ("(SELECT 1)", "other"),
      ("create table t (a Int8) engine = MutableMergeTree order by a", "mutable t"),
      ("REPLACE TABLE t (a Int8) ENGINE = MutableMergeTree", "mutable t"),
      ("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a", "create t"),
      ("CREATE TABLE t (a Int8) ENGINE = mutablemergetree ORDER BY a", "create t"),
      ("CREATE TABLE t (a Int8) ENGINE = X COMMENT 'ENGINE = MutableMergeTree'", "create t"),
      ("CREATE TABLE t (a Int8) /* ENGINE = MutableMergeTree */", "create t"),
      ("CREATE TABLE t ENGINE = Log AS SELECT 1 AS engine, MutableMergeTree FROM x", "create t"),
      ("CREATE TABLE t AS SELECT * FROM x", "create t"), ("CREATE TABLE t AS d.x", "create t d.x"),
      ("CREATE TABLE t CLONE AS `x` ENGINE = Log", "create t x"),
      ("CREATE TABLE t AS numbers(10)", "create t"), ("CREATE TEMPORARY TABLE t (a A)", "create t"),
      ("CREATE TABLE {t:Identifier} (a A) ENGINE = MutableMergeTree", "other"),
      ("CREATE OR REPLACE VIEW d.v AS SELECT * FROM x", "create d.v"),
      ("CREATE DICTIONARY IF NOT EXISTS d (a A) PRIMARY KEY a", "create d"),
      ("CREATE DATABASE d", "other"), ("CREATE USER t", "other"),
      ("INSERT INTO t VALUES (1)", "insert t"), ("upsert/**/into d . t select 1", "upsert d.t"),
      ("IMPORT INTO TABLE `a``b` FORMAT CSV\n1", "importing a`b"),
      ("INSERT INTO FUNCTION file('x') SELECT 1", "other"), ("INSERT t VALUES (1)", "other"),
      ("INSERT INTO {t:Identifier} VALUES (1)", "other"),
      ("INSERT INTO d.{t:Identifier} VALUES (1)", "other"), ("INSERT INTO a.b.c SELECT 1", "other"),
      ("WITH 1 AS x INSERT INTO t SELECT x", "insert t"),
      ("WITH x AS (INSERT INTO y) SELECT 1", "other"),
      ("WITH 1 AS insert, into AS y UPSERT INTO t SELECT x", "upsert t"),
      ("UPDATE d.t SET a = 1 WHERE b", "update d.t"), ("UPDATE t", "other"),
      ("UPDATE t SET a WHERE b", "other"), ("UPDATE t SET a = WHERE b", "other"),
      ("DELETE FROM \"t\" WHERE b", "delete t"), ("DELETE FROM t x WHERE b", "other"),
      ("DELETE FROM t WHERE", "other"), ("delete from t", "delete t"),
      ("ALTER TABLE d.t ADD COLUMN a Int8", "alter d.t"), ("ALTER TABLE t", "other"),
      ("ALTER USER t RENAME TO x", "other"), ("ALTER TEMPORARY TABLE t ADD COLUMN a A", "other"),
      ("TRUNCATE t", "truncate t"), ("TRUNCATE TABLE IF EXISTS d.t SYNC", "truncate d.t"),
      ("TRUNCATE TABLE a, b", "truncate a b"), ("TRUNCATE DATABASE IF EXISTS d", "truncate all d"),
      ("TRUNCATE ALL TABLES FROM `d` LIKE '%'", "truncate all d"),
      ("TRUNCATE TEMPORARY TABLE t", "other"),
      ("RENAME TABLE a TO d.b, c TO e", "rename a d.b c e"), ("RENAME a TO b", "rename a b"),
      ("RENAME TABLE IF EXISTS a TO b ON CLUSTER c", "rename a b"), ("RENAME TABLE a", "other"),
      ("RENAME DATABASE a TO b", "rename databases [\"a b\"]"),
      ("RENAME DICTIONARY a TO b", "other"),
      ("EXCHANGE TABLES a AND d.b", "exchange a d.b"), ("EXCHANGE TABLES a, b", "other"),
      ("EXCHANGE TABLES a AND b, c AND d", "exchange a b c d"),
      ("EXCHANGE DICTIONARIES a AND b", "other"),
      ("DROP TABLE t", "drop table t"), ("drop table if exists a, d.b sync", "drop table a d.b"),
      ("DROP VIEW v", "drop view v"), ("DROP DATABASE d", "drop database d"),
      ("DROP DICTIONARY d", "drop dictionary d"), ("DROP TABLE IF EMPTY t", "drop table t"),
      ("DROP USER u", "other"), ("DROP TEMPORARY TABLE t", "other"),
      ("DROP TABLE {t:Identifier}", "other"),
      ("DETACH TABLE t PERMANENTLY", "detach table t"), ("DETACH DATABASE d", "detach database d"),
      ("ATTACH TABLE t", "attach t"), ("ATTACH VIEW IF NOT EXISTS d.t", "attach d.t"),
      ("ATTACH DATABASE d", "other"),
      ("OPTIMIZE TABLE t FINAL", "optimize t"), ("OPTIMIZE TABLE d.t", "optimize d.t"),
      ("DESCRIBE t", "describe t"), ("DESC TABLE d.t FORMAT CSV", "describe d.t"),
      ("DESC table", "describe table"), ("DESCRIBE (SELECT 1)", "other"),
      ("DESCRIBE TABLE (SELECT 1)", "other"), ("DESCRIBE SELECT 1", "other"),
      ("DESC numbers(10)", "other"), ("DESC TABLE {t:Identifier}", "other"),
      ("SHOW CREATE t", "show t"), ("SHOW CREATE TABLE d.t FORMAT CSV", "show d.t"),
      ("SHOW CREATE VIEW v", "show v"), ("SHOW CREATE DATABASE d", "other"),
      ("SHOW CREATE t FORMAT CSV", "show t"), ("SHOW TABLE t", "show t"), ("SHOW TABLES", "other"),
      ("SHOW CREATE TEMPORARY TABLE t", "other"),
      ("CHECK TABLE t PARTITION 1", "check t"), ("CHECK ALL TABLES", "other"),
    ]
    for (statement, expected) in cases {
      #expect(try summary(statement) == expected, "\(statement)")
      #expect(try summary(spread(statement) + " -- end\n;;") == expected, "\(statement)")
    }
  }

  /// The statement with a comment before each of its tokens; rows stay as they are.
  private func spread(_ statement: String) -> String {
    let text = SQLText(statement)
    return text.replacing(
      text.tokens.map { ($0.range.lowerBound..<$0.range.lowerBound, "/* ' ( */\n\t -- `\n") })
  }

  @Test func namesAreUnquoted() throws {
    let cases = [
      ("`a b`", "a b"), ("\"a\"\"b\"", "a\"b"), ("`a\\`b`", "a`b"), ("`a\\x41\\n\\\\`", "aA\n\\"),
      ("`a\\%`", "a\\%"), ("`d.e` . \"t\"", "d.e.t"), ("tabelle_ä", "tabelle_ä"), ("$t", "$t"),
    ]
    for (name, expected) in cases {
      let text = SQLText("DROP TABLE \(name) SYNC")
      let drop = try #require(Statement.drop(text))
      #expect(short(drop.names[0]) == expected)
    }
    #expect(try summary("DROP TABLE `a") == "other")
  }

  @Test func statementsOnTablesAreRewritten() throws {
    let drop = try #require(
      Statement.drop(SQLText("DROP TABLE IF EXISTS a , d.b/**/ON CLUSTER c SYNC;")))
    #expect(drop.isOnCluster && drop.names.map(short) == ["a", "d.b"])
    let optimize = try #require(
      Statement.optimize(SQLText("optimize  table d . t partition 'x' final")))
    #expect(optimize.rewritten(name: "`x`") == "optimize  table `x` partition 'x' final")
    #expect(optimize.rest == "partition 'x' final")
    let describe = try #require(Statement.describe(SQLText("DESC t SETTINGS a = 1 FORMAT CSV ;")))
    #expect(describe.rest == "SETTINGS a = 1 FORMAT CSV")
    let check = try #require(Statement.check(SQLText("CHECK TABLE t FORMAT CSV")))
    #expect(check.rewritten(name: "x") == "CHECK TABLE x FORMAT CSV")
  }

  @Test func mentionsAreWordsAndNames() {
    let text = SQLText("SELECT a, `B`, 'c', $x$d$x$ /* e */ FROM f -- g")
    for word in ["A", "b", "F", "select"] { #expect(text.mentions(word)) }
    for word in ["c", "d", "e", "g", "x"] { #expect(!text.mentions(word)) }
  }

  @Test func nothingTraps() throws {
    let samples = [
      "CREATE OR REPLACE TABLE `d`.t UUID 'x' (a UInt8 TTL b, PROJECTION p (SELECT a)) "
        + "ENGINE = MutableMergeTree((a, b), 8192) SETTINGS x = 1 COMMENT 'x' EMPTY AS SELECT 1",
      "CREATE TABLE t AS u ENGINE=MutableMergeTree(a,1)AS (SELRAW x::UInt8 FROM {t:Identifier}, u)",
      "CREATE MATERIALIZED VIEW v REFRESH EVERY 1 DAY TO t AS WITH x AS (SELECT 1) SELECT * FROM x",
      "WITH a(b) AS (SELRAW * FROM t) UPSERT INTO t (a, * EXCEPT(b)) SETTINGS c = 1 "
        + "SELRAW 1 FROM a",
      "INSERT INTO t FORMAT CSV 1,2'", "IMPORT INTO t FROM INFILE 'x' FORMAT CSV",
      "UPDATE t SET t.a = 1, `b` = (2) IN PARTITION 'x' WHERE $a$x$a$ SETTINGS c = 1",
      "DELETE FROM t ON CLUSTER {c:String} IN PARTITION 1 WHERE a SETTINGS c = 1",
      "ALTER TABLE t (ADD COLUMN a Int8), MODIFY SETTING a = 1, b = 2, DROP COLUMN c "
        + "SETTINGS d = 1",
      "TRUNCATE ALL TABLES FROM t", "RENAME TABLE a TO b, c TO d", "EXCHANGE TABLES a AND b",
      "DROP TABLE IF EXISTS a, b SYNC", "DESCRIBE TABLE a.b FORMAT c", "SHOW CREATE TABLE a.b",
      "SELRAW * EXCEPT (a) FROM a, (SELECT 1) x ASOF JOIN b USING c EXCEPT SELRAW 1 FROM `d\\`` e",
    ]
    func run(_ bytes: some Sequence<UInt8>) {
      let text = SQLText(String(decoding: Array(bytes), as: UTF8.self))
      _ = text.hasSelraw
      _ = text.replacingSelraw { _ in "x" }
      switch try? Statement.recognise(text) {
      case .createMutableTable(let table): _ = table.storageStatement(name: "x", like: "y")
      case .insert(let insert): _ = insert.rewritten(into: "x", columns: "y")
      case .alter(let alter): _ = alter.rewritten(name: "x")
      case .drop(let drop): #expect(!drop.names.isEmpty)
      default: break
      }
    }
    var random = Xorshift()
    for sample in samples.map({ Array($0.utf8) }) {
      for length in 0...sample.count {
        run(sample.prefix(length))
        run(sample.dropFirst(length))
      }
      for _ in 0..<2000 {
        var changed = sample
        for _ in 0...Int.random(in: 0..<4, using: &random) {
          let index = Int.random(in: sample.indices, using: &random)
          let bytes = Array("()[]{},;.'`\"\\=$*/- \naS".utf8) + [0, 0xFF]
          changed[index] = bytes.randomElement(using: &random) ?? 0
        }
        run(changed)
      }
    }
  }
}

/// The same numbers in each run.
private struct Xorshift: RandomNumberGenerator {
  private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
