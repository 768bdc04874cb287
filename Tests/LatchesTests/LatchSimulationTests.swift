import Foundation
import Testing

@testable import Latches

/// Random clients, delays, losses, copies and jumps of the clock, and what must hold after every step.
@Suite struct LatchSimulationTests {
  @Test func nothingThatHappensBreaksWhatIsPromised() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["MAGIC_SEED"].flatMap { UInt64($0) } ?? 1
    let count = environment["MAGIC_SOAK"] == nil ? 4_000 : 1_000_000
    for pattern in Simulation.Pattern.allCases {
      var simulation = Simulation(seed: seed, pattern)
      for step in 0..<(count / Simulation.Pattern.allCases.count) {
        simulation.step()
        let broken = simulation.broken
        if let broken {
          Issue.record("\(pattern), seed \(seed), step \(step): \(broken)")
          return
        }
      }
      #expect(simulation.grantCount > count / 60, "\(pattern): \(simulation.grantCount)")
    }
  }

  /// Every order of a few calls of three clients for three resources.
  @Test func everyOrderOfFewCalls() throws {
    let resources = [Resource(["d"]), Resource(["d", "t"]), Resource(["d", "u"])]
    let isSoak = ProcessInfo.processInfo.environment["MAGIC_SOAK"] != nil
    var explorer = Explorer(resources: resources)
    try explorer.explore(depth: isSoak ? 7 : 4)
    #expect(explorer.stateCount > 500, "\(explorer.stateCount)")
  }
}

/// Whether one wish is for a range of a table and the other for something of a partition of it, and one of
/// them changes something.
private func mix(_ one: Wish, _ other: Wish) -> Bool {
  let isRange = { (resource: Resource) in resource.path.count == 2 && resource.keys != nil }
  let (one, other) = isRange(one.resource) ? (one, other) : (other, one)
  return isRange(one.resource) && other.resource.path.count == 3
    && other.resource.path.starts(with: one.resource.path)
    && !(one.mode.intention == .intentionShared && other.mode.intention == .intentionShared)
}

/// What must hold of any table, whatever has happened.
private func problem(in latches: LatchTable) -> String? {
  let grants = latches.grants
  for (index, one) in grants.enumerated() {
    for other in grants[(index + 1)...] where one.session != other.session {
      let claims = Claim.claims(of: other.wishes)
      if one.wishes.contains(where: { wish in other.wishes.contains { mix(wish, $0) } }) {
        return "\(one) and \(other) are held at a time"
      }
      if Claim.claims(of: one.wishes).contains(where: { claim in
        claims.contains { $0.conflicts(with: claim) }
      }) {
        return "\(one) and \(other) are held at a time"
      }
    }
  }
  // The one at the head of the queue is in nobody's way but that of who holds something.
  for (place, request) in latches.queue.enumerated() {
    let claims = Claim.claims(of: request.wishes)
    let ahead = latches.queue[..<place].filter { $0.session != request.session }.map(\.wishes)
    let others = grants.filter { $0.session != request.session }.map(\.wishes)
    let own = grants.filter {
      $0.session == request.session && latches.held[$0.token]?.isEnding == false
    }.flatMap {
      Claim.claims(of: $0.wishes)
    }
    let isBlocked = claims.contains { claim in
      let blocks = { (wishes: [Wish]) in
        Claim.claims(of: wishes).contains { $0.conflicts(with: claim) }
      }
      let isHeld = own.contains {
        $0.resource == claim.resource && $0.mode.joined(with: claim.mode) == $0.mode
      }
      return others.contains(where: blocks) || !isHeld && ahead.contains(where: blocks)
    }
    if !isBlocked { return "\(request) waits for nothing" }
  }
  // Who waits, waits for somebody who goes on some day.
  var waits: [String: Set<String>] = [:]
  for (place, request) in latches.queue.enumerated() {
    let claims = Claim.claims(of: request.wishes)
    let blocks = { (wishes: [Wish]) in
      Claim.claims(of: wishes).contains { one in claims.contains { $0.conflicts(with: one) } }
    }
    let holders = grants.filter {
      $0.session != request.session && blocks($0.wishes)
        && latches.held[$0.token]?.isEnding == false
    }
    let ahead = latches.queue[..<place].filter {
      $0.session != request.session && blocks($0.wishes)
    }
    waits[request.session, default: []].formUnion(holders.map(\.session) + ahead.map(\.session))
  }
  var settled: Set<String> = []
  func isCyclic(_ name: String, _ path: Set<String>) -> Bool {
    if path.contains(name) { return true }
    if settled.contains(name) { return false }
    let found = (waits[name] ?? []).contains { isCyclic($0, path.union([name])) }
    settled.insert(name)
    return found
  }
  if waits.keys.contains(where: { isCyclic($0, []) }) { return "sessions wait for one another" }
  return nil
}

private struct Simulation {
  enum Pattern: CaseIterable {
    /// Each session asks for something, gives it back, and asks again.
    case single
    /// Sessions ask for more while they hold something.
    case stepwise
    /// Sessions are lost all the time.
    case lossy
  }

  private var latches = LatchTable()
  private let pattern: Pattern
  private var random: UInt64
  private var now = Duration.zero
  private var nextName = 0
  private var highestToken: UInt64 = 0
  private(set) var grantCount = 0
  private(set) var broken: String?
  private var sent: [Request] = []
  /// What a store would hold that is told every change.
  private var stored = LatchSnapshot()
  /// Those who are inside, what they change, and until when.
  private var entered: [(entry: Entry, wishes: [Wish], until: Duration?)] = []

  init(seed: UInt64, _ pattern: Pattern) {
    random = seed
    self.pattern = pattern
  }

  private mutating func number(_ bound: Int) -> Int {
    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(random >> 33) % bound
  }

  private mutating func resource() -> Resource {
    let database = "d\(number(2))"
    switch number(6) {
    case 0: return Resource([database])
    case 1, 2: return Resource([database, "t\(number(3))"])
    case 3: return Resource([database, "t\(number(3))", "p\(number(2))"])
    case let kind:
      let lower = UInt8(number(20))
      let upper = lower + 1 + UInt8(number(5))
      let partition = kind == 4 && number(2) == 0 ? ["p\(number(2))"] : []
      return Resource(
        [database, "t\(number(3))"] + partition, keys: KeyRange(from: [lower], to: [upper]))
    }
  }

  private mutating func request(of session: String) -> Request {
    let wishes = (0...number(3)).map { _ in
      let resource = resource()
      let modes: [Mode] = resource.keys == nil ? Mode.allCases : [.shared, .exclusive]
      return Wish(resource, modes[number(modes.count)])
    }
    nextName += 1
    return Request(
      session: session, id: "r\(nextName)", wishes: wishes,
      waitLimit: number(5) == 0 ? .zero : .milliseconds(1 + number(3000)))
  }

  mutating func step() {
    // Clocks stand still, go on, and jump.
    switch number(50) {
    case 0: now += .seconds(number(20))
    case 1...20: now += .milliseconds(number(200))
    default: break
    }
    let sessions = latches.sessionNames
    do {
      switch number(22) {
      case _ where sessions.count < 3, 0 where sessions.count < 12:
        nextName += 1
        let life = pattern == .lossy ? 1 + number(3) : 5 + number(30)
        note(
          try latches.open(
            "s\(nextName)", owner: "simulation", timeToLive: .seconds(life),
            lockDelay: number(3) == 0 ? .milliseconds(number(3000)) : .zero, at: now))
      case 1, 2, 3: note(try latches.keepAlive(sessions[number(sessions.count)], at: now))
      case 4 where pattern == .lossy:
        note(try latches.revoke(sessions[number(sessions.count)], at: now))
      case 4, 5: note(latches.advance(to: now))
      case 6 where number(4) == 0:
        note(try latches.close(sessions[number(sessions.count)], at: now))
      case 7:
        let queue = latches.queue
        if queue.isEmpty { return }
        let request = queue[number(queue.count)]
        note(try latches.abandon(request: request.id, of: request.session, at: now))
      // One that timed out before is then a second one of its session.
      case 8 where pattern == .single: return
      case 8:
        // A message comes a second time, or much too late.
        if sent.isEmpty { return }
        acquire(sent[number(sent.count)])
      case 20:
        guard
          let grant = latches.grants.last(where: { $0.wishes.contains { $0.mode == .exclusive } }),
          let wish = grant.wishes.first(where: { $0.mode == .exclusive })
        else { return }
        let until = number(2) == 0 ? nil : now + .milliseconds(1 + number(2000))
        let (entry, notices) = try latches.enter(
          grant.token, changing: [wish.resource.path], until: until, at: now)
        note(notices)
        entered.append((entry, grant.wishes, until))
      case 21:
        if entered.isEmpty { return }
        note(latches.leave(entered.remove(at: number(entered.count)).entry, at: now))
      case 9...13:
        let grants = latches.grants
        if grants.isEmpty { return }
        let grant = grants[number(grants.count)]
        note(try latches.release(grant.token, of: grant.session, at: now))
      default:
        let session = sessions[number(sessions.count)]
        let isBusy =
          latches.queue.contains { $0.session == session }
          || latches.grants.contains { $0.session == session }
        if pattern == .single, isBusy { return }
        acquire(request(of: session))
      }
    } catch {
      // Refused, as it may be.
    }
    broken = broken ?? problem(in: latches) ?? problemOfEntries() ?? problemOfStorage()
  }

  /// What somebody changes stays held, whatever becomes of its session.
  private mutating func problemOfEntries() -> String? {
    entered.removeAll { one in one.until.map { $0 <= now } ?? false }
    let held = Set(latches.grants.map(\.token))
    return entered.first { !held.contains($0.entry.token) }.map { "\($0) is inside what is free" }
  }

  /// What is stored change by change is what there is; and a table that goes on with it has the same.
  private mutating func problemOfStorage() -> String? {
    let changes = latches.takeChanges()
    if number(10) == 0 {
      // They could not be stored.
      latches.putBack(changes)
      return nil
    }
    stored.apply(changes)
    let snapshot = latches.snapshot
    if stored.held != snapshot.held { return "\(stored.held) is stored, and \(snapshot.held) is" }
    if stored.sessions.mapValues(\.deadline) != snapshot.sessions.mapValues(\.deadline) {
      return "\(stored.sessions) are stored, and \(snapshot.sessions) are"
    }
    guard number(50) == 0 else { return nil }
    let again = LatchTable(from: stored, at: now, isSameClock: true).snapshot
    return again.held == snapshot.held && again.lastToken == snapshot.lastToken
      ? nil : "\(again) is not \(snapshot)"
  }

  private mutating func acquire(_ request: Request) {
    if sent.count > 200 { sent.removeFirst(100) }
    sent.append(request)
    let known = latches.grants.first { $0.session == request.session && $0.request == request.id }
    do {
      let (answer, notices) = try latches.acquire(request, at: now)
      note(notices)
      if case .granted(let grant) = answer {
        if let known {
          if known != grant { broken = "\(known) became \(grant)" }
        } else if !notices.contains(.granted(grant)) {
          note([.granted(grant)])
        }
      }
    } catch .deadlock(let cycle) {
      if pattern == .single { broken = "single calls wait for one another: \(cycle)" }
    } catch {
      // Refused, as it may be.
    }
  }

  private mutating func note(_ notices: [Notice]) {
    for case .granted(let grant) in notices {
      grantCount += 1
      if grant.token <= highestToken { broken = "\(grant) after \(highestToken)" }
      highestToken = max(highestToken, grant.token)
      // In the same call it may have been given up again.
      let isThere = latches.grants.contains(grant)
      let isLive = latches.sessionNames.contains(grant.session)
      if isThere, isLive, !latches.isHeld(grant.token, at: now) {
        broken = "\(grant) is granted and not held"
      }
    }
  }
}

/// Goes through all that can happen, call by call.
private struct Explorer {
  let resources: [Resource]
  private(set) var stateCount = 0

  init(resources: [Resource]) { self.resources = resources }

  mutating func explore(depth: Int) throws {
    var latches = LatchTable()
    for name in ["a", "b", "c"] {
      _ = try latches.open(name, owner: "explorer", timeToLive: .seconds(100), at: .zero)
    }
    var seen: Set<String> = []
    try explore(latches, depth: depth, request: 0, &seen)
  }

  private mutating func explore(
    _ latches: LatchTable, depth: Int, request: Int, _ seen: inout Set<String>
  ) throws {
    // Tokens and names of requests do not matter for what can follow.
    let key =
      latches.grants.map { "\($0.session)\($0.wishes)" }.sorted().joined() + "|"
      + latches.queue.map { "\($0.session)\($0.wishes)" }.joined()
    guard seen.insert("\(depth)\(key)").inserted else { return }
    stateCount += 1
    if let problem = problem(in: latches) { throw LatchError.invalid(problem) }
    guard depth > 0 else { return }
    for session in ["a", "b", "c"] where latches.queue.allSatisfy({ $0.session != session }) {
      for (resource, mode) in [
        (resources[0], Mode.shared), (resources[0], .exclusive), (resources[1], .shared),
        (resources[1], .exclusive), (resources[2], .exclusive),
      ] {
        var next = latches
        _ = try? next.acquire(
          Request(
            session: session, id: "r\(request)", wishes: [Wish(resource, mode)],
            waitLimit: .seconds(10)), at: .zero)
        try explore(next, depth: depth - 1, request: request + 1, &seen)
      }
    }
    for grant in latches.grants {
      var next = latches
      _ = try next.release(grant.token, of: grant.session, at: .zero)
      try explore(next, depth: depth - 1, request: request, &seen)
    }
  }
}
