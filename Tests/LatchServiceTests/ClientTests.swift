import Foundation
import GRPCCore
import GatheringTransport
import LatchClient
import Latches
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import LatchService

/// The client library against a server on a port of its own.
@Suite(.serialized) struct ClientTests {
  private let table = [Wish(Resource(["shop", "orders"]), .exclusive)]

  private func withServer(
    isKnown: @escaping @Sendable () -> Bool = { true },
    _ body: @escaping @Sendable (LatchNode, LatchClient) async throws -> Void
  ) async throws {
    let folder = TemporaryFolder()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let node = LatchNode(
      name: "test", store: try FileStore(folder: folder.path), logger: logger)
    let transport = GatheringServerTransport(port: 0, logger: logger)
    let server = LatchServer(node: node, transport: transport, logger: logger) { metadata, _ in
      guard isKnown() else { throw RPCError(code: .unauthenticated, message: "unknown") }
      let isAdmin = metadata[stringValues: "authorization"].contains { _ in true }
      return Principal(user: isAdmin ? "admin" : "ana", isAdmin: isAdmin)
    }
    let running = Task { try await server.run() }
    let port = try await transport.listeningAddress.port ?? 0
    let client = LatchClient(LatchClientConfiguration(endpoints: ["127.0.0.1:\(port)"]))
    defer { client.close() }
    let result = await Task { try await body(node, client) }.result
    running.cancel()
    _ = await running.result
    withExtendedLifetime(folder) {}
    try result.get()
  }

  @Test func aLatchIsHeldWhileTheBodyRuns() async throws {
    try await withServer { node, client in
      let token = try await client.withLatch(table) { grant in
        let overview = try await client.inspect()
        #expect(overview.grants == [grant] && overview.sessions.map(\.user) == ["ana"])
        await #expect { try await client.withLatch(table) { _ in } } throws: {
          ($0 as? LatchCallError)?.kind == .timedOut
        }
        return grant.token
      }
      #expect(token == 1)
      let overview = try await client.inspect()
      #expect(overview.grants.isEmpty && overview.sessions.isEmpty)
      struct Broken: Error {}
      await #expect(throws: Broken.self) {
        try await client.withLatch(table) { _ in throw Broken() }
      }
      #expect(try await client.inspect().sessions.isEmpty)
    }
  }

  @Test func theBodyIsCancelledWhenTheSessionIsLost() async throws {
    try await withServer { node, client in
      let start = ContinuousClock.now
      await #expect(throws: SessionLoss.revoked) {
        try await client.withLatch(table) { grant in
          // Until it is kept alive by a stream.
          try await Task.sleep(for: .milliseconds(500))
          try await node.revoke(grant.session, by: Principal(user: "root", isAdmin: true))
          try await Task.sleep(for: .seconds(60))
        }
      }
      #expect(ContinuousClock.now - start < .seconds(10))
    }
  }

  @Test func aSessionIsKeptAliveBeyondItsTime() async throws {
    try await withServer { _, client in
      try await client.withLatch(table, timeToLive: .milliseconds(400)) { _ in
        try await Task.sleep(for: .seconds(1.5))
      }
    }
  }

  @Test func aSessionThatIsOpenedAgainIsKeptAliveInItsOwnTime() async throws {
    try await withServer { _, client in
      let first = try await client.openSession("mine", timeToLive: .milliseconds(900))
      let again = try await client.openSession("mine", timeToLive: .seconds(60), resume: true)
      #expect(again.timeToLive == first.timeToLive)
      // By somebody who does not know it.
      let other = client.session(named: "mine", timeToLive: .seconds(60))
      let keeping = Task { await other.keepAlive() }
      try await Task.sleep(for: .seconds(2.5))
      #expect(other.timeToLive == .milliseconds(900) && other.loss == nil)
      #expect(try await client.inspect().sessions.map(\.name) == ["mine"])
      keeping.cancel()
    }
  }

  @Test func whoIsNotLetInAnyMoreLosesTheSession() async throws {
    let isKnown = Mutex(true)
    let known: @Sendable () -> Bool = { isKnown.withLock { $0 } }
    try await withServer(isKnown: known) { _, client in
      let session = try await client.openSession(timeToLive: .seconds(6))
      let keeping = Task { await session.keepAlive() }
      try await Task.sleep(for: .milliseconds(100))
      isKnown.withLock { $0 = false }
      guard case .refused? = await session.waitForLoss() else {
        Issue.record("\(String(describing: session.loss))")
        return
      }
      await keeping.value
    }
  }

  @Test func whoeverCancelsGivesUp() async throws {
    try await withServer { _, client in
      let holder = try await client.openSession()
      let grant = try await holder.acquire(table)
      let waiting = Task { try await client.withLatch(table, wait: .seconds(30)) { _ in } }
      while try await client.inspect().queue.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
      waiting.cancel()
      _ = await waiting.result
      let overview = try await client.inspect()
      #expect(overview.queue.isEmpty && overview.sessions.count == 1)
      try await holder.release(grant.token)
      // Sent again, it does no harm.
      try await holder.release(grant.token)
      try await holder.close()
      try await holder.close()
      await #expect { try await holder.acquire(table) } throws: {
        ($0 as? LatchCallError)?.kind == .noSession
      }
    }
  }

  @Test func errorsSayWhatTheyAre() async throws {
    try await withServer { _, client in
      let session = try await client.openSession("mine")
      await #expect { try await client.openSession("mine") } throws: {
        ($0 as? LatchCallError)?.kind == .sessionExists
      }
      await #expect { try await client.openSession(timeToLive: .zero) } throws: {
        ($0 as? LatchCallError)?.kind == .invalid
      }
      await #expect { try await client.revoke(session: "mine") } throws: {
        ($0 as? LatchCallError)?.kind == .notAllowed
      }
      let grant = try await session.acquire(table, request: "r")
      #expect(try await session.acquire(table, request: "r") == grant)
      await #expect {
        try await client.enter(grant.token, changing: [["other"]], limit: .seconds(1))
      } throws: { ($0 as? LatchCallError)?.kind == .notCovered }
      let entry = try await client.enter(
        grant.token, changing: [["shop", "orders"]], limit: .seconds(60))
      try await session.release(grant.token)
      await #expect {
        try await client.enter(grant.token, changing: [["shop"]], limit: .seconds(1))
      } throws: { ($0 as? LatchCallError)?.kind == .notHeld }
      let other = try await client.openSession()
      await #expect { try await other.acquire(table) } throws: {
        ($0 as? LatchCallError)?.kind == .timedOut
      }
      try await client.leave(entry)
      _ = try await other.acquire(table)
      await #expect { try await session.acquire(table, request: "r") } throws: {
        ($0 as? LatchCallError)?.kind == .finished
      }
      var configuration = client.configuration
      configuration.credentials = .node(secret: "guess")
      let stranger = LatchClient(configuration)
      defer { stranger.close() }
      await #expect { try await stranger.inspect() } throws: {
        ($0 as? LatchCallError)?.kind == .unauthenticated
      }
    }
  }

  @Test func watchersAreToldInOrder() async throws {
    try await withServer { _, client in
      let seen = Mutex<[LatchEvent]>([])
      let start = try await client.inspect().revision
      let watching = Task {
        try await client.watch(after: start) { event, _ in
          if let event { seen.withLock { $0.append(event) } }
        }
      }
      try await client.withLatch(table) { _ in }
      while seen.withLock({ $0.count }) < 4 { try await Task.sleep(for: .milliseconds(5)) }
      watching.cancel()
      await #expect(throws: (any Error).self) { try await watching.value }
      seen.withLock { events in
        guard case .opened = events[0], case .granted(let grant) = events[1],
          case .released(grant) = events[2], case .ended(grant.session, nil) = events[3]
        else {
          Issue.record("\(events)")
          return
        }
      }
      await #expect { try await client.watch(after: start + 1_000_000) { _, _ in } } throws: {
        ($0 as? LatchCallError)?.kind == .tooOld
      }
    }
  }

  @Test func aServiceThatIsNotThereIsToldInTime() async throws {
    var configuration = LatchClientConfiguration(endpoints: ["127.0.0.1:1"])
    configuration.patience = .milliseconds(300)
    let client = LatchClient(configuration)
    defer { client.close() }
    await #expect { try await client.inspect() } throws: {
      ($0 as? LatchCallError)?.kind == .unavailable
    }
  }
}
