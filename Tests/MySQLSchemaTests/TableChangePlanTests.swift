import MySQLSchema
import Testing

private let base = """
  CREATE TABLE t (id int NOT NULL, a int, b varchar(20) CHARACTER SET latin1, d datetime,
    ts timestamp NULL, g int AS (a + 1) STORED, PRIMARY KEY (id)) ENGINE=InnoDB CHARSET=utf8mb4
  """

private func rows(_ change: String, of create: String = base, isStrict: Bool = false) throws
  -> TableChangePlan.Rows
{
  let parsed = parseDDL("ALTER TABLE t \(change)", defaultDatabase: "shop")
  guard case .alterTable(let alteration) = parsed else { throw NoDefinition(parsed: parsed) }
  return try definition(of: create).plan(alteration, isStrict: isStrict).rows
}

/// The sources in order: the old index or the value in quotes; `=` for unchanged, `?` for unknown.
private func short(_ rows: TableChangePlan.Rows) -> String {
  switch rows {
  case .unchanged: "="
  case .unknown: "?"
  case .converted(let sources):
    sources.map { source in
      switch source {
      case .column(let index): "\(index)"
      case .value(text: nil): "NULL"
      case .value(let text?): "'\(String(decoding: text, as: UTF8.self))'"
      }
    }.joined(separator: " ")
  }
}

@Suite struct TableChangePlanTests {
  @Test(arguments: [
    ("ADD x int", "0 1 2 3 4 5 NULL"), ("ADD x int NOT NULL FIRST", "'0' 0 1 2 3 4 5"),
    ("DROP a, ADD a int DEFAULT 5", "0 2 3 4 5 '5'"), ("RENAME COLUMN a TO z", "0 1 2 3 4 5"),
    ("MODIFY d datetime AFTER id", "0 3 1 2 4 5"), ("COMMENT 'x', ADD KEY (a), LOCK=NONE", "="),
    ("ALTER a SET DEFAULT 4", "="), ("RENAME u", "="), ("ENGINE=MyISAM", "="),
    ("PARTITION BY HASH (id)", "="), ("ALTER a SET INVISIBLE", "="),
    ("DROP PRIMARY KEY", "0 1 2 3 4 5"),
    ("DROP PRIMARY KEY, ADD PRIMARY KEY (id)", "="), ("ORDER BY a", "="),
    // What only the source knows.
    ("ADD x int AUTO_INCREMENT UNIQUE", "?"), ("ADD x int AS (a)", "?"), ("MODIFY g int", "?"),
    ("MODIFY g int AS (a + 2) STORED", "?"), ("ADD x datetime DEFAULT NOW()", "?"),
    ("ADD x char(36) DEFAULT (uuid())", "?"), ("ADD x timestamp", "?"),
    ("ADD x timestamp NULL", "0 1 2 3 4 5 NULL"),
    ("ADD x timestamp NOT NULL", "?"), ("ADD x timestamp DEFAULT '2024-01-01 00:00:00'", "?"),
    ("ADD x json NOT NULL", "?"), ("ADD x point NOT NULL", "?"),
    ("MODIFY id int NOT NULL AUTO_INCREMENT", "?"),
    ("DROP PARTITION p", "?"), ("DROP PARTITION p, `q`, r", "?"), ("TRUNCATE PARTITION p, q", "?"),
    ("REORGANIZE PARTITION p, `q`, r INTO (PARTITION s VALUES LESS THAN (9))", "="),
    ("REBUILD PARTITION p, q, ALGORITHM=COPY", "="), ("OPTIMIZE PARTITION ALL", "="),
    ("COALESCE PARTITION 2", "="), ("DISCARD TABLESPACE", "?"),
    ("EXCHANGE PARTITION p WITH TABLE u", "?"),
    ("TRUNCATE PARTITION p", "?"), ("IMPORT TABLESPACE", "?"), ("ENGINE=BLACKHOLE", "?"),
    // The generated column may have been computed anew from other values.
    ("MODIFY a bigint", "?"), ("CONVERT TO CHARACTER SET utf8mb4", "?"),
  ])
  func tellsWhereValuesComeFrom(_ change: String, expected: String) throws {
    #expect(short(try rows(change)) == expected)
  }

  @Test(arguments: [
    ("MODIFY a int NOT NULL", "?", "0 1 2"),
    ("MODIFY b varchar(20) CHARACTER SET utf8mb4", "=", "="),
    ("MODIFY c varchar(9) CHARACTER SET utf8mb4", "?", "="),
    ("MODIFY b varchar(19) CHARACTER SET latin1", "?", "?"),
    ("ADD PRIMARY KEY (a)", "?", "0 1 2"), ("CONVERT TO CHARACTER SET utf8mb4", "?", "="),
    ("MODIFY a timestamp NOT NULL", "?", "?"), ("MODIFY b char(20) CHARACTER SET latin1", "?", "?"),
  ])
  func trustsStrictMode(_ change: String, lenient: String, strict: String) throws {
    let create = """
      CREATE TABLE t (a int, b varchar(20) CHARACTER SET latin1, c varchar(9) CHARACTER SET gbk)
      """
    #expect(short(try rows(change, of: create)) == lenient)
    #expect(short(try rows(change, of: create, isStrict: true)) == strict)
  }

  @Test func doesNotTrustIgnore() throws {
    let create = "CREATE TABLE t (a int NOT NULL, b int)"
    for change in ["ADD UNIQUE (a)", "ADD PRIMARY KEY (a)", "MODIFY b int NOT NULL"] {
      let parsed = parseDDL("ALTER IGNORE TABLE t \(change)", defaultDatabase: "shop")
      guard case .alterTable(let alteration) = parsed else { throw NoDefinition(parsed: parsed) }
      #expect(alteration.ignoresErrors)
      let plan = try definition(of: create).plan(alteration, isStrict: true)
      #expect(short(plan.rows) == "?", "\(change)")
    }
    #expect(short(try rows("ADD UNIQUE (a)", of: create, isStrict: true)) == "0 1")
  }

  @Test func namesTheOtherTable() throws {
    for (change, table) in [
      ("EXCHANGE PARTITION p WITH TABLE x.u WITHOUT VALIDATION", "x.u"),
      ("CONVERT PARTITION p TO TABLE u", "shop.u"), ("CONVERT TABLE u TO PARTITION p", "shop.u"),
    ] {
      guard
        case .alterTable(let alteration) = parseDDL(
          "ALTER TABLE t \(change)", defaultDatabase: "shop")
      else {
        Issue.record("\(change)")
        continue
      }
      #expect(alteration.otherTable?.description == table)
    }
  }

  @Test(arguments: [
    ("ADD SYSTEM VERSIONING", "system versioning"), ("DROP SYSTEM VERSIONING", "system versioning"),
    ("ADD PERIOD FOR p (a, d)", "periods"), ("DROP PERIOD FOR p", "periods"),
    ("ADD UNIQUE (a, p WITHOUT OVERLAPS)", "period p"),
    ("DROP INDEX nothing", "unknown index nothing"),
    ("ADD (x int, PERIOD FOR p (x, a))", "periods"), ("RENAME INDEX a TO b", "unknown index a"),
    ("ADD UNIQUE (nothing)", "unknown column nothing"),
  ])
  func saysWhatItRefuses(_ change: String, reason: String) throws {
    do {
      Issue.record("\(try rows(change))")
    } catch let error as SQLSyntaxError {
      #expect(error.reason.contains(reason), "\(error.reason)")
    }
  }

  @Test func refusesChangesOfVersionedTables() throws {
    let create = "CREATE TABLE t (a int PRIMARY KEY, b int) WITH SYSTEM VERSIONING"
    #expect(short(try rows("ADD KEY (b), ENGINE=InnoDB", of: create)) == "=")
    #expect(throws: SQLSyntaxError.self) { try rows("ADD c int", of: create) }
  }

  /// What a MySQL server prints or takes and a MariaDB server does not.
  @Test(arguments: [
    ("json DEFAULT ('{\"a\":1}')", nil), ("json DEFAULT (JSON_OBJECT())", nil),
    ("text DEFAULT ('abc')", "abc"),
    ("varbinary(9) DEFAULT 0x4142", "AB"), ("binary(3) DEFAULT 0x41", "A\0\0"),
    ("bigint DEFAULT '7'", "7"),
    ("int DEFAULT (1)", "1"), ("bit(2) DEFAULT b'1'", "\u{1}"), ("int DEFAULT (1 + 1)", nil),
    ("timestamp NULL DEFAULT '2024-01-01 00:00:00'", nil),
    ("float DEFAULT 0.1", "0.10000000149011612"),
    ("float DEFAULT 123456", nil), ("float DEFAULT -12345000.0", "-12345000"),
    ("float DEFAULT 1.5e-3", "0.001500000013038516"),
    ("timestamp", nil), ("timestamp NULL DEFAULT 0", "0000-00-00 00:00:00"),
    ("double DEFAULT 1e20", "1e20"), ("double DEFAULT '-2.50'", "-2.5"),
    ("decimal(10,3) DEFAULT 1.5", "1.500"),
    ("decimal(3,1) DEFAULT 1.55", nil),
    ("datetime(3) DEFAULT '2020-01-01'", "2020-01-01 00:00:00.000"),
    ("tinyint DEFAULT 300", nil), ("enum('a','b') DEFAULT 'b'", "2"),
    ("set('a','b','c') DEFAULT 'c,a'", "5"),
    ("varchar(3) DEFAULT 'abcd'", nil), ("char(9) DEFAULT 'a '", "a"),
    ("varchar(9) CHARACTER SET latin1 DEFAULT '你'", nil),
    ("varchar(9) CHARACTER SET latin1 DEFAULT x'E9'", "é"), ("varchar(9) DEFAULT _latin1'é'", nil),
    ("bool DEFAULT TRUE", "1"),
    ("year DEFAULT 24", nil), ("time DEFAULT '-1:02:03'", "-01:02:03"),
    ("int DEFAULT NEXT VALUE FOR s", nil),
  ])
  func normalizesDefaults(_ declaration: String, expected: String?) throws {
    let schema = try definition(of: "CREATE TABLE t (c \(declaration)) CHARSET=utf8mb4")
    #expect(
      schema.columns[0].default == expected.map { .literal(Array($0.utf8)) } ?? .expression)
  }
}
