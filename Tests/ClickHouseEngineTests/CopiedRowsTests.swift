import Arrow
import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

extension MutableTable {
  /// Has few rows settled at once.
  fileprivate func settle(inSlicesOf count: Int) { sliceRowCount = count }
}

extension EngineTests {
  /// Rows are copied in any order beside changes, which win, and interrupted copies are taken back.
  @Test func rowsAreCopiedBesideChanges() async throws {
    try await withTables { first, _, engine in
      var tables = first
      let table = replicated(1, "t")
      try await tables.create(table)
      var random = SystemRandomNumberGenerator()
      // What the source had when each chunk of ten keys was copied, and what has become of it.
      var expected = Dictionary(uniqueKeysWithValues: (0..<200).map { (Int32($0), "old") })
      var copied: Set<Int> = []
      var version: UInt64 = 1_000
      func change() async throws {
        var rows: [(Int32, String?)] = []
        var deletes: Set<Int> = []
        let start = version + 1
        for index in 0..<10 {
          let id = Int32.random(in: 0..<220, using: &random)
          version += 1
          if Int.random(in: 0..<3, using: &random) == 0 {
            expected[id] = nil
            deletes.insert(index)
          } else {
            expected[id] = "new \(version)"
          }
          rows.append((id, "new \(version)"))
        }
        try await tables.publish(
          table, named(table, rows, versions: start...version, deletes: deletes))
      }
      func copy(_ chunk: Int) async throws {
        let rows = (chunk * 10..<chunk * 10 + 10).map { (Int32($0), "old" as String?) }
        let batch = try changes(
          table, [integers(rows.map(\.0), .int32), strings(rows.map(\.1))],
          versions: rows.map { _ in UInt64(chunk + 1) })
        try await tables.copy(batch, into: table)
      }
      for chunk in (0..<20).shuffled(using: &random) {
        try await change()
        try await copy(chunk)
        copied.insert(chunk)
        if chunk % 5 == 4 {
          // The process ends, and knows of all chunks but one.
          await tables.shutdown()
          tables = try await openTables(engine)
          let kept = copied.subtracting([chunk]).map { UInt64($0 + 1)...UInt64($0 + 1) }
          try await tables.discardCopied(table, keeping: kept)
          try await copy(chunk)
        }
      }
      let path = StatementPath(engine: engine, tables: tables)
      try await tables.show(table)
      func check() async throws {
        let text = expected.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)\n" }.joined()
        #expect(try await path.text("SELECT * FROM shop.t ORDER BY id") == text)
      }
      try await check()
      _ = try await path.text("OPTIMIZE TABLE shop.t")
      try await check()
      try await change()
      try await check()
      let seen = await engineError { try await copy(0) }
      #expect(seen?.message == "shop.t is seen already, so no rows are copied into it")
      await tables.shutdown()
    }
  }

  @Test func copiesAreDiscarded() async throws {
    try await withTables { tables, path, _ in
      for key in [[0], []] {
        let table = replicated(key.isEmpty ? 2 : 1, "t\(key.count)", key: key)
        try await tables.create(table)
        for version in 1...9 {
          try await tables.copy(
            named(table, [(Int32(version), "x")], versions: UInt64(version)...UInt64(version)),
            into: table)
        }
        try await tables.discardCopied(table, keeping: [7...20, 2...3, 3...4])
        try await tables.publish(table, named(table, [(100, "y")], versions: 100...100))
        try await tables.show(table)
        let sql = "SELECT id FROM shop.t\(key.count) ORDER BY id"
        #expect(try await path.text(sql) == "2\n3\n4\n7\n8\n9\n100\n")
        var other = table
        other.id += 10
        try await tables.create(other)
        try await tables.copy(named(other, [(1, "x")], versions: 1...1), into: other)
        try await tables.discardCopied(other, keeping: [])
        try await tables.copy(named(other, [(2, "x")], versions: 1...1), into: other)
        try await tables.change(showing: [other], dropping: [table])
        #expect(try await path.text(sql) == "2\n")
      }
      #expect(
        MutableTables.gaps(between: [5...UInt64.max, 0...0, 2...3])
          == ["_INTERNAL_VERSION BETWEEN 1 AND 1 OR _INTERNAL_VERSION BETWEEN 4 AND 4"])
      #expect(MutableTables.gaps(between: [0...UInt64.max]) == [])
      let many = (0..<2_000).map { UInt64($0) * 2...UInt64($0) * 2 }
      #expect(MutableTables.gaps(between: many).count == 4)
    }
  }

  /// What is young when a table gets its name is settled in slices of bounded size.
  @Test func manyYoungRowsAreSettledInSlices() async throws {
    try await withTables { first, _, engine in
      var tables = first
      let table = replicated(1, "t", [Field(name: "n", type: .int64, isNullable: false)])
      try await tables.create(table)
      let (count, chunk) = (50_000, 10_000)
      await tables.table(StorageOwner(kind: .replicated, number: 1))?.settle(inSlicesOf: 7_000)
      func rows(_ start: Int, _ value: Int64, _ version: UInt64, deletes: Set<Int> = []) throws
        -> RecordBatch
      {
        try changes(
          table,
          [
            integers((start..<start + chunk).map { Int32($0) }, .int32),
            values((0..<chunk).map { Int64?(value + Int64($0 % 2)) }, .int64),
          ], versions: (0..<chunk).map { version + UInt64($0) }, deletes: deletes)
      }
      for start in stride(from: 0, to: count, by: chunk) {
        try await tables.copy(rows(start, 0, 0), into: table)
        try await tables.publish(table, rows(start, 10, UInt64(1_000_000)))
      }
      // Nothing is settled before, and no writer waits.
      let young = try await tables.storage.withConnection { connection in
        try await connection.count("_magic.r1_y1_1")
      }
      #expect(young == count)
      try await tables.publish(table, rows(0, 20, 9_000_000, deletes: [0, 1]))
      try await tables.show(table)
      let sql = "SELECT count(), uniqExact(id), sum(n) FROM shop.t"
      // The process ends amid that, and begins anew.
      for milliseconds in [550, 620, 700] {
        try await Task.sleep(for: .milliseconds(milliseconds))
        await tables.shutdown()
        tables = try await openTables(engine)
        await tables.table(StorageOwner(kind: .replicated, number: 1))?.settle(inSlicesOf: 3_000)
      }
      let path = StatementPath(engine: engine, tables: tables)
      let sum = count * 10 + count / 2 + chunk * 10 - 41
      let expected = "\(count - 2)\t\(count - 2)\t\(sum)\n"
      #expect(try await path.text(sql) == expected)
      _ = try await path.text("OPTIMIZE TABLE shop.t")
      #expect(try await path.text(sql) == expected)
      let settled = try await tables.storage.withConnection { connection in
        try await connection.count("_magic.r1_s1_0")
      }
      #expect(settled == count - 2)
      await tables.shutdown()
    }
  }

  @Test func rowsAreFoundByTheirKeys() async throws {
    try await withTables { tables, path, engine in
      let connection = try await engine.connect()
      let samples = allSamples(hasWideDates: try await connection.hasWideDates)
      await connection.close()
      // All types come back as they were declared.
      let table = replicated(1, "t", samples.map(\.field))
      try await tables.create(table)
      let columns = [integers([1, 2, 3], .int32)] + samples.map(\.values)
      try await tables.publish(table, changes(table, columns, versions: [1, 2, 3]))
      let id = table.schema.fields[0]
      func found(_ ids: [Int32]) async throws -> RecordBatch {
        try await tables.rows(
          of: table,
          keys: RecordBatch(
            schema: Schema(fields: [id]), columns: [integers(ids, .int32)], rowCount: ids.count))
      }
      let none = try await found([7])
      #expect(none.rowCount == 0 && none.columns.count == samples.count + 1)
      #expect(try await found([]).rowCount == 0)
      var all = try await found([3, 1, 3])
      #expect(all.rowCount == 2)
      // They can be written again, so nothing is lost.
      all = try await found([1, 2, 3])
      for (field, declared) in zip(all.schema.fields, table.schema.fields) {
        #expect(
          try ColumnTypes.clickHouseType(of: field) == ColumnTypes.clickHouseType(of: declared))
      }
      let before = try await path.text("SELECT 1")
      #expect(before == "1\n")
      try await tables.publish(table, changes(table, all.columns, versions: [11, 12, 13]))
      try await tables.show(table)
      for sample in samples {
        let name = quotedIdentifier(sample.field.name)
        let texts = try await path.text(
          "SELECT toString(\(name)) FROM shop.t ORDER BY id FORMAT JSONCompactEachRow")
        #expect(texts.split(separator: "\n").count == 3)
        let column = try #require(all.column(sample.field.name))
        let ids = try #require(all.column("id"))
        for row in 0..<3 {
          let position = Int(textValue(ids, row)) ?? 0
          #expect(
            textValue(column, row) == textValue(sample.values, position - 1), "\(sample.field.name)"
          )
        }
      }
    }
  }

  /// Keys of several columns, of which one may be null, in settled, young and staged rows.
  @Test func theNewestRowIsFound() async throws {
    try await withTables { tables, path, _ in
      var table = replicated(
        1, "t",
        [
          Field(name: "k", type: .binary),
          Field(name: "d", type: .decimal256(precision: 65, scale: 30), isNullable: false),
          Field(name: "v", type: .utf8),
        ])
      table.primaryKey = [1, 2]
      try await tables.create(table)
      try await tables.show(table)
      typealias Row = (key: [UInt8]?, number: UInt64, value: String?)
      func key(_ rows: [Row]) -> [ArrayData] {
        let numbers = DecimalBuilder(precision: 65, scale: 30)
        for row in rows { numbers.append(magnitude: (row.number, 1, 2, 0), isNegative: true) }
        return [bytesColumn(rows.map(\.key)), numbers.finish()]
      }
      func batch(_ rows: [Row], _ version: UInt64, isDelete: Bool = false) throws -> RecordBatch {
        try changes(
          table,
          [integers(rows.map { _ in 0 }, .int32)] + key(rows) + [strings(rows.map(\.value))],
          versions: rows.indices.map { version + UInt64($0) },
          deletes: isDelete ? Set(rows.indices) : [])
      }
      func found(_ rows: [Row]) async throws -> [String] {
        let result = try await tables.rows(
          of: table,
          keys: RecordBatch(
            schema: Schema(fields: Array(table.schema.fields[1...2])), columns: key(rows),
            rowCount: rows.count))
        guard let values = result.column("v") else { return [] }
        return (0..<result.rowCount).map { textValue(values, $0) }.sorted()
      }
      let odd: [UInt8] = [0, 39, 92, 255]
      let rows: [Row] = [(nil, 1, "a"), (odd, 1, "b"), ([], 1, "c"), (odd, 2, "d"), (nil, 2, "e")]
      try await tables.publish(table, batch(rows, 1))
      _ = try await path.text("OPTIMIZE TABLE shop.t")
      #expect(try await found(rows) == ["a", "b", "c", "d", "e"])
      #expect(
        try await found([(nil, 1, nil), (odd, 2, nil), ([1], 1, nil), (nil, 3, nil)]) == ["a", "d"])
      try await tables.publish(table, batch([(nil, 1, "young"), (odd, 2, "young")], 11))
      try await tables.publish(table, batch([(odd, 2, "")], 13, isDelete: true))
      #expect(try await found(rows) == ["b", "c", "e", "young"])
      try await tables.stage([(table, batch([(odd, 1, "staged"), (odd, 2, "back")], 21))])
      try await tables.stage([(table, batch([(nil, 2, "")], 23, isDelete: true))])
      #expect(try await found(rows) == ["back", "c", "staged", "young"])
      try await tables.discardStaged()
      #expect(try await found(rows) == ["b", "c", "e", "young"])
    }
  }
}
