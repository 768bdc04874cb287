import Foundation
import HTTPServer
import MagicAPI
import MagicClient
import MagicCore
import Testing

@Suite struct HTTPServerTests {
  @Test func resultArrivesInTheWantedFormat() async throws {
    let chunks = [Array("1\ta\n".utf8), Array("2\tb\n".utf8)]
    let statements = FakeService(.chunks(chunks))
    try await withServer(statements) { client, _ in
      let bytes = try await collect(client, "SELECT 'ä', ';'", format: "CSVWithNames")
      #expect(bytes == chunks[0] + chunks[1])
      #expect(statements.received == ["SELECT 'ä', ';'"])
      #expect(statements.formats == ["CSVWithNames"])
    }
  }

  @Test func largeResultArrivesWhole() async throws {
    let chunks = (0..<64).map { index in
      (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) }
    }
    try await withServer(FakeService(.chunks(chunks))) { client, _ in
      let bytes = try await collect(client, "SELECT 1", format: "Arrow")
      #expect(bytes == chunks.flatMap { $0 })
    }
  }

  @Test func emptyResultIsEmpty() async throws {
    try await withServer(FakeService(.chunks([]))) { client, _ in
      let bytes = try await collect(client, "CREATE TABLE t", format: "TSV")
      #expect(bytes == [])
    }
  }

  @Test func errorBeforeTheFirstByteHasTheEnginesTextAndCode() async throws {
    let error = APIError(
      .notFound, "Code: 60. DB::Exception: Unknown table 't'.", engineCode: 60)
    try await withServer(FakeService(.failEarly(error))) { client, path in
      let thrown = await #expect(throws: EngineError.self) {
        try await client.run("SELECT * FROM t", format: "TSV")
      }
      #expect(thrown?.code == 60)
      #expect(thrown?.message == error.message)
      let answer = try await curl(["--unix-socket", path, "-i", "http://magic/?query=SELECT+1"])
      #expect(answer.output.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
      #expect(answer.output.contains("X-ClickHouse-Exception-Code: 60\r\n"))
      #expect(answer.output.hasSuffix("\r\n\r\n\(error.message)\n"))
    }
  }

  @Test func errorHalfWayCutsTheConnection() async throws {
    let error = EngineError(code: 241, message: "Code: 241. DB::Exception: Memory limit exceeded")
    let head = [UInt8](repeating: 7, count: 100_000)
    try await withServer(FakeService(.failAfter(head, error))) { client, path in
      let result = try await client.run("SELECT 1", format: "Arrow")
      var bytes: [UInt8] = []
      let thrown = await #expect(throws: EngineError.self) {
        while let chunk = try await result.next() { bytes += chunk }
      }
      #expect(thrown?.code == 241)
      #expect(thrown?.message == error.message)
      #expect(bytes == Array(head.prefix(bytes.count)))
      // 18 is curl's status for a transfer that ended too early.
      let cut = try await curl(["--unix-socket", path, "-o", "/dev/null", "http://m/?query=x"])
      #expect(cut.status == 18)
    }
  }

  @Test func statementComesFromURLAndBody() async throws {
    let statements = FakeService(.chunks([Array("1\n".utf8)]))
    try await withServer(statements) { _, path in
      let answer = try await curl([
        "--unix-socket", path, "-i", "--data-binary", "(1)",
        "http://m/?query=INSERT%20INTO+t%0AVALUES&default_format=JSONEachRow&query_id=q7",
      ])
      #expect(statements.received == ["INSERT INTO t\nVALUES\n(1)"])
      #expect(answer.output.contains("\r\nX-ClickHouse-Format: JSONEachRow\r\n"))
      #expect(answer.output.contains("\r\nX-ClickHouse-Query-Id: q7\r\n"))
      #expect(answer.output.contains("\r\nContent-Type: application/x-ndjson; charset=UTF-8\r\n"))
      #expect(answer.output.hasSuffix("\r\n\r\n1\n"))
    }
  }

  @Test(arguments: [
    ("?query=", "400", "No statement"),
    ("?query=%FF", "400", "not valid UTF-8"),
    ("?query=%+1", "400", "'%' without digits"),
    ("?query=a&query=b", "400", "given twice"),
    ("?query=a&query_id=%0D%0AX:1", "400", "beyond ASCII"),
    ("?query=a&wait_end_of_query=x", "400", "must be 0 or 1"),
    ("?query=a&session_id=s&session_timeout=never", "400", "number of seconds"),
    ("nowhere", "404", "There is no route"),
  ])
  func requestsThatCannotBeServed(path: String, status: String, text: String) async throws {
    let statements = FakeService(.chunks([]))
    try await withServer(statements) { _, socket in
      let answer = try await curl(["--unix-socket", socket, "-i", "http://m/\(path)"])
      #expect(answer.output.hasPrefix("HTTP/1.1 \(status) "))
      #expect(answer.output.contains(text))
      #expect(statements.received == [])
    }
  }

  @Test func bodyBeyondTheLimitIsRefused() async throws {
    var limits = HTTPServer.Limits()
    limits.requestByteCount = 1000
    let statements = FakeService(.chunks([]))
    try await withServer(statements, limits: limits) { client, _ in
      let thrown = await #expect(throws: EngineError.self) {
        try await client.run(String(repeating: "x", count: 1001), format: "TSV")
      }
      #expect(thrown?.message.contains("The statement is longer than 1000 bytes") == true)
      #expect(statements.received == [])
    }
  }

  @Test func pingStatusAndRoutes() async throws {
    let routes: [String: HTTPServer.Handler] = ["echo": { $0 + Array("!".utf8) }]
    try await withServer(FakeService(.chunks([])), routes: routes) { client, path in
      #expect(await client.isAnswering())
      let pong = try await curl(["--unix-socket", path, "http://m/"])
      #expect(pong.output == "Ok.\n")
      let status = try await client.get("/magic/v1/status")
      #expect(status == Array(#"{"state":"streaming"}"#.utf8))
      let echo = try await client.post("/magic/v1/echo", body: [1, 2])
      #expect(echo == [1, 2, 33])
      await #expect(throws: APIError.self) {
        try await client.post("/magic/v1/other", body: [])
      }
    }
  }
}
