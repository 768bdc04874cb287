import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Testing

private func table(_ id: UInt64, _ name: String, database: String = "shop") -> TableDefinition {
  TableDefinition(
    id: id, name: TableReference(database: database, table: name),
    schema: Schema(fields: [
      Field(name: "id", type: .int32, isNullable: false), Field(name: "name", type: .utf8),
    ]), primaryKey: [0])
}

private typealias Row = (id: Int32, name: String?, version: UInt64, isDeleted: Bool)

private func batch(_ table: TableDefinition, _ rows: [Row]) throws -> RecordBatch {
  let fields =
    table.schema.fields + [
      Field(name: HiddenColumn.version, type: .uint64, isNullable: false),
      Field(name: HiddenColumn.deleteMark, type: .uint8, isNullable: false),
    ]
  return try RecordBatch(
    schema: Schema(fields: fields),
    columns: [
      integers(rows.map(\.id), .int32), strings(rows.map(\.name)),
      values(rows.map { UInt64?($0.version) }, .uint64),
      values(rows.map { UInt8?($0.isDeleted ? 1 : 0) }, .uint8),
    ], rowCount: rows.count)
}

extension EngineTests {
  private func withTables(
    _ body: (VersionedTables, any EngineConnection) async throws -> Void
  ) async throws {
    try await withConnection { connection, engine in
      try await body(VersionedTables(engine: engine), connection)
    }
  }

  @Test func theNewestVersionsAreVisible() async throws {
    try await withTables { tables, connection in
      let people = table(7, "people")
      try await tables.create(people)
      try await tables.show(people)
      #expect(try await tables.storedTableIDs() == [7])
      let sql = "SELECT * FROM shop.people ORDER BY id"
      try await tables.write([
        (people, try batch(people, [(1, "a", 1, false), (2, nil, 2, false), (3, "c", 3, false)]))
      ])
      #expect(try await connection.rows(sql) == [["1", "a"], ["2", "∅"], ["3", "c"]])
      try await tables.write([
        (people, try batch(people, [(1, "b", 5, false), (3, "c", 6, true)])),
        (people, try batch(people, [(2, "old", 1, false), (4, "d", 7, false)])),
      ])
      #expect(try await connection.rows(sql) == [["1", "b"], ["2", "∅"], ["4", "d"]])
      // The same rows again change nothing.
      try await tables.write([(people, try batch(people, [(1, "b", 5, false), (3, "c", 6, true)]))])
      #expect(try await connection.rows(sql) == [["1", "b"], ["2", "∅"], ["4", "d"]])
      try await tables.write([(people, try batch(people, [(3, "back", 9, false)]))])
      try await connection.execute("OPTIMIZE TABLE _magic.t7 FINAL")
      #expect(
        try await connection.rows(sql) == [["1", "b"], ["2", "∅"], ["3", "back"], ["4", "d"]])
      let columns = try await connection.rows("DESCRIBE shop.people")
      #expect(columns.map { $0[0] } == ["id", "name"])
    }
  }

  @Test func severalTablesAreWrittenSideBySide() async throws {
    try await withTables { tables, connection in
      let all = (1...9).map { table(UInt64($0), "t\($0)") }
      for table in all {
        try await tables.create(table)
        try await tables.show(table)
      }
      let rows = (0..<1_000).map { (Int32($0), "x" as String?, UInt64($0), false) }
      try await tables.write(
        try all.flatMap { table in
          [(table, try batch(table, rows)), (table, try batch(table, rows))]
        })
      for table in all {
        let count = try await connection.value("SELECT count() FROM shop.\(table.name.table)")
        #expect(count == "1000")
      }
      #expect(try await tables.storedTableIDs() == Array(1...9))
    }
  }

  @Test func namesComeAndGo() async throws {
    try await withTables { tables, connection in
      let odd = TableReference(database: "a.`b`", table: "größe \\ 'x' \"y\" 🙂")
      var first = table(1, "x")
      first.name = odd
      let second = table(2, "second")
      for table in [first, second] {
        try await tables.create(table)
        try await tables.show(table)
        try await tables.show(table)
      }
      try await tables.write([(first, try batch(first, [(1, "one", 1, false)]))])
      let name = "\(quotedIdentifier(odd.database)).\(quotedIdentifier(odd.table))"
      #expect(try await connection.rows("SELECT name FROM \(name)") == [["one"]])

      // The name goes over to the second table, so dropping the first leaves it alone.
      var renamed = second
      renamed.name = odd
      try await tables.show(renamed)
      try await tables.drop(first)
      try await tables.drop(first)
      #expect(try await connection.rows("SELECT name FROM \(name)") == [])
      #expect(try await tables.storedTableIDs() == [2])
      try await tables.drop(renamed)
      let gone = await engineError { _ = try await connection.rows("SELECT * FROM \(name)") }
      #expect(gone?.code == 60)
      #expect(try await tables.storedTableIDs() == [])
      // Storage that is made again is empty.
      try await tables.create(second)
      try await tables.write([(second, try batch(second, [(1, "one", 1, false)]))])
      try await tables.create(second)
      try await tables.show(second)
      #expect(try await connection.rows("SELECT * FROM shop.second") == [])
    }
  }

  @Test func aTableOfSomeoneElseIsNotReplaced() async throws {
    try await withTables { tables, connection in
      try await connection.execute("CREATE DATABASE shop")
      try await connection.execute(
        "CREATE TABLE shop.people (a Int8) ENGINE = MergeTree ORDER BY a")
      let people = table(1, "people")
      try await tables.create(people)
      let error = await engineError { try await tables.show(people) }
      #expect(
        error?.message
          == "shop.people exists and is not a replicated table; rename or drop it")
      try await tables.drop(people)
      #expect(try await connection.rows("SELECT * FROM shop.people") == [])
    }
  }

  @Test func aTableWithoutAKeyIsRefused() async throws {
    try await withTables { tables, _ in
      var people = table(1, "people")
      people.primaryKey = []
      let error = await engineError { try await tables.create(people) }
      #expect(error?.message == "shop.people has no primary key")
    }
  }

  @Test func aReplicatedTableIsReadOnly() async throws {
    try await withTables { tables, connection in
      let people = table(1, "people")
      try await tables.create(people)
      try await tables.show(people)
      let error = await engineError {
        try await connection.execute("INSERT INTO shop.people VALUES (1, 'x')")
      }
      #expect(error?.code == 48)
    }
  }

  @Test func nobodyElseChangesReplicatedTables() async throws {
    try await withEngine { engine in
      let tables = VersionedTables(engine: engine)
      let orders = table(1, "orders")
      try await tables.create(orders)
      try await tables.show(orders)
      let path = StatementPath(engine: engine)
      for refused in [
        "DROP TABLE shop.orders", "drop view /* x */ `shop`.\"orders\"", "DROP DATABASE shop",
        "DROP DATABASE _magic", "ALTER TABLE _magic.t1 DELETE WHERE 1",
        "INSERT INTO `_magic`.t1 VALUES (1, 'x', 1, 0)", "TRUNCATE TABLE _magic.t1",
        "RENAME TABLE shop.orders TO shop.old",
      ] {
        let error = await engineError { _ = try await path.run(refused, format: "TSV") }
        #expect(error?.message.contains("belongs to replication") == true, "\(refused)")
      }
      for allowed in [
        "CREATE TABLE shop.mine ENGINE = MergeTree ORDER BY id AS SELECT * FROM shop.orders",
        "INSERT INTO shop.mine SELECT * FROM shop.orders", "DROP TABLE shop.mine",
      ] {
        _ = try await path.run(allowed, format: "TSV")
      }
      #expect(try await tables.storedTableIDs() == [1])
    }
  }
}
