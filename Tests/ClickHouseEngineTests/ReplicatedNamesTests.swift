import Arrow
import Foundation
import MagicCore
import Synchronization
import Testing

@testable import ClickHouseEngine

private func called(_ table: TableDefinition, _ name: String) -> TableDefinition {
  var table = table
  table.name.table = name
  return table
}

extension EngineTests {
  /// Runs `body` with two tables that are shown, whose one row has their name.
  private func withTwoShown(
    _ body: (MutableTables, StatementPath, ClickHouseEngine, [TableDefinition]) async throws -> Void
  ) async throws {
    try await withTables { tables, path, engine in
      let both = [replicated(1, "a"), replicated(2, "b")]
      for table in both {
        try await tables.create(table)
        try await tables.publish(table, named(table, [(1, table.name.table)], versions: 1...1))
      }
      try await tables.change(showing: both, dropping: [])
      try await body(tables, path, engine, both)
    }
  }

  private func names(_ path: StatementPath) async throws -> String {
    try await path.text("SELECT name FROM system.tables WHERE database = 'shop' ORDER BY name")
  }

  @Test func namesAreSwapped() async throws {
    try await withTwoShown { tables, path, _, both in
      let before = try await path.snapshot(of: nil)
      let sql = "SELECT a.name, b.name FROM shop.a AS a, shop.b AS b"
      let seen = Mutex<Set<String>>([])
      let isDone = Mutex(false)
      let reader = Task {
        while !isDone.withLock({ $0 }) {
          for name in ["a", "b"] {
            let text = try await path.text("SELECT name FROM shop.\(name)")
            _ = seen.withLock { $0.insert(text) }
          }
          #expect(try await path.text(sql, snapshot: before) == "a\tb\n")
        }
      }
      for round in 1...10 {
        let isSwapped = !round.isMultiple(of: 2)
        let shown = [
          called(both[0], isSwapped ? "b" : "a"), called(both[1], isSwapped ? "a" : "b"),
        ]
        try await tables.change(showing: shown, dropping: [])
        #expect(try await path.text(sql) == (isSwapped ? "b\ta\n" : "a\tb\n"))
        // Once more changes nothing.
        let commit = path.published.commit
        try await tables.change(showing: shown, dropping: [])
        #expect(path.published.commit == commit)
        let after = try await path.snapshot(of: nil)
        #expect(try await path.text(sql, snapshot: after) == (isSwapped ? "b\ta\n" : "a\tb\n"))
      }
      isDone.withLock { $0 = true }
      // No name was missing, and each always had one of the two rows.
      try await reader.value
      #expect(seen.withLock { $0 } == ["a\n", "b\n"])
      #expect(try await names(path) == "a\nb\n")
    }
  }

  @Test func namesAreHandedOn() async throws {
    try await withTwoShown { tables, path, engine, both in
      // a becomes b, b becomes c, and a new one becomes a.
      let new = replicated(3, "a")
      try await tables.create(new)
      try await tables.publish(new, named(new, [(1, "new")], versions: 1...1))
      var snapshot: CommitPin? = try await path.snapshot(of: nil)
      try await tables.change(
        showing: [called(both[0], "b"), called(both[1], "c"), new], dropping: [])
      let sql = "SELECT a.name, b.name, c.name FROM shop.a AS a, shop.b AS b, shop.c AS c"
      #expect(try await path.text(sql) == "new\ta\tb\n")
      for name in ["a", "b"] {
        let text = try await path.text(
          "SELECT name FROM shop.\(name)", snapshot: try #require(snapshot))
        #expect(text == "\(name)\n")
      }
      snapshot = nil
      // c takes the place of a, whose table stays without a name; b goes.
      try await tables.change(showing: [called(both[1], "a")], dropping: [both[0]])
      #expect(try await names(path) == "a\n")
      #expect(try await path.text("SELECT name FROM shop.a") == "b\n")
      #expect(try await tables.storedTableIDs() == [2, 3])
      // It can be written, and is seen again.
      try await tables.publish(new, named(new, [(2, "later")], versions: 2...2))
      await tables.shutdown()
      let reopened = try await openTables(engine)
      let fresh = StatementPath(engine: engine, tables: reopened)
      #expect(try await reopened.storedTableIDs() == [2, 3])
      #expect(try await names(fresh) == "a\n")
      try await reopened.change(showing: [called(new, "d")], dropping: [both[0], both[1]])
      #expect(try await fresh.text("SELECT name FROM shop.d ORDER BY id") == "new\nlater\n")
      _ = try await fresh.text("OPTIMIZE TABLE shop.d")
      #expect(try await fresh.text("SELECT name FROM shop.d ORDER BY id") == "new\nlater\n")
      #expect(try await reopened.storedTableIDs() == [3])
      #expect(try await names(fresh) == "d\n")
      await reopened.shutdown()
    }
  }

  /// After every step of a change, also one that was only written down, the next start has all of it or
  /// nothing; and the change can be repeated.
  @Test(arguments: 0...5) func aChangeOfNamesSurvivesACrash(steps: Int) async throws {
    try await withTwoShown { tables, path, engine, both in
      let gone = replicated(3, "gone")
      try await tables.create(gone)
      try await tables.show(gone)
      let commit = path.published.commit
      await tables.shutdown()
      // The steps of the change, as far as they came.
      let intent = CommitIntent(
        commit: steps == 0 ? commit + 1 : commit,
        tables: [
          CommitIntent.Table(
            owner: "r1", name: called(both[0], "b").name, comment: "", replaced: "r2"),
          CommitIntent.Table(owner: "r2", name: called(both[1], "c").name, comment: ""),
        ], dropped: ["r3"])
      try await intent.write(CommitIntent.path(besides: engine.dataFolder + "/commits"))
      let connection = try await engine.connect()
      let selects = try await connection.rows(
        "SELECT as_select FROM system.tables WHERE database = 'shop' ORDER BY name")
      let statements = [
        "CREATE OR REPLACE VIEW shop.b AS \(selects[0][0])",
        "CREATE VIEW shop.c AS \(selects[1][0])",
        "DROP VIEW shop.a", "DROP VIEW shop.gone",
      ]
      for statement in statements.prefix(max(0, steps - 1)) {
        try await connection.execute(statement)
      }
      await connection.close()
      let reopened = try await openTables(engine)
      let fresh = StatementPath(engine: engine, tables: reopened)
      if steps == 0 {
        #expect(try await names(fresh) == "a\nb\ngone\n")
        #expect(try await fresh.text("SELECT name FROM shop.b") == "b\n")
      } else {
        #expect(try await names(fresh) == "b\nc\n")
        #expect(try await reopened.storedTableIDs() == [1, 2])
      }
      try await reopened.change(
        showing: [called(both[0], "b"), called(both[1], "c")], dropping: [gone])
      #expect(try await names(fresh) == "b\nc\n")
      #expect(try await fresh.text("SELECT name FROM shop.b") == "a\n")
      #expect(try await fresh.text("SELECT name FROM shop.c") == "b\n")
      #expect(try await reopened.storedTableIDs() == [1, 2])
      try await reopened.publish(both[0], named(both[0], [(2, "more")], versions: 5...5))
      #expect(try await fresh.text("SELECT name FROM shop.b ORDER BY id") == "a\nmore\n")
      await reopened.shutdown()
    }
  }

  @Test func whatIsNotReplicatedKeepsItsName() async throws {
    try await withTwoShown { tables, path, _, both in
      for statement in [
        "CREATE TABLE shop.mutable (x UInt8) ENGINE = MutableMergeTree ORDER BY x",
        "CREATE VIEW shop.view AS SELECT 1", "CREATE TABLE shop.plain (x UInt8) ENGINE = Memory",
      ] {
        _ = try await path.text(statement)
      }
      for name in ["mutable", "view", "plain"] {
        let error = await engineError {
          try await tables.change(showing: [called(both[0], name)], dropping: [both[1]])
        }
        #expect(
          error?.message
            == "shop.\(name) exists and is not a replicated table; rename or drop it")
      }
      #expect(try await path.text("SELECT name FROM shop.a") == "a\n")
      #expect(try await path.text("SELECT name FROM shop.b") == "b\n")
      let twice = await engineError {
        try await tables.change(showing: [both[0], called(both[1], "a")], dropping: [])
      }
      #expect(twice?.message == "two tables cannot have the same name")
      let doubled = await engineError {
        try await tables.change(showing: [both[0], called(both[0], "c")], dropping: [])
      }
      #expect(doubled?.message == "a table cannot have two names")
    }
  }

  @Test func databasesComeAndGo() async throws {
    try await withTwoShown { tables, path, _, both in
      let odd = "größe `x`.'y' \\ 🙂/"
      for _ in 0..<2 { try await tables.createDatabase(odd) }
      try await tables.createDatabase("shop")
      let list = "SELECT name FROM system.databases WHERE name NOT LIKE '\\_magic%' ORDER BY name"
      #expect(try await path.text(list).contains("größe"))
      for _ in 0..<2 { try await tables.dropDatabase(odd) }
      // What holds something stays, and so do those of the engine.
      for name in ["shop", "default", "system", "information_schema", "_magic"] {
        try await tables.dropDatabase(name)
      }
      #expect(
        try await path.text(list)
          == "INFORMATION_SCHEMA\ndefault\ninformation_schema\nshop\nsystem\n")
      #expect(try await path.text("SELECT name FROM shop.a") == "a\n")
      try await tables.change(showing: [], dropping: both)
      try await tables.dropDatabase("shop")
      #expect(
        try await path.text(list) == "INFORMATION_SCHEMA\ndefault\ninformation_schema\nsystem\n")
      for name in ["system", "information_schema", "INFORMATION_SCHEMA", "_magic", "_magic_past_1"]
      {
        try await tables.createDatabase(name)
        let reason =
          "a database called \(name) cannot be copied: the engine keeps that name for itself"
        var table = replicated(9, "t")
        table.name.database = name
        #expect(try await tables.obstacle(to: table) == reason)
        let refused = await engineError { try await tables.create(table) }
        #expect(refused?.message == reason)
      }
      #expect(
        try await path.text(list) == "INFORMATION_SCHEMA\ndefault\ninformation_schema\nsystem\n")
    }
  }

  @Test func namesOfAllKinds() async throws {
    try await withTables { tables, path, _ in
      let names = [
        "a.b", "`", "'", "\"", " ", "a b ", "/", "..", ".", "\\", "größe", "🙂", "表", "t\t\n",
        "a;b--", "{x}", "$a$", "%", ".inner_id.x", String(repeating: "x", count: 64),
        String(repeating: "é", count: 16),
      ]
      var all: [TableDefinition] = []
      for (index, name) in names.enumerated() {
        var table = replicated(UInt64(index + 1), name, [Field(name: "c" + name, type: .utf8)])
        if name.utf8.count < 60 { table.name.database = "d" + name }
        if name == "größe" { table.name.database = "default" }
        all.append(table)
        try await tables.create(table)
        try await tables.publish(table, named(table, [(1, "x")], versions: 1...1))
      }
      try await tables.change(showing: all, dropping: [])
      let snapshot = try await path.snapshot(of: nil)
      for table in all {
        let column = quotedIdentifier("c" + table.name.table)
        #expect(
          try await path.text("SELECT \(column) FROM \(table.name.quoted)") == "x\n",
          "\(table.name)")
        try await tables.publish(table, named(table, [(1, nil), (2, "y")], versions: 2...3))
        _ = try await path.text("OPTIMIZE TABLE \(table.name.quoted)")
        #expect(
          try await path.text("SELECT \(column) FROM \(table.name.quoted) ORDER BY id")
            == "\\N\ny\n")
      }
      // Each takes the name of the next one.
      let turned = all.indices.map { index in
        var table = all[index]
        table.name = all[(index + 1) % all.count].name
        return table
      }
      try await tables.change(showing: turned, dropping: [])
      for (table, before) in zip(turned, all) {
        let column = quotedIdentifier("c" + before.name.table)
        #expect(
          try await path.text("SELECT \(column) FROM \(table.name.quoted) WHERE id = 2") == "y\n")
        // Statements at snapshots take no control characters in names.
        if before.name.table.contains("\t") { continue }
        #expect(
          try await path.text("SELECT \(column) FROM \(before.name.quoted)", snapshot: snapshot)
            == "x\n")
      }
      try await tables.change(showing: [], dropping: all)
      #expect(try await tables.storedTableIDs() == [])
      var long = replicated(99, String(repeating: "表", count: 64))
      let error = await engineError { try await tables.create(long) }
      #expect(error?.message.contains("the name is too long for the engine") == true)
      // The longest that there can be.
      long.name = TableReference(
        database: "d", table: String(repeating: "x", count: 213 - "_magic_past_".count - 10))
      try await tables.create(long)
      try await tables.show(long)
      let held = try await path.snapshot(of: nil)
      try await tables.change(showing: [called(long, "y")], dropping: [])
      #expect(
        try await path.text("SELECT count() FROM \(long.name.quoted)", snapshot: held) == "0\n")
      #expect(try await path.text("SELECT count() FROM d.y") == "0\n")
    }
  }

  @Test func tablesAreWide() async throws {
    try await withTables { tables, path, _ in
      let fields = (1..<4_096).map { Field(name: "c\($0)", type: .int32, isNullable: $0 > 2_000) }
      for key in [[0], []] {
        let table = replicated(key.isEmpty ? 2 : 1, "wide", fields, key: key)
        try await tables.create(table)
        let columns = (0..<4_096).map { integers([Int32($0), Int32($0 + 1)], .int32) }
        try await tables.copy(changes(table, columns, versions: [1, 2]), into: table)
        try await tables.change(
          showing: [table], dropping: key.isEmpty ? [replicated(1, "wide")] : [])
        try await tables.publish(
          table, changes(table, columns.map { $0.slice(0..<1) }, versions: [3], deletes: [0]))
        let sql = "SELECT sum(c1), sum(c4095), count() FROM shop.wide"
        #expect(try await path.text(sql) == "2\t4096\t1\n")
        _ = try await path.text("OPTIMIZE TABLE shop.wide")
        #expect(try await path.text(sql) == "2\t4096\t1\n")
        var other = table
        other.id += 10
        other.schema.fields[7].name = "renamed"
        let defaults = try RecordBatch(
          schema: table.schema, columns: columns.map { $0.slice(0..<1) }, rowCount: 1)
        try await tables.create(
          other, from: table, columns: Array(table.schema.fields.indices), defaults: defaults)
        try await tables.change(showing: [other], dropping: [table])
        #expect(try await path.text("SELECT renamed, c4095 FROM shop.wide") == "8\t4096\n")
        try await tables.change(showing: [], dropping: [other])
      }
    }
  }

  @Test func rowsAreLarge() async throws {
    try await withTables { tables, path, _ in
      for key in [[0], []] {
        let table = replicated(key.isEmpty ? 2 : 1, "large", key: key)
        try await tables.create(table)
        let text = String(repeating: "x", count: 64 << 20)
        try await tables.copy(named(table, [(1, text)], versions: 1...1), into: table)
        try await tables.show(table)
        try await tables.publish(table, named(table, [(2, text)], versions: 2...2))
        let sql = "SELECT id, length(name) FROM shop.large ORDER BY id"
        #expect(try await path.text(sql) == "1\t67108864\n2\t67108864\n")
        _ = try await path.text("OPTIMIZE TABLE shop.large")
        try await tables.publish(table, named(table, [(1, text)], versions: 3...3, deletes: [0]))
        #expect(try await path.text(sql) == "2\t67108864\n")
        try await tables.drop(table)
      }
    }
  }
}
