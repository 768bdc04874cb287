import Testing

@testable import Latches

/// Changes under a fencing token, and what of a table is stored.
@Suite struct EnteringTests {
  private let table = ["d", "t"]

  private func held(
    _ resource: Resource, _ mode: Mode = .exclusive, lockDelay: Duration = .zero
  ) throws -> (LatchTable, UInt64) {
    var latches = LatchTable()
    _ = try latches.open(
      "a", owner: "test", timeToLive: .seconds(10), lockDelay: lockDelay, at: .zero)
    _ = try latches.open("b", owner: "test", timeToLive: .seconds(100), at: .zero)
    let (answer, _) = try latches.acquire(
      Request(session: "a", id: "r", wishes: [Wish(resource, mode)], waitLimit: .zero), at: .zero)
    guard case .granted(let grant) = answer else { throw LatchError.timedOut }
    return (latches, grant.token)
  }

  private func other(_ latches: inout LatchTable, at time: Duration) throws -> Answer {
    try latches.acquire(
      Request(
        session: "b", id: "r", wishes: [Wish(Resource(table), .shared)], waitLimit: .seconds(50)),
      at: time
    ).answer
  }

  @Test func whatMayBeChangedIsHeldExclusive() throws {
    let cases: [(Resource, Mode, [String], Bool)] = [
      (Resource(["d"]), .exclusive, table, true), (Resource(table), .exclusive, table, true),
      (Resource(["d", "t", "p"]), .exclusive, table, true),
      (Resource(table, keys: KeyRange(from: [1], to: [2])), .exclusive, table, true),
      (Resource(table), .exclusive, ["d", "u"], false),
      (Resource(table), .shared, table, false),
      (Resource(table), .sharedIntentionExclusive, table, false),
      (Resource(["d", "t"]), .exclusive, ["d", "t", "p"], true),
      (Resource(["d", "t", "p"]), .exclusive, ["d", "t", "q"], false),
    ]
    for (resource, mode, path, isAllowed) in cases {
      var (latches, token) = try held(resource, mode)
      if isAllowed {
        _ = try latches.enter(token, changing: [path], at: .zero)
      } else {
        #expect(throws: LatchError.notCovered(token, path)) {
          try latches.enter(token, changing: [path], at: .zero)
        }
      }
    }
  }

  @Test func whatGoesAsAWholeIsHeldAsAWhole() throws {
    let cases: [(Resource, [String], Bool)] = [
      (Resource(["d"]), table, true), (Resource(["d"]), ["d"], true),
      (Resource(table), table, true),
      (Resource(table), ["d"], false), (Resource(["d", "t", "p"]), table, false),
      (Resource(table, keys: KeyRange(from: [1], to: [2])), table, false),
    ]
    for (resource, path, isAllowed) in cases {
      var (latches, token) = try held(resource, .exclusive)
      if isAllowed {
        _ = try latches.enter(token, changing: [path], wholly: true, at: .zero)
      } else {
        #expect(throws: LatchError.notCovered(token, path)) {
          try latches.enter(token, changing: [path], wholly: true, at: .zero)
        }
      }
    }
  }

  @Test(arguments: ["release", "close", "revoke", "expire"])
  func whatSomebodyIsInsideOfStaysHeld(_ end: String) throws {
    var (latches, token) = try held(Resource(table))
    let (entry, _) = try latches.enter(token, changing: [table], at: .zero)
    switch end {
    case "release": _ = try latches.release(token, of: "a", at: .seconds(1))
    case "close": _ = try latches.close("a", at: .seconds(1))
    case "revoke": _ = try latches.revoke("a", at: .seconds(1))
    default: _ = latches.advance(to: .seconds(11))
    }
    #expect(!latches.isHeld(token, at: .seconds(12)))
    #expect(throws: LatchError.notHeld(token)) {
      try latches.enter(token, changing: [table], at: .seconds(12))
    }
    #expect(try other(&latches, at: .seconds(12)) == .waiting)
    if end != "release" {
      #expect(throws: LatchError.sessionExists("a")) {
        try latches.open("a", owner: "test", timeToLive: .seconds(10), at: .seconds(12))
      }
    }
    let notices = latches.leave(entry, at: .seconds(13))
    #expect(
      notices.contains { if case .granted(let grant) = $0 { grant.session == "b" } else { false } })
    #expect(latches.leave(entry, at: .seconds(13)) == [])
  }

  @Test func anEntryWithALimitEndsByItself() throws {
    var (latches, token) = try held(Resource(table))
    _ = try latches.enter(token, changing: [table], until: .seconds(5), at: .zero)
    _ = try latches.close("a", at: .seconds(1))
    #expect(try other(&latches, at: .seconds(2)) == .waiting)
    #expect(latches.nextDeadline == .seconds(5))
    let notices = latches.advance(to: .seconds(5))
    #expect(notices.count == 1 && latches.grants.map(\.session) == ["b"])
  }

  @Test func anEntryOutlivesARestartOnlyWithALimit() throws {
    for until in [nil, Duration.seconds(20)] {
      var (latches, token) = try held(Resource(table))
      _ = try latches.enter(token, changing: [table], until: until, at: .zero)
      _ = try latches.close("a", at: .seconds(1))
      var again = LatchTable(from: latches.snapshot, at: .seconds(2), isSameClock: true)
      #expect(again.grants.isEmpty == (until == nil))
      #expect(try other(&again, at: .seconds(3)) != .waiting || until != nil)
      let notices = again.advance(to: .seconds(20))
      #expect(notices.count == (until == nil ? 0 : 1))
    }
  }

  @Test func theLockDelayGoesOnBehindAnEntry() throws {
    var (latches, token) = try held(Resource(table), lockDelay: .seconds(5))
    let (entry, _) = try latches.enter(token, changing: [table], at: .zero)
    _ = latches.advance(to: .seconds(10))
    _ = latches.leave(entry, at: .seconds(11))
    #expect(latches.grants.map(\.token) == [token])
    _ = latches.advance(to: .seconds(15))
    #expect(latches.grants.isEmpty)
  }

  @Test func textsOfResources() throws {
    for (text, resource) in [
      ("shop", Resource(["shop"])), ("shop.orders", Resource(["shop", "orders"])),
      ("shop.orders/2026-01", Resource(["shop", "orders", "2026-01"])),
      ("shop.orders[a..b]", Resource(["shop", "orders"], keys: KeyRange(from: [97], to: [98]))),
      ("shop.orders/p[..]", Resource(["shop", "orders", "p"], keys: KeyRange())),
      ("a%2Eb.%E4%BD%A0", Resource(["a.b", "你"])),
      ("s.t[%00%5D..]", Resource(["s", "t"], keys: KeyRange(from: [0, 93]))),
    ] {
      #expect(try Resource(text: text) == resource, "\(text)")
      #expect(try Resource(text: resource.description) == resource, "\(resource)")
    }
    for text in [
      "", ".", "a.", ".a", "a.b/", "a[b..c]", "a.b[c]", "a.b[b..a]", "a%", "a%4", "a%FF",
    ] {
      #expect(throws: LatchError.self, "\(text)") { try Resource(text: text) }
    }
    #expect(try Wish(text: "s.t[1..2]:x") == Wish(Resource(text: "s.t[1..2]"), .exclusive))
    for text in ["s", "s:Y", ":X", "s:"] {
      #expect(throws: LatchError.self, "\(text)") { try Wish(text: text) }
    }
  }

  /// What thousands of sessions cost that share a database.
  @Test(.timeLimit(.minutes(1))) func manySessions() throws {
    var limits = Limits()
    limits.ownerSessionCount = 20_000
    var latches = LatchTable(limits: limits)
    let start = ContinuousClock.now
    for index in 0..<10_000 {
      let (name, time) = ("s\(index)", Duration.milliseconds(index))
      _ = try latches.open(name, owner: "test", timeToLive: .seconds(3600), at: time)
      let wish = Wish(Resource(["d", "t", "p\(index)"]), .exclusive)
      _ = try latches.acquire(
        Request(session: name, id: "r", wishes: [wish], waitLimit: .zero), at: time)
      if index >= 5000 {
        _ = try latches.release(UInt64(index - 4999), of: "s\(index - 5000)", at: time)
      }
    }
    #expect(latches.counts == (10_000, 5_000, 0))
    // A debug build does it in a second; what grows with the square takes minutes.
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func aLockDelayIsAsLongAfterARestart() throws {
    var (latches, token) = try held(Resource(table), lockDelay: .seconds(7))
    _ = try latches.revoke("a", at: .seconds(1))
    let snapshot = latches.snapshot
    for (isSameClock, end) in [(false, Duration.seconds(107)), (true, .seconds(8))] {
      let again = LatchTable(
        from: snapshot, at: isSameClock ? .seconds(2) : .seconds(100), isSameClock: isSameClock)
      #expect(again.held[token]?.lingersUntil == end)
    }
  }

  /// Stored in part: the session is over, and nothing else of what follows from that.
  @Test func whatIsHeldByNobodyIsFreeUnlessSomebodyMayBeInside() throws {
    func again(_ latches: LatchTable) -> LatchTable {
      var snapshot = latches.snapshot
      snapshot.sessions["a"] = nil
      return LatchTable(from: snapshot, at: .seconds(100), isSameClock: false)
    }
    let (latches, token) = try held(Resource(table))
    var free = again(latches)
    #expect(free.held.isEmpty)
    let changes = free.takeChanges()
    #expect(changes.held.keys.sorted() == [token] && changes.held.values.allSatisfy { $0 == nil })
    let (delayed, _) = try held(Resource(table), lockDelay: .seconds(7))
    #expect(again(delayed).held[token]?.lingersUntil == .seconds(107))
    var (entered, _) = try held(Resource(table))
    _ = try entered.enter(token, changing: [table], until: .seconds(5), at: .zero)
    var waits = again(entered)
    #expect(waits.held[token]?.isEnding == true)
    #expect(try other(&waits, at: .seconds(120)) == .waiting)
    _ = waits.advance(to: .seconds(161))
    #expect(waits.grants.map(\.session) == ["b"])
  }

  @Test func requestsThatAreOverAreForgottenInWhatIsStored() {
    var snapshot = LatchSnapshot()
    snapshot.sessions["a"] = LatchSnapshot.Session(
      owner: "test", timeToLive: .seconds(1), lockDelay: .zero, deadline: .zero, finished: [])
    for index in 0..<2_000 {
      var changes = LatchChanges()
      changes.finished["a"] = ["r\(index)"]
      snapshot.apply(changes)
    }
    let names = snapshot.sessions["a"]?.finished.ordered ?? []
    #expect((256...384).contains(names.count) && names.last == "r1999")
  }
}
