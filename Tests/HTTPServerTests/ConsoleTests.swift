import HTTPServer
import MagicAPI
import Testing

@Suite struct ConsoleTests {
  private struct Door: Authenticator {
    var isOpen: Bool { true }

    func authenticate(
      user: String, password: String, interface: String, address: String
    ) async throws -> Caller { Caller(user: user, role: .admin, interface: interface) }
  }

  /// Serves the console, and lets `body` send requests by curl.
  private func withConsole(
    allowedOrigin: String? = nil,
    _ body: (_ ask: (_ path: String, _ options: String...) async throws -> String) async throws ->
      Void
  ) async throws {
    let listener = try Listener(host: "127.0.0.1", port: 0)
    let service = FakeService(.chunks([Array("1\n".utf8)]))
    var contents = HTTPServer.Contents(services: service.service, authenticator: Door())
    contents.hasConsole = true
    contents.allowedOrigin = allowedOrigin
    contents.views["where"] = { caller, after in Array("\(caller.user) \(after ?? "-")".utf8) }
    let server = HTTPServer(listeners: [listener], contents: contents, logger: silentLogger)
    let running = Task { try await server.run() }
    defer { running.cancel() }
    let url = "http://127.0.0.1:\(try #require(listener.port))"
    try await body { path, options in try await curl(["-i"] + options + [url + path]).output }
  }

  private func status(_ answer: String) -> String { String(answer.prefix { $0 != "\r\n" }) }

  @Test func browsersGetThePageAndProgramsTheirWord() async throws {
    try await withConsole { ask in
      let page = try await ask("/", "-H", "Accept: text/html,application/xhtml+xml;q=0.9")
      #expect(status(page) == "HTTP/1.1 200 OK")
      #expect(page.contains("Content-Type: text/html"))
      #expect(page.contains("Content-Security-Policy: default-src 'none'"))
      #expect(page.contains("console/app.js"))
      let word = try await ask("/")
      #expect(word.hasSuffix("\r\n\r\nOk.\n"))
      // What has a statement is one, whoever asks.
      let result = try await ask("/?query=SELECT+1", "-H", "Accept: text/html")
      #expect(result.hasSuffix("1\n"))
    }
  }

  @Test func filesAreCompressedAndKeptByBrowsers() async throws {
    try await withConsole { ask in
      let plain = try await ask("/console/app.js")
      let packed = try await ask("/console/app.js", "--compressed")
      #expect(packed.contains("Content-Encoding: gzip"))
      #expect(plain.hasSuffix(packed.suffix(1000)))
      let tag = try #require(plain.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") })
        .dropFirst(6)
      for known in [String(tag), "W/\(tag)", "\"0\", \(tag)"] {
        let again = try await ask("/console/app.js", "-H", "If-None-Match: \(known)")
        #expect(status(again) == "HTTP/1.1 304 Not Modified")
        #expect(again.hasSuffix("\r\n\r\n"))
      }
      let head = try await ask("/console/app.js", "--head")
      #expect(head.contains("Content-Type: text/javascript"))
      for path in ["/console/", "/console/none", "/console/../app.js"] {
        let answer = try await ask(path, "--path-as-is")
        #expect(status(answer) == "HTTP/1.1 404 Not Found")
      }
    }
  }

  @Test(arguments: [
    ("Origin: http://evil.example", false), ("Origin: null", false),
    ("Origin: http://localhost", false), ("Origin: https://bi.example", true),
    ("X-Nothing: 1", true),
  ])
  func pagesOfOtherServersAreRefused(header: String, isServed: Bool) async throws {
    try await withConsole(allowedOrigin: "https://bi.example") { ask in
      let answer = try await ask("/", "-H", header, "-d", "SELECT 1")
      #expect(status(answer) == (isServed ? "HTTP/1.1 200 OK" : "HTTP/1.1 403 Forbidden"))
    }
  }

  @Test(arguments: [
    ("localhost:1", true), ("127.0.0.1", true), ("[::1]:8123", true), ("a.localhost", true),
    ("evil.example:8123", false), ("localhost.evil.example", false),
    ("127.0.0.1.evil.example", false),
  ])
  func anOpenServerIsReachedByItsOwnNamesOnly(host: String, isServed: Bool) async throws {
    try await withConsole(allowedOrigin: "https://bi.example") { ask in
      let answer = try await ask("/ping", "-H", "Host: \(host)")
      #expect(status(answer) == (isServed ? "HTTP/1.1 200 OK" : "HTTP/1.1 403 Forbidden"))
      // A page of this server itself.
      let own = try await ask("/ping", "-H", "Host: \(host)", "-H", "Origin: http://\(host)")
      #expect(status(own) == (isServed ? "HTTP/1.1 200 OK" : "HTTP/1.1 403 Forbidden"))
    }
  }

  @Test func whatOthersEmbedIsRefusedAndLinksAreNot() async throws {
    try await withConsole { ask in
      let cross = "Sec-Fetch-Site: cross-site"
      let script = try await ask("/?query=SELECT+1", "-H", cross, "-H", "Sec-Fetch-Mode: no-cors")
      #expect(status(script) == "HTTP/1.1 403 Forbidden")
      let link = ["-H", cross, "-H", "Sec-Fetch-Mode: navigate"]
      let page = try await ask("/", link[0], link[1], link[2], link[3], "-H", "Accept: text/html")
      #expect(status(page) == "HTTP/1.1 200 OK")
      let statement = try await ask("/?query=SELECT+1", link[0], link[1], link[2], link[3])
      #expect(status(statement) == "HTTP/1.1 403 Forbidden")
      for answer in [page, try await ask("/?query=SELECT+1"), try await ask("/ping")] {
        #expect(answer.contains("X-Content-Type-Options: nosniff\r\n"))
        #expect(answer.contains("Cross-Origin-Resource-Policy: same-origin\r\n"))
      }
    }
  }

  @Test func viewsAreOfTheCaller() async throws {
    try await withConsole { ask in
      let view = try await ask("/magic/v1/where?after=7&user=ana")
      #expect(view.hasSuffix("ana 7"))
      let list = try await ask("/magic/v1/statements/list", "-d", "{}")
      #expect(list.hasSuffix(#"{"statements":[]}"#))
    }
  }
}
