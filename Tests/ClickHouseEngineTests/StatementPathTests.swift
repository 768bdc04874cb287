import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Testing

extension EngineTests {
  /// Runs `body` with a table `d.t` of two rows, and a function that gives a statement's result.
  private func withStatements(
    _ body: (StatementPath, (_ statement: String, _ format: String) async throws -> [UInt8])
      async throws -> Void
  ) async throws {
    try await withTables { _, path, _ in
      func run(_ statement: String, _ format: String) async throws -> [UInt8] {
        let result = try await path.run(statement, format: format)
        var bytes: [UInt8] = []
        while let chunk = try await result.next() { bytes += chunk }
        return bytes
      }
      _ = try await run("CREATE DATABASE d", "TSV")
      _ = try await run("CREATE TABLE d.t (a Int32, b String) ENGINE = MergeTree ORDER BY a", "TSV")
      _ = try await run("INSERT INTO d.t VALUES (1, 'x'), (2, 'y');", "TSV")
      try await body(path, run)
    }
  }

  @Test func resultsComeInTheFormatAskedFor() async throws {
    try await withStatements { path, run in
      let text = { (bytes: [UInt8]) in String(decoding: bytes, as: UTF8.self) }
      let sql = "SELECT * FROM d.t ORDER BY a"
      #expect(text(try await run(sql, "CSV")) == "1,\"x\"\n2,\"y\"\n")
      #expect(text(try await run(sql, "TSVWithNames")) == "a\tb\n1\tx\n2\ty\n")
      #expect(
        text(try await run(sql, "JSONEachRow")) == "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n")
      #expect(text(try await run(sql, "PrettyCompact")).contains("2. │ 2 │ y │"))
      #expect(try await run(sql, "Arrow").starts(with: Array("ARROW1".utf8)))
      let parquet = try await run(sql, "Parquet")
      #expect(parquet.starts(with: Array("PAR1".utf8)))
      #expect(parquet.suffix(4) == Array("PAR1".utf8)[...])
      var reader = StreamReader()
      let plain = sql + " SETTINGS output_format_arrow_compression_method = 'none'"
      try reader.push(try await run(plain, "ArrowStream"))
      let next = reader.next()
      let batch = try #require(next)
      let columns = batch.columns.map { column in (0..<2).map { textValue(column, $0) } }
      #expect(columns == [["1", "2"], ["x", "y"]])
    }
  }

  @Test func aStatementsOwnClausesWin() async throws {
    try await withStatements { path, run in
      let cases = [
        ("SELECT 1 AS a FORMAT JSONEachRow", "{\"a\":1}\n"),
        ("SELECT 1 AS a -- FORMAT TSV\nFORMAT JSONEachRow ; -- end", "{\"a\":1}\n"),
        ("SELECT getSetting('max_threads') AS a SETTINGS max_threads = 3", "3\n"),
        ("SELECT getSetting('max_threads') AS a FORMAT TSV SETTINGS max_threads = 3", "3\n"),
        ("SELECT getSetting('max_threads') AS a SETTINGS max_threads = 3 FORMAT TSV", "3\n"),
        ("(SELECT 1) UNION ALL (SELECT 1)", "1\n1\n"),
        ("WITH 5 AS x SELECT x", "5\n"), ("FROM d.t SELECT a ORDER BY a", "1\n2\n"),
        ("SELECT 'a;b', $t$FORMAT 'x$t$", "\"a;b\",\"FORMAT 'x\"\n"),
        ("SELECT 1 WHERE 0", ""), ("SELECT 1 FORMAT Null", ""),
      ]
      for (statement, expected) in cases {
        let result = String(decoding: try await run(statement, "CSV"), as: UTF8.self)
        #expect(result == expected, "\(statement)")
      }
      #expect(try await path.run("SELECT 1 FORMAT TSV", format: "CSV").format == "TSV")
    }
  }

  @Test func statementsAboutTheEngineGiveRowsToo() async throws {
    try await withStatements { path, run in
      let cases = [
        ("SHOW TABLES FROM d", "\"t\"\n"), ("SHOW DATABASES LIKE 'd'", "\"d\"\n"),
        ("SHOW TABLES FROM d LIKE 'none'", ""), ("EXISTS TABLE d.t", "1\n"),
        (
          "DESCRIBE d.t",
          "\"a\",\"Int32\",\"\",\"\",\"\",\"\",\"\"\n\"b\",\"String\",\"\",\"\",\"\",\"\",\"\"\n"
        ),
        ("CHECK TABLE d.t", "\"all_1_1_0\",1,\"\"\n"), ("1 + 1", "2\n"),
        ("EXPLAIN SYNTAX SELECT 1 FORMAT TSVRaw", "SELECT 1\nFROM system.one\n"),
        ("KILL QUERY WHERE 0", ""), ("OPTIMIZE TABLE d.t", ""),
      ]
      for (statement, expected) in cases {
        let result = String(decoding: try await run(statement, "CSV"), as: UTF8.self)
        #expect(result == expected, "\(statement)")
      }
    }
  }

  @Test func rowsInAStatementAreInserted() async throws {
    try await withStatements { path, run in
      _ = try await run("INSERT INTO d.t FORMAT CSV\n3,\"a;b\"\n4,-- x\n", "TSV")
      _ = try await run("WITH 5 AS k INSERT INTO d.t SELECT k, 'z'", "TSV")
      let many = (0..<30_000).map { "(\($0 + 10), 'a longer text')" }.joined(separator: ",")
      _ = try await run("INSERT INTO d.t VALUES \(many) -- end", "TSV")
      let rows = try await run("SELECT * FROM d.t WHERE a IN (3, 4, 5) ORDER BY a", "TSV")
      #expect(String(decoding: rows, as: UTF8.self) == "3\ta;b\n4\t-- x\n5\tz\n")
      #expect(try await run("SELECT count() FROM d.t", "TSV") == Array("30005\n".utf8))
    }
  }

  @Test func earlyErrorsAreThrownByRun() async throws {
    try await withStatements { path, _ in
      let cases = [
        ("SELECT nosuch", "CSV", 47), ("SELEKT 1", "CSV", 62), ("SELECT 1 +", "CSV", 62),
        ("SHOW TABLES FROM nosuch", "CSV", 81), ("SELECT 1", "NoSuch", 73),
        ("INSERT INTO nosuch VALUES (1)", "CSV", 60),
      ]
      for (statement, format, code) in cases {
        let error = await engineError { _ = try await path.run(statement, format: format) }
        #expect(error?.code == code, "\(statement)")
        #expect(error?.message.contains("/proc/self") == false, "\(statement)")
      }
      let error = await engineError { _ = try await path.run("SELECT 1", format: "a b") }
      #expect(error?.message == "a b is not the name of an output format")
    }
  }

  @Test func lateErrorsAreThrownByNext() async throws {
    try await withStatements { path, _ in
      let result = try await path.run(
        "SELECT throwIf(number = 5000000) FROM numbers(10000000)", format: "TSV")
      var count = 0
      let error = await engineError {
        while let chunk = try await result.next() { count += chunk.count }
      }
      #expect(error?.code == 395)
      #expect(count > 0)
    }
  }

  @Test func aCancelledOrDroppedResultEndsItsStatement() async throws {
    try await withTables { _, path, engine in
      let observer = try await engine.connect()
      let sql = "SELECT number FROM numbers(100000000000)"
      let result = try await path.run(sql, format: "CSV")
      #expect(try await result.next() != nil)
      #expect(try await observer.runningStatements() == 1)
      await result.cancel()
      #expect(try await observer.runningStatements() == 0)
      let error = await engineError { _ = try await result.next() }
      #expect(error?.code == 394)

      var dropped: StatementResult? = try await path.run(sql, format: "CSV")
      #expect(try await dropped?.next() != nil)
      dropped = nil
      for _ in 0..<200 where try await observer.runningStatements() > 0 {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try await observer.runningStatements() == 0)

      let waiting = Task { try await path.run(endless, format: "CSV") }
      while try await observer.runningStatements() == 0 {
        try await Task.sleep(for: .milliseconds(5))
      }
      waiting.cancel()
      let cancelled = await engineError { _ = try await waiting.value }
      #expect(cancelled?.code == 394)
      #expect(try await observer.runningStatements() == 0)
      await observer.close()
    }
  }

  @Test func aResultRunsNoFurtherAheadThanItsReader() async throws {
    try await withTables { _, path, engine in
      let observer = try await engine.connect()
      let result = try await path.run(
        "SELECT number, repeat('x', 1000) FROM numbers(100000000)", format: "TSV")
      #expect(try await result.next() != nil)
      try await Task.sleep(for: .milliseconds(500))
      let rows = try await observer.value(
        "SELECT read_rows FROM system.processes WHERE query NOT LIKE '%system.processes%'")
      #expect(try #require(Int(rows)) < 5_000_000)
      await result.cancel()
      await observer.close()
    }
  }

  @Test func statementsLeaveNoDescriptorsBehind() async throws {
    try await withStatements { path, run in
      let sample: () throws -> Int = {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
      }
      for _ in 0..<5 { _ = try await run("SHOW TABLES FROM d", "CSV") }
      let before = try sample()
      for _ in 0..<50 {
        _ = try await run("SELECT * FROM d.t", "CSV")
        _ = try await run("SHOW TABLES FROM d", "CSV")
        _ = try? await path.run("SELECT nosuch", format: "CSV")
        _ = try? await path.run("SELECT 1", format: "NoSuch")
      }
      try await Task.sleep(for: .milliseconds(200))
      #expect(try sample() - before < 20)
    }
  }
}
