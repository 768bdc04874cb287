import MySQLSchema
import Testing

struct NoDefinition: Error {
  var parsed: DDLStatement
}

/// The schema that a CREATE TABLE statement defines.
func definition(of statement: String, mode: SQLTextMode = SQLTextMode()) throws -> TableSchema {
  let parsed = parseDDL(statement, defaultDatabase: "shop", mode: mode)
  guard case .createTable(let create) = parsed, case .definition(let schema) = create.source else {
    throw NoDefinition(parsed: parsed)
  }
  return schema
}

/// The type of the only column, declared as `type`.
private func type(_ type: String, options: String = "") throws -> ColumnType {
  try definition(of: "CREATE TABLE t (c \(type)) \(options)").columns[0].type
}

@Suite struct CreateTableTests {
  /// Servers keep question marks for what the charset of a database lacks.
  @Test func membersThatADatabaseMayLackAreUnknown() throws {
    guard
      case .createTable(let create) = parseDDL(
        "CREATE TABLE t (e ENUM('a', '中'))", defaultDatabase: "d"),
      case .definition(let schema) = create.source
    else {
      Issue.record("not understood")
      return
    }
    #expect(schema.hasUnknownMembers)
    #expect(schema.withDefaultCharset("latin1").hasUnknownMembers)
    #expect(!schema.withDefaultCharset("utf8mb4").hasUnknownMembers)
    #expect(schema.withDefaultCharset("utf8mb4").defaultCharset == "utf8mb4")
  }

  @Test func readsAWholeTable() throws {
    let schema = try definition(
      of: """
        CREATE TABLE `shop`.`order line` (
          `order` int(10) unsigned NOT NULL,
          `line` smallint NOT NULL AUTO_INCREMENT COMMENT 'it''s, (the) line',
          note varchar(200) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'a,b)',
          total decimal(12,2) GENERATED ALWAYS AS (price * (1 + vat)) STORED,
          price double DEFAULT -1.5e+3 CHECK (price > 0),
          made timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
          hidden text /*!80023 INVISIBLE */,
          owner int REFERENCES people (id) ON DELETE SET NULL ON UPDATE NO ACTION,
          PRIMARY KEY (`line`, `order` DESC) USING BTREE COMMENT 'key',
          UNIQUE KEY u (note(10)), KEY k ((price + 1)),
          CONSTRAINT f FOREIGN KEY (owner) REFERENCES people (id) ON DELETE CASCADE,
          CONSTRAINT CHECK (price <> 1), FULLTEXT KEY (note) WITH PARSER ngram
        ) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci
          COMMENT='AS SELECT ('
        /*!50100 PARTITION BY RANGE (`order`) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */
        """)
    #expect(schema.name == TableName(database: "shop", table: "order line"))
    #expect(
      schema.columns.map(\.name)
        == ["order", "line", "note", "total", "price", "made", "hidden", "owner"])
    #expect(
      schema.columns.map(\.type) == [
        .integer(.int, isUnsigned: true), .integer(.small, isUnsigned: false),
        .string(charset: "latin1"), .decimal(precision: 12, scale: 2), .double,
        .timestamp(fractionalDigits: 3), .string(charset: "utf8mb4"),
        .integer(.int, isUnsigned: false),
      ])
    #expect(schema.columns.filter { !$0.isNullable }.map(\.name) == ["order", "line"])
    #expect(schema.columns.filter(\.isGenerated).map(\.name) == ["total"])
    #expect(schema.columns.filter(\.isInvisible).map(\.name) == ["hidden"])
    #expect(schema.columns.filter(\.isAutoIncrement).map(\.name) == ["line"])
    #expect(
      schema.columns.map(\.default) == [
        .none, .none, .literal(Array("a,b)".utf8)), .expression, .literal(Array("-1500".utf8)),
        .expression, .null, .null,
      ])
    #expect(schema.primaryKey == [1, 0] && !schema.primaryKeyIsUniqueKey)
    #expect(schema.keys?.map(\.name) == ["PRIMARY", "u", "owner", "k", "note"])
    #expect(schema.keys?.map(\.isUnique) == [true, true, false, false, false])
    #expect(schema.keys?[1].parts == [TableKey.Part(column: "note", prefixLength: 10)])
    #expect(schema.keys?[3].parts == [TableKey.Part(column: nil)])
    let people = TableName(database: "shop", table: "people")
    #expect(
      schema.foreignKeys == [
        ForeignKey(
          name: "order line_ibfk_1", columns: ["owner"], referencedTable: people,
          onDelete: .setNull, onUpdate: .noAction),
        ForeignKey(name: "f", columns: ["owner"], referencedTable: people, onDelete: .cascade),
      ])
    #expect(schema.cascades)
    #expect(schema.storageEngine == "InnoDB" && schema.defaultCharset == "utf8mb4")
  }

  @Test(arguments: [
    ("BOOL", ColumnType.integer(.tiny, isUnsigned: false)),
    ("TINYINT(1) UNSIGNED", .integer(.tiny, isUnsigned: true)),
    ("INT(5) ZEROFILL", .integer(.int, isUnsigned: true)),
    ("INTEGER SIGNED", .integer(.int, isUnsigned: false)),
    ("MIDDLEINT", .integer(.medium, isUnsigned: false)),
    ("INT8 UNSIGNED", .integer(.big, isUnsigned: true)),
    ("SERIAL", .integer(.big, isUnsigned: true)),
    ("DECIMAL", .decimal(precision: 10, scale: 0)),
    ("NUMERIC(6)", .decimal(precision: 6, scale: 0)),
    ("FIXED(65, 30) UNSIGNED", .decimal(precision: 65, scale: 30)),
    ("DEC(0)", .decimal(precision: 10, scale: 0)),
    ("FLOAT", .float), ("FLOAT(24)", .float), ("FLOAT(25)", .double), ("FLOAT(30,2)", .float),
    ("DOUBLE PRECISION(10,2) UNSIGNED", .double), ("REAL", .double), ("FLOAT4", .float),
    ("BIT", .bit(width: 1)), ("BIT(64)", .bit(width: 64)),
    ("DATE", .date), ("TIME(6)", .time(fractionalDigits: 6)),
    ("DATETIME", .datetime(fractionalDigits: 0)), ("YEAR(4)", .year),
    ("CHAR", .string(charset: nil)), ("CHAR(10) BINARY", .string(charset: nil)),
    ("CHARACTER VARYING(20)", .string(charset: nil)),
    ("NATIONAL CHAR VARYING(3)", .string(charset: "utf8mb3")),
    ("NCHAR(2)", .string(charset: "utf8mb3")),
    ("NVARCHAR(2)", .string(charset: "utf8mb3")), ("LONG VARCHAR", .string(charset: nil)),
    ("LONG VARBINARY", .bytes), ("LONG", .string(charset: nil)),
    ("CHAR(4) BYTE", .binary(length: 4)), ("CHAR(4) CHARSET binary", .binary(length: 4)),
    ("TEXT CHARACTER SET 'binary'", .bytes), ("VARCHAR(4) COLLATE binary", .bytes),
    ("TEXT ASCII", .string(charset: "latin1")), ("TEXT UNICODE BINARY", .string(charset: "ucs2")),
    ("TINYTEXT COLLATE utf8_general_ci", .string(charset: "utf8mb3")),
    ("TEXT COLLATE uca1400_ai_ci", .string(charset: nil)),
    ("BINARY", .binary(length: 1)), ("BINARY(16)", .binary(length: 16)), ("VARBINARY(9)", .bytes),
    ("BLOB(70000)", .bytes), ("LONGBLOB", .bytes),
    ("JSON", .json), ("LONGTEXT CHECK (json_valid(`c`))", .json),
    (
      "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`C`))",
      .json
    ),
    ("LONGTEXT CHECK (json_valid(`d`))", .string(charset: nil)),
    ("UUID", .uuid), ("INET4", .inet4), ("INET6", .inet6),
    ("VECTOR", .vector(dimensions: 2048)), ("VECTOR(3)", .vector(dimensions: 3)),
    ("POINT SRID 4326 NOT NULL", .geometry), ("GEOMCOLLECTION", .geometry),
    (
      "ENUM('a','b ','it''s','c\\'d', \"e\\\\\", x'41', _latin1'f')",
      .enumeration(["a", "b", "it's", "c'd", "e\\", "A", "f"])
    ),
    ("ENUM('é', 0xE9) CHARACTER SET latin1", .enumeration(["é", "é"])),
    ("SET('x,', '') CHARSET utf8mb4 DEFAULT ''", .set(["x,", ""])),
  ])
  func readsType(_ declaration: String, expected: ColumnType) throws {
    #expect(try type(declaration) == expected)
  }

  @Test(arguments: [
    "BIT(65)", "DECIMAL(66)", "DECIMAL(5,6)", "DATETIME(7)", "WIDGET", "ENUM(1)", "INT WIDGET",
    "VARCHAR(99999999999999999999)", "INT(1", "CHAR('a')",
  ])
  func refusesType(_ declaration: String) {
    let parsed = parseDDL("CREATE TABLE t (c \(declaration))", defaultDatabase: "shop")
    guard case .unrecognized = parsed else {
      Issue.record("\(parsed)")
      return
    }
  }

  @Test func takesTheTablesCharset() throws {
    #expect(try type("TEXT", options: "CHARSET utf8") == .string(charset: "utf8mb3"))
    #expect(try type("TEXT", options: "DEFAULT COLLATE=big5_bin") == .string(charset: "big5"))
    #expect(try type("CHAR(7)", options: "CHARACTER SET = binary") == .binary(length: 7))
    let schema = try definition(of: "CREATE TABLE t (a text, b text charset gbk)")
    #expect(
      schema.withDefaultCharset("utf8").columns.map(\.type)
        == [.string(charset: "utf8mb3"), .string(charset: "gbk")])
  }

  @Test func readsInlineKeys() throws {
    let schema = try definition(of: "CREATE TABLE t (a INT UNIQUE KEY, b INT KEY)")
    #expect(schema.primaryKey == [1])
    #expect(schema.columns.map(\.isNullable) == [true, false])
    let serial = try definition(of: "CREATE TABLE t (a SERIAL, b INT SERIAL DEFAULT VALUE)")
    #expect(serial.columns.map(\.isNullable) == [false, false])
    #expect(serial.columns.map(\.isAutoIncrement) == [true, true])
    #expect(serial.keys?.map(\.name) == ["a", "b"])
    #expect(serial.primaryKey == [0] && serial.primaryKeyIsUniqueKey)
  }

  @Test func tellsPrefixKeys() throws {
    let schema = try definition(of: "CREATE TABLE t (a TEXT, PRIMARY KEY p (a(10)))")
    #expect(schema.primaryKeyHasPrefix)
    #expect(!schema.columns[0].isNullable)
  }

  @Test func readsEveryFormOfDefault() throws {
    let schema = try definition(
      of: """
        CREATE TABLE t (
          a int DEFAULT (1 + (2)) NOT NULL, b text DEFAULT _utf8mb4'x' 'y' NOT NULL,
          c char(36) DEFAULT uuid() NOT NULL, d date DEFAULT DATE '2020-01-01' NOT NULL,
          e bigint DEFAULT NEXT VALUE FOR shop.s NOT NULL, f int DEFAULT nextval(`shop`.`s`) NOT NULL,
          g bit(3) DEFAULT b'101' NOT NULL, h int DEFAULT CASE WHEN 1 THEN 2 ELSE 3 END NOT NULL,
          i blob DEFAULT X'41' NOT NULL, j bool DEFAULT TRUE NOT NULL, k int DEFAULT NULL NULL,
          l datetime DEFAULT NOW() ON UPDATE NOW() NOT NULL, m double DEFAULT .5e-3 NOT NULL,
          n text DEFAULT concat('a', ')') NOT NULL, o int DEFAULT - 5 NOT NULL)
        """)
    #expect(schema.columns.map(\.name).joined() == "abcdefghijklmno")
    #expect(schema.columns.filter(\.isNullable).map(\.name) == ["k"])
  }

  @Test func readsOddNames() throws {
    let schema = try definition(
      of: "CREATE TABLE 1a.2 (`a``b` int, shop.t.period int, vector int, größe int, 3c int)")
    #expect(schema.name == TableName(database: "1a", table: "2"))
    #expect(schema.columns.map(\.name) == ["a`b", "period", "vector", "größe", "3c"])
  }

  @Test("a name like a number, as servers log it without quotes")
  func numberLikeName() {
    guard case .createTable(let create) = parseDDL("CREATE TABLE 1e5 (n int)", defaultDatabase: "d")
    else {
      Issue.record("not understood")
      return
    }
    #expect(create.name == TableName(database: "d", table: "1e5"))
    guard case .unrecognized = parseDDL("CREATE TABLE 15 (n int)", defaultDatabase: "d") else {
      Issue.record("a number was taken for a name")
      return
    }
  }

  @Test func realIsWhatTheSessionSays() throws {
    let statement = "CREATE TABLE t (a REAL, b REAL(9,2) NOT NULL, c FLOAT8, d DOUBLE, e FLOAT(53))"
    let usual = try definition(of: statement, mode: SQLTextMode(sqlMode: 0x10_0004))
    #expect(usual.columns.map(\.type) == Array(repeating: .double, count: 5))
    let asFloat = try definition(of: statement, mode: SQLTextMode(sqlMode: 0x1))
    #expect(asFloat.columns.map(\.type) == [.float, .float, .double, .double, .double])
  }

  @Test func followsTheTextMode() throws {
    let quoted = try definition(
      of: #"CREATE TABLE "t" ("a""b" ENUM('\'))"#,
      mode: SQLTextMode(ansiQuotes: true, noBackslashEscapes: true))
    #expect(quoted.columns[0].name == #"a"b"#)
    #expect(quoted.columns[0].type == .enumeration([#"\"#]))
    guard case .unrecognized = parseDDL(#"CREATE TABLE "t" (a int)"#, defaultDatabase: "shop")
    else {
      Issue.record("a string is not a name")
      return
    }
  }

  @Test func readsVersionedTables() throws {
    // What MariaDB 10.11 writes into the table maps of this table.
    let implicit = try definition(
      of: "CREATE TABLE t (a int PRIMARY KEY, b text) WITH SYSTEM VERSIONING")
    #expect(implicit.columns.map(\.name) == ["a", "b", "row_start", "row_end"])
    #expect(implicit.columns[3].type == .timestamp(fractionalDigits: 6))
    #expect(implicit.primaryKey == [0, 3])
    #expect(implicit.isSystemVersioned)
    let explicit = try definition(
      of: """
        CREATE TABLE t (a int, s timestamp(6) GENERATED ALWAYS AS ROW START INVISIBLE,
          e timestamp(6) AS ROW END, b int WITHOUT SYSTEM VERSIONING,
          PRIMARY KEY (a), PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING
        """)
    #expect(explicit.columns.map(\.name) == ["a", "s", "e", "b"])
    #expect(explicit.primaryKey == [0, 2])
    let application = try definition(
      of: """
        CREATE TABLE t (id int, s date, e date, PERIOD FOR p (s, e),
          PRIMARY KEY (id, p WITHOUT OVERLAPS))
        """)
    #expect(application.primaryKey == [0, 2, 1])
    #expect(application.columns.map(\.isNullable) == [false, false, false])
  }

  @Test func readsColumnTypesAlone() throws {
    #expect(try parseColumnType("int(10) unsigned zerofill") == .integer(.int, isUnsigned: true))
    #expect(try parseColumnType("varchar(20)", charset: "gbk") == .string(charset: "gbk"))
    #expect(
      try parseColumnType("enum('a','b''c')", charset: "latin1") == .enumeration(["a", "b'c"]))
    #expect(try parseColumnType("time /* mariadb-5.3 */") == .time(fractionalDigits: 0))
    #expect(throws: SQLSyntaxError.self) { try parseColumnType("int not") }
  }
}
