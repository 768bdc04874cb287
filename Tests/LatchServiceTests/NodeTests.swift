import Foundation
import Latches
import Logging
import Synchronization
import Testing

@testable import LatchService

/// Keeps nothing, and fails when it is told to.
final class ScriptedStore: LatchStore {
  private let state = Mutex((fails: false, leads: true, stored: LatchSnapshot(), writes: 0))

  var fails: Bool {
    get { state.withLock { $0.fails } }
    set { state.withLock { $0.fails = newValue } }
  }
  var stored: LatchSnapshot { state.withLock { $0.stored } }
  var isLeading: Bool { state.withLock { $0.leads } }
  let entryLimit: Duration? = nil

  func depose() { state.withLock { $0.leads = false } }

  func begin(_ onFollowing: @Sendable (Leader?) async -> Void) async throws -> Beginning {
    while !isLeading { try await Task.sleep(for: .milliseconds(5)) }
    return Beginning(snapshot: stored, isSameClock: true)
  }

  nonisolated(nonsending) func write(_ changes: LatchChanges, at time: Duration) async throws {
    // Others come in meanwhile.
    await Task.yield()
    try state.withLock { state in
      if !state.leads { throw DeposedError() }
      if state.fails { throw LatchStoreError("as told") }
      state.stored.apply(changes)
      state.writes += 1
    }
  }

  nonisolated(nonsending) func sync() async throws {}

  func waitUntilDeposed() async throws {
    while isLeading { try await Task.sleep(for: .milliseconds(5)) }
  }

  func end() async {}
}

@Suite struct NodeTests {
  private let ana = Principal(user: "ana", isAdmin: false)
  private let admin = Principal(user: "root", isAdmin: true)

  /// A node that runs while the body does.
  private func withNode(
    _ store: ScriptedStore = ScriptedStore(),
    _ body: @escaping @Sendable (LatchNode, ScriptedStore) async throws -> Void
  ) async throws {
    let node = LatchNode(
      name: "test", store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let running = Task { try await node.run() }
    while await !node.isServing { try await Task.sleep(for: .milliseconds(1)) }
    do {
      try await body(node, store)
    } catch {
      running.cancel()
      throw error
    }
    running.cancel()
    try await running.value
  }

  private func request(
    _ session: String, _ mode: Mode = .exclusive, id: String = "r", wait: Duration = .seconds(20)
  ) -> Request {
    Request(
      session: session, id: id, wishes: [Wish(Resource(["d", "t"]), mode)], waitLimit: wait)
  }

  private func open(
    _ node: LatchNode, _ names: String..., timeToLive: Duration = .seconds(60)
  ) async throws {
    for name in names {
      try await node.open(
        name, timeToLive: timeToLive, lockDelay: .zero, resume: false, by: ana)
    }
  }

  @Test func whoWaitsIsGrantedWhenTheHolderReleases() async throws {
    try await withNode { node, store in
      try await open(node, "a", "b")
      let first = try await node.acquire(request("a"), by: ana)
      async let second = node.acquire(request("b"), by: ana)
      while try await node.inspect().queue.isEmpty { await Task.yield() }
      try await node.release(first.token, of: "a", by: ana)
      let token = try await second.token
      #expect(token > first.token && store.stored.held.keys.sorted() == [token])
      await #expect(throws: LatchError.timedOut) {
        try await node.acquire(request("a", id: "q", wait: .milliseconds(30)), by: ana)
      }
    }
  }

  @Test func aHolderThatIsLostMakesRoomAndIsTold() async throws {
    try await withNode { node, _ in
      try await open(node, "a", timeToLive: .milliseconds(200))
      try await open(node, "b")
      let (news, continuation) = AsyncStream.makeStream(of: LatchNode.KeeperNews.self)
      await node.addKeeper(1, of: "a", continuation)
      _ = try await node.acquire(request("a"), by: ana)
      let start = ContinuousClock.now
      _ = try await node.acquire(request("b"), by: ana)
      #expect(ContinuousClock.now - start < .seconds(5))
      for await one in news {
        #expect(one == .lost(session: "a", .expired))
        break
      }
    }
  }

  @Test func whatCannotBeStoredIsNotTold() async throws {
    try await withNode { node, store in
      try await open(node, "a")
      store.fails = true
      await #expect(throws: NodeError.self) { try await node.acquire(request("a"), by: ana) }
      await #expect(throws: NodeError.self) { try await node.inspect() }
      #expect(store.stored.held.isEmpty)
      store.fails = false
      // The same request, sent again.
      let grant = try await node.acquire(request("a"), by: ana)
      #expect(grant.token == 1 && store.stored.held.count == 1)
    }
  }

  @Test func whoGoesAwayLeavesTheQueueAndMayComeBack() async throws {
    try await withNode { node, _ in
      try await open(node, "a", "b", "c")
      let first = try await node.acquire(request("a"), by: ana)
      let waiting = Task { try await node.acquire(request("b"), by: ana) }
      while try await node.inspect().queue.isEmpty { await Task.yield() }
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.value }
      while try await !node.inspect().queue.isEmpty { await Task.yield() }
      async let again = node.acquire(request("b"), by: ana)
      // Sent twice at a time, it is one request.
      async let twice = node.acquire(request("b"), by: ana)
      while try await node.inspect().queue.isEmpty { await Task.yield() }
      try await node.release(first.token, of: "a", by: ana)
      let (one, other) = try await (again, twice)
      #expect(one == other)
    }
  }

  @Test func aSessionIsItsOwners() async throws {
    try await withNode { node, _ in
      try await open(node, "a", "b")
      let bob = Principal(user: "bob", isAdmin: false)
      let grant = try await node.acquire(request("a"), by: ana)
      await #expect(throws: NodeError.self) { try await node.keepAlive("a", by: bob) }
      await #expect(throws: NodeError.self) { try await node.close("a", by: bob) }
      await #expect(throws: NodeError.self) { try await node.acquire(request("a"), by: bob) }
      await #expect(throws: NodeError.self) {
        try await node.release(grant.token, of: "a", by: bob)
      }
      await #expect(throws: NodeError.self) { try await node.revoke("a", by: ana) }
      await #expect(throws: NodeError.self) {
        try await node.enter(grant.token, changing: [["d"]], limit: .seconds(1), by: bob)
      }
      await #expect(throws: LatchError.sessionExists("a")) {
        try await node.open(
          "a", timeToLive: .seconds(1), lockDelay: .zero, resume: true, by: bob)
      }
      async let waiting = node.acquire(request("b"), by: ana)
      while try await node.inspect().queue.isEmpty { await Task.yield() }
      try await node.revoke("a", by: admin)
      #expect(try await waiting.session == "b")
    }
  }

  @Test func closingASessionEndsWhatItWaitsFor() async throws {
    try await withNode { node, _ in
      try await open(node, "a", "b")
      _ = try await node.acquire(request("a"), by: ana)
      let waiting = Task { try await node.acquire(request("b"), by: ana) }
      while try await node.inspect().queue.isEmpty { await Task.yield() }
      try await node.close("b", by: ana)
      await #expect(throws: LatchError.noSession("b")) { try await waiting.value }
    }
  }

  @Test func anEntryHoldsOffTheNext() async throws {
    try await withNode { node, _ in
      try await open(node, "a", "b")
      let grant = try await node.acquire(request("a"), by: ana)
      let entry = try await node.enter(grant.token, changing: [["d", "t"]], for: ana)
      try await node.close("a", by: ana)
      await #expect(throws: LatchError.notHeld(grant.token)) {
        try await node.enter(grant.token, changing: [["d", "t"]], for: ana)
      }
      await #expect(throws: LatchError.timedOut) {
        try await node.acquire(request("b", id: "q", wait: .milliseconds(20)), by: ana)
      }
      await node.leave(entry)
      _ = try await node.acquire(request("b"), by: ana)
    }
  }

  @Test func anEntryThatCannotBeStoredHoldsNothing() async throws {
    try await withNode { node, store in
      try await open(node, "a", "b")
      let grant = try await node.acquire(request("a"), by: ana)
      store.fails = true
      await #expect(throws: NodeError.self) {
        try await node.enter(grant.token, changing: [["d", "t"]], limit: .seconds(60), by: ana)
      }
      store.fails = false
      try await node.close("a", by: ana)
      _ = try await node.acquire(request("b", wait: .zero), by: ana)
    }
  }

  @Test func aRequestThatCannotBeStoredIsNotInTheQueue() async throws {
    try await withNode { node, store in
      try await open(node, "a", "b", "c")
      let grant = try await node.acquire(request("a", .shared), by: ana)
      store.fails = true
      await #expect(throws: NodeError.self) { try await node.keepAlive("a", by: ana) }
      await #expect(throws: NodeError.self) { try await node.acquire(request("b"), by: ana) }
      store.fails = false
      #expect(try await node.inspect().queue.isEmpty)
      _ = try await node.acquire(request("c", .shared, wait: .zero), by: ana)
      try await node.release(grant.token, of: "a", by: ana)
    }
  }

  @Test func usersHoldWhatTheyMayReadOrChange() async throws {
    try await withNode { node, _ in
      let reader = Principal(
        user: "rita", isAdmin: false, mayChange: false, sees: { $0 != "secret" })
      try await node.open(
        "r", timeToLive: .seconds(60), lockDelay: .zero, resume: false, by: reader)
      for mode in [Mode.exclusive, .intentionExclusive, .sharedIntentionExclusive] {
        await #expect(throws: NodeError.self) {
          try await node.acquire(request("r", mode), by: reader)
        }
      }
      await #expect(throws: NodeError.self) {
        try await node.acquire(
          Request(
            session: "r", id: "s", wishes: [Wish(Resource(["secret"]), .shared)], waitLimit: .zero),
          by: reader)
      }
      _ = try await node.acquire(request("r", .shared), by: reader)
      // What was allowed before may not be now.
      let blind = Principal(user: "rita", isAdmin: false, mayChange: false, sees: { _ in false })
      _ = try await node.keepAlive("r", checksGrants: true, by: reader)
      await #expect(throws: NodeError.self) {
        try await node.keepAlive("r", checksGrants: true, by: blind)
      }
    }
  }

  @Test func aSessionThatIsOpenedAgainKeepsItsTimes() async throws {
    try await withNode { node, _ in
      try await node.open(
        "a", timeToLive: .seconds(3), lockDelay: .seconds(2), resume: false, by: ana)
      for delay in [Duration.zero, .seconds(2)] {
        let session = try await node.open(
          "a", timeToLive: .seconds(60), lockDelay: delay, resume: true, by: ana)
        #expect(session.timeToLive == .seconds(3) && session.lockDelay == .seconds(2))
      }
      await #expect(throws: LatchError.self) {
        try await node.open(
          "a", timeToLive: .seconds(3), lockDelay: .seconds(9), resume: true, by: ana)
      }
    }
  }

  @Test func watchingMissesNothing() async throws {
    try await withNode { node, _ in
      let start = try await node.changes(after: nil).revision
      try await open(node, "a")
      let grant = try await node.acquire(request("a"), by: ana)
      try await node.close("a", by: ana)
      var seen: [Event.Change] = []
      var revision = start
      while seen.count < 4 {
        let (events, next) = try await node.changes(after: revision)
        #expect(events.map(\.revision) == Array((revision + 1)...next))
        seen += events.map(\.change)
        revision = next
      }
      #expect(
        seen == [
          .opened(session: "a", owner: "ana"), .granted(grant), .released(grant),
          .ended(session: "a", nil),
        ])
      await #expect(throws: NodeError.self) { try await node.changes(after: revision + 1000) }
      let waiting = Task { try await node.changes(after: revision) }
      try await Task.sleep(for: .milliseconds(20))
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.value }
    }
  }

  @Test func whoIsDeposedAnswersNothing() async throws {
    try await withNode { node, store in
      try await open(node, "a", "b")
      _ = try await node.acquire(request("a"), by: ana)
      let waiting = Task { try await node.acquire(request("b"), by: ana) }
      while try await node.inspect().queue.isEmpty { await Task.yield() }
      store.depose()
      await #expect(throws: NodeError.self) { try await node.inspect() }
      await #expect(throws: NodeError.self) {
        try await node.enter(1, changing: [["d", "t"]], for: ana)
      }
      await #expect(throws: NodeError.self) { try await waiting.value }
    }
  }

  @Test func manyAtATime() async throws {
    try await withNode { node, store in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for client in 0..<8 {
          group.addTask {
            try await open(node, "s\(client)")
            for index in 0..<200 {
              let grant = try await node.acquire(request("s\(client)", id: "r\(index)"), by: ana)
              try await node.release(grant.token, of: "s\(client)", by: ana)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await node.inspect().lastToken == 1600)
      #expect(store.stored.held.isEmpty && store.stored.lastToken == 1600)
    }
  }
}
