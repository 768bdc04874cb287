import MySQLSchema
import TestSupport
import Testing

private let base = """
  CREATE TABLE t (id int NOT NULL AUTO_INCREMENT, a int, b varchar(20) NOT NULL DEFAULT 'x',
    c text CHARACTER SET latin1, d datetime(3), e enum('a','b') DEFAULT 'b', s set('x','y'),
    n decimal(8,2) NOT NULL, PRIMARY KEY (id), UNIQUE KEY u (b), KEY k (a)) ENGINE=InnoDB
    DEFAULT CHARSET=utf8mb4
  """
private let baseRows = """
  INSERT INTO t VALUES (1, 10, 'one', 'é', '2024-02-29 12:00:00.123', 'a', 'x,y', 1.5),
    (2, 20, 'two  ', NULL, NULL, 'b', '', -99999.99), (3, NULL, '', 'ü ', '1000-01-01', NULL, 'y', 0)
  """

/// Statements that the server takes one after another.
private let statements = [
  "ALTER TABLE t ADD f1 int", "ALTER TABLE t ADD COLUMN f2 int NOT NULL DEFAULT 5 FIRST",
  "ALTER TABLE t ADD f3 varchar(9) NOT NULL DEFAULT 'é' AFTER a",
  "ALTER TABLE t ADD (f4 date, f5 time(3) DEFAULT '12:34:56.5', KEY kk (f4))",
  "ALTER TABLE t ADD COLUMN IF NOT EXISTS f1 text",
  "ALTER TABLE t ADD IF NOT EXISTS f6 bit(9) DEFAULT b'11'",
  "ALTER TABLE t ADD f7 double NOT NULL, ADD f8 float DEFAULT 0.1, ALGORITHM=COPY, LOCK=SHARED",
  "ALTER ONLINE TABLE t ADD f9 year DEFAULT 2024",
  "ALTER TABLE t WAIT 5 ADD f10 binary(4) DEFAULT 'ab'",
  "ALTER TABLE t NOWAIT ADD f11 varbinary(9) NOT NULL",
  "ALTER TABLE t ADD f12 enum('p','q') NOT NULL AFTER id, ADD f13 set('p','q') NOT NULL AFTER f12",
  "ALTER TABLE t ADD f14 int AS (a + 1) VIRTUAL", "ALTER TABLE t ADD f15 int AS (a + 2) PERSISTENT",
  "ALTER TABLE t ADD f16 timestamp NULL DEFAULT CURRENT_TIMESTAMP",
  "ALTER TABLE t DROP f14, DROP COLUMN f15",
  "ALTER TABLE t ADD f17 int INVISIBLE DEFAULT 3",
  "ALTER TABLE t ADD f18 json, ADD f19 uuid, ADD f20 inet6",
  "ALTER TABLE t ADD f21 inet4 NOT NULL DEFAULT '1.2.3.4'",
  "ALTER TABLE t ADD f22 text NOT NULL DEFAULT 'long'",
  "ALTER TABLE t ADD f23 blob DEFAULT 'bytes'", "ALTER TABLE t ADD f24 point",
  "ALTER TABLE t DROP f24",
  "ALTER TABLE t ADD f25 datetime(2) NOT NULL DEFAULT '2020-01-01'",
  "ALTER TABLE t ADD f26 bigint unsigned zerofill DEFAULT 7",
  "ALTER TABLE t ADD f27 int DEFAULT (1 + 1)", "ALTER TABLE t ADD f28 char(36) DEFAULT uuid()",
  "ALTER TABLE t ADD f29 decimal(5,3) DEFAULT 1.5 COMMENT 'x, y'",
  "ALTER TABLE t ADD f30 int DEFAULT TRUE CHECK (f30 >= 0)",
  "ALTER TABLE t ADD f31 national varchar(3) DEFAULT 'n'",
  "ALTER TABLE t ADD f32 varchar(5) CHARACTER SET ucs2 DEFAULT 'ä'",
  "ALTER TABLE t ADD f33 mediumint(5) DEFAULT -5",
  "ALTER TABLE t ADD f34 char(5) NOT NULL DEFAULT 'a  '",
  "ALTER TABLE t DROP COLUMN IF EXISTS nothing, DROP f16", "ALTER TABLE t DROP f27, DROP f28",
  "ALTER TABLE t MODIFY a bigint", "UPDATE t SET a = 4 WHERE a IS NULL",
  "ALTER TABLE t MODIFY COLUMN a bigint NOT NULL DEFAULT 4",
  "ALTER TABLE t MODIFY a bigint FIRST", "ALTER TABLE t MODIFY IF EXISTS nothing int",
  "ALTER TABLE t MODIFY IF EXISTS a bigint AFTER n",
  "ALTER TABLE t CHANGE a aa bigint", "ALTER TABLE t CHANGE COLUMN aa a bigint AFTER id",
  "ALTER TABLE t CHANGE IF EXISTS zz yy int",
  "ALTER TABLE t CHANGE f1 g1 int, CHANGE f4 f1 date",
  "ALTER TABLE t CHANGE f1 g1 date, CHANGE g1 f1 int",
  "ALTER TABLE t RENAME COLUMN g1 TO f4",
  "ALTER TABLE t RENAME COLUMN f4 TO f5, RENAME COLUMN f5 TO f4",
  "ALTER TABLE t RENAME COLUMN f5 TO f4, RENAME COLUMN f4 TO f5",
  "ALTER TABLE t MODIFY b varchar(40) NOT NULL DEFAULT 'y'",
  "ALTER TABLE t MODIFY b varchar(40) DEFAULT NULL",
  "ALTER TABLE t MODIFY b varchar(40) NOT NULL", "ALTER TABLE t MODIFY b text NOT NULL, DROP KEY u",
  "ALTER TABLE t MODIFY b varchar(40) NOT NULL, ADD UNIQUE (b)", "ALTER TABLE t ADD UNIQUE (b)",
  "ALTER TABLE t ADD UNIQUE INDEX (b, a), ADD UNIQUE KEY (b(3))",
  "ALTER TABLE t DROP INDEX b_2, DROP KEY b_4",
  "ALTER TABLE t RENAME INDEX b TO u", "ALTER TABLE t RENAME KEY u TO w",
  "ALTER TABLE t DROP CONSTRAINT w",
  "ALTER TABLE t ADD CONSTRAINT u UNIQUE KEY (b)",
  "ALTER TABLE t DROP INDEX IF EXISTS nothing, DROP INDEX b_3",
  "ALTER TABLE t ADD CONSTRAINT u2 UNIQUE i2 (n, b)", "ALTER TABLE t RENAME INDEX i2 TO u2",
  "ALTER TABLE t ADD UNIQUE KEY IF NOT EXISTS u2 (n)",
  "ALTER TABLE t ADD UNIQUE `weird ``name` USING BTREE (b DESC, n ASC)",
  "CREATE UNIQUE INDEX cu ON t (b)", "CREATE INDEX ci ON t (n) COMMENT 'c'",
  "CREATE OR REPLACE UNIQUE INDEX cu USING BTREE ON t (b, n)",
  "CREATE UNIQUE INDEX IF NOT EXISTS cu ON t (n)", "CREATE FULLTEXT INDEX ft ON t (c)",
  "DROP INDEX cu ON t", "DROP INDEX IF EXISTS cu ON t",
  "DROP INDEX ft ON t", "ALTER TABLE t ADD FULLTEXT ft2 (c), ADD INDEX ki USING BTREE (d)",
  "ALTER TABLE t DROP KEY ft2, DROP KEY ki",
  "ALTER TABLE t MODIFY id int NOT NULL", "ALTER TABLE t DROP PRIMARY KEY",
  "ALTER TABLE t DROP INDEX u", "ALTER TABLE t DROP INDEX u2",
  "ALTER TABLE t DROP INDEX `weird ``name`", "ALTER TABLE t ADD PRIMARY KEY (id)",
  "ALTER TABLE t ADD PRIMARY KEY IF NOT EXISTS (b)",
  "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (n, id)",
  "ALTER TABLE t DROP INDEX `PRIMARY`, ADD CONSTRAINT pk PRIMARY KEY USING BTREE (id)",
  "ALTER TABLE t MODIFY id int NOT NULL AUTO_INCREMENT",
  "ALTER TABLE t MODIFY id bigint NOT NULL AUTO_INCREMENT",
  "ALTER TABLE t MODIFY d datetime(6)", "ALTER TABLE t MODIFY n decimal(12,4) NOT NULL",
  "ALTER TABLE t MODIFY e enum('a','b','c') DEFAULT 'c'",
  "ALTER TABLE t MODIFY s set('x','y','z')",
  "ALTER TABLE t MODIFY c mediumtext CHARACTER SET latin1",
  "ALTER TABLE t MODIFY c mediumtext CHARACTER SET utf8mb4",
  "ALTER TABLE t MODIFY c longtext CHARACTER SET utf16", "ALTER TABLE t MODIFY c varchar(50)",
  "ALTER TABLE t MODIFY f10 binary(8)", "ALTER TABLE t MODIFY f11 blob NOT NULL",
  "ALTER TABLE t MODIFY f8 double", "ALTER TABLE t MODIFY f6 bit(20)",
  "ALTER TABLE t MODIFY f33 int(5) DEFAULT 9", "ALTER TABLE t MODIFY f9 year",
  "ALTER TABLE t ALTER f9 SET DEFAULT 1999", "ALTER TABLE t ALTER COLUMN f9 DROP DEFAULT",
  "ALTER TABLE t ALTER COLUMN IF EXISTS f33 SET DEFAULT -1, ALTER f6 SET DEFAULT b'1'",
  "ALTER TABLE t ALTER n SET DEFAULT 2.5, ALTER COLUMN IF EXISTS zz DROP DEFAULT",
  "ALTER TABLE t ALTER n DROP DEFAULT", "ALTER TABLE t ALTER f33 SET DEFAULT (3)",
  "ALTER TABLE t MODIFY f17 int DEFAULT 3", "ALTER TABLE t MODIFY f17 int INVISIBLE",
  "ALTER TABLE t CHARACTER SET latin1", "ALTER TABLE t ADD g2 varchar(9)",
  "ALTER TABLE t ADD g3 text, DEFAULT CHARACTER SET = utf8mb4",
  "ALTER TABLE t DEFAULT COLLATE latin1_bin",
  "ALTER TABLE t ADD g4 varchar(3) COLLATE utf8mb3_bin",
  "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
  "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_bin",
  "ALTER TABLE t CONVERT TO CHARSET utf8mb4, ADD g5 varchar(7) DEFAULT '€'",
  "ALTER TABLE t ENGINE=InnoDB", "ALTER TABLE t FORCE", "ALTER TABLE t COMMENT 'x, DROP b'",
  "ALTER TABLE t AUTO_INCREMENT = 100 ROW_FORMAT=DYNAMIC, COMMENT='y'",
  "ALTER TABLE t ORDER BY b, n DESC", "ALTER TABLE t DISABLE KEYS", "ALTER TABLE t ENABLE KEYS",
  "ALTER TABLE t ADD CONSTRAINT ch CHECK (f33 < 100)", "ALTER TABLE t DROP CONSTRAINT ch",
  "ALTER TABLE t ADD CHECK (f33 < 101), DROP CONSTRAINT IF EXISTS ch",
  "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE",
  "ALTER TABLE t ADD FOREIGN KEY IF NOT EXISTS fk (a) REFERENCES p (id)",
  "ALTER TABLE t ADD FOREIGN KEY (g6) REFERENCES d.p (id) ON UPDATE SET NULL ON DELETE NO ACTION, ADD g6 bigint",
  "ALTER TABLE t DROP FOREIGN KEY fk", "ALTER TABLE t ADD UNIQUE (g6)",
  "ALTER TABLE t ADD g7 bigint REFERENCES p (id) ON UPDATE CASCADE", "ALTER TABLE t RENAME TO t2",
  "ALTER TABLE t2 DROP FOREIGN KEY t2_ibfk_1, DROP FOREIGN KEY t2_ibfk_2",
  "ALTER TABLE t2 DROP INDEX g6, DROP INDEX g7", "ALTER TABLE t2 RENAME AS `t 3`",
  "ALTER TABLE `t 3` RENAME = t, ADD g8 int DEFAULT 1", "RENAME TABLE t TO t4",
  "RENAME TABLE IF EXISTS t4 WAIT 3 TO t5, t5 TO t",
  "ALTER TABLE IF EXISTS t ADD g9 tinyint unsigned DEFAULT 200",
  "ALTER TABLE t MODIFY g9 smallint unsigned", "ALTER TABLE t MODIFY g9 int",
  "ALTER TABLE t MODIFY g9 tinyint unsigned",
  "ALTER TABLE t ALTER INDEX k IGNORED", "ALTER TABLE t ALTER KEY k NOT IGNORED",
  "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 3", "ALTER TABLE t COALESCE PARTITION 1",
  "ALTER TABLE t ADD PARTITION PARTITIONS 2",
  "ALTER TABLE t REBUILD PARTITION ALL", "ALTER TABLE t REMOVE PARTITIONING",
  """
  ALTER TABLE t PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (2),
    PARTITION p1 VALUES LESS THAN (3), PARTITION p2 VALUES LESS THAN MAXVALUE)
  """,
  "ALTER TABLE t REORGANIZE PARTITION p0, `p1` INTO (PARTITION q VALUES LESS THAN (3))",
  "ALTER TABLE t REBUILD PARTITION q, p2", "ALTER TABLE t TRUNCATE PARTITION q",
  "ALTER TABLE t DROP PARTITION IF EXISTS q, r",
  "ALTER TABLE t REMOVE PARTITIONING", "INSERT IGNORE INTO t (id, b) VALUES (1, 'i'), (2, 'j')",
  "ALTER TABLE t ADD h1 serial, DROP PRIMARY KEY, MODIFY id bigint NOT NULL",
  "ALTER TABLE t DROP h1",
  "ALTER TABLE t ADD h2 float NOT NULL DEFAULT 1.5, DROP COLUMN f8",
  "ALTER TABLE t ADD h3 int NOT NULL DEFAULT 0, ADD UNIQUE hu (h3, id)",
  "ALTER TABLE t ADD UNIQUE hv (id)", "ALTER TABLE t CHANGE h3 h4 bigint NOT NULL, DROP KEY hv",
  "ALTER TABLE t MODIFY h4 bigint NULL", "ALTER TABLE t MODIFY h4 bigint NOT NULL",
  "ALTER TABLE t DROP KEY hu, DROP h4", "UPDATE t SET h2 = id",
  "ALTER TABLE t ADD PRIMARY KEY (h2)",
  "ALTER IGNORE TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id)",
  "ALTER TABLE t DROP KEY k, ADD h5 int, ADD UNIQUE (h5), ADD UNIQUE (h5)", "ALTER TABLE t DROP h5",
  "/*!50100 ALTER TABLE t ADD h6 int */",
  "ALTER TABLE t /*M!100100 ADD h7 int */ /* generated by server */",
  "SET STATEMENT max_statement_time = 60 FOR ALTER TABLE t ADD h8 int",
  "ALTER TABLE t DROP h6, DROP h7 RESTRICT, DROP h8 CASCADE",
  "ALTER TABLE t ADD h9 json NOT NULL DEFAULT '{}'", "ALTER TABLE t MODIFY h9 longtext",
]

/// Statements that create a table `x` on which more is to be seen than on the first.
private let creations = [
  "CREATE TABLE x (a int)",
  "CREATE TABLE x (a int UNIQUE, b int UNIQUE NOT NULL, UNIQUE (a, b), KEY (b), UNIQUE (b, a))",
  "CREATE TABLE x (a text NOT NULL, b int NOT NULL, UNIQUE (a), UNIQUE (b))",
  "CREATE TABLE x (a varchar(3000) NOT NULL, UNIQUE (a))",
  "CREATE TABLE x (a float NOT NULL, b int NOT NULL, PRIMARY KEY (a), UNIQUE (b))",
  "CREATE TABLE x (a float NOT NULL UNIQUE, b double PRIMARY KEY)",
  "CREATE TABLE x (a varchar(20), b int, PRIMARY KEY (a(5)), UNIQUE (b))",
  "CREATE OR REPLACE TABLE x (a int KEY) CHARSET latin1",
  "CREATE TABLE IF NOT EXISTS x (a int, b char(3) charset ascii default 'abc', c tinytext charset gbk, d text(10), e text(100000), f blob(300))",
  "CREATE TABLE x (a int, b int, FOREIGN KEY (a) REFERENCES p (id) ON DELETE SET NULL, CONSTRAINT z FOREIGN KEY i (b) REFERENCES p (id), KEY (b))",
  "CREATE TABLE x (a int REFERENCES p (id), b int UNIQUE REFERENCES p (id) ON DELETE CASCADE)",
  "CREATE TABLE x (a int, s date, e date, PERIOD FOR q (s, e), UNIQUE (a, q WITHOUT OVERLAPS))",
  "CREATE TABLE x (a point NOT NULL, b geometry DEFAULT NULL, SPATIAL INDEX (a))",
  "CREATE TABLE x (a int AS (1) UNIQUE, b int DEFAULT (1 + 1), c int AS (2) STORED)",
  "CREATE TABLE x (a bit(3) DEFAULT 5, b bool DEFAULT TRUE, c year DEFAULT '2024', d decimal(4,1) DEFAULT '1', e timestamp NULL DEFAULT 0)",
  "CREATE TABLE x (a timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, b timestamp(3) NULL, c datetime DEFAULT NOW())",
  "CREATE TABLE x (`key` int, `a``b` int INVISIBLE DEFAULT 1, UNIQUE `x y` (`a``b`, `key`)) COMMENT='UNIQUE (a)'",
  "CREATE TABLE x (a char(0), b varchar(0) NOT NULL, c binary, d varbinary(1) NOT NULL DEFAULT x'41', UNIQUE (d))",
  "CREATE TABLE x (a bigint unsigned NOT NULL AUTO_INCREMENT UNIQUE, b int) AUTO_INCREMENT=5",
  "CREATE TABLE x (a serial, b uuid NOT NULL UNIQUE, c inet6 DEFAULT '::')",
  "CREATE TABLE x (a double(8,3) unsigned default 1.5, b float unsigned, c float(30), d real zerofill, e decimal unsigned)",
  "CREATE TABLE x (a enum('x','y') NOT NULL DEFAULT 'y', b set('p','q') DEFAULT 'q,p', UNIQUE (a))",
  "CREATE TABLE x (a longtext CHECK (json_valid(a)), b json DEFAULT '[]')",
  "CREATE TABLE x (a int, b int, KEY a (b), UNIQUE (a), UNIQUE KEY primary_2 (a))",
  "CREATE TABLE x (A int NOT NULL, UNIQUE (a), UNIQUE a_2 (a), UNIQUE (a))",
  "CREATE TABLE x (a int NOT NULL UNIQUE, b int NOT NULL, c text, UNIQUE (b) USING HASH, UNIQUE u USING HASH (c(4)))",
]

@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveStatementTests {
  @Test func followsEveryStatement() async throws {
    try await withLiveClient { client in
      _ = try client.rows("SET sql_mode = 'STRICT_TRANS_TABLES', time_zone = '+00:00'")
      _ = try client.rows("CREATE TABLE p (id bigint PRIMARY KEY)")
      _ = try client.rows("INSERT INTO p VALUES (4), (10), (20)")
      var table = try LiveTable(client, create: base, isStrict: true)
      _ = try client.rows(baseRows)
      for statement in statements {
        #expect(try table.step(statement), "refused: \(statement)")
      }
      #expect(statements.count >= 150)
      #expect(table.knownCount >= 110, "\(table.knownCount)")
    }
  }

  @Test func readsEveryDefinition() async throws {
    try await withLiveClient { client in
      _ = try client.rows("CREATE TABLE p (id int PRIMARY KEY)")
      for creation in creations {
        let table = try LiveTable(client, create: creation, isStrict: true)
        _ = try client.rows("CREATE TABLE y LIKE x")
        let copy = try client.schema(of: "y")
        let expected = table.schema.definition(like: TableName(database: "d", table: "y"))
        #expect(table.uniqueKeys(copy) == table.uniqueKeys(expected), "\(creation)")
        #expect(copy.columns.map(\.type) == expected.columns.map(\.type), "\(creation)")
        #expect(copy.primaryKey == expected.primaryKey, "\(creation)")
        #expect(copy.foreignKeys == expected.foreignKeys, "\(creation)")
        _ = try client.rows("DROP TABLE x, y")
      }
    }
  }
}
