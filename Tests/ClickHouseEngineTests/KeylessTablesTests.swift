import Arrow
import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

/// A table without key, beside what has to be in it.
private struct Multiset {
  var counts: [String: Int] = [:]
  var version: UInt64 = 0

  mutating func change(_ value: String, by difference: Int) {
    counts[value, default: 0] += difference
    if counts[value] == 0 { counts[value] = nil }
  }

  /// As the table's rows are printed.
  var text: String {
    counts.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)\n" }.joined()
  }
}

private let keyless = replicated(1, "bare", key: [])
private let countedRows =
  "SELECT concat(toString(id), '/', ifNull(name, 'NULL')) AS v, count() FROM shop.bare "
  + "GROUP BY v ORDER BY v"

private func row(_ value: String) -> (Int32, String?) {
  let parts = value.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
  return (Int32(parts[0]) ?? 0, parts[1] == "NULL" ? nil : String(parts[1]))
}

extension Multiset {
  /// A publication of random changes of rows that are there, and of new ones.
  fileprivate mutating func publication(
    of size: Int, _ random: inout some RandomNumberGenerator
  ) throws -> RecordBatch {
    var rows: [(Int32, String?)] = []
    var deletes: Set<Int> = []
    let first = version + 1
    // What is deleted may have been inserted in the same publication, before or after.
    var all: [(value: String, isDelete: Bool)] = []
    for _ in 0..<size {
      if Bool.random(using: &random), let value = counts.keys.sorted().randomElement(using: &random)
      {
        change(value, by: -1)
        all.append((value, true))
      } else {
        let value =
          "\(Int.random(in: 0..<4, using: &random))/"
          + (["NULL", "", "a", "b\u{1}"].randomElement(using: &random) ?? "")
        change(value, by: 1)
        all.append((value, false))
      }
    }
    for (index, change) in all.enumerated() {
      rows.append(row(change.value))
      if change.isDelete { deletes.insert(index) }
    }
    version += UInt64(size)
    return try named(keyless, rows, versions: first...version, deletes: deletes)
  }
}

extension EngineTests {
  @Test func rowsWithoutKeyAreAMultiset() async throws {
    try await withTables { first, _, engine in
      var tables = first
      var path = StatementPath(engine: engine, tables: tables)
      var random = SystemRandomNumberGenerator()
      var expected = Multiset()
      try await tables.create(keyless)
      // A batch is copied with one version.
      for value in ["0/a", "0/a", "1/NULL", "1/", "0/a"] { expected.change(value, by: 1) }
      let copied = try changes(
        keyless, [integers([0, 0, 1], .int32), strings(["a", "a", nil])], versions: [1, 1, 1])
      try await tables.copy(copied, into: keyless)
      try await tables.copy(
        changes(keyless, [integers([1, 0], .int32), strings(["", "a"])], versions: [1, 1]),
        into: keyless)
      expected.version = 10
      try await tables.publish(keyless, expected.publication(of: 20, &random))
      try await tables.show(keyless)
      var snapshots: [(CommitPin, String)] = []
      for round in 0..<30 {
        if round.isMultiple(of: 3) {
          // A large transaction comes in stages.
          try await tables.stage([(keyless, expected.publication(of: 15, &random))])
          try await tables.stage([(keyless, expected.publication(of: 15, &random))])
        }
        try await tables.publish(keyless, expected.publication(of: 10, &random))
        #expect(try await path.text(countedRows) == expected.text, "\(round)")
        switch round % 10 {
        case 3: _ = try await path.text("OPTIMIZE TABLE shop.bare")
        case 5: snapshots.append((try await path.snapshot(of: nil), expected.text))
        case 8:
          for (pin, text) in snapshots {
            #expect(try await path.text(countedRows, snapshot: pin) == text)
          }
          snapshots = []
          await tables.shutdown()
          tables = try await openTables(engine)
          path = StatementPath(engine: engine, tables: tables)
          #expect(try await path.text(countedRows) == expected.text)
        default: break
        }
      }
      _ = try await path.text("OPTIMIZE TABLE shop.bare FINAL")
      #expect(try await path.text(countedRows) == expected.text)
      await tables.shutdown()
    }
  }

  @Test func aDeleteOfARowThatIsNotThereFails() async throws {
    try await withTables { tables, path, _ in
      let other = replicated(2, "other")
      for table in [keyless, other] {
        try await tables.create(table)
        try await tables.show(table)
      }
      try await tables.publish(keyless, named(keyless, [(1, "a")], versions: 1...1))
      let batch = try named(keyless, [(1, "a"), (1, "a")], versions: 2...3, deletes: [0, 1])
      let error = await #expect(throws: MissingRowError.self) {
        try await tables.publish(
          [(keyless, batch), (other, named(other, [(1, "b")], versions: 4...4))],
          checkpoint: Array("lost".utf8))
      }
      #expect(error?.table == keyless.id)
      #expect(try await path.text(countedRows) == "1/a\t1\n")
      #expect(try await path.text("SELECT * FROM shop.other") == "")
      #expect(try await tables.checkpoint() == Array("{}".utf8))
      // What came and went within one publication needs no row.
      try await tables.publish(
        keyless, named(keyless, [(2, "x"), (2, "x")], versions: 5...6, deletes: [0]))
      #expect(try await path.text(countedRows) == "1/a\t1\n")
    }
  }

  @Test func theHiddenColumnsAreSeenInWhatIsStoredOnly() async throws {
    try await withTables { tables, path, _ in
      try await tables.create(keyless)
      try await tables.show(keyless)
      try await tables.publish(keyless, named(keyless, [(1, "a"), (1, "a")], versions: 4...5))
      #expect(try await path.text("SELECT * FROM shop.bare") == "1\ta\n1\ta\n")
      for statement in ["DESCRIBE TABLE shop.bare", "SHOW CREATE TABLE shop.bare"] {
        #expect(try await !path.text(statement).contains("_INTERNAL"))
      }
      #expect(
        try await path.text("SHOW CREATE TABLE shop.bare").contains("ORDER BY tuple()"))
      #expect(
        try await path.text("SELECT name FROM system.columns WHERE database = 'shop'")
          == "id\nname\n")
      #expect(
        try await path.text(
          "SELRAW id, _INTERNAL_ROW, _INTERNAL_VERSION, _INTERNAL_DELMARK FROM shop.bare ORDER BY 2"
        )
          == "1\t4\t4\t0\n1\t5\t5\t0\n")
      #expect(
        try await path.text("SELECT *, _INTERNAL_ROW AS r FROM shop.bare ORDER BY r")
          == "1\ta\t4\n1\ta\t5\n")
      let contents = try await path.contents(at: try await path.snapshot(of: nil))
      let table = try #require(contents.tables.first { $0.name.table == "bare" })
      #expect(table.columns.map(\.name) == ["id", "name"] && table.kind == .replicated)
      #expect(!table.statement.contains("_INTERNAL"))
      // Each row is in one range.
      let ranges = try await path.split(keyless.name, into: 2, at: nil)
      var count = 0
      for range in ranges {
        let condition = range.condition.map { "WHERE \($0)" } ?? ""
        count +=
          Int(
            try await path.text("SELECT count() FROM shop.bare \(condition)").dropLast()) ?? 0
      }
      #expect(count == 2)
    }
  }

  /// Also from files, as a backup has them, and several batches at once.
  @Test func copiedRowsWithoutKeyAreToldApart() async throws {
    try await withTables { tables, path, engine in
      try await tables.create(keyless)
      let batch = try changes(
        keyless, [integers([1, 1, 2], .int32), strings(["a", "a", nil])], versions: [0, 0, 0])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<6 { group.addTask { try await tables.copy(batch, into: keyless) } }
        try await group.waitForAll()
      }
      let native = try await path.run(
        "SELECT CAST(number % 2, 'Int32') AS id, CAST(NULL, 'Nullable(String)') AS name "
          + "FROM numbers(4)", format: "Native")
      _ = try await path.copy(
        StatementInput { try await native.next() },
        columns: [
          DatabaseContents.Column(name: "id", type: "Int32"),
          DatabaseContents.Column(name: "name", type: "Nullable(String)"),
        ], into: keyless)
      // After a crash, what was never published is gone, and numbers are not given twice.
      await tables.shutdown()
      let connection = try await engine.connect()
      try await connection.execute(
        "INSERT INTO _magic.r1_y1_1 SELECT id, name, _INTERNAL_CONTENTS, 77, 77, 0, 999 "
          + "FROM _magic.r1_s1_0 LIMIT 1")
      try await connection.execute("CREATE TABLE _magic.r1_x7 (x UInt8) ENGINE = Memory")
      await connection.close()
      let reopened = try await openTables(engine)
      let fresh = StatementPath(engine: engine, tables: reopened)
      try await reopened.copy(batch, into: keyless)
      try await reopened.show(keyless)
      #expect(
        try await fresh.text(countedRows) == "0/NULL\t2\n1/NULL\t2\n1/a\t14\n2/NULL\t7\n")
      #expect(
        try await fresh.text(
          "SELECT count(), uniqExact(_INTERNAL_ROW) FROM (SELRAW * FROM shop.bare)")
          == "25\t25\n")
      #expect(
        try await fresh.text("SELECT name FROM system.tables WHERE name = 'r1_x7'") == "")
      // Of many equal ones some are deleted.
      try await reopened.publish(
        keyless,
        named(keyless, (0..<13).map { _ in (1, "a") }, versions: 1...13, deletes: Set(0..<13)))
      #expect(
        try await fresh.text(countedRows) == "0/NULL\t2\n1/NULL\t2\n1/a\t1\n2/NULL\t7\n")
      _ = try await fresh.text("OPTIMIZE TABLE shop.bare")
      #expect(
        try await fresh.text(countedRows) == "0/NULL\t2\n1/NULL\t2\n1/a\t1\n2/NULL\t7\n")
      await reopened.shutdown()
    }
  }

  /// Values that are not the same are not taken for each other.
  @Test func valuesAreToldApart() async throws {
    try await withTables { tables, path, engine in
      let item = Field(name: "item", type: .int32, isNullable: false)
      let text = Field(name: "item", type: .utf8, isNullable: false)
      let table = replicated(
        1, "bare",
        [
          Field(name: "f", type: .float64), Field(name: "s", type: .utf8),
          Field(name: "t", type: .utf8, isNullable: false),
          Field(name: "l", type: .list(item)),
          Field(name: "m", type: .list(text), isNullable: false),
        ], key: [])
      try await tables.create(table)
      try await tables.show(table)
      typealias Values = (Double?, String?, String, [Int32]?, [String])
      let all: [Values] = [
        (nil, nil, "", nil, []), (0, nil, "", nil, []), (-0.0, nil, "", nil, []),
        (.nan, nil, "", nil, []), (nil, "", "", nil, []), (nil, "a", "", nil, []),
        (nil, "", "a", nil, []), (nil, nil, "a", nil, []), (nil, nil, "", [], []),
        (nil, nil, "", [0], []), (nil, nil, "", [0, 0], []), (nil, nil, "", nil, [""]),
        (nil, nil, "", nil, ["", ""]), (nil, nil, "", nil, ["a"]), (nil, "\0", "", nil, []),
      ]
      func batch(_ rows: [Values], from version: UInt64, isDelete: Bool) throws -> RecordBatch {
        try changes(
          table,
          [
            integers(rows.map { _ in 0 }, .int32), values(rows.map(\.0), .float64),
            strings(rows.map(\.1)), strings(rows.map(\.2)),
            listColumn(rows.map(\.3), item: item) { integers($0, .int32) },
            listColumn(rows.map(\.4), item: text) { strings($0) },
          ], versions: rows.indices.map { version + UInt64($0) },
          deletes: isDelete ? Set(rows.indices) : [])
      }
      try await tables.publish(table, batch(all, from: 1, isDelete: false))
      #expect(
        try await path.text("SELECT uniqExact(_INTERNAL_CONTENTS) FROM (SELRAW * FROM shop.bare)")
          == "\(all.count)\n")
      var version: UInt64 = 100
      for (index, row) in all.enumerated() {
        version += 10
        if index == 7 { _ = try await path.text("OPTIMIZE TABLE shop.bare") }
        try await tables.publish(table, batch([row], from: version, isDelete: true))
        #expect(
          try await path.text("SELECT count() FROM shop.bare") == "\(all.count - index - 1)\n")
        await #expect(throws: MissingRowError.self, "\(row)") {
          try await tables.publish(table, batch([row], from: version + 1, isDelete: true))
        }
      }
    }
  }

  /// Every type's values are found again.
  @Test func rowsOfEveryTypeAreDeleted() async throws {
    try await withTables { tables, path, engine in
      let connection = try await engine.connect()
      let samples = allSamples(hasWideDates: try await connection.hasWideDates)
      await connection.close()
      let table = replicated(1, "bare", samples.map(\.field), key: [])
      let columns = [integers([1, 2, 3], .int32)] + samples.map(\.values)
      try await tables.create(table)
      try await tables.copy(changes(table, columns, versions: [1, 1, 1]), into: table)
      try await tables.show(table)
      try await tables.publish(table, changes(table, columns, versions: [2, 3, 4]))
      for (index, left) in [3, 0].enumerated() {
        let first = UInt64(10 + 10 * index)
        try await tables.publish(
          table,
          changes(table, columns, versions: [first, first + 1, first + 2], deletes: [0, 1, 2]))
        #expect(try await path.text("SELECT count() FROM shop.bare") == "\(left)\n")
      }
    }
  }

  /// As many as a large transaction has, some of them of equal rows.
  @Test func manyRowsAreDeletedAtOnce() async throws {
    try await withTables { tables, path, _ in
      let count = ProcessInfo.processInfo.environment["MAGIC_SOAK"] == nil ? 600_000 : 2_000_000
      try await tables.create(keyless)
      func batch(_ range: Range<Int>, from version: UInt64, isDelete: Bool) throws -> RecordBatch {
        try changes(
          keyless,
          [
            integers(range.map { Int32($0 / 3) }, .int32),
            strings(range.map { "row \($0 / 3)" }),
          ], versions: range.map { version + UInt64($0) },
          deletes: isDelete ? Set(0..<range.count) : [])
      }
      let chunks = stride(from: 0, to: count, by: 100_000).map { $0..<min($0 + 100_000, count) }
      for chunk in chunks {
        try await tables.copy(batch(chunk, from: 0, isDelete: false), into: keyless)
      }
      try await tables.show(keyless)
      // All but two of each three are deleted, and one of them is inserted again.
      for chunk in chunks {
        try await tables.stage([(keyless, try batch(chunk, from: 10_000_000, isDelete: true))])
      }
      let back = stride(from: 0, to: count, by: 3).map { $0 }
      try await tables.stage([
        (
          keyless,
          try changes(
            keyless,
            [integers(back.map { Int32($0 / 3) }, .int32), strings(back.map { "row \($0 / 3)" })],
            versions: back.map { 20_000_000 + UInt64($0) })
        )
      ])
      let start = ContinuousClock.now
      try await tables.publish([], checkpoint: Array("{}".utf8))
      print("\(count) deletes took \(ContinuousClock.now - start)")
      let sql = "SELECT count(), uniqExact(id), uniqExact(name) FROM shop.bare"
      let left = "\((count + 2) / 3)"
      #expect(try await path.text(sql) == "\(left)\t\(left)\t\(left)\n")
      _ = try await path.text("OPTIMIZE TABLE shop.bare")
      #expect(try await path.text(sql) == "\(left)\t\(left)\t\(left)\n")
    }
  }
}
