import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

extension EngineTests {
  private func storage(_ path: StatementPath) async throws -> [String] {
    try await path.text(
      "SELECT name FROM system.tables WHERE database = '_magic' AND name != 'published' ORDER BY name"
    ).split(separator: "\n").map(String.init)
  }

  @Test func recoveryRemovesWhatWasNeverPublished() async throws {
    try await withTables { tables, path, engine in
      for statement in [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id UInt64, s String) ENGINE = MutableMergeTree ORDER BY id",
        "INSERT INTO d.t VALUES (1, 'a'), (2, 'b')", "OPTIMIZE TABLE d.t",
        "INSERT INTO d.t VALUES (2, 'c'), (3, 'd')",
      ] {
        _ = try await path.text(statement)
      }
      await tables.shutdown()
      // What a process leaves that is killed amid an insert, a big insert and a CREATE TABLE.
      let young = try #require(try await storage(path).first { $0.hasPrefix("u1_y") })
      let connection = try await engine.connect()
      for statement in [
        "INSERT INTO _magic.\(young) VALUES (1, 'lost', 900, 0, 999), (2, '', 901, 1, 999)",
        "CREATE TABLE _magic.u1_s7_999 CLONE AS _magic.u1_s1_0",
        "INSERT INTO _magic.u1_s7_999 VALUES (5, 'lost', 902, 0)",
        "CREATE TABLE _magic.u1_y7_9 AS _magic.\(young)",
        "CREATE TABLE _magic.u1_x3 AS _magic.u1_s1_0",
        "CREATE TABLE _magic.u2_s1_0 AS _magic.u1_s1_0",
      ] {
        try await connection.execute(statement)
      }
      await connection.close()
      let reports = Monitor<[String]>([])
      let reopened = try await MutableTables.open(
        engine: engine, commitLog: engine.dataFolder + "/commits",
        report: { report in reports.withLock { $0.append(report) } })
      #expect(
        reports.withLock { $0 } == ["storage u2 belongs to no table any more and is dropped"])
      let fresh = StatementPath(engine: engine, tables: reopened)
      #expect(try await fresh.text("SELECT * FROM d.t ORDER BY id") == "1\ta\n2\tc\n3\td\n")
      let names = try await storage(fresh)
      #expect(names.filter { $0.hasPrefix("u1_s") } == ["u1_s1_0"])
      #expect(names.allSatisfy { !$0.contains("_x") && !$0.hasPrefix("u2") })
      // A number that was used is not used for another table.
      try await fresh.changed("UPDATE d.t SET s = 'e' WHERE id = 3")
      _ = try await fresh.text("OPTIMIZE TABLE d.t")
      #expect(try await fresh.text("SELECT * FROM d.t ORDER BY id") == "1\ta\n2\tc\n3\te\n")
      await reopened.shutdown()
    }
  }

  @Test func foldersThatCannotBeRightAreRefused() async throws {
    try await withTables { tables, path, engine in
      _ = try await path.text("CREATE TABLE t (id UInt8) ENGINE = MutableMergeTree ORDER BY id")
      await tables.shutdown()
      let log = engine.dataFolder + "/commits"
      try FileManager.default.moveItem(atPath: log, toPath: log + ".away")
      let missing = await engineError { _ = try await openTables(engine) }
      #expect(missing?.message.contains("its commit log") == true)
      try FileManager.default.removeItem(atPath: log)
      try FileManager.default.moveItem(atPath: log + ".away", toPath: log)
      await (try openTables(engine)).shutdown()
      let connection = try await engine.connect()
      try await connection.execute("CREATE TABLE _magic.t7 (a Int8) ENGINE = Memory")
      let old = await engineError { _ = try await openTables(engine) }
      #expect(old?.message.contains("written by version 0.1") == true)
      await connection.close()
    }
  }

  /// A reader of an earlier commit point holds up settling in place, so it goes on in a copy.
  @Test func aLongStatementKeepsWhatItReads() async throws {
    try await withTables { tables, path, _ in
      for statement in [
        "CREATE TABLE t (id UInt64, n UInt64) ENGINE = MutableMergeTree ORDER BY id",
        "INSERT INTO t SELECT number, 1 FROM numbers(150000)", "OPTIMIZE TABLE t",
      ] {
        _ = try await path.text(statement)
      }
      // Its second subquery is resolved after the first has slept.
      let slow = Task {
        try await path.text(
          """
          WITH (SELECT count() FROM numbers(9) WHERE sleepEachRow(1) = 0 \
          SETTINGS function_sleep_max_microseconds_per_block = 0, max_block_size = 1) AS slept \
          SELECT slept, (SELECT (count(), sum(n)) FROM t)
          """)
      }
      try await Task.sleep(for: .milliseconds(500))
      #expect(try await path.changed("UPDATE t SET n = 2 WHERE id < 120000") == 120_000)
      #expect(try await path.changed("DELETE FROM t WHERE id >= 140000") == 10_000)
      let now = "140000\t260000\n"
      #expect(try await path.text("SELECT count(), sum(n) FROM t") == now)
      var generations: Set<String> = []
      for _ in 0..<400 where generations.count < 2 {
        try await Task.sleep(for: .milliseconds(50))
        generations = Set(try await storage(path).filter { $0.hasPrefix("u1_s") })
      }
      #expect(generations.count >= 2)
      #expect(try await path.text("SELECT count(), sum(n) FROM t") == now)
      #expect(try await slow.value == "9\t(150000,150000)\n")
      _ = try await path.text("OPTIMIZE TABLE t")
      #expect(try await path.text("SELECT count(), sum(n) FROM t") == now)
      for _ in 0..<200 where try await storage(path).count > 2 {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(try await storage(path).count == 2)
      await tables.shutdown()
    }
  }

  @Test func whatTheEngineRunsByItselfSeesTheLastCommit() async throws {
    try await withTables { _, path, engine in
      _ = try await path.text("CREATE TABLE t (id UInt64) ENGINE = MutableMergeTree ORDER BY id")
      _ = try await path.text("INSERT INTO t VALUES (1), (2)")
      // A session that no statement path has given a commit point to.
      let connection = try await engine.connect()
      for _ in 0..<100 where try await connection.value("SELECT count() FROM t") != "2" {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try await connection.value("SELECT count() FROM t") == "2")
      await connection.close()
    }
  }
}

@Suite struct MutableViewTests {
  private let owner = StorageOwner(kind: .user, number: 7)

  @Test func namesAreReadBack() {
    let names: [StorageName.Role] = [
      .settled(generation: 3, from: 120), .young(generation: 3, number: 5), .stage(9),
    ]
    for role in names {
      let name = StorageName(owner, role)
      #expect(StorageName(name.table) == name)
    }
    #expect(StorageName(owner, .settled(generation: 3, from: 120)).table == "u7_s3_120")
    for other in ["t7", "u7", "u7_s3", "u7_q1", "x7_s1_1", "u7_y1_2_3", "ua_x1", "published", ""] {
      #expect(StorageName(other) == nil, "\(other)")
    }
  }

  @Test func cleanTablesAreReadDirectly() {
    let shape = TableShape(
      columns: [.init(name: "id", type: "UInt64", isInKey: true)], key: ["id"], keyTypes: ["UInt64"]
    )
    let settled = StorageName(owner, .settled(generation: 1, from: 0))
    let view = MutableView(
      shape: shape, branches: [Branch(settled: settled, from: 0, youngs: [])])
    #expect(view.livingRows == "SELECT `id` FROM _magic.u7_s1_0")
  }

  @Test func keysThatMayBeNullAreComparedWithoutNulls() {
    let shape = TableShape(
      columns: [
        .init(name: "a", type: "LowCardinality(Nullable(String))", isInKey: true),
        .init(name: "b", type: "Int8", isInKey: true),
      ], key: ["a", "b"], keyTypes: ["LowCardinality(Nullable(String))", "Int8"])
    #expect(
      shape.comparedKey
        == "(isNull(a), ifNull(a, defaultValueOfTypeName('String')), b)")
    let plain = TableShape(
      columns: [.init(name: "b", type: "Int8", isInKey: true)], key: ["b"], keyTypes: ["Int8"])
    #expect(plain.comparedKey == "b")
    #expect(splitAtCommas("a, f(b, 'x, y'), `c, d`") == ["a", "f(b, 'x, y')", "`c, d`"])
  }
}
