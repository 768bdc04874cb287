import Testing

@testable import Latches

@Suite struct ModeTests {
  @Test func whichModesGoTogether() {
    let rows: [(Mode, [Mode])] = [
      (
        .intentionShared,
        [.intentionShared, .intentionExclusive, .shared, .sharedIntentionExclusive]
      ),
      (.intentionExclusive, [.intentionShared, .intentionExclusive]),
      (.shared, [.intentionShared, .shared]), (.sharedIntentionExclusive, [.intentionShared]),
      (.exclusive, []),
    ]
    for (mode, others) in rows {
      for other in Mode.allCases {
        #expect(mode.isCompatible(with: other) == others.contains(other), "\(mode) \(other)")
        #expect(mode.isCompatible(with: other) == other.isCompatible(with: mode))
        // What two modes allow needs what is at least as strong as each of them.
        let joined = mode.joined(with: other)
        #expect(joined == other.joined(with: mode))
        for third in Mode.allCases where joined.isCompatible(with: third) {
          #expect(mode.isCompatible(with: third) && other.isCompatible(with: third))
        }
      }
    }
    #expect(Mode.intentionExclusive.joined(with: .shared) == .sharedIntentionExclusive)
  }

  @Test func rangesOverlapWhereTheyShareAKey() {
    let cases: [(KeyRange, KeyRange, Bool)] = [
      (KeyRange(from: [1], to: [2]), KeyRange(from: [2], to: [3]), false),
      (KeyRange(from: [1], to: [2, 0]), KeyRange(from: [2], to: [3]), true),
      (KeyRange(), KeyRange(from: [9]), true), (KeyRange(to: [5]), KeyRange(from: [5]), false),
      (KeyRange(from: [1], to: [9]), KeyRange(from: [3], to: [4]), true),
    ]
    for (one, other, overlap) in cases {
      #expect(one.overlaps(other) == overlap && other.overlaps(one) == overlap)
    }
  }
}

@Suite struct LatchTableTests {
  private let database = Resource(["d"])
  private let table = Resource(["d", "t"])
  private let other = Resource(["d", "u"])

  private func table(_ sessions: String...) throws -> LatchTable {
    var table = LatchTable()
    for name in sessions {
      _ = try table.open(name, owner: "test", timeToLive: .seconds(10), at: .zero)
    }
    return table
  }

  private func request(
    _ session: String, _ wishes: (Resource, Mode)..., id: String = "r",
    wait: Duration = .seconds(100)
  ) -> Request {
    Request(
      session: session, id: id, wishes: wishes.map { Wish($0.0, $0.1) }, waitLimit: wait)
  }

  private func granted(_ answer: Answer) throws -> Grant {
    guard case .granted(let grant) = answer else { throw LatchError.invalid("\(answer)") }
    return grant
  }

  @Test func oneWritesOrManyRead() throws {
    var latches = try table("a", "b", "c", "d")
    let first = try granted(latches.acquire(request("a", (table, .shared)), at: .zero).answer)
    let second = try granted(latches.acquire(request("b", (table, .shared)), at: .zero).answer)
    #expect(second.token > first.token)
    #expect(try latches.acquire(request("c", (table, .exclusive)), at: .zero).answer == .waiting)
    // Who comes later does not overtake, though it would go with what is held.
    #expect(try latches.acquire(request("d", (table, .shared)), at: .zero).answer == .waiting)
    #expect(try latches.release(first.token, of: "a", at: .zero).isEmpty)
    let notices = try latches.release(second.token, of: "b", at: .zero)
    guard case .granted(let third)? = notices.first, notices.count == 1 else {
      Issue.record("\(notices)")
      return
    }
    #expect(third.session == "c")
    let last = try latches.release(third.token, of: "c", at: .zero)
    #expect(latches.grants.map(\.session) == ["d"] && last.count == 1)
    #expect(latches.isHeld(latches.lastToken, at: .zero) && !latches.isHeld(third.token, at: .zero))
  }

  @Test func readersThatFollowOneAnotherAreGrantedTogether() throws {
    var latches = try table("a", "b", "c", "d")
    let first = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    for name in ["b", "c"] { _ = try latches.acquire(request(name, (table, .shared)), at: .zero) }
    _ = try latches.acquire(request("d", (database, .exclusive)), at: .zero)
    let notices = try latches.release(first.token, of: "a", at: .zero)
    #expect(latches.grants.map(\.session) == ["b", "c"] && notices.count == 2)
    #expect(latches.queue.map(\.session) == ["d"])
  }

  @Test func whatContainsAResourceIsHeldInIntention() throws {
    var latches = try table("a", "b", "c")
    _ = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    _ = try granted(latches.acquire(request("b", (other, .exclusive)), at: .zero).answer)
    #expect(throws: LatchError.timedOut) {
      try latches.acquire(request("c", (database, .shared), wait: .zero), at: .zero)
    }
    let low = Resource(["d", "v"], keys: KeyRange(to: [5]))
    let high = Resource(["d", "v"], keys: KeyRange(from: [5]))
    _ = try granted(latches.acquire(request("a", (low, .exclusive), id: "2"), at: .zero).answer)
    _ = try granted(latches.acquire(request("b", (high, .exclusive), id: "2"), at: .zero).answer)
    #expect(throws: LatchError.timedOut) {
      try latches.acquire(
        request(
          "c", (Resource(["d", "v"], keys: KeyRange(from: [4], to: [6])), .shared), wait: .zero),
        at: .zero)
    }
    #expect(throws: LatchError.timedOut) {
      try latches.acquire(request("c", (Resource(["d", "v"]), .shared), wait: .zero), at: .zero)
    }
  }

  /// Nobody knows which keys a partition has.
  @Test func rangesOfATableAndItsPartitionsExcludeEachOther() throws {
    let range = Resource(["d", "t"], keys: KeyRange(from: [1], to: [3]))
    let otherRange = Resource(["d", "t"], keys: KeyRange(from: [3], to: [5]))
    let partition = Resource(["d", "t", "p"])
    let inside = Resource(["d", "t", "p"], keys: KeyRange(from: [1], to: [3]))
    let otherPartition = Resource(["d", "t", "q"])
    let cases: [(Resource, Mode, Resource, Mode, Bool)] = [
      (range, .exclusive, partition, .exclusive, false),
      (range, .exclusive, partition, .shared, false),
      (range, .exclusive, partition, .intentionShared, false),
      (range, .shared, partition, .exclusive, false),
      (range, .shared, partition, .intentionExclusive, false),
      (range, .shared, partition, .sharedIntentionExclusive, false),
      (range, .shared, partition, .shared, true), (range, .shared, inside, .shared, true),
      (range, .exclusive, inside, .shared, false), (range, .shared, inside, .exclusive, false),
      (range, .exclusive, otherRange, .exclusive, true),
      (partition, .exclusive, otherPartition, .exclusive, true),
      (inside, .exclusive, otherPartition, .exclusive, true),
      (range, .exclusive, Resource(["d", "u", "p"]), .exclusive, true),
    ]
    for (one, mode, other, otherMode, isGranted) in cases {
      for isTurned in [false, true] {
        var latches = try table("a", "b")
        let (first, second) =
          isTurned ? ((other, otherMode), (one, mode)) : ((one, mode), (other, otherMode))
        _ = try granted(latches.acquire(request("a", first), at: .zero).answer)
        let answer = try latches.acquire(request("b", second), at: .zero).answer
        #expect((answer != .waiting) == isGranted, "\(first) \(second)")
        if !isGranted {
          _ = try latches.close("a", at: .zero)
          #expect(latches.grants.map(\.session) == ["b"])
        }
        // A session is never in its own way.
        var alone = try table("a")
        _ = try granted(alone.acquire(request("a", first), at: .zero).answer)
        _ = try granted(alone.acquire(request("a", second, id: "2"), at: .zero).answer)
      }
    }
  }

  @Test func aRequestThatAsksForSomethingElseIsAnotherOne() throws {
    var latches = try table("a", "b")
    let first = try granted(
      latches.acquire(request("a", (table, .shared), (other, .shared)), at: .zero).answer)
    #expect(
      try granted(
        latches.acquire(request("a", (other, .shared), (table, .shared)), at: .zero).answer)
        == first)
    _ = try latches.acquire(request("b", (table, .exclusive)), at: .zero)
    for (name, wish) in [("a", (table, Mode.exclusive)), ("b", (other, .exclusive))] {
      #expect {
        try latches.acquire(request(name, wish), at: .zero)
      } throws: {
        if case .invalid = $0 as? LatchError { true } else { false }
      }
    }
    #expect(try latches.acquire(request("b", (table, .exclusive)), at: .zero).answer == .waiting)
  }

  @Test func whatLingersIsFreedByASecondRevocation() throws {
    var latches = try table("b")
    _ = try latches.open(
      "a", owner: "test", timeToLive: .seconds(10), lockDelay: .seconds(1000), at: .zero)
    _ = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    _ = try latches.acquire(request("b", (table, .exclusive)), at: .zero)
    #expect(try latches.revoke("a", at: .zero) == [.lost(session: "a", .revoked)])
    #expect(latches.grants.map(\.session) == ["a"])
    _ = try latches.revoke("a", at: .zero)
    #expect(latches.grants.map(\.session) == ["b"])
    #expect(throws: LatchError.noSession("a")) { try latches.revoke("a", at: .zero) }
  }

  @Test func namesOfResourcesAreLimitedInAll() throws {
    var limits = Limits()
    limits.requestByteCount = 100
    limits.sessionByteCount = 150
    limits.totalByteCount = 200
    limits.eventByteCount = 1000
    var latches = LatchTable(limits: limits)
    for name in ["a", "b"] {
      _ = try latches.open(name, owner: "test", timeToLive: .seconds(10), at: .zero)
    }
    func ask(_ session: String, _ id: String, _ byteCount: Int) throws -> UInt64 {
      let name = id + String(repeating: "x", count: byteCount - id.utf8.count - 1)
      return try granted(
        latches.acquire(
          request(session, (Resource(["d", name]), .exclusive), id: id), at: .zero
        ).answer
      ).token
    }
    func isRefused(_ session: String, _ byteCount: Int) -> Bool {
      do {
        _ = try ask(session, "n", byteCount)
        return false
      } catch LatchError.tooMany {
        return true
      } catch {
        return false
      }
    }
    #expect(isRefused("a", 101))
    let first = try ask("a", "1", 100)
    #expect(isRefused("a", 60))
    _ = try ask("b", "2", 90)
    #expect(isRefused("a", 40))
    _ = try latches.release(first, of: "a", at: .zero)
    _ = try ask("a", "3", 40)
    let start = latches.revision
    for index in 0..<100 {
      _ = try latches.release(try ask("a", "r\(index)", 40), of: "a", at: .zero)
    }
    #expect(latches.events(after: start) == nil)
    #expect(latches.events(after: latches.revision - 20)?.count == 20)
  }

  @Test func dotsInNamesAreWrittenOtherwise() throws {
    for text in ["a.b.c", "a/b", "a.b.c/d"] {
      #expect {
        try Resource(text: text)
      } throws: {
        if case .invalid(let why) = $0 as? LatchError { why.contains("%2E") } else { false }
      }
    }
    #expect(try Resource(text: "a.b%2Ec").path == ["a", "b.c"])
    #expect(try Resource(text: "a.b/c.d/e").path == ["a", "b", "c.d/e"])
  }

  @Test func allOrNothing() throws {
    var latches = try table("a", "b", "c")
    let first = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    let both = request("b", (table, .exclusive), (other, .exclusive))
    #expect(try latches.acquire(both, at: .zero).answer == .waiting)
    // Nothing of it is held meanwhile, but nobody overtakes it either.
    #expect(throws: LatchError.timedOut) {
      try latches.acquire(request("c", (other, .shared), wait: .zero), at: .zero)
    }
    _ = try latches.release(first.token, of: "a", at: .zero)
    #expect(latches.grants.map(\.session) == ["b"])
  }

  @Test func requestsThatAreSentAgainAreTheSame() throws {
    var latches = try table("a", "b")
    let first = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    let again = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    #expect(first == again && latches.grants.count == 1)
    #expect(try latches.acquire(request("b", (table, .shared)), at: .zero).answer == .waiting)
    #expect(try latches.acquire(request("b", (table, .shared)), at: .zero).answer == .waiting)
    #expect(latches.queue.count == 1)
    _ = try latches.release(first.token, of: "a", at: .zero)
    // A copy that comes late takes nothing that nobody would release.
    #expect(throws: LatchError.finished) {
      try latches.acquire(request("a", (other, .exclusive)), at: .zero)
    }
    #expect(throws: LatchError.notHeld(first.token)) {
      try latches.release(first.token, of: "a", at: .zero)
    }
    _ = try latches.abandon(request: "never sent", of: "a", at: .zero)
    #expect(throws: LatchError.finished) {
      try latches.acquire(request("a", (other, .shared), id: "never sent"), at: .zero)
    }
  }

  @Test func leasesExpireAndAreKeptAlive() throws {
    var latches = try table("a", "b")
    let first = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    _ = try latches.acquire(request("b", (table, .exclusive)), at: .zero)
    #expect(latches.nextDeadline == .seconds(10))
    _ = try latches.keepAlive("b", at: .seconds(9))
    #expect(latches.isHeld(first.token, at: .seconds(9.5)))
    // Whoever asks is told the truth, also before anybody has noticed.
    #expect(!latches.isHeld(first.token, at: .seconds(10)))
    let notices = latches.advance(to: .seconds(10))
    #expect(notices.first == .lost(session: "a", .expired) && notices.count == 2)
    #expect(latches.grants.map(\.session) == ["b"])
    #expect(throws: LatchError.noSession("a")) { try latches.keepAlive("a", at: .seconds(10)) }
    // A session whose time is over is granted nothing.
    _ = try latches.open("c", owner: "test", timeToLive: .seconds(5), at: .seconds(10))
    _ = try latches.acquire(request("c", (table, .exclusive)), at: .seconds(10))
    #expect(
      latches.advance(to: .seconds(19)) == [
        .lost(session: "c", .expired), .lost(session: "b", .expired),
      ])
    #expect(latches.grants.isEmpty && latches.sessionNames.isEmpty)
  }

  @Test func whatALostSessionHeldLingers() throws {
    var latches = try table("b")
    _ = try latches.open(
      "a", owner: "test", timeToLive: .seconds(2), lockDelay: .seconds(3), at: .zero)
    let first = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    _ = try latches.acquire(request("b", (table, .shared)), at: .zero)
    #expect(latches.advance(to: .seconds(2)) == [.lost(session: "a", .expired)])
    #expect(!latches.isHeld(first.token, at: .seconds(2)))
    #expect(throws: LatchError.sessionExists("a")) {
      try latches.open("a", owner: "test", timeToLive: .seconds(2), at: .seconds(3))
    }
    #expect(latches.advance(to: .seconds(4)).isEmpty)
    #expect(latches.advance(to: .seconds(5)).count == 1 && latches.grants.map(\.session) == ["b"])
    // What is closed, and not lost, is free at once.
    _ = try latches.close("b", at: .seconds(5))
    #expect(latches.grants.isEmpty)
  }

  @Test func waitingHasAnEnd() throws {
    var latches = try table("a", "b", "c")
    _ = try latches.acquire(request("a", (table, .shared)), at: .zero)
    _ = try latches.acquire(request("b", (table, .exclusive), wait: .seconds(3)), at: .zero)
    _ = try latches.acquire(request("c", (table, .shared)), at: .seconds(1))
    let notices = latches.advance(to: .seconds(3))
    #expect(notices.first == .refused(session: "b", request: "r", .timedOut))
    // Nothing is in the way of those behind it any more.
    #expect(latches.grants.map(\.session) == ["a", "c"] && notices.count == 2)
  }

  @Test func upgradesFailInsteadOfWaiting() throws {
    var latches = try table("a", "b", "c")
    _ = try latches.acquire(request("a", (table, .shared)), at: .zero)
    let second = try granted(latches.acquire(request("b", (table, .shared)), at: .zero).answer)
    #expect(throws: LatchError.cannotUpgrade(["b"])) {
      try latches.acquire(request("a", (table, .exclusive), id: "2"), at: .zero)
    }
    _ = try latches.release(second.token, of: "b", at: .zero)
    _ = try latches.acquire(request("c", (table, .exclusive)), at: .zero)
    _ = try granted(latches.acquire(request("a", (table, .exclusive), id: "3"), at: .zero).answer)
    // What is held can be had again, whoever waits.
    _ = try granted(latches.acquire(request("a", (table, .shared), id: "4"), at: .zero).answer)
    #expect(latches.queue.map(\.session) == ["c"])
  }

  @Test func deadlocksAreNamed() throws {
    var latches = try table("a", "b", "c")
    let third = Resource(["e"])
    _ = try latches.acquire(request("a", (table, .exclusive)), at: .zero)
    _ = try latches.acquire(request("b", (other, .exclusive)), at: .zero)
    _ = try latches.acquire(request("c", (third, .exclusive)), at: .zero)
    _ = try latches.acquire(request("a", (other, .shared), id: "2"), at: .zero)
    _ = try latches.acquire(request("b", (third, .shared), id: "2"), at: .zero)
    #expect(throws: LatchError.deadlock(["c", "a", "b"])) {
      try latches.acquire(request("c", (table, .shared), id: "2"), at: .zero)
    }
    // The others go on.
    let notices = try latches.close("c", at: .zero)
    #expect(notices.count == 1 && latches.queue.map(\.session) == ["a"])
  }

  @Test func revokedSessionsAreTold() throws {
    var latches = try table("a", "b")
    _ = try latches.acquire(request("a", (table, .exclusive)), at: .zero)
    _ = try latches.acquire(request("b", (table, .exclusive)), at: .zero)
    let notices = try latches.revoke("a", at: .zero)
    #expect(notices.first == .lost(session: "a", .revoked) && notices.count == 2)
  }

  @Test func aRestartLosesNothing() throws {
    var latches = try table("a", "b")
    _ = try latches.open(
      "c", owner: "test", timeToLive: .seconds(2), lockDelay: .seconds(60), at: .seconds(1))
    let first = try granted(
      latches.acquire(request("a", (table, .exclusive)), at: .seconds(1)).answer)
    let gone = try granted(latches.acquire(request("b", (other, .shared)), at: .seconds(1)).answer)
    _ = try latches.release(gone.token, of: "b", at: .seconds(1))
    _ = try latches.acquire(request("c", (Resource(["e"]), .shared)), at: .seconds(1))
    _ = latches.advance(to: .seconds(4))
    let snapshot = latches.snapshot
    var again = LatchTable(from: snapshot, at: .seconds(5), isSameClock: true)
    #expect(again.snapshot == snapshot && again.grants == latches.grants)
    #expect(
      again.isHeld(first.token, at: .seconds(9)) && !again.isHeld(first.token, at: .seconds(10)))
    // What was sent before is still the same request, and what is over stays over.
    #expect(
      try granted(again.acquire(request("a", (table, .exclusive)), at: .seconds(5)).answer) == first
    )
    #expect(throws: LatchError.finished) {
      try again.acquire(request("b", (other, .shared)), at: .seconds(5))
    }
    #expect(throws: LatchError.timedOut) {
      try again.acquire(
        request("b", (Resource(["e"]), .exclusive), id: "2", wait: .zero), at: .seconds(5))
    }
    let next = try granted(
      again.acquire(request("b", (other, .shared), id: "3"), at: .seconds(5)).answer)
    #expect(next.token > latches.lastToken && again.revision > latches.revision)
    #expect(again.advance(to: .seconds(10)).contains(.lost(session: "a", .expired)))
    // On another clock, a lease has its whole time again.
    var later = LatchTable(from: snapshot, at: .zero, isSameClock: false)
    #expect(later.advance(to: .seconds(9.9)).isEmpty)
    #expect(later.advance(to: .seconds(10)).contains(.lost(session: "a", .expired)))
  }

  @Test func changesAreTold() throws {
    var limits = Limits()
    limits.eventCount = 4
    var latches = LatchTable(limits: limits)
    for name in ["a", "b"] {
      _ = try latches.open(name, owner: "ana", timeToLive: .seconds(1), at: .zero)
    }
    #expect(
      latches.events(after: 0)?.map(\.change) == [
        .opened(session: "a", owner: "ana"), .opened(session: "b", owner: "ana"),
      ])
    let start = latches.revision
    let first = try granted(latches.acquire(request("a", (table, .exclusive)), at: .zero).answer)
    let second = request("b", (table, .shared))
    _ = try latches.acquire(second, at: .zero)
    let notices = try latches.release(first.token, of: "a", at: .zero)
    guard case .granted(let other)? = notices.first else { throw LatchError.timedOut }
    #expect(
      latches.events(after: start)?.map(\.change) == [
        .granted(first), .queued(second), .released(first), .granted(other),
      ])
    #expect(latches.events(after: latches.revision) == [])
    _ = latches.advance(to: .seconds(1))
    #expect(
      latches.events(after: latches.revision - 1)?.map(\.change) == [
        .ended(session: "b", .expired)
      ] || latches.events(after: latches.revision - 1)?.count == 1)
    for _ in 0..<4 {
      _ = try latches.open("c", owner: "ana", timeToLive: .seconds(1), at: .seconds(1))
      _ = try latches.close("c", at: .seconds(1))
    }
    #expect(latches.events(after: 0) == nil && latches.events(after: latches.revision + 1) == nil)
    #expect(latches.events(after: latches.revision - 4)?.count == 4)
  }

  @Test func nonsenseIsRefused() throws {
    var limits = Limits()
    limits.requestCount = 2
    limits.wishCount = 2
    limits.sessionCount = 1
    var latches = LatchTable(limits: limits)
    _ = try latches.open("a", owner: "test", timeToLive: .seconds(1), at: .zero)
    for wishes: [Wish] in [
      [], [Wish(Resource([]), .shared)], [Wish(Resource(["d", ""]), .shared)],
      [Wish(Resource(["a", "b", "c", "d"]), .shared)],
      [Wish(Resource(["d"], keys: KeyRange()), .shared)],
      [Wish(Resource(["d", "t"], keys: KeyRange(from: [2], to: [2])), .shared)],
      [Wish(Resource(["d", "t"], keys: KeyRange()), .intentionShared)],
      [Wish(database, .shared), Wish(table, .shared), Wish(other, .shared)],
    ] {
      #expect(throws: LatchError.self) {
        try latches.acquire(
          Request(session: "a", id: "r", wishes: wishes, waitLimit: .zero), at: .zero)
      }
    }
    for id in ["1", "2"] {
      _ = try latches.acquire(request("a", (table, .shared), id: id), at: .zero)
    }
    #expect(throws: LatchError.self) {
      try latches.acquire(request("a", (table, .shared), id: "3"), at: .zero)
    }
    for lifetime in [Duration.zero, .seconds(-1), .seconds(100_000)] {
      #expect(throws: LatchError.self) {
        try latches.open("b", owner: "test", timeToLive: lifetime, at: .zero)
      }
    }
    #expect(throws: LatchError.self) {
      try latches.open("b", owner: "test", timeToLive: .seconds(1), at: .zero)
    }
  }
}
