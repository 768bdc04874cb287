import Arrow
import ClickHouseEngine
import MagicCore
import Testing

extension EngineTests {
  @Test func statementsRunAndResultsAreRead() async throws {
    try await withConnection { connection, _ in
      try await connection.execute("CREATE DATABASE d")
      try await connection.execute("CREATE TABLE d.t (a Int32, b String) ENGINE = MergeTree ORDER BY a")
      try await connection.execute("INSERT INTO d.t VALUES (1, 'x'), (2, 'y')")
      #expect(try await connection.rows("SELECT * FROM d.t ORDER BY a") == [["1", "x"], ["2", "y"]])
      #expect(try await connection.value("SELECT version()").hasPrefix("26."))
    }
  }

  @Test func anErrorKeepsTheEnginesTextAndCode() async throws {
    try await withConnection { connection, _ in
      let error = await engineError {
        try await connection.execute("SELECT nosuchcolumn")
      }
      #expect(error?.code == 47)
      #expect(error?.message.contains("nosuchcolumn") == true)
      #expect(error?.message.hasPrefix("Code: 47. DB::Exception: ") == true)
      #expect(error?.message.hasSuffix("(UNKNOWN_IDENTIFIER)") == true)
      let one = try await connection.value("SELECT 1")
      #expect(one == "1")
    }
  }

  @Test func anErrorInTheMiddleOfAResultIsThrown() async throws {
    try await withConnection { connection, _ in
      let reader = try await connection.query(
        "SELECT throwIf(number = 5000000) FROM numbers(10000000)")
      var rows = 0
      let error = await engineError {
        while let batch = try await reader.next() { rows += batch.rowCount }
      }
      #expect(rows > 0)
      #expect(error?.code == 395)
      #expect(try await connection.value("SELECT 1") == "1")
    }
  }
}
