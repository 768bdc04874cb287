import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Synchronization
import Testing

/// The client of an insert went away.
private struct Gone: Error {}

/// An input of some chunks; `failing` breaks it off after them.
private func input(_ chunks: [[UInt8]], failing: Bool = false) -> StatementInput {
  let position = Mutex(0)
  return StatementInput {
    let next = position.withLock { position in
      defer { position += 1 }
      return position
    }
    if next < chunks.count { return chunks[next] }
    if failing { throw Gone() }
    return nil
  }
}

private func input(_ text: String) -> StatementInput { input([Array(text.utf8)]) }

extension EngineTests {
  private func withInputTables(
    _ body: (StatementPath, ClickHouseEngine) async throws -> Void
  ) async throws {
    try await withTables { _, path, engine in
      let columns = "(id UInt32, s String DEFAULT concat('d', toString(id)), n Int32 DEFAULT 7)"
      for statement in [
        "CREATE TABLE m \(columns) ENGINE = MutableMergeTree ORDER BY id",
        "CREATE TABLE p \(columns) ENGINE = MergeTree ORDER BY id PARTITION BY id % 2",
        "CREATE TABLE memory \(columns) ENGINE = Memory",
      ] { _ = try await path.text(statement) }
      try await body(path, engine)
    }
  }

  private func insert(
    _ statement: String, _ input: StatementInput, _ path: StatementPath,
    _ change: (inout StatementContext) -> Void = { _ in }
  ) async throws -> Int? {
    var context = StatementContext()
    context.input = input
    change(&context)
    return try await path.run(statement, format: "TSV", context: context).changedRows
  }

  @Test func rowsOfAnInsertFollowItsText() async throws {
    try await withInputTables { path, _ in
      for table in ["m", "p", "memory"] {
        let cases: [(statement: String, rows: String, expected: String)] = [
          ("FORMAT JSONEachRow", "{\"id\":1}\n{\"id\":2,\"s\":\"x\"}", "1\td1\t7\n2\tx\t7\n"),
          ("(n, id) FORMAT CSV\n", "5,1\n6,2\n", "1\td1\t5\n2\td2\t6\n"),
          ("(id, s) VALUES", "(1, 'a'), (2, concat('b', 'c'));", "1\ta\t7\n2\tbc\t7\n"),
          ("(id, s) VALUES (1, 'a'), (2, ", "'it\\'s')", "1\ta\t7\n2\tit\\'s\t7\n"),
          ("(id)", "(1), (2)", "1\td1\t7\n2\td2\t7\n"),
          ("FORMAT CSVWithNames\r\nid,s\r\n1,", "q\n2,r", "1\tq\t7\n2\tr\t7\n"),
          ("SETTINGS max_threads = 1 FORMAT TSV\n", "1\ta\t3\n", "1\ta\t3\n"),
          (
            "(id, n) SELECT a + 1, b FROM input('a UInt8, b Int8') WHERE b > 0 FORMAT TSV",
            "1\t2\n3\t0\n",
            "2\td2\t2\n"
          ),
          ("FORMAT TSV", "", ""),
        ]
        for (statement, text, expected) in cases {
          let rows = try await insert("INSERT INTO \(table) \(statement)", input(text), path)
          let stored = try await path.text("SELECT * FROM \(table) ORDER BY id")
          #expect(stored == expected, "\(table) \(statement)")
          #expect(rows ?? 0 == stored.split(separator: "\n").count, "\(table) \(statement)")
          _ = try await path.text("TRUNCATE TABLE \(table)")
        }
        // Byte by byte, and with an empty input behind rows in the text.
        let bytes = Array("1,a,2\n2,b,3\n".utf8).map { [$0] }
        #expect(try await insert("INSERT INTO \(table) FORMAT CSV", input(bytes), path) == 2)
        #expect(
          try await insert("INSERT INTO \(table) FORMAT CSV\n3,c,4\n", input([]), path) == 1)
        #expect(try await path.text("SELECT sum(n) FROM \(table)") == "9\n")
      }
      #expect(
        try await insert("UPSERT INTO m FORMAT CSV", input("1,zz,2\n"), path) == 1)
      #expect(
        try await insert(
          "IMPORT INTO m (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) FORMAT CSV",
          input("9,zz,1000000,0\n"), path) == 1)
      #expect(try await path.text("SELECT s FROM m WHERE id IN (1, 9)") == "zz\nzz\n")
      #expect(
        try await insert("INSERT INTO m FORMAT CSV", input("8:semi:3\n"), path) {
          $0.settings = ["format_csv_delimiter": ":"]
        } == 1)
      #expect(try await path.text("SELECT s, n FROM m WHERE id = 8") == "semi\t3\n")
    }
  }

  @Test func everyInputFormatIsTaken() async throws {
    try await withInputTables { path, _ in
      let formats = [
        "Native", "RowBinary", "RowBinaryWithNamesAndTypes", "JSONEachRow", "JSON", "JSONCompact",
        "CSV", "CSVWithNames", "TSV", "TSVWithNamesAndTypes", "Values", "Parquet", "ORC", "Arrow",
        "ArrowStream", "Avro", "MsgPack", "BSONEachRow", "TSKV",
      ]
      for rows in [10, 60_000] {
        for format in formats {
          let result = try await path.run(
            "SELECT toUInt32(number) AS id, concat('s', toString(cityHash64(number))) AS s, "
              + "toInt32(number % 1000) AS n FROM numbers(\(rows))", format: format)
          var chunks: [[UInt8]] = []
          while let chunk = try await result.next() { chunks.append(chunk) }
          for table in ["m", "p"] {
            let count = try await insert(
              "INSERT INTO \(table) FORMAT \(format)", input(chunks), path)
            #expect(count == rows, "\(format) \(rows) \(table)")
            let sums = try await path.text(
              "SELECT sum(id), sum(n), count() FROM \(table) "
                + "WHERE s = concat('s', toString(cityHash64(toUInt64(id))))")
            let sum = rows * (rows - 1) / 2
            let expected = rows == 10 ? "45\t45\t10\n" : "\(sum)\t29970000\t60000\n"
            #expect(sums == expected, "\(format) \(rows) \(table)")
            _ = try await path.text("TRUNCATE TABLE \(table)")
          }
        }
      }
    }
  }

  @Test func aLargeInputTakesLittleMemoryAndNoMoreThanTheEngineDoes() async throws {
    try await withInputTables { path, _ in
      let line = Array("1,some text that is repeated,5\n".utf8)
      let chunk = Array(repeatElement(line, count: 10_000).joined())
      let sent = Mutex(0)
      let before = residentByteCount()
      let count = try await insert(
        "INSERT INTO p FORMAT CSV",
        StatementInput {
          let number = sent.withLock { sent in
            sent += 1
            return sent
          }
          return number <= 400 ? chunk : nil
        }, path)
      #expect(count == 4_000_000)
      #expect(residentByteCount() - before < 400 << 20)
      #expect(try await path.text("SELECT count(), sum(n) FROM p") == "4000000\t20000000\n")
      #expect(
        try await path.text(
          "SELECT count() FROM system.tables WHERE database = '_magic' AND name LIKE 'u0%'")
          == "0\n")
    }
  }

  private func residentByteCount() -> Int {
    let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
      .split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return (pages ?? 0) * 4_096
  }

  @Test func anInputThatBreaksOffStoresNothing() async throws {
    try await withInputTables { path, engine in
      let observer = try await engine.connect()
      let lines = Array((0..<50_000).map { "\($0),text,1\n" }.joined().utf8)
      let many = Array(repeating: lines, count: 60)
      for (name, chunks) in [("small", [Array("1,a,1\n".utf8)]), ("large", many)] {
        for table in ["m", "p"] {
          await #expect(throws: Gone.self, "\(name) \(table)") {
            _ = try await insert(
              "INSERT INTO \(table) FORMAT CSV", input(chunks, failing: true), path)
          }
          #expect(try await path.text("SELECT count() FROM \(table)") == "0\n", "\(name) \(table)")
          let wrong = await engineError {
            _ = try await insert(
              "INSERT INTO \(table) FORMAT CSV", input(chunks + [Array("x,y\n".utf8)]), path)
          }
          #expect(wrong?.code == 27, "\(name) \(table)")
          #expect(wrong?.message.contains("/proc/") == false)
          #expect(wrong?.message.contains("_magic") == false)
          #expect(try await path.text("SELECT count() FROM \(table)") == "0\n", "\(name) \(table)")
        }
      }
      #expect(try await observer.runningStatements() == 0)
      let stages =
        "SELECT count() FROM system.tables WHERE database = '_magic' AND match(name, '_x')"
      let deadline = ContinuousClock.now + .seconds(5)
      while try await observer.value(stages) != "0", ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(try await observer.value(stages) == "0")
      await observer.close()
    }
  }

  @Test func aCancelledInsertEndsAtOnceAndStoresNothing() async throws {
    try await withInputTables { path, engine in
      let observer = try await engine.connect()
      let lines = Array((0..<50_000).map { "\($0),text,1\n" }.joined().utf8)
      for table in ["m", "p", "memory"] {
        for isStalled in [false, true] {
          let sent = Mutex(0)
          let endless = StatementInput {
            let number = sent.withLock { sent in
              sent += 1
              return sent
            }
            if isStalled, number > 4 { try await Task.sleep(for: .seconds(600)) }
            return lines
          }
          let running = Task {
            try await insert("INSERT INTO \(table) FORMAT CSV", endless, path)
          }
          while sent.withLock({ $0 }) < 4 { try await Task.sleep(for: .milliseconds(5)) }
          try await Task.sleep(for: .milliseconds(100))
          let start = ContinuousClock.now
          running.cancel()
          let result = await running.result
          #expect(throws: (any Error).self) { try result.get() }
          #expect(ContinuousClock.now - start < .seconds(1), "\(table) \(isStalled)")
          #expect(try await observer.runningStatements() == 0)
          if table != "memory" {
            #expect(try await path.text("SELECT count() FROM \(table)") == "0\n")
          }
        }
      }
      await observer.close()
    }
  }

  @Test func materializedViewsSeeALargeInput() async throws {
    try await withInputTables { path, _ in
      _ = try await path.text(
        "CREATE MATERIALIZED VIEW seen ENGINE = MergeTree ORDER BY tuple() AS SELECT id FROM p")
      let lines = Array((0..<100_000).map { "\($0),text,1\n" }.joined().utf8)
      #expect(try await insert("INSERT INTO p FORMAT CSV", input([lines]), path) == 100_000)
      #expect(try await path.text("SELECT count() FROM seen") == "100000\n")
      #expect(try await path.text("SELECT count() FROM p") == "100000\n")
    }
  }

  @Test func onlyInsertsTakeAnInput() async throws {
    try await withInputTables { path, _ in
      let rows = try await insert("SELECT 1", input([[], []]), path)
      #expect(rows == nil)
      for statement in ["SELECT 1", "INSERT INTO p SELECT 1", "DROP TABLE p"] {
        let error = await engineError { _ = try await insert(statement, input("x"), path) }
        #expect(error?.message.contains("INSERT") == true, "\(statement)")
      }
    }
  }

  @Test func aSessionsTemporaryTableTakesAnInput() async throws {
    try await withInputTables { path, _ in
      let session = try await path.openSession()
      _ = try await path.text(
        "CREATE TEMPORARY TABLE p (a String)", context { $0.session = session })
      let lines = Array(repeatElement(Array("some text\n".utf8), count: 100_000).joined())
      #expect(
        try await insert("INSERT INTO p FORMAT TSV", input([lines]), path) { $0.session = session }
          == 100_000)
      #expect(
        try await path.text("SELECT count() FROM p", context { $0.session = session })
          == "100000\n")
      #expect(try await path.text("SELECT count() FROM p") == "0\n")
      await session.close()
    }
  }
}
