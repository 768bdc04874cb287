import GRPCCore
import NIOCore
import NIOPosix
import NIOHTTP2
import Testing

@testable import GatheringTransport

@Suite(.timeLimit(.minutes(1))) struct ShutdownTests {
  @Test func runningCallsFinishAndNewOnesAreRefused() async throws {
    try await withServer(["Echo": TestService.echo]) { port, server in
      let client = try await TestClient.connect(port: port)
      let idle = try await TestClient.connect(port: port)
      let call = try await client.call("Echo")
      try await call.send("before")
      #expect(try await call.nextText() == "before")

      server.beginGracefulShutdown()
      // An idle connection ends at once; the other one is told that it will.
      try await idle.channel.closeFuture.get()
      for await frame in client.connectionFrames {
        if case .goAway(_, let code, _) = frame.payload {
          #expect(code == .noError)
          break
        }
      }
      await #expect(throws: (any Error).self) { try await TestClient.connect(port: port) }

      try await call.send("after", isLast: true)
      #expect(try await call.nextText() == "after")
      #expect(try await call.status() == "0")
      try await client.channel.closeFuture.get()
    }
  }

  @Test func callsAreCancelledAfterTheGrace() async throws {
    let endless: TestHandler = { _, _, _ in
      try await Task.sleep(for: .seconds(50))
      return [:]
    }
    var limits = GatheringServerTransport.Limits()
    limits.shutdownGrace = .milliseconds(100)
    let started = ContinuousClock.now
    try await withServer(["Endless": endless], limits: limits) { port, server in
      let client = try await TestClient.connect(port: port)
      _ = try await client.call("Endless")
      try await Task.sleep(for: .milliseconds(100))
      server.beginGracefulShutdown()
      try await client.channel.closeFuture.get()
    }
    #expect(ContinuousClock.now - started < .seconds(10))
  }

  @Test func cancellingTheServerEndsEverything() async throws {
    let transport = GatheringServerTransport(port: 0, logger: .init(label: "test"))
    let endless: TestHandler = { _, _, _ in
      try await Task.sleep(for: .seconds(50))
      return [:]
    }
    let server = GRPCServer(
      transport: transport, services: [TestService(methods: ["Endless": endless])])
    let serving = Task { try await server.serve() }
    let client = try await TestClient.connect(
      port: try await transport.listeningAddress.port ?? 0)
    _ = try await client.call("Endless")
    serving.cancel()
    try await serving.value
    try await client.channel.closeFuture.get()
  }

  @Test func shutdownBeforeListeningEnds() async throws {
    let transport = GatheringServerTransport(port: 0, logger: .init(label: "test"))
    transport.beginGracefulShutdown()
    try await transport.listen { _, _ in }
  }

  @Test func aPortInUseIsAnError() async throws {
    try await withServer([:]) { port, _ in
      let transport = GatheringServerTransport(port: port, logger: .init(label: "test"))
      await #expect(throws: (any Error).self) { try await transport.listen { _, _ in } }
      await #expect(throws: (any Error).self) { try await transport.listeningAddress }
    }
  }

  @Test func connectionsAreLimited() async throws {
    var limits = GatheringServerTransport.Limits()
    limits.connectionCount = 2
    try await withServer(["Echo": TestService.echo], limits: limits) { port, _ in
      let first = try await TestClient.connect(port: port)
      let second = try await TestClient.connect(port: port)
      // Without handlers, which may be gone before they are asked for.
      let third = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connect(host: "127.0.0.1", port: port).get()
      try await third.closeFuture.get()
      await first.close()
      // There is room again once the server has noticed.
      try await Task.sleep(for: .seconds(1))
      let fourth = try await TestClient.connect(port: port)
      let call = try await fourth.call("Echo")
      try await call.sendEnd()
      #expect(try await call.status() == "0")
      await fourth.close()
      await second.close()
    }
  }

  @Test func idleAndSilentConnectionsEnd() async throws {
    var limits = GatheringServerTransport.Limits()
    limits.idleTimeout = .seconds(3)
    limits.openingTimeout = .seconds(3)
    try await withServer(["Echo": TestService.echo], limits: limits) { port, _ in
      let busy = try await TestClient.connect(port: port)
      let call = try await busy.call("Echo")
      let idle = try await TestClient.connect(port: port)
      try await idle.channel.closeFuture.get()
      // A connection with a call is not idle, however quiet it is.
      try await call.send("still", isLast: true)
      #expect(try await call.nextText() == "still")
      #expect(try await call.status() == "0")
      let silent = try await RawConnection.connect(port: port)
      #expect(try await silent.readToEnd() != nil)
      await busy.close()
    }
  }

  @Test func aClientThatDoesNotAnswerPingsIsLetGo() async throws {
    var limits = GatheringServerTransport.Limits()
    limits.keepaliveInterval = .milliseconds(500)
    limits.keepaliveTimeout = .seconds(5)
    try await withServer(["Echo": TestService.echo], limits: limits) { port, _ in
      // Answers by itself, so it stays.
      let alive = try await TestClient.connect(port: port)
      let call = try await alive.call("Echo")
      let dead = try await RawConnection.connect(port: port)
      try await dead.write(RawConnection.preface)
      let answer = try await dead.readToEnd()
      // A ping is among what the server sent before it gave up.
      #expect(answer.map { RawConnection.frameTypes(of: $0).contains(6) } == true)
      try await call.send("here", isLast: true)
      #expect(try await call.nextText() == "here")
      await alive.close()
    }
  }
}
