import NIOCore
import Synchronization
import Testing

@testable import HTTPServer

@Suite struct StatementTextTests {
  @Test(arguments: [
    ("SELECT 1", "statement"),
    ("SELECT * FROM t FORMAT CSV", "statement"),
    ("INSERT INTO t SELECT 1 FORMAT CSV", "statement"),
    ("INSERT INTO t (a, format) WITH 1 AS x SELECT x", "statement"),
    ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", "statement"),
    ("INSERT INTO t FORMAT CSV\n|1,2", "format"),
    ("INSERT INTO t FORMAT CSV \t\r\n|\n1", "format"),
    ("insert into t format JSONEachRow |{\"a\":1}", "format"),
    ("UPSERT INTO d.t (a, `b)`, \"c\") FORMAT Native\n|\n", "format"),
    ("-- INSERT\n/* FORMAT */ INSERT INTO t (values, format) FORMAT TSV\n|1", "format"),
    ("INSERT INTO format FORMAT CSV\n|1", "format"),
    ("INSERT INTO values.select SETTINGS x = 'FORMAT \\' TSV', y = 1 FORMAT CSV\n|1", "format"),
    ("INSERT INTO FUNCTION remote('a', 'b') FORMAT CSV\n|1", "format"),
    ("INSERT INTO t VALUES| (1, 'FORMAT x')", "values"),
    ("IMPORT INTO t (a) VALUES|(1)", "values"),
    ("INSERT INTO t VALUES|", "values"),
    ("INSERT INTO t 'quoted", "statement"),
    ("INSERT INTO t /* open", "statement"),
    ("", "statement"),
  ])
  func rowsBeginWhereTheStatementEnds(text: String, kind: String) {
    let bytes = Array(text.replacing("|", with: "").utf8)
    let mark = text.utf8.firstIndex(of: UInt8(ascii: "|"))
    let position = mark.map { text.utf8.distance(from: text.utf8.startIndex, to: $0) } ?? 0
    let expected: StatementScanner.Answer =
      switch kind {
      case "format": .format(rowsAt: position)
      case "values": .values(rowsAt: position)
      default: .statement
      }
    #expect(StatementScanner.scan(bytes, isComplete: true) == expected)
    // Of the beginning alone nothing else is ever said.
    for count in 0..<bytes.count {
      switch (StatementScanner.scan(Array(bytes[..<count]), isComplete: false), kind) {
      case (.undecided, _), (.statement, "statement"): break
      case (let early, "format"), (let early, "values"): #expect(early == expected)
      case (let early, _): Issue.record("\(early) after \(count) bytes")
      }
    }
  }

  private func read(
    head: String = "", _ parts: [[UInt8]], limit: Int = 64 << 20
  ) async throws -> (sql: String, rows: [UInt8]?) {
    let rest = Mutex(parts[...])
    let text = try await StatementText(
      head: head,
      body: RequestContent { rest.withLock { $0.popFirst().map { ByteBuffer(bytes: $0) } } },
      limit: limit)
    guard let input = text.input else { return (text.sql, nil) }
    var rows: [UInt8] = []
    while let chunk = try await input.next() { rows += chunk }
    return (text.sql, rows)
  }

  @Test func rowsOfAFormatAreNoText() async throws {
    let (sql, rows) = try await read([
      Array("INSERT INTO t FORM".utf8), Array("AT Native\n".utf8), [255, 0, 10],
    ])
    #expect(sql == "INSERT INTO t FORMAT Native\n")
    #expect(rows == [255, 0, 10])
  }

  @Test func bodyFollowsTheHeadAfterALineBreak() async throws {
    let (sql, rows) = try await read(head: "INSERT INTO t FORMAT Native", [[10, 255]])
    #expect(sql == "INSERT INTO t FORMAT Native\n")
    #expect(rows == [10, 255])
    let select = try await read(head: "SELECT 1 -- one", [Array("+ 1".utf8)])
    #expect(select.sql == "SELECT 1 -- one\n+ 1")
    #expect(select.rows == nil)
    let empty = try await read(head: "INSERT INTO t FORMAT CSV", [])
    #expect(empty.sql == "INSERT INTO t FORMAT CSV")
    #expect(empty.rows == [])
  }

  @Test func shortValuesAreTextAndLongOnesAreNot() async throws {
    let short = try await read([Array("INSERT INTO t VALUES (1)".utf8)])
    #expect(short.sql == "INSERT INTO t VALUES (1)")
    #expect(short.rows == nil)
    let value = Array(" (1),".utf8)
    let many = Array(
      repeating: Array([[UInt8]](repeating: value, count: 1000).joined()), count: 500)
    let long = try await read(head: "INSERT INTO t VALUES", many)
    #expect(long.sql == "INSERT INTO t VALUES")
    #expect(long.rows?.count == 1 + 500 * 1000 * 5)
  }

  @Test func longStatementsHaveALimit() async throws {
    let text = Array(("SELECT '" + String(repeating: "x", count: 1_000_000) + "'").utf8)
    let parts = stride(from: 0, to: text.count, by: 9_999).map {
      Array(text[$0..<min($0 + 9_999, text.count)])
    }
    #expect(try await read(parts).sql.utf8.count == text.count)
    #expect(try await read(parts, limit: text.count).sql.utf8.count == text.count)
    let thrown = await #expect(throws: RequestError.self) {
      try await read(parts, limit: text.count - 1)
    }
    #expect(thrown?.status == .payloadTooLarge)
  }

  @Test func textMustBeUTF8AndSomething() async {
    await #expect(throws: RequestError.self) { try await read([[0x53, 0xFF]]) }
    await #expect(throws: RequestError.self) { try await read([Array(" \n".utf8)]) }
    await #expect(throws: RequestError.self) { try await read([]) }
  }
}
