import Foundation
import HTTPServer
import MagicAPI
import MagicClient
import MagicCore
import Testing

/// Statements in ClickHouse's form.
@Suite struct StatementTests {
  @Test func parametersSayHowAStatementRuns() async throws {
    let service = FakeService(.chunks([Array("1\n".utf8)]))
    try await withServer(service) { _, path in
      _ = try await curl([
        "--unix-socket", path, "-d", "SELECT {a:String}", "-H", "X-ClickHouse-Database: shop",
        "http://m/?param_a=x%20y&max_threads=3&session_id=s&session_timeout=5&session_check=1"
          + "&magic_transaction=t1&magic_snapshot=s1&insert_deduplication_token=w&query_id=q"
          + "&magic_timeout=1.5&user=u&password=p&quota_key=k&buffer_size=1",
      ])
      let request = try #require(service.seen.requests.first)
      #expect(request.sql == "SELECT {a:String}")
      #expect(request.database == "shop")
      #expect(request.parameters == ["a": "x y"])
      #expect(request.settings == ["max_threads": "3"])
      #expect(
        request.session == SessionRequest(name: "s", timeout: .seconds(5), mustExist: true))
      #expect(request.transaction == "t1")
      #expect(request.snapshot == "s1")
      #expect(request.writeToken == "w")
      #expect(request.id == "q")
      #expect(request.timeout == .seconds(1.5))
      #expect(service.seen.callers.map(\.role) == [.admin])
    }
  }

  @Test func whatGETAsksForOnlyReads() async throws {
    let service = FakeService(.chunks([]))
    try await withServer(service) { _, path in
      _ = try await curl(["--unix-socket", path, "http://m/?query=SELECT+1"])
      _ = try await curl(["--unix-socket", path, "-d", "", "http://m/?query=SELECT+1"])
      #expect(service.seen.requests.map(\.isReadOnly) == [true, false])
    }
  }

  @Test func rowsOfAnInsertStream() async throws {
    let service = FakeService(.chunks([]))
    let folder = FileManager.default.temporaryDirectory.appending(path: "rows-\(UUID())")
    let rows = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try rows.write(to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await withServer(service) { _, path in
      // With a length, for which curl waits to be asked, and in chunks.
      for header in ["Expect: 100-continue", "Transfer-Encoding: chunked"] {
        let answer = try await curl([
          "--unix-socket", path, "-i", "-X", "POST", "-H", header, "--data-binary",
          "@\(folder.path())", "http://m/?query=INSERT+INTO+t+FORMAT+Native",
        ])
        #expect(answer.output.contains("HTTP/1.1 200 OK"))
        #expect(answer.output.contains("X-ClickHouse-Summary: {\"written_rows\":\"3\","))
      }
      #expect(service.received == Array(repeating: "INSERT INTO t FORMAT Native\n", count: 2))
      #expect(service.seen.inputs == [Array(rows), Array(rows)])
    }
  }

  @Test(arguments: [
    "Content-Length: 1000\r\n\r\nINSERT INTO t FORMAT CSV\n1,2\n",
    "Transfer-Encoding: chunked\r\n\r\n1d\r\nINSERT INTO t FORMAT CSV\n1,2\n\r\n",
  ])
  func insertThatBreaksOffFails(rest: String) async throws {
    let service = FakeService(.chunks([]))
    try await withServer(service) { _, path in
      _ = try await exchange(
        path, [Array("POST / HTTP/1.1\r\nHost: m\r\n\(rest)".utf8)], pause: .milliseconds(50),
        quiet: .milliseconds(50))
      // Less than a first look at the body came, so the statement was not even begun.
      try await Task.sleep(for: .milliseconds(200))
      #expect(service.seen.inputs.isEmpty)
    }
  }

  @Test func longInsertThatBreaksOffFails() async throws {
    let service = FakeService(.chunks([]))
    try await withServer(service) { _, path in
      let head = "POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000\r\n\r\n"
      let rows = String(repeating: "1,2\n", count: 50_000)
      _ = try await exchange(
        path, [Array((head + "INSERT INTO t FORMAT CSV\n" + rows).utf8)],
        pause: .milliseconds(50), quiet: .milliseconds(50))
      #expect(await eventually { service.seen.inputErrors.count == 1 })
      #expect(service.seen.inputs.isEmpty)
    }
  }

  @Test(arguments: ["gzip", "deflate", "zstd", "lz4"])
  func resultsAndBodiesAreCompressed(encoding: String) async throws {
    let rows = Array(String(repeating: "compressible ", count: 50_000).utf8)
    let service = FakeService(.chunks([Array(rows[..<100_000]), Array(rows[100_000...])]))
    try await withServer(service) { _, path in
      let file = FileManager.default.temporaryDirectory.appending(path: "body-\(UUID())").path()
      defer { try? FileManager.default.removeItem(atPath: file) }
      let answer = try await curl([
        "--unix-socket", path, "-D", "-", "-o", file, "-H", "Accept-Encoding: br, \(encoding)",
        "http://m/?query=SELECT+1",
      ])
      #expect(answer.output.contains("Content-Encoding: \(encoding)\r\n"))
      let compressed = try Data(contentsOf: URL(filePath: file))
      #expect(compressed.count < rows.count / 2)
      // The same bytes as rows of an INSERT.
      _ = try await curl([
        "--unix-socket", path, "-o", "/dev/null", "-H", "Content-Encoding: \(encoding)",
        "--data-binary", "@\(file)", "http://m/?query=INSERT+INTO+t+FORMAT+CSV",
      ])
      #expect(service.seen.inputs.last == rows)
      // And cut.
      try compressed.dropLast(5).write(to: URL(filePath: file))
      let cut = try await curl([
        "--unix-socket", path, "-i", "-H", "Content-Encoding: \(encoding)", "--data-binary",
        "@\(file)", "http://m/?query=INSERT+INTO+t+FORMAT+CSV",
      ])
      #expect(cut.output.hasPrefix("HTTP/1.1 400 "))
      #expect(cut.output.contains("ends too early"))
    }
  }

  @Test func blocksOfClickHouseGoBothWays() async throws {
    let rows = Array(String(repeating: "compressible ", count: 200_000).utf8)
    let service = FakeService(.chunks([rows]))
    try await withServer(service) { _, path in
      let file = FileManager.default.temporaryDirectory.appending(path: "body-\(UUID())").path()
      defer { try? FileManager.default.removeItem(atPath: file) }
      _ = try await curl([
        "--unix-socket", path, "-o", file, "http://m/?query=SELECT+1&compress=1",
      ])
      let blocks = try Data(contentsOf: URL(filePath: file))
      #expect(blocks[16] == 0x82)
      #expect(blocks.count < rows.count / 10)
      _ = try await curl([
        "--unix-socket", path, "-o", "/dev/null", "--data-binary", "@\(file)",
        "http://m/?query=INSERT+INTO+t+FORMAT+CSV&decompress=1",
      ])
      #expect(service.seen.inputs.last == rows)
      let wrong = try await curl([
        "--unix-socket", path, "-i", "-d", String(repeating: "SELECT 1", count: 10),
        "http://m/?decompress=1",
      ])
      #expect(wrong.output.hasPrefix("HTTP/1.1 400 "))
    }
  }

  @Test func unknownEncodingIsRefused() async throws {
    try await withServer(FakeService(.chunks([]))) { _, path in
      let answer = try await curl([
        "--unix-socket", path, "-i", "-H", "Content-Encoding: br", "-d", "x", "http://m/",
      ])
      #expect(answer.output.hasPrefix("HTTP/1.1 415 "))
      #expect(answer.output.contains("'br' is not supported; use gzip, deflate, zstd, lz4"))
    }
  }

  @Test func errorBeforeTheEndHasAStatusWhenTheClientWaits() async throws {
    let error = EngineError(code: 241, message: "Code: 241. DB::Exception: Memory limit exceeded")
    try await withServer(FakeService(.failAfter([1, 2, 3], error))) { _, path in
      let answer = try await curl([
        "--unix-socket", path, "-i", "http://m/?query=SELECT+1&wait_end_of_query=1",
      ])
      #expect(answer.output.hasPrefix("HTTP/1.1 500 "))
      #expect(answer.output.contains("X-ClickHouse-Exception-Code: 241\r\n"))
    }
  }

  @Test func errorWithinACompressedResultIsReadable() async throws {
    let error = EngineError(code: 241, message: "Code: 241. DB::Exception: Memory limit exceeded")
    try await withServer(FakeService(.failAfter([49, 10], error))) { _, path in
      let cut = try await curl([
        "--unix-socket", path, "--compressed", "-H", "Accept-Encoding: gzip",
        "http://m/?query=SELECT+1",
      ])
      #expect(cut.status == 18)
      #expect(cut.output.contains("__exception__"))
      #expect(cut.output.contains(error.message))
    }
  }
}
