import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Testing

extension EngineTests {
  @Test func statementsRunAndResultsAreRead() async throws {
    try await withConnection { connection, _ in
      try await connection.execute("CREATE DATABASE d")
      try await connection.execute(
        "CREATE TABLE d.t (a Int32, b String) ENGINE = MergeTree ORDER BY a")
      try await connection.execute("INSERT INTO d.t VALUES (1, 'x'), (2, 'y')")
      #expect(
        try await connection.rows("SELECT * FROM d.t ORDER BY a") == [["1", "x"], ["2", "y"]])
      #expect(try await connection.value("SELECT version()").hasPrefix("26."))
    }
  }

  @Test func aFolderKeepsItsTables() async throws {
    guard engineIsInstalled else { return }
    let parent = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: parent) }
    let folder = parent + "/deep/er"
    for run in 0..<2 {
      let engine = try await ClickHouseEngine.open(dataFolder: folder)
      let connection = try await engine.connect()
      if run == 0 {
        try await connection.execute("CREATE DATABASE d")
        try await connection.execute("CREATE TABLE d.t (a Int32) ENGINE = MergeTree ORDER BY a")
        try await connection.execute("INSERT INTO d.t VALUES (7)")
      } else {
        #expect(try await connection.rows("SELECT a FROM d.t") == [["7"]])
      }
      await connection.close()
      await engine.shutdown()
    }
  }

  @Test func anErrorKeepsTheEnginesTextAndCode() async throws {
    try await withConnection { connection, _ in
      let error = await engineError { try await connection.execute("SELECT nosuchcolumn") }
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

  @Test func aBigResultStreamsInBoundedMemory() async throws {
    try await withConnection { connection, _ in
      let before = residentMegabytes()
      let reader = try await connection.query("SELECT number FROM numbers(50000000)")
      var sum: UInt64 = 0
      var peak = before
      while let batch = try await reader.next() {
        batch.columns[0].withValues(of: UInt64.self) { for value in $0 { sum &+= value } }
        peak = max(peak, residentMegabytes())
      }
      #expect(sum == 49_999_999 * 25_000_000)
      #expect(peak - before < 200, "400 MB of result took \(peak - before) MB")
    }
  }

  @Test func connectionsRunSideBySide() async throws {
    try await withEngine { engine in
      let start = ContinuousClock.now
      let sums = try await withThrowingTaskGroup(of: String.self) { group in
        for number in 0..<4 {
          group.addTask {
            let connection = try await engine.connect()
            defer { Task { await connection.close() } }
            return try await connection.value("SELECT \(number) + sleep(0.5)")
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }.sorted()
      }
      #expect(sums == ["0", "1", "2", "3"])
      #expect(ContinuousClock.now - start < .milliseconds(1_900))
    }
  }

  @Test func aSettingLastsForItsConnection() async throws {
    try await withEngine { engine in
      let first = try await engine.connect()
      let second = try await engine.connect()
      try await first.execute("SET log_comment = 'mine'")
      #expect(try await first.value("SELECT getSetting('log_comment')") == "mine")
      #expect(try await second.value("SELECT getSetting('log_comment')") == "")
      await first.close()
      await second.close()
      let error = await engineError { try await first.execute("SELECT 1") }
      #expect(error?.message == "the connection is closed")
    }
  }

  @Test func aCancelledTaskEndsItsStatement() async throws {
    try await withConnection { connection, engine in
      let observer = try await engine.connect()
      let task = Task { try await connection.value(endless) }
      while try await observer.runningStatements() == 0 {
        try await Task.sleep(for: .milliseconds(5))
      }
      let start = ContinuousClock.now
      task.cancel()
      let error = await engineError { _ = try await task.value }
      #expect(error?.code == 394)
      #expect(ContinuousClock.now - start < .seconds(1))
      #expect(try await observer.runningStatements() == 0)
      // The connection goes on, and its next statement is not hit.
      #expect(try await connection.value("SELECT 1 + sleep(0.2)") == "1")
      await observer.close()
    }
  }

  @Test func aCancelledReaderEndsItsStatement() async throws {
    try await withConnection { connection, engine in
      let observer = try await engine.connect()
      let reader = try await connection.query("SELECT number FROM numbers(100000000000)")
      #expect(try await reader.next() != nil)
      let busy = await engineError { try await connection.execute("SELECT 1") }
      #expect(busy?.message.contains("still streams") == true)
      #expect(try await observer.runningStatements() == 1)
      await reader.cancel()
      await reader.cancel()
      #expect(try await observer.runningStatements() == 0)
      let error = await engineError { _ = try await reader.next() }
      #expect(error?.code == 394)
      #expect(try await connection.value("SELECT 1") == "1")
      await observer.close()
    }
  }

  @Test func aDroppedReaderEndsItsStatement() async throws {
    try await withConnection { connection, engine in
      let observer = try await engine.connect()
      var reader: (any RecordBatchReader)? = try await connection.query(
        "SELECT number FROM numbers(100000000000)")
      #expect(try await reader?.next() != nil)
      reader = nil
      // At once, though the reader's end may still be on its way.
      #expect(try await connection.value("SELECT 1") == "1")
      #expect(try await observer.runningStatements() == 0)
      await observer.close()
    }
  }

  @Test func manyStatementsAreCancelledWithoutHittingTheirNeighbours() async throws {
    try await withConnection { connection, _ in
      for round in 0..<40 {
        let task = Task { try await connection.value("SELECT sleep(0.01)") }
        try await Task.sleep(for: .milliseconds(round % 14))
        task.cancel()
        _ = await task.result
        #expect(try await connection.value("SELECT 5") == "5")
      }
    }
  }

  @Test func shutdownWaitsForConnections() async throws {
    guard engineIsInstalled else { return }
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let engine = try await ClickHouseEngine.open(dataFolder: folder)
    let connection = try await engine.connect()
    let shutdown = Task { await engine.shutdown() }
    try await Task.sleep(for: .milliseconds(50))
    #expect(try await connection.value("SELECT 1") == "1")
    let refused = await engineError { _ = try await engine.connect() }
    #expect(refused?.message == "the engine is shut down")
    await connection.close()
    await shutdown.value
  }

  @Test func statementsWithZeroBytesAreRefused() async throws {
    try await withConnection { connection, _ in
      let error = await engineError { try await connection.execute("SELECT 'a\0b'") }
      #expect(error?.message == "a statement must not contain a zero byte")
      let text = try await connection.value("SELECT hex(\(quotedString("a\0\\'`b")))")
      #expect(text == "61005C276062")
    }
  }
}

/// A statement that does not end by itself, and gives no rows before its end.
let endless = "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sipHash64(number))"

/// The process's memory in use.
private func residentMegabytes() -> Int {
  let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
  return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) / 1024
}
