import ClickHouseEngine
import Foundation
import MagicCore
import Testing

extension EngineTests {
  private func withSession(
    _ body: (StatementPath, StatementContext) async throws -> Void
  ) async throws {
    try await withTables { _, path, _ in
      let session = try await path.openSession()
      do {
        try await body(path, context { $0.session = session })
      } catch {
        await session.close()
        throw error
      }
      await session.close()
    }
  }

  @Test func aSessionKeepsWhatItsStatementsSet() async throws {
    try await withSession { path, session in
      _ = try await path.text("CREATE DATABASE d")
      let statements = [
        ("SET max_threads = 3", ""), ("SELECT getSetting('max_threads')", "3\n"),
        ("CREATE TEMPORARY TABLE t (a Int32)", ""), ("INSERT INTO t VALUES (1), (2)", ""),
        ("SELECT sum(a) FROM t", "3\n"), ("USE d", ""), ("SELECT currentDatabase()", "d\n"),
        ("CREATE TABLE m (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id", ""),
        ("INSERT INTO m SELECT a, a * 10 FROM t", ""),
        ("SELECT * FROM m ORDER BY id", "1\t10\n2\t20\n"),
        ("UPDATE m SET n = n + 1 WHERE id IN (SELECT a FROM t WHERE a > 1)", ""),
        ("DELETE FROM m WHERE id IN (SELECT min(a) FROM t)", ""),
        ("SELECT * FROM m", "2\t21\n"), ("SHOW TABLES", "m\n"), ("SET param_x = 'y'", ""),
        ("SELECT {x:String}", "y\n"), ("SELECT getSetting('max_threads')", "3\n"),
      ]
      for (statement, expected) in statements {
        #expect(try await path.text(statement, session) == expected, "\(statement)")
      }
      // What the layer sets for an insert does not stay.
      let threads = "SELECT getSetting('max_insert_threads')"
      let untouched = try await path.text(threads)
      let kept = try await path.text(threads, session)
      #expect(kept == untouched)
      #expect(try await path.text("SELECT currentDatabase()") == "default\n")
      await expectError(60) { _ = try await path.text("SELECT * FROM t") }
      // What another writes is seen by the next statement.
      _ = try await path.text("INSERT INTO d.m VALUES (5, 5)")
      #expect(try await path.text("SELECT count() FROM m", session) == "2\n")
    }
  }

  @Test func whatIsForOneStatementDoesNotStayInTheSession() async throws {
    try await withSession { path, session in
      _ = try await path.text("CREATE DATABASE d")
      _ = try await path.text("SET max_block_size = 1000", session)
      var once = session
      once.settings = ["max_threads": "2", "max_block_size": "5", "max_result_rows": "77"]
      once.database = "d"
      let settings =
        "SELECT getSetting('max_threads') = 2, getSetting('max_block_size'), "
        + "getSetting('max_result_rows'), currentDatabase()"
      #expect(try await path.text(settings, once) == "1\t5\t77\td\n")
      let after =
        "SELECT getSetting('max_block_size'), getSetting('max_result_rows'), currentDatabase()"
      #expect(try await path.text(after, session) == "1000\t0\tdefault\n")
      let failed = await engineError { _ = try await path.text("SELECT nosuch", once) }
      #expect(failed?.code == 47)
      #expect(try await path.text(after, session) == "1000\t0\tdefault\n")
      var reading = session
      reading.isReadOnly = true
      #expect(try await path.text(after, reading) == "1000\t0\tdefault\n")
      await expectError(164) { _ = try await path.text("SET max_threads = 1", reading) }
      _ = try await path.text("USE d", reading)
      #expect(try await path.text(after, session) == "1000\t0\td\n")
      #expect(try await path.text("SET max_threads = 1", session) == "")
      var earlier = session
      earlier.commitPoint = try await path.snapshot(of: nil)
      _ = try await path.text(
        "CREATE TABLE m (a Int8) ENGINE = MutableMergeTree ORDER BY a", session)
      _ = try await path.text("INSERT INTO m VALUES (1)", session)
      #expect(try await path.text("SELECT count() FROM m", earlier) == "0\n")
      #expect(try await path.text("SELECT count() FROM m", session) == "1\n")
    }
  }

  @Test func aSessionHasOneStatementAtATime() async throws {
    try await withSession { path, session in
      let endless = "SELECT number FROM numbers(100000000000)"
      let result = try await path.run(endless, format: "TSV", context: session)
      #expect(try await result.next() != nil)
      let locked = await engineError { _ = try await path.text("SELECT 1", session) }
      #expect(locked?.code == 373)
      await result.cancel()
      #expect(try await path.text("SELECT 1", session) == "1\n")
      let reader = try await path.query(endless, context: session).reader
      #expect(try await reader.next() != nil)
      await expectError(373) { _ = try await path.text("SELECT 1", session) }
      await reader.cancel()
      #expect(try await path.text("SELECT 1", session) == "1\n")
      _ = await engineError { _ = try await path.text("SELECT nosuch", session) }
      for _ in 0..<20 { #expect(try await path.text("SELECT 1", session) == "1\n") }
    }
  }

  @Test func aClosedSessionEndsItsStatement() async throws {
    try await withTables { _, path, engine in
      let observer = try await engine.connect()
      let session = try await path.openSession()
      let inside = context { $0.session = session }
      let running = Task {
        try await path.text(
          "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", inside)
      }
      while try await observer.runningStatements() == 0 {
        try await Task.sleep(for: .milliseconds(5))
      }
      let start = ContinuousClock.now
      await session.close()
      #expect(ContinuousClock.now - start < .seconds(2))
      await expectError(394) { _ = try await running.value }
      #expect(try await observer.runningStatements() == 0)
      await expectError(372) { _ = try await path.text("SELECT 1", inside) }
      await observer.close()
    }
  }
}
