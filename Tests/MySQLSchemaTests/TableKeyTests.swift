import Foundation
import MySQLSchema
import Testing

private let shopT = TableName(database: "shop", table: "t")

/// The table after statements that change it.
private func table(_ create: String, _ statements: String...) throws -> TableSchema {
  try statements.reduce(try definition(of: create)) { schema, statement in
    switch parseDDL(statement, defaultDatabase: "shop") {
    case .alterTable(let alteration), .createIndex(let alteration), .dropIndex(let alteration):
      return try schema.applying(alteration)
    case let parsed: throw NoDefinition(parsed: parsed)
    }
  }
}

/// The columns of the key, with `!` when it is a unique key that serves.
private func key(_ schema: TableSchema) -> String {
  schema.primaryKey.map { schema.columns[$0].name }.joined(separator: " ")
    + (schema.primaryKeyIsUniqueKey ? " !" : "")
}

@Suite struct TableKeyTests {
  @Test(arguments: [
    ("a int NOT NULL UNIQUE, b int PRIMARY KEY", "b"), ("a int NOT NULL UNIQUE, b int", "a !"),
    ("a int UNIQUE, b int NOT NULL, c int NOT NULL, UNIQUE (c, b), UNIQUE (b)", "c b !"),
    ("a int UNIQUE", ""), ("a varchar(9) NOT NULL, UNIQUE (a(3))", ""),
    ("a varchar(9) NOT NULL, UNIQUE (a(9))", "a !"), ("a int NOT NULL, UNIQUE ((a + 1))", ""),
    ("a float NOT NULL UNIQUE, b double NOT NULL PRIMARY KEY, c int NOT NULL UNIQUE", "c !"),
    ("a double PRIMARY KEY", ""), ("a text NOT NULL, UNIQUE (a)", ""),
    ("a varchar(800) NOT NULL, UNIQUE (a)", ""),
    ("a varchar(700) NOT NULL, UNIQUE (a)", "a !"), ("a binary(16) NOT NULL UNIQUE", "a !"),
    ("a int NOT NULL, b int, UNIQUE (a, b), UNIQUE (b, a)", ""), ("a serial, b int", "a !"),
    (
      "my_row_id bigint unsigned NOT NULL AUTO_INCREMENT /*!80023 INVISIBLE */, a int, PRIMARY KEY (my_row_id)",
      "my_row_id"
    ),
  ])
  func choosesAsInnoDBDoes(_ elements: String, expected: String) throws {
    let create = "CREATE TABLE t (\(elements)) CHARSET=utf8mb4"
    #expect(key(try definition(of: create)) == expected)
  }

  @Test func fallsToTheNextKey() throws {
    let create =
      "CREATE TABLE t (a int NOT NULL, b int NOT NULL, UNIQUE u (a), UNIQUE v (b), KEY (b))"
    #expect(key(try table(create)) == "a !")
    #expect(key(try table(create, "DROP INDEX u ON t")) == "b !")
    #expect(key(try table(create, "ALTER TABLE t DROP KEY u, DROP CONSTRAINT v")) == "")
    #expect(key(try table(create, "ALTER TABLE t MODIFY a int")) == "b !")
    #expect(
      key(try table(create, "ALTER TABLE t MODIFY a int", "ALTER TABLE t MODIFY a int NOT NULL"))
        == "b !")
    #expect(key(try table(create, "ALTER TABLE t DROP a")) == "b !")
    #expect(key(try table(create, "ALTER TABLE t CHANGE a c bigint NOT NULL AFTER b")) == "c !")
    #expect(key(try table(create, "ALTER TABLE t ADD PRIMARY KEY (b)")) == "b")
    #expect(
      key(try table(create, "ALTER TABLE t ADD PRIMARY KEY (b)", "ALTER TABLE t DROP PRIMARY KEY"))
        == "a !")
    #expect(
      key(try table(create, "ALTER TABLE t RENAME INDEX u TO w", "DROP INDEX w ON t")) == "b !")
    #expect(throws: SQLSyntaxError.self) {
      try table(create, "ALTER TABLE t RENAME INDEX u TO w", "DROP INDEX u ON t")
    }
    #expect(
      key(try table("CREATE TABLE t (a int NOT NULL)", "CREATE UNIQUE INDEX i ON t (a)")) == "a !")
    #expect(key(try table("CREATE TABLE t (a int NOT NULL)", "CREATE INDEX i ON t (a)")) == "")
  }

  @Test func knowsIndicesOfTheirStatements() throws {
    guard
      case .createIndex(let created) = parseDDL(
        "CREATE UNIQUE INDEX i USING BTREE ON t (a)", defaultDatabase: "shop"),
      case .dropIndex(let dropped) = parseDDL(
        "DROP INDEX IF EXISTS i ON t", defaultDatabase: "shop")
    else {
      Issue.record("not changes of indices")
      return
    }
    #expect(created.name == shopT && dropped.name == shopT)
    let base = try definition(of: "CREATE TABLE t (a int)")
    #expect(try base.plan(created).rows == .unchanged)
    #expect(try base.applying(created).keys?.map(\.name) == ["i"])
    #expect(try base.applying(dropped) == base)
  }

  /// A catalog from before has neither indices nor defaults: what is not known is not guessed.
  @Test func readsCatalogsFromBefore() throws {
    let text = """
      {"name": {"database": "shop", "table": "t"}, "primaryKey": [0], "primaryKeyHasPrefix": false,
       "isSystemVersioned": false, "storageEngine": "InnoDB", "columns": [
         {"name": "a", "type": {"integer": {"_0": 4, "isUnsigned": false}}, "isNullable": false,
          "isGenerated": false, "isInvisible": false},
         {"name": "b", "type": {"string": {"charset": "utf8mb4"}}, "isNullable": true,
          "isGenerated": false, "isInvisible": false}]}
      """
    let old = try JSONDecoder().decode(TableSchema.self, from: Data(text.utf8))
    #expect(old.keys == nil && old.foreignKeys.isEmpty && !old.cascades)
    #expect(old.columns.map(\.detail) == [nil, nil])
    let again = try JSONDecoder().decode(TableSchema.self, from: JSONEncoder().encode(old))
    #expect(again == old)

    let plan = { (change: String) in
      guard
        case .alterTable(let alteration) = parseDDL(
          "ALTER TABLE t \(change)", defaultDatabase: "shop")
      else { throw NoDefinition(parsed: .noEffect) }
      return try old.plan(alteration)
    }
    #expect(try plan("DROP INDEX whatever, ADD UNIQUE (a)").rows == .unchanged)
    #expect(try key(plan("DROP PRIMARY KEY, ADD UNIQUE (a)").schema) == "")
    #expect(try plan("ADD c int").rows == .converted([.column(0), .column(1), .value(text: nil)]))
    // Of what length the old column was is not known.
    guard case .unknown = try plan("MODIFY b varchar(9)").rows else {
      Issue.record("a text of unknown length fits")
      return
    }
  }

  @Test func writesWhatItReads() throws {
    let schema = try definition(
      of: """
        CREATE TABLE t (a int NOT NULL AUTO_INCREMENT, b varchar(9) DEFAULT 'é', c float(7,2),
          d int DEFAULT NULL, e datetime DEFAULT NOW(), UNIQUE (a), KEY ((d + 1)), KEY (b(3)),
          FOREIGN KEY (d) REFERENCES o.p (id) ON DELETE CASCADE) CHARSET=utf8mb4
        """)
    let again = try JSONDecoder().decode(TableSchema.self, from: JSONEncoder().encode(schema))
    #expect(again == schema)
    #expect(again.cascades)
  }

  @Test func followsForeignKeys() throws {
    let create = """
      CREATE TABLE o.t (a int, b int, c int, FOREIGN KEY (a) REFERENCES p (id) ON UPDATE SET NULL,
        CONSTRAINT k FOREIGN KEY (b) REFERENCES `q`.p (id) ON DELETE RESTRICT)
      """
    let schema = try definition(of: create)
    #expect(
      schema.foreignKeys == [
        ForeignKey(
          name: "t_ibfk_1", columns: ["a"],
          referencedTable: TableName(database: "o", table: "p"), onUpdate: .setNull),
        ForeignKey(
          name: "k", columns: ["b"], referencedTable: TableName(database: "q", table: "p")),
      ])
    #expect(schema.cascades)
    #expect(schema.keys?.map(\.name) == ["a", "k"])
    #expect(try !table(create, "ALTER TABLE t DROP FOREIGN KEY t_ibfk_1").cascades)
    #expect(try !table(create, "ALTER TABLE t DROP CONSTRAINT `T_IBFK_1`").cascades)
    #expect(try table(create, "ALTER TABLE t DROP FOREIGN KEY k").cascades)
    let renamed = try table(create, "ALTER TABLE t RENAME TO x.u, CHANGE a z int")
    #expect(renamed.foreignKeys.map(\.name) == ["u_ibfk_1", "k"])
    #expect(renamed.foreignKeys[0].columns == ["z"])
    #expect(schema.definition(like: shopT).foreignKeys.isEmpty)
    #expect(schema.definition(like: shopT).keys == schema.keys)
  }
}
