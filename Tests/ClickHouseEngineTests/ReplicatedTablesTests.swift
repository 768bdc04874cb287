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

/// Publishes rows and returns when they are visible.
private func publish(
  _ tables: MutableTables, _ batches: [(table: TableDefinition, batch: RecordBatch)],
  checkpoint: String = "c"
) async throws {
  try await tables.publish(batches, checkpoint: Array(checkpoint.utf8))
}

extension EngineTests {
  @Test func theNewestVersionsAreVisible() async throws {
    try await withTables { tables, path, _ in
      let people = table(7, "people")
      try await tables.create(people)
      try await tables.show(people)
      #expect(try await tables.storedTableIDs() == [7])
      let sql = "SELECT * FROM shop.people ORDER BY id"
      try await publish(
        tables,
        [(people, try batch(people, [(1, "a", 1, false), (2, nil, 2, false), (3, "c", 3, false)]))])
      #expect(try await path.text(sql) == "1\ta\n2\t\\N\n3\tc\n")
      try await publish(
        tables,
        [
          (people, try batch(people, [(1, "b", 5, false), (3, "c", 6, true)])),
          (people, try batch(people, [(2, "old", 1, false), (4, "d", 7, false)])),
        ])
      #expect(try await path.text(sql) == "1\tb\n2\t\\N\n4\td\n")
      // The same rows again change nothing.
      try await publish(
        tables, [(people, try batch(people, [(1, "b", 5, false), (3, "c", 6, true)]))])
      #expect(try await path.text(sql) == "1\tb\n2\t\\N\n4\td\n")
      _ = try await path.text("OPTIMIZE TABLE shop.people FINAL")
      #expect(try await path.text(sql) == "1\tb\n2\t\\N\n4\td\n")
      try await publish(tables, [(people, try batch(people, [(3, "back", 9, false)]))])
      #expect(try await path.text(sql) == "1\tb\n2\t\\N\n3\tback\n4\td\n")
      #expect(
        try await path.text("SELECT name FROM system.columns WHERE database = 'shop'")
          == "id\nname\n")
    }
  }

  @Test func copiedRowsAreSeenOnceTheTableIsShown() async throws {
    try await withTables { tables, path, _ in
      let people = table(1, "people")
      try await tables.create(people)
      try await tables.copy(
        try batch(people, [(1, "a", 0, false), (2, "b", 0, false)]), into: people)
      try await publish(tables, [(people, try batch(people, [(2, "c", 4, false)]))])
      let unseen = await engineError { _ = try await path.text("SELECT * FROM shop.people") }
      #expect(unseen?.code == 81)
      try await tables.show(people)
      #expect(try await path.text("SELECT * FROM shop.people ORDER BY id") == "1\ta\n2\tc\n")
    }
  }

  @Test func stagedRowsWaitForThePublication() async throws {
    try await withTables { tables, path, engine in
      let people = table(1, "people")
      let sql = "SELECT * FROM shop.people ORDER BY id"
      try await tables.create(people)
      try await tables.show(people)
      try await tables.stage([(people, try batch(people, [(1, "lost", 1, false)]))])
      try await tables.discardStaged()
      try await tables.stage([(people, try batch(people, [(1, "a", 1, false)]))])
      try await tables.stage([(people, try batch(people, [(2, "b", 2, false)]))])
      #expect(try await path.text(sql) == "")
      try await publish(
        tables, [(people, try batch(people, [(2, "c", 3, false)]))], checkpoint: "first")
      #expect(try await path.text(sql) == "1\ta\n2\tc\n")
      #expect(try await tables.checkpoint() == Array("first".utf8))
      // What is staged goes with the process.
      try await tables.stage([(people, try batch(people, [(1, "gone", 9, false)]))])
      await tables.shutdown()
      let reopened = try await openTables(engine)
      #expect(try await path.text(sql) == "1\ta\n2\tc\n")
      #expect(try await reopened.checkpoint() == Array("first".utf8))
      let stages = try await path.text(
        "SELECT name FROM system.tables WHERE database = '_magic' AND name LIKE '%\\_x%'")
      #expect(stages == "")
      await reopened.shutdown()
    }
  }

  @Test func severalTablesAreWrittenSideBySide() async throws {
    try await withTables { tables, path, _ in
      let all = (1...9).map { table(UInt64($0), "t\($0)") }
      for table in all {
        try await tables.create(table)
        try await tables.show(table)
      }
      let rows = (0..<1_000).map { (Int32($0), "x" as String?, UInt64($0), false) }
      try await publish(
        tables,
        try all.flatMap { table in
          [(table, try batch(table, rows)), (table, try batch(table, rows))]
        })
      for table in all {
        #expect(try await path.text("SELECT count() FROM shop.\(table.name.table)") == "1000\n")
      }
      #expect(try await tables.storedTableIDs() == Array(1...9))
    }
  }

  @Test func namesComeAndGo() async throws {
    try await withTables { tables, path, _ in
      let odd = TableReference(database: "a.`b`", table: "größe \\ 'x' \"y\" 🙂")
      var first = table(1, "x")
      first.name = odd
      let second = table(2, "second")
      for table in [first, second] {
        try await tables.create(table)
        try await tables.show(table)
        try await tables.show(table)
      }
      try await publish(tables, [(first, try batch(first, [(1, "one", 1, false)]))])
      let name = "\(quotedIdentifier(odd.database)).\(quotedIdentifier(odd.table))"
      #expect(try await path.text("SELECT name FROM \(name)") == "one\n")

      // The name goes over to the second table, so dropping the first leaves it alone.
      var renamed = second
      renamed.name = odd
      try await tables.show(renamed)
      try await tables.drop(first)
      try await tables.drop(first)
      #expect(try await path.text("SELECT name FROM \(name)") == "")
      #expect(try await tables.storedTableIDs() == [2])
      try await tables.drop(renamed)
      let gone = await engineError { _ = try await path.text("SELECT * FROM \(name)") }
      #expect(gone?.code == 60)
      #expect(try await tables.storedTableIDs() == [])
      // Storage that is made again is empty.
      try await tables.create(second)
      try await publish(tables, [(second, try batch(second, [(1, "one", 1, false)]))])
      try await tables.create(second)
      try await tables.show(second)
      #expect(try await path.text("SELECT * FROM shop.second") == "")
    }
  }

  @Test func aTableOfSomeoneElseIsNotReplaced() async throws {
    try await withTables { tables, path, _ in
      _ = try await path.text("CREATE DATABASE shop")
      _ = try await path.text("CREATE TABLE shop.people (a Int8) ENGINE = MergeTree ORDER BY a")
      let people = table(1, "people")
      try await tables.create(people)
      let error = await engineError { try await tables.show(people) }
      #expect(
        error?.message
          == "shop.people exists and is not a replicated table; rename or drop it")
      try await tables.drop(people)
      #expect(try await path.text("SELECT * FROM shop.people") == "")
    }
  }

  @Test func nobodyElseChangesReplicatedTables() async throws {
    try await withTables { tables, path, _ in
      let orders = table(1, "orders")
      try await tables.create(orders)
      try await tables.show(orders)
      for refused in [
        "DROP TABLE shop.orders", "drop view /* x */ `shop`.\"orders\"", "DROP DATABASE shop",
        "RENAME TABLE shop.orders TO shop.old", "TRUNCATE TABLE shop.orders",
        "INSERT INTO shop.orders VALUES (1, 'x')", "UPSERT INTO shop.orders VALUES (1, 'x')",
        "UPDATE shop.orders SET name = 'x' WHERE 1", "DELETE FROM shop.orders WHERE 1",
        "ALTER TABLE shop.orders ADD COLUMN x Int8", "RENAME DATABASE shop TO other",
        "EXCHANGE TABLES shop.orders AND shop.other", "DETACH TABLE shop.orders",
      ] {
        let error = await engineError { _ = try await path.text(refused) }
        #expect(error?.message.contains("belongs to replication") == true, "\(refused)")
      }
      for refused in [
        "DROP DATABASE _magic", "ALTER TABLE _magic.r1_s1_0 DELETE WHERE 1",
        "INSERT INTO `_magic`.r1_s1_0 VALUES (1, 'x', 1, 0)", "TRUNCATE TABLE _magic.r1_s1_0",
      ] {
        let error = await engineError { _ = try await path.text(refused) }
        #expect(error?.message.contains("_magic holds the storage") == true, "\(refused)")
      }
      for allowed in [
        "CREATE TABLE shop.mine ENGINE = MergeTree ORDER BY id AS SELECT * FROM shop.orders",
        "INSERT INTO shop.mine SELECT * FROM shop.orders", "DROP TABLE shop.mine",
      ] {
        _ = try await path.text(allowed)
      }
      #expect(try await tables.storedTableIDs() == [1])
    }
  }
}
