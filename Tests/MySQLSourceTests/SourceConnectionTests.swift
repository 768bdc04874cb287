import MySQLSource
import TestSupport
import Testing

@Suite(.enabled(if: MariaDBServer.isAvailable), .serialized, .timeLimit(.minutes(2)))
struct SourceConnectionTests {
  @Test func queryAndSession() async throws {
    let server = try await MariaDBServer.start()
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let rows = try await source.query("SELECT 1, NULL, '', 'ü', X'00FF' UNION SELECT 2, 3, 4, 5, 6")
    #expect(text(rows)[0][3] == "ü")
    #expect(rows[0] == [[0x31], nil, [], [0xC3, 0xBC], [0, 255]])
    let session = try await source.query("SELECT @@time_zone, @@sql_mode, @@character_set_results")
    #expect(text(session) == [["+00:00", "ALLOW_INVALID_DATES", "utf8mb4"]])
    #expect(await source.isMariaDB)
    #expect(await source.serverVersion.hasPrefix("10."))

    let wrong = await #expect(throws: SourceError.self) { try await source.query("SELEC 1") }
    #expect(wrong?.code == .sql)
    #expect(wrong?.number == 1064)
    // The connection survives a refused statement.
    #expect(text(try await source.query("SELECT 7")) == [["7"]])
    let write = await #expect(throws: SourceError.self) {
      try await source.execute("CREATE TABLE mysql.x (a INT)")
    }
    #expect(write?.number == 1792)
    await source.close()
    let closed = await #expect(throws: SourceError.self) { try await source.query("SELECT 1") }
    #expect(closed?.code == .closed)
    await server.stop()
  }

  @Test func connectErrors() async throws {
    let server = try await MariaDBServer.start()
    func failure(_ url: String) async -> SourceError? {
      await #expect(throws: SourceError.self) {
        try await SourceConnection.connect(to: try sourceURL(url))
      }
    }
    let password = await failure(server.url(password: "hunter2"))
    #expect(password?.code == .authentication)
    #expect(password?.number == 1045)
    #expect(password?.description.contains("hunter2") == false)
    #expect(await failure("mysql://nobody:x@127.0.0.1:\(server.port)/")?.code == .authentication)
    let host = await failure("mysql://root@no-such-host.invalid/")
    #expect(host?.code == .unreachable)
    let port = await failure("mysql://root@127.0.0.1:\(try freePort())/")
    #expect(port?.code == .unreachable)
    #expect(port?.number == 2002 || port?.number == 2003)
    let socket = await failure("mysql://root@/?socket=/no/such/socket")
    #expect(socket?.code == .unreachable)
    // This server has no TLS.
    let tls = await failure(server.url() + "?ssl-mode=required")
    // The server may hang up before the client has found out that there is no TLS.
    #expect([.unreachable, .lostConnection].contains(tls?.code))
    for error in [password, host, port, socket, tls] {
      #expect(error?.description.contains("\n") == false)
    }
    let local = try await SourceConnection.connect(
      to: try sourceURL("mysql://root@/?socket=\(server.socketPath)"))
    #expect(text(try await local.query("SELECT 1")) == [["1"]])
    await local.close()
    await server.stop()
  }

  @Test func lostAndClosedConnections() async throws {
    let server = try await MariaDBServer.start()
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let sleeping = Task { try await source.query("SELECT SLEEP(60)") }
    try await Task.sleep(for: .milliseconds(200))
    await source.close()
    let closed = await #expect(throws: SourceError.self) { try await sleeping.value }
    #expect(closed?.code == .closed)

    let other = try await SourceConnection.connect(to: try sourceURL(server.url()))
    await server.kill9()
    let lost = await #expect(throws: SourceError.self) { try await other.query("SELECT 1") }
    #expect(lost?.code == .lostConnection)
    try await server.restart()
    let again = try await SourceConnection.connect(to: try sourceURL(server.url()))
    #expect(text(try await again.query("SELECT 1")) == [["1"]])
    await again.close()
    await server.stop()
  }
}
