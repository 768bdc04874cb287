import MySQLSchema
import Testing

/// SplitMix64, so that a failing round can be repeated from its seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

private let seeds = [
  "CREATE TABLE `a``b`.t (a int(10) unsigned NOT NULL DEFAULT '1' COMMENT 'x''y', PRIMARY KEY (a(3)))",
  "CREATE TABLE t (c ENUM('a',x'4142',_latin1'c') CHARACTER SET gbk, g geometry SRID 4 /*!80023 INVISIBLE */)",
  "CREATE TABLE t (a decimal(10,2) AS (1+(2)) STORED, b longtext CHECK (json_valid(`b`))) ENGINE=InnoDB",
  "CREATE TABLE t (s date, e date, PERIOD FOR p (s,e), PRIMARY KEY (p WITHOUT OVERLAPS)) WITH SYSTEM VERSIONING",
  "ALTER TABLE a.b ADD COLUMN (x int), RENAME TO c.d, DROP PARTITION p",
  "RENAME TABLE a TO b, c TO d",
  "CREATE TABLE t (a serial, b int NOT NULL DEFAULT - 5 UNIQUE, UNIQUE k (b(3), (a+1)), CONSTRAINT f FOREIGN KEY i (a) REFERENCES p (x) ON DELETE SET NULL)",
  "CREATE TABLE t (a date DEFAULT DATE '2024-01-31', b bit(3) DEFAULT b'101', c inet6 DEFAULT '::1', d double(8,3) DEFAULT 1e-5, e time(3) DEFAULT '-838:59:59.5')",
  "ALTER IGNORE TABLE t CHANGE a b enum('x','y') DEFAULT 'y' FIRST, ADD UNIQUE (b), DROP KEY c, RENAME KEY d TO e, CONVERT TO CHARSET latin1",
  "CREATE UNIQUE INDEX i ON t (a(3) DESC)", "DROP INDEX `i` ON t",
  "DROP TABLE IF EXISTS 1a.2, `b`; -- c", "CREATE DATABASE d /*!40100 CHARACTER SET utf8 */",
  "SET STATEMENT a=1 FOR CREATE DEFINER=`x`@`y` VIEW v AS SELECT 0x41, b'01', 1.5e+3, .5, N'x'",
  "DELIMITER ;;\nDROP TABLE t;;\nDELIMITER ;\nUSE `d`;\nCREATE TABLE u LIKE v;",
]

/// What mutated changes are applied to.
private let changedTable: TableSchema = {
  let columns = ["a", "b", "c"].map {
    Column(name: $0, type: .integer(.int, isUnsigned: false), isNullable: $0 != "a")
  }
  let parts = [TableKey.Part(column: "a")]
  return TableSchema(
    name: TableName(database: "d", table: "t"), columns: columns, primaryKey: [0],
    keys: [
      TableKey(name: "PRIMARY", isUnique: true, parts: parts),
      TableKey(name: "i", isUnique: true, parts: parts + [TableKey.Part(column: "b")]),
    ])
}()

@Suite struct RobustnessTests {
  /// Nothing that a text may hold ends the process; what cannot be read is said to be so.
  @Test(arguments: [1, 2, 3, 4]) func survivesMutatedText(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let alphabet = Array("`'\"\\/*!-#;,().=@_%0x1eb\n é".utf8) + [0, 0xFF, 0x80]
    for _ in 0..<1500 {
      var bytes = Array(seeds.randomElement(using: &generator)!.utf8)
      for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = alphabet.randomElement(using: &generator)!
        case 1: bytes.insert(alphabet.randomElement(using: &generator)!, at: index)
        case 2: bytes.removeSubrange(index..<min(bytes.count, index + 5))
        default: bytes += bytes[index...]
        }
      }
      let mode = SQLTextMode(ansiQuotes: Bool.random(using: &generator))
      let text = String(decoding: bytes, as: UTF8.self)
      try check(parseDDL(text, defaultDatabase: "d", mode: mode))
      _ = parseSchemaDump(bytes, defaultDatabase: "d")
    }
  }

  /// What every reader of a schema relies on, whatever the statement was.
  private func check(_ statement: DDLStatement) throws {
    let schema: TableSchema?
    switch statement {
    case .createTable(let create):
      guard case .definition(let definition) = create.source else { return }
      schema = definition.withDefaultCharset("utf8mb4")
    case .alterTable(let change), .createIndex(let change), .dropIndex(let change):
      schema = try? changedTable.applying(change)
    default: return
    }
    guard let schema else { return }
    #expect(!schema.columns.isEmpty)
    #expect(schema.primaryKey.allSatisfy(schema.columns.indices.contains))
    #expect(schema.primaryKey.allSatisfy { !schema.columns[$0].isNullable })
    for part in (schema.keys ?? []).flatMap(\.parts) {
      #expect(part.column.map { schema.columnIndex($0) != nil } ?? true)
    }
  }

  @Test func survivesEveryTruncation() {
    for seed in seeds {
      let bytes = Array(seed.utf8)
      for length in 0...bytes.count {
        let text = String(decoding: bytes[..<length], as: UTF8.self)
        _ = parseDDL(text, defaultDatabase: "d")
        _ = try? parseColumnType(text)
        _ = parseSchemaDump(Array(bytes[..<length]))
      }
    }
  }

  @Test(arguments: ["(", "/*!", "`", "CASE ", "a,", "'a'", "--\n", "SET STATEMENT a=1 FOR "])
  func takesLinearTime(_ piece: String) {
    let many = String(repeating: piece, count: 200_000)
    let texts = [
      many, "CREATE TABLE t (a int DEFAULT \(many)", "CREATE TABLE t (a \(many)",
      "ALTER TABLE t \(many)",
    ]
    let elapsed = ContinuousClock().measure {
      for text in texts { _ = parseDDL(text, defaultDatabase: "d") }
      _ = parseSchemaDump(Array(many.utf8))
    }
    #expect(elapsed < .seconds(20))
  }
}
