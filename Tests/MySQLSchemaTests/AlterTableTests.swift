import MySQLSchema
import Testing

private let base = """
  CREATE TABLE t (a int, b varchar(9), c text CHARACTER SET latin1, d date, PRIMARY KEY (b, a))
    ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
  """

private func alteration(_ changes: String) throws -> AlterTable {
  let parsed = parseDDL("ALTER TABLE t \(changes)", defaultDatabase: "shop")
  guard case .alterTable(let alteration) = parsed else { throw NoDefinition(parsed: parsed) }
  return alteration
}

private func altered(_ changes: String) throws -> TableSchema {
  try definition(of: base).applying(try alteration(changes))
}

/// The columns in order, `!` marking those that cannot be NULL, then the key.
private func shape(_ schema: TableSchema) -> String {
  let columns = schema.columns.map { $0.isNullable ? $0.name : "\($0.name)!" }
  let key = schema.primaryKey.map { schema.columns[$0].name }
  return columns.joined(separator: " ") + " (" + key.joined(separator: " ") + ")"
}

@Suite struct AlterTableTests {
  // A MariaDB 10.11 server makes the same of each statement.
  @Test(arguments: [
    ("ADD e int", "a! b! c d e (b a)"),
    ("ADD COLUMN IF NOT EXISTS a text, ADD e int NOT NULL FIRST", "e! a! b! c d (b a)"),
    ("ADD (e int, f int, KEY (f)), ADD g int AFTER a", "a! g b! c d e f (b a)"),
    ("ADD e int AFTER f, ADD f int", "unknown column f"),
    ("ADD f int, ADD e int AFTER f", "a! b! c d f e (b a)"),
    ("DROP c, DROP COLUMN IF EXISTS z", "a! b! d (b a)"),
    ("DROP c, ADD c int", "a! b! d c (b a)"),
    ("CHANGE a z bigint, MODIFY d datetime NOT NULL FIRST", "d! z! b! c (b z)"),
    ("CHANGE a b int, CHANGE b a varchar(9)", "b! a! c d (a b)"),
    ("RENAME COLUMN a TO b, RENAME COLUMN b TO a", "b! a! c d (a b)"),
    ("MODIFY a int AFTER d, MODIFY b varchar(9) AFTER a", "c d a! b! (b a)"),
    ("CHANGE c z text AFTER d, ADD y int AFTER z", "a! b! d z y (b a)"),
    ("DROP PRIMARY KEY", "a! b! c d ()"),
    ("DROP PRIMARY KEY, ADD PRIMARY KEY (d, a)", "a! b! c d! (d a)"),
    ("DROP INDEX `PRIMARY`, ADD e int AUTO_INCREMENT PRIMARY KEY", "a! b! c d e! (e)"),
    ("DROP PRIMARY KEY, ADD CONSTRAINT k PRIMARY KEY USING BTREE (a)", "a! b! c d (a)"),
    (
      "ADD KEY (a), ADD CONSTRAINT u UNIQUE (d), ALTER c SET DEFAULT 'x', COMMENT 'x, y'",
      "a! b! c d (b a)"
    ),
    (
      "LOCK=NONE, ENGINE=InnoDB ROW_FORMAT=DYNAMIC, ORDER BY a, b DESC",
      "a! b! c d (b a)"
    ),
  ])
  func changesColumnsAndKey(_ changes: String, expected: String) throws {
    do {
      #expect(shape(try altered(changes)) == expected)
    } catch let error as SQLSyntaxError {
      #expect(error.reason == expected)
    }
  }

  @Test func givesNewColumnsTheRightCharset() throws {
    let plain = try altered("ADD e text, MODIFY c mediumtext")
    #expect(plain.columns[2].type == .string(charset: "utf8mb4"))
    #expect(plain.columns[4].type == .string(charset: "utf8mb4"))
    let changed = try altered("ADD e text, DEFAULT CHARACTER SET = gbk")
    #expect(changed.columns.map(\.type).filter { $0 == .string(charset: "gbk") }.count == 1)
    #expect(changed.defaultCharset == "gbk")
    let converted = try altered("CONVERT TO CHARACTER SET utf8 COLLATE utf8_bin")
    #expect(converted.columns[1].type == .string(charset: "utf8mb3"))
    #expect(converted.columns[2].type == .string(charset: "utf8mb3"))
  }

  @Test func changesVisibilityEngineAndName() throws {
    let schema = try altered("ALTER COLUMN d SET INVISIBLE, ENGINE = Aria, RENAME x.u")
    #expect(schema.columns.map(\.isInvisible) == [false, false, false, true])
    #expect(schema.storageEngine == "Aria")
    #expect(schema.name == TableName(database: "x", table: "u"))
  }

  @Test func tellsWhatRowEventsDoNot() throws {
    let renamed = try alteration("RENAME INDEX a TO b, RENAME AS u")
    #expect(renamed.newName == TableName(database: "shop", table: "u"))
    #expect(!renamed.changesRows)
    for changes in [
      "TRUNCATE PARTITION p0", "DROP PARTITION p0", "EXCHANGE PARTITION p0 WITH TABLE u",
      "DISCARD TABLESPACE", "CONVERT PARTITION p0 TO TABLE u",
    ] {
      #expect(try alteration(changes).changesRows, "\(changes)")
    }
    #expect(try !alteration("ADD PARTITION (PARTITION p1 VALUES LESS THAN (9))").changesRows)
  }

  @Test(arguments: [
    "FROBNICATE", "ADD SYSTEM VERSIONING", "DROP COLUMN z", "ADD a int",
    "DROP a, DROP b, DROP c, DROP d",
    "ADD PRIMARY KEY (z)", "CONVERT TO CHARACTER SET DEFAULT", "MODIFY z int",
  ])
  func refusesWhatItCannotApply(_ changes: String) throws {
    let change = try alteration(changes)
    #expect(throws: SQLSyntaxError.self) { try definition(of: base).applying(change) }
  }

  /// MySQL's way; MariaDB refuses these statements.
  @Test func dropsAColumnOutOfTheKey() throws {
    #expect(shape(try altered("DROP a")) == "b! c d (b)")
    #expect(shape(try altered("DROP a, DROP b")) == "c d ()")
    #expect(shape(try altered("ORDER BY a, b DESC, ADD e int")) == "a! b! c d e (b a)")
  }

  @Test func dropsTheKeyByItsIndexName() throws {
    guard
      case .alterTable(let change) = parseDDL("DROP INDEX `PRIMARY` ON t", defaultDatabase: "shop")
    else {
      Issue.record("not a change of the table")
      return
    }
    #expect(shape(try definition(of: base).applying(change)) == "a! b! c d ()")
  }
}
