import Arrow
@testable import ClickHouseEngine
import Foundation
import MagicCore
import Testing

extension StatementPath {
  /// A statement's whole result as TSV, run as a context says.
  func text(_ statement: String, _ context: StatementContext) async throws -> String {
    let result = try await run(statement, format: "TSV", context: context)
    var bytes: [UInt8] = []
    while let chunk = try await result.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A context in which one thing is not as usual.
func context(_ change: (inout StatementContext) -> Void) -> StatementContext {
  var context = StatementContext()
  change(&context)
  return context
}

extension EngineTests {
  private func withDatabase(
    _ body: (StatementPath, ClickHouseEngine) async throws -> Void
  ) async throws {
    try await withTables { _, path, engine in
      _ = try await path.text("CREATE DATABASE d")
      _ = try await path.text(
        "CREATE TABLE d.m (id UInt32, s String DEFAULT 'none') ENGINE = MutableMergeTree ORDER BY id"
      )
      _ = try await path.text("CREATE TABLE d.p (id UInt32) ENGINE = MergeTree ORDER BY id")
      try await body(path, engine)
    }
  }

  @Test func namesWithoutDatabaseAreOfTheContextsOwn() async throws {
    try await withDatabase { path, _ in
      let inside = context { $0.database = "d" }
      let statements = [
        ("INSERT INTO m VALUES (1, 'a'), (2, 'b')", ""), ("INSERT INTO p VALUES (7)", ""),
        ("SELECT * FROM m ORDER BY id", "1\ta\n2\tb\n"), ("UPDATE m SET s = 'c' WHERE id = 1", ""),
        ("DELETE FROM m WHERE id IN (SELECT 2)", ""), ("UPSERT INTO m (id) VALUES (3)", ""),
        ("SELECT m.s, p.id FROM m, p ORDER BY 1", "c\t7\nnone\t7\n"),
        ("SELRAW count() FROM m", "5\n"),
        ("ALTER TABLE m ADD COLUMN n Int8 DEFAULT 5", ""), ("SELECT sum(n) FROM m", "10\n"),
        ("RENAME TABLE m TO m2", ""), ("EXISTS TABLE m2", "1\n"), ("EXISTS TABLE m", "0\n"),
        ("CREATE TABLE m3 AS m2", ""), ("OPTIMIZE TABLE m2", ""), ("TRUNCATE TABLE m2", ""),
        ("SELECT count() FROM m2", "0\n"), ("DROP TABLE m3", ""),
        ("CREATE VIEW v AS SELECT id + 1 AS x FROM p", ""),
      ]
      for (statement, expected) in statements {
        let text = try await path.text(statement, inside)
        let isExpected = statement.hasPrefix("SELRAW") || text == expected
        #expect(isExpected, "\(statement): \(text)")
      }
      #expect(try await path.text("SELECT x FROM d.v") == "8\n")
      #expect(try await path.text("SHOW TABLES FROM d") == "m2\np\nv\n")
      #expect(try await path.text("DESCRIBE m2", inside).hasPrefix("id\tUInt32"))
      #expect(try await path.text("SHOW CREATE TABLE m2", inside).contains("CREATE TABLE d.m2"))
      let missing = await engineError {
        _ = try await path.text("SELECT 1", context { $0.database = "nosuch" })
      }
      #expect(missing?.code == 81)
    }
  }

  @Test func parametersAreValuesWhateverTheirText() async throws {
    try await withDatabase { path, _ in
      let texts = [
        "plain", "it's", "a\\\\b", "a\\nb", "\"`$x$", "ü∅🙂", "{a:String}", "", "\\0x", "--",
        "'; DROP",
      ]
      for text in texts {
        let result = try await path.text(
          "SELECT {a:String} AS x, {_b2:Int64}",
          context { $0.parameters = ["a": text, "_b2": "-9223372036854775808"] })
        // TSV escapes single quotes when it is written, and need not when it is read.
        let written = text.replacing("'", with: "\\'")
        #expect(result == "\(written)\t-9223372036854775808\n", "\(text)")
      }
      let null = context { $0.parameters = ["a": "\\N", "i": "[1,2]", "t": "p"] }
      #expect(try await path.text("SELECT {a:Nullable(String)} IS NULL", null) == "1\n")
      #expect(try await path.text("SELECT arraySum({i:Array(UInt8)})", null) == "3\n")
      #expect(try await path.text("SELECT count() FROM d.{t:Identifier}", null) == "0\n")

      func values(_ id: String, _ s: String) -> StatementContext {
        context {
          $0.database = "d"
          $0.parameters = ["id": id, "s": s]
        }
      }
      func changed(_ statement: String, _ context: StatementContext) async throws -> Int? {
        try await path.run(statement, format: "TSV", context: context).changedRows
      }
      let insert = "INSERT INTO m VALUES ({id:UInt32}, {s:String})"
      #expect(try await changed(insert, values("1", "it's\\\\")) == 1)
      #expect(
        try await changed("UPSERT INTO m SELECT {id:UInt32}, {s:String}", values("2", "b")) == 1)
      #expect(
        try await changed("UPDATE m SET s = {s:String} WHERE id = {id:UInt32}", values("2", "c"))
          == 1)
      #expect(try await path.text("SELECT * FROM d.m ORDER BY id") == "1\tit\\'s\\\\\n2\tc\n")
      #expect(try await changed("DELETE FROM m WHERE s = {s:String}", values("0", "c")) == 1)
      #expect(
        try await path.text("SELRAW id FROM m WHERE s = {s:String}", values("", "it's\\\\"))
          == "1\n")
      let missing = await engineError { _ = try await path.text("SELECT {x:String}") }
      #expect(missing?.code == 456)
      let wrong = await engineError {
        _ = try await path.text("SELECT {x:Int8}", context { $0.parameters = ["x": "y"] })
      }
      #expect(wrong?.code != nil)
    }
  }

  @Test func settingsHoldForOneStatement() async throws {
    try await withDatabase { path, _ in
      let settings = context { $0.settings = ["max_threads": "3", "max_result_rows": "1000"] }
      let answer1 = try await path.text("SELECT getSetting('max_threads')", settings)
      #expect(answer1 == "3\n")
      let answer2 = try await path.text("SELECT getSetting('max_result_rows')")
      #expect(answer2 == "0\n")
      let unknown = await engineError {
        _ = try await path.text("SELECT 1", context { $0.settings = ["no_such_setting": "1"] })
      }
      #expect(unknown?.code == 115)
      for name in ["hdfs_replication", "apply_deleted_mask"] {
        let refused = await engineError {
          _ = try await path.text("SELECT 1", context { $0.settings = [name: "1"] })
        }
        #expect(refused?.message.contains(name) == true)
      }
      // They are for the statement of the user, and not for what the layer does with its rows.
      let limit = context { $0.settings = ["limit": "1", "async_insert": "1"] }
      let insert = "INSERT INTO d.m VALUES (1, 'a'), (2, 'b'), (3, 'c')"
      let answer3 = try await path.run(insert, format: "TSV", context: limit).changedRows
      #expect(answer3 == 3)
      let answer4 = try await path.text("SELECT count() FROM d.m")
      #expect(answer4 == "3\n")
      let answer5 = try await path.text("SELECT id FROM d.m ORDER BY id", limit)
      #expect(answer5 == "1\n")
    }
  }

  @Test func whatMayOnlyReadChangesNothing() async throws {
    try await withDatabase { path, engine in
      _ = try await path.text("INSERT INTO d.m VALUES (1, 'a')")
      let reading = context {
        $0.database = "d"
        $0.isReadOnly = true
        $0.settings = ["max_threads": "2", "readonly": "0"]
        $0.parameters = ["x": "5"]
      }
      let reads = [
        ("SELECT * FROM m", "1\ta\n"), ("SELECT {x:Int8} + getSetting('max_threads')", "7\n"),
        ("SHOW TABLES", "m\np\n"), ("EXISTS TABLE m", "1\n"), ("SELRAW s FROM m", "a\n"),
        ("DESCRIBE p", "id\tUInt32\t\t\t\t\t\n"), ("SELECT 1 UNION ALL SELECT 1", "1\n1\n"),
      ]
      for (statement, expected) in reads {
        #expect(try await path.text(statement, reading) == expected, "\(statement)")
      }
      #expect(try await path.text("DESCRIBE m", reading).hasPrefix("id\tUInt32"))
      #expect(try await path.text("SHOW CREATE m", reading).contains("MutableMergeTree"))
      let changes = [
        "INSERT INTO m VALUES (2, 'b')", "INSERT INTO p VALUES (2)",
        "UPSERT INTO m VALUES (1, 'b')",
        "UPDATE m SET s = 'b' WHERE 1", "DELETE FROM m WHERE 1", "TRUNCATE TABLE m", "DROP TABLE m",
        "DROP TABLE p", "OPTIMIZE TABLE m", "ALTER TABLE m ADD COLUMN n Int8",
        "RENAME TABLE m TO m2", "CREATE TABLE q (a Int8) ENGINE = MutableMergeTree ORDER BY a",
        "CREATE TABLE q (a Int8) ENGINE = Memory", "CREATE VIEW q AS SELECT 1",
        "SET max_threads = 1", "SET readonly = 0", "SELECT 1 SETTINGS max_threads = 1",
        "INSERT INTO FUNCTION null('a Int8') VALUES (1)", "DROP DATABASE d",
        "CREATE TEMPORARY TABLE q (a Int8)", "SYSTEM FLUSH LOGS", "KILL QUERY WHERE 1",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
      ]
      for statement in changes {
        let error = await engineError { _ = try await path.text(statement, reading) }
        #expect([164, 497].contains(error?.code), "\(statement): \(error?.message ?? "")")
        let queried = await engineError {
          _ = try await path.query(statement, context: reading).reader.next()
        }
        #expect([164, 497].contains(queried?.code), "\(statement): \(queried?.message ?? "")")
      }
      var writing = reading
      writing.input = StatementInput { nil }
      let error = await engineError {
        _ = try await path.text("INSERT INTO p FORMAT CSV", writing)
      }
      #expect(error?.code == 164)
      #expect(try await path.text("SELECT * FROM d.m") == "1\ta\n")
      #expect(try await path.text("SELECT count() FROM d.p") == "0\n")
      _ = engine
    }
  }

  @Test func aCommitPointIsReadAsLongAsItIsPinned() async throws {
    try await withDatabase { path, _ in
      _ = try await path.text("INSERT INTO d.m VALUES (1, 'a'), (2, 'b')")
      let earlier = context { [pin = path.pin()] in $0.commitPoint = pin }
      _ = try await path.text("UPDATE d.m SET s = 'z' WHERE id = 1")
      _ = try await path.text("DELETE FROM d.m WHERE id = 2")
      _ = try await path.text("INSERT INTO d.m VALUES (3, 'c')")
      for _ in 0..<2 {
        #expect(try await path.text("SELECT * FROM d.m ORDER BY id", earlier) == "1\ta\n2\tb\n")
        #expect(try await path.text("SELECT * FROM d.m ORDER BY id") == "1\tz\n3\tc\n")
        try await Task.sleep(for: .milliseconds(300))
      }
      let reader = try await path.query("SELECT id FROM d.m ORDER BY id", context: earlier).reader
      #expect(try await rows(reader) == [["1"], ["2"]])
      for statement in ["INSERT INTO d.m VALUES (4, '')", "DELETE FROM d.m WHERE 1"] {
        let error = await engineError { _ = try await path.text(statement, earlier) }
        #expect(error?.code == 164)
      }
    }
  }

  // MARK: Record batches

  /// All rows of a reader as text.
  private func rows(_ reader: any RecordBatchReader) async throws -> [[String]] {
    var rows: [[String]] = []
    while let batch = try await reader.next() {
      for row in 0..<batch.rowCount { rows.append(batch.columns.map { textValue($0, row) }) }
    }
    return rows
  }

  @Test func resultsComeAsRecordBatchesToo() async throws {
    try await withDatabase { path, engine in
      let insert = try await path.query(
        "INSERT INTO d.m VALUES (1, 'a'), (2, 'b')", context: StatementContext())
      #expect(insert.changedRows == 2)
      #expect(insert.reader.schema.fields.isEmpty)
      #expect(try await insert.reader.next() == nil)
      let plain = try await path.query(
        "INSERT INTO d.p SELECT number FROM numbers(5)", context: StatementContext())
      #expect(plain.changedRows == 5)
      let select = try await path.query(
        "SELECT id, s FROM d.m ORDER BY id FORMAT JSON;", context: StatementContext())
      #expect(select.reader.schema.fields.map(\.name) == ["id", "s"])
      #expect(try await rows(select.reader) == [["1", "a"], ["2", "b"]])
      let show = try await path.query("SHOW TABLES", context: context { $0.database = "d" })
      #expect(try await rows(show.reader) == [["m"], ["p"]])

      // A reader that is dropped or cancelled ends its statement.
      let observer = try await engine.connect()
      let endless = "SELECT number FROM numbers(1000000000000)"
      let first = try await path.query(endless, context: StatementContext()).reader
      #expect(try await first.next() != nil)
      await first.cancel()
      #expect(try await observer.runningStatements() == 0)
      _ = try await path.query(endless, context: StatementContext()).reader.next()
      let deadline = ContinuousClock.now + .seconds(5)
      while try await observer.runningStatements() > 0, ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try await observer.runningStatements() == 0)
      await observer.close()
    }
  }
}
