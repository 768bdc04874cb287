import Arrow
import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

extension StatementPath {
  /// A SELECT's result as TSV at a commit point.
  fileprivate func text(_ statement: String, at pin: CommitPin?) async throws -> String {
    var context = StatementContext()
    context.commitPoint = pin
    let result = try await run(statement, format: "TSV", context: context)
    var bytes: [UInt8] = []
    while let chunk = try await result.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Checks that the ranges of a table together have every row once; gives the ranges.
  @discardableResult fileprivate func checkRanges(
    of table: String, into count: Int, at pin: CommitPin? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [KeyRange] {
    let ranges = try await split(
      TableReference(database: "default", table: table), into: count, at: pin)
    // Sums of hashes tell contents apart, duplicates included.
    let content = "SELECT count(), sum(cityHash64(*)) FROM \(table)"
    var parts: [String] = []
    for range in ranges {
      parts.append(content + (range.condition.map { " WHERE \($0)" } ?? ""))
    }
    var rows = 0
    var hash: UInt64 = 0
    for part in parts {
      let fields = try await text(part, at: pin).split(whereSeparator: { "\t\n".contains($0) })
      rows += Int(fields[0]) ?? -1
      hash = hash &+ (UInt64(fields[1]) ?? 0)
    }
    #expect(
      "\(rows)\t\(hash)\n" == (try await text(content, at: pin)), sourceLocation: sourceLocation)
    return ranges
  }
}

extension EngineTests {
  @Test func keyRangesHaveEveryRowOnce() async throws {
    try await withTables { _, path, _ in
      for (type, value) in [
        ("Int64", "toInt64(number) - 10000"), ("UInt8", "number % 200"),
        ("String", "concat(char(number % 256), '''', toString(number))"),
        ("FixedString(5)", "leftPad(toString(number), 4, '0')"),
        ("LowCardinality(String)", "toString(number % 1000)"),
        ("UUID", "generateUUIDv4(number)"), ("Date", "toDate(number)"),
        ("Date32", "toDate32('1950-01-01') + number"),
        ("DateTime('Europe/Berlin')", "toDateTime(1700000000 + number * 61)"),
        ("DateTime64(3, 'Europe/Berlin')", "toDateTime64(1698530000.5 + number, 3)"),
        ("Decimal(38, 5)", "(number - 10000) / 7"), ("IPv4", "toIPv4(toUInt32(number * 1000))"),
        ("IPv6", "toIPv6(toIPv4(toUInt32(number * 1000)))"),
        ("Enum8('a' = -1, 'b' = 0, 'c' = 1)", "['a', 'b', 'c'][1 + number % 3]"),
        ("Nullable(Int32)", "if(number % 5 = 0, NULL, toInt32(number) - 5000)"),
        ("Nullable(String)", "if(number % 5 = 0, NULL, toString(number))"),
        ("Bool", "number % 2"), ("Int256", "toInt256(number) - 5000"),
      ] {
        _ = try await path.text(
          """
          CREATE TABLE t (id \(type), n UInt64) ENGINE = MutableMergeTree ORDER BY (id, n) \
          SETTINGS allow_nullable_key = 1, index_granularity = 256
          """)
        try await path.changed("INSERT INTO t SELECT \(value), number FROM numbers(15000)")
        _ = try await path.text("OPTIMIZE TABLE t")
        try await path.changed("INSERT INTO t SELECT \(value), number FROM numbers(14000, 3000)")
        try await path.changed("DELETE FROM t WHERE n % 10 = 3")
        let ranges = try await path.checkRanges(of: "t", into: 5)
        #expect(ranges.count == 5, "\(type)")
        let largest = ranges.map(\.rowCount).max() ?? 0
        #expect(largest <= 8000, "\(type): \(ranges)")
        _ = try await path.text("DROP TABLE t SYNC")
      }
    }
  }

  @Test func otherTablesAreDividedToo() async throws {
    try await withTables { _, path, _ in
      for statement in [
        """
        CREATE TABLE f (x Float64, y Nullable(Float32), n UInt64) ENGINE = MergeTree \
        ORDER BY (x, y) SETTINGS allow_nullable_key = 1, index_granularity = 128
        """,
        """
        INSERT INTO f SELECT if(number % 3 = 0, nan, if(number % 3 = 1, -inf, number / 7 - 500)), \
        if(number % 4 = 0, NULL, if(number % 4 = 1, nan, number - 100)), number FROM numbers(9000)
        """,
        """
        CREATE TABLE d (x Int64, n UInt64) ENGINE = MergeTree ORDER BY (intDiv(x, 10) DESC, x) \
        SETTINGS allow_experimental_reverse_key = 1, index_granularity = 128
        """, "INSERT INTO d SELECT number - 4000, number FROM numbers(9000)",
        "CREATE TABLE a (x Array(Int8), n UInt64) ENGINE = MergeTree ORDER BY x",
        "INSERT INTO a SELECT [number % 10], number FROM numbers(20000)",
        "CREATE TABLE m (x Int8) ENGINE = Memory", "INSERT INTO m VALUES (1), (2)",
        "CREATE VIEW v AS SELECT * FROM m",
        "CREATE TABLE e (x Int8) ENGINE = MutableMergeTree ORDER BY x",
        "CREATE TABLE odd (rows_in_granule Int64) ENGINE = MergeTree ORDER BY rows_in_granule",
      ] {
        _ = try await path.text(statement)
      }
      #expect(try await path.checkRanges(of: "f", into: 4).count > 1)
      #expect(try await path.checkRanges(of: "d", into: 4).count == 4)
      for name in ["a", "m", "v", "e", "odd"] {
        let ranges = try await path.checkRanges(of: name, into: 4)
        #expect(ranges.map(\.condition) == [nil], "\(name)")
      }
      let missing = await engineError {
        _ = try await path.split(
          TableReference(database: "default", table: "nosuch"), into: 2, at: nil)
      }
      #expect(missing?.code == 60)
    }
  }

  @Test func rangesHoldAtAPinnedCommitWhileWritesGoOn() async throws {
    try await withTables { _, path, _ in
      for (name, key) in [("k", "ORDER BY (id, n)"), ("l", "")] {
        _ = try await path.text(
          """
          CREATE TABLE \(name) (id Int64, n UInt64) ENGINE = MutableMergeTree \(key) \
          SETTINGS index_granularity = 256
          """)
        try await path.changed(
          "INSERT INTO \(name) SELECT number % 500, number FROM numbers(30000)")
        _ = try await path.text("OPTIMIZE TABLE \(name)")
        try await path.changed("INSERT INTO \(name) SELECT number, 1 FROM numbers(2000)")
      }
      let writers = Task {
        var step = 0
        while !Task.isCancelled {
          step += 1
          for name in ["k", "l"] {
            try await path.changed("UPDATE \(name) SET n = n + 100000 WHERE id % 7 = \(step % 7)")
            try await path.changed("INSERT INTO \(name) SELECT number, \(step) FROM numbers(500)")
            try await path.changed("DELETE FROM \(name) WHERE id % 11 = \(step % 11)")
          }
        }
      }
      for _ in 0..<3 {
        let pin = path.pin()
        for name in ["k", "l"] {
          #expect(try await path.checkRanges(of: name, into: 6, at: pin).count >= 4)
          try await Task.sleep(for: .milliseconds(300))
          try await path.checkRanges(of: name, into: 3, at: pin)
        }
      }
      writers.cancel()
      _ = await writers.result
    }
  }
}
