import Foundation
import HTTPServer
import MagicAPI
import MagicClient
import NIOCore
import Testing

/// HTTP itself, as careless and hostile clients speak it.
@Suite struct ProtocolTests {
  @Test(arguments: [
    ("nonsense\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost m\r\n\r\n", "400"),
    ("GET / HTTP/9.9\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: m\r\nContent-Length: -1\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "400"),
    ("GET /?query=%ZZ HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n", "400"),
    ("PUT / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n", "405"),
    ("GET /play HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n", "404"),
    ("GET http://m/ping HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n", "200"),
    ("GET /replicas_status HTTP/1.0\r\n\r\n", "200"),
    ("HEAD /?query=SELECT+1 HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n", "405"),
  ])
  func answers(request: String, status: String) async throws {
    try await withServer(FakeService(.chunks([]))) { client, path in
      let answer = try await exchange(path, [Array(request.utf8)], quiet: .seconds(30))
      #expect(answer.hasPrefix("HTTP/1.") && answer.dropFirst(9).hasPrefix(status), "\(answer)")
      #expect(await client.isAnswering())
    }
  }

  @Test func headsThatAreTooLongAreRefused() async throws {
    var limits = HTTPServer.Limits()
    limits.headByteCount = 10_000
    try await withServer(FakeService(.chunks([])), limits: limits) { client, path in
      let filler = String(repeating: "x", count: 20_000)
      for head in ["GET /?query=\(filler) HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX: \(filler)\r\n"] {
        let answer = try await exchange(path, [Array((head + "\r\n").utf8)], quiet: .seconds(30))
        #expect(answer.hasPrefix("HTTP/1.1 431 "), "\(answer)")
      }
      #expect(await client.isAnswering())
    }
  }

  @Test func requestsFollowEachOtherOnOneConnection() async throws {
    let service = FakeService(.chunks([Array("x\n".utf8)]))
    try await withServer(service) { _, path in
      let requests =
        "POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 8\r\n\r\nSELECT 1"
        + "GET /?query=SELECT+2 HTTP/1.1\r\nHost: m\r\n\r\n"
        + "POST /nowhere HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\n\r\nabcde"
        + "GET /ping HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
      let answer = try await exchange(path, [Array(requests.utf8)], quiet: .seconds(30))
      let statuses = answer.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
      #expect(statuses == ["200", "200", "404", "200"])
      #expect(service.received == ["SELECT 1", "SELECT 2"])
    }
  }

  @Test func slowClientsAreCutOffAndSlowStatementsAreNot() async throws {
    var limits = HTTPServer.Limits()
    limits.idleTimeout = .milliseconds(300)
    let service = FakeService(.hang([1]))
    try await withServer(service, limits: limits) { client, path in
      let start = ContinuousClock.now
      // Nothing; a head that comes in drops; a body that stops.
      let head = Array("GET /ping HTTP/1.1\r\nX: y\r\n".utf8).map { [$0] }
      async let nothing = exchange(path, [], quiet: .seconds(30))
      async let drops = exchange(path, head, pause: .milliseconds(20), quiet: .seconds(30))
      async let body = exchange(
        path, [Array("POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 9\r\n\r\nSEL".utf8)],
        quiet: .seconds(30))
      _ = try await (nothing, drops, body)
      #expect(ContinuousClock.now - start < .seconds(4))
      let result = try await client.run("SELECT 1", format: "TSV")
      try await Task.sleep(for: .milliseconds(700))
      #expect(service.cancelled == 0)
      await result.cancel()
    }
  }

  @Test func optionsTellNothingUnlessAnOriginIsAllowed() async throws {
    for origin in [nil, "https://tool.example"] {
      let listener = try Listener(host: "127.0.0.1", port: 0)
      var contents = HTTPServer.Contents(
        services: FakeService(.chunks([])).service, authenticator: OpenDoor())
      contents.allowedOrigin = origin
      let server = HTTPServer(listeners: [listener], contents: contents, logger: silentLogger)
      let running = Task { try await server.run() }
      let url = "http://127.0.0.1:\(try #require(listener.port))/"
      let answer = try await curl(["-i", "-X", "OPTIONS", url])
      #expect(answer.output.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(
        answer.output.contains("Access-Control-Allow-Origin: https://tool") == (origin != nil))
      running.cancel()
      _ = await running.result
    }
  }
}

/// Who may come in over TCP.
@Suite struct AuthenticationTests {
  struct Door: Authenticator {
    var isOpen: Bool { false }

    func authenticate(
      user: String, password: String, interface: String, address: String
    ) async throws -> Caller {
      guard password == "secret", interface == "http", address == "127.0.0.1" else {
        throw APIError(.unauthenticated, "wrong user or password")
      }
      return Caller(user: user, role: .reader, interface: interface, address: address)
    }
  }

  private func withTCP(
    _ service: FakeService, _ body: (_ url: String) async throws -> Void
  ) async throws {
    let listener = try Listener(host: "127.0.0.1", port: 0)
    var contents = HTTPServer.Contents(services: service.service, authenticator: Door())
    contents.metrics = { "magic_up 1\n" }
    contents.whyNotReady = { "copying" }
    contents.routes = ["verify": { $0 }]
    let server = HTTPServer(listeners: [listener], contents: contents, logger: silentLogger)
    let running = Task { try await server.run() }
    defer { running.cancel() }
    try await body("http://127.0.0.1:\(try #require(listener.port))")
  }

  @Test(arguments: [
    ["-u", "ada:secret"], ["-H", "X-ClickHouse-User: ada", "-H", "X-ClickHouse-Key: secret"],
    ["-H", "Authorization: Bearer secret"],
  ])
  func knownUsersComeIn(arguments: [String]) async throws {
    let service = FakeService(.chunks([Array("1\n".utf8)]))
    try await withTCP(service) { url in
      let answer = try await curl(arguments + ["\(url)/?query=SELECT+1"])
      #expect(answer.output == "1\n")
      let user = arguments.last?.contains("Bearer") == true ? "" : "ada"
      #expect(service.seen.callers.map(\.user) == [user])
    }
  }

  @Test func credentialsInTheURL() async throws {
    let service = FakeService(.chunks([Array("1\n".utf8)]))
    try await withTCP(service) { url in
      let answer = try await curl(["\(url)/?query=SELECT+1&user=ada&password=secret"])
      #expect(answer.output == "1\n")
      #expect(service.seen.requests.first?.settings == [:])
    }
  }

  @Test(arguments: [
    [], ["-u", "ada:wrong"], ["-H", "Authorization: Digest x"],
    ["-H", "Authorization: Basic %%%"], ["-H", "Authorization: Basic"],
    ["-u", "ada:secret", "-H", "X-ClickHouse-User: eve", "-H", "X-ClickHouse-Key: secret"],
  ])
  func othersDoNot(arguments: [String]) async throws {
    let service = FakeService(.chunks([]))
    try await withTCP(service) { url in
      for path in ["/?query=SELECT+1", "/metrics", "/magic/v1/status"] {
        let answer = try await curl(["-i"] + arguments + [url + path])
        #expect(answer.output.hasPrefix("HTTP/1.1 401 "), "\(answer)")
        #expect(answer.output.contains("WWW-Authenticate: Basic realm=\"Magic\"\r\n"))
        #expect(!answer.output.contains("secret"))
      }
      #expect(service.received == [])
      #expect(service.seen.callers.isEmpty)
    }
  }

  @Test func healthNeedsNobodyAndMetricsNeedAReader() async throws {
    try await withTCP(FakeService(.chunks([]))) { url in
      #expect(try await curl(["\(url)/ping"]).output == "Ok.\n")
      #expect(try await curl(["\(url)/healthz"]).output == "Ok.\n")
      let ready = try await curl(["-i", "\(url)/readyz"])
      #expect(ready.output.hasPrefix("HTTP/1.1 503 "))
      #expect(ready.output.hasSuffix("\r\n\r\ncopying\n"))
      #expect(try await curl(["-u", "a:secret", "\(url)/metrics"]).output == "magic_up 1\n")
      let route = try await curl(["-i", "-u", "a:secret", "-d", "x", "\(url)/magic/v1/verify"])
      #expect(route.output.hasPrefix("HTTP/1.1 403 "))
    }
  }
}
