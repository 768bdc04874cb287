/// Who holds what, and who waits for it: a pure state machine.
///
/// Requests are in one queue, in the order in which they came. One is granted when nothing that it asks
/// for conflicts with what other sessions hold, or with what others ask for who came before: so nobody
/// overtakes, sessions that ask once cannot wait for each other, and readers that follow one another
/// are granted together.
///
/// Time is given by the caller, as what has passed since some moment on a clock that never goes back;
/// every call first does what was due by then. Nothing here waits, stores or sends.
public struct LatchTable: Sendable {
  struct Session: Sendable {
    var owner: String
    var timeToLive: Duration
    var lockDelay: Duration
    var deadline: Duration
    /// The tokens of its grants.
    var grants: Set<UInt64> = []
    /// The places in the queue of its requests.
    var waiting: Set<UInt64> = []
    /// The requests that are over, so that a copy of one that arrives late does nothing.
    var finished: Set<String> = []
  }

  struct Held: Sendable {
    var grant: Grant
    var claims: [Claim]
    /// When it goes, of a session that is gone: the lock delay.
    var lingersUntil: Duration?
  }

  fileprivate struct Waiting {
    var request: Request
    var claims: [Claim]
    var until: Duration
  }

  private let limits: Limits
  private var now = Duration.zero
  var sessions: [String: Session] = [:]
  private(set) var held: [UInt64: Held] = [:]
  private var waiting: [UInt64: Waiting] = [:]
  /// The tokens of grants, and the places of waiting requests, that have a claim on a path.
  private var holders: [[String]: Set<UInt64>] = [:]
  private var queues: [[String]: Set<UInt64>] = [:]
  private var nextPlace: UInt64 = 1
  /// The paths of which something became free since requests were granted last.
  private var freed: Set<[String]> = []
  /// What has changed of late.
  var log: EventLog
  /// Nothing is due before it.
  private var nothingBefore = Duration.zero
  /// The token of the last grant.
  public private(set) var lastToken: UInt64

  /// A table without sessions.
  ///
  /// - Parameter lastToken: of all grants ever; the next one's token is larger.
  public init(limits: Limits = Limits(), lastToken: UInt64 = 0) {
    self.limits = limits
    self.lastToken = lastToken
    log = EventLog(countLimit: limits.eventCount)
  }

  // MARK: Sessions

  /// Begins a session, which lasts while it is kept alive.
  ///
  /// - Parameters:
  ///   - owner: whose it is, for those who look.
  ///   - timeToLive: how long it lasts without being kept alive.
  ///   - lockDelay: how long what it holds stays held when it is lost, so that what it has begun can
  ///     come to its end.
  public mutating func open(
    _ name: String, owner: String, timeToLive: Duration, lockDelay: Duration = .zero,
    at time: Duration
  ) throws(LatchError) -> [Notice] {
    let notices = advance(to: time)
    guard timeToLive > .zero, timeToLive <= limits.longestLife, lockDelay >= .zero,
      lockDelay <= limits.longestLife
    else {
      throw .invalid("a session lasts more than nothing, and at most \(limits.longestLife)")
    }
    // What a lost one of that name holds for its lock delay is not the new one's.
    guard sessions[name] == nil, !held.values.contains(where: { $0.grant.session == name }) else {
      throw .sessionExists(name)
    }
    guard sessions.count < limits.sessionCount else {
      throw .tooMany("there are \(sessions.count) sessions, which is the limit")
    }
    let session = Session(
      owner: owner, timeToLive: timeToLive, lockDelay: lockDelay, deadline: now + timeToLive)
    sessions[name] = session
    nothingBefore = min(nothingBefore, session.deadline)
    log.add(.opened(session: name, owner: owner))
    return notices
  }

  /// Lets a session's time run anew.
  public mutating func keepAlive(_ name: String, at time: Duration) throws(LatchError) -> [Notice] {
    let notices = advance(to: time)
    guard var session = sessions[name] else { throw .noSession(name) }
    session.deadline = now + session.timeToLive
    sessions[name] = session
    return notices
  }

  /// Ends a session: all that it holds is free at once.
  public mutating func close(_ name: String, at time: Duration) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    guard let session = sessions.removeValue(forKey: name) else { throw .noSession(name) }
    for place in session.waiting { leave(place) }
    for token in session.grants { removeHeld(token) }
    log.add(.ended(session: name, nil))
    notices += grantWaiting()
    return notices
  }

  /// Ends a session in its owner's place; the owner is told.
  public mutating func revoke(_ name: String, at time: Duration) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    guard sessions[name] != nil else { throw .noSession(name) }
    notices += lose(name, .revoked)
    notices += grantWaiting()
    return notices
  }

  // MARK: Requests

  /// Asks for resources.
  public mutating func acquire(
    _ request: Request, at time: Duration
  ) throws(LatchError) -> (answer: Answer, notices: [Notice]) {
    let notices = advance(to: time)
    guard let session = sessions[request.session] else { throw .noSession(request.session) }
    if let answer = try answerAgain(request, session) { return (answer, notices) }
    try check(request, session)
    let claims = Claim.claims(of: request.wishes)
    if strengthens(claims, of: request.session) {
      let others = holders(against: claims, except: request.session)
      guard others.isEmpty else { throw .cannotUpgrade(others.sorted()) }
      let grant = hold(request, claims)
      // Those who wait are not overtaken, they are behind what the session holds already; but they may
      // hold what it waits for elsewhere.
      if let cycle = cycle(from: request.session) {
        drop(grant.token)
        throw .deadlock(cycle)
      }
      log.add(.granted(grant))
      return (.granted(grant), notices)
    }
    if isFree(claims, for: request.session, before: nextPlace) {
      let grant = hold(request, claims)
      log.add(.granted(grant))
      return (.granted(grant), notices)
    }
    guard request.waitLimit > .zero else { throw .timedOut }
    let place = nextPlace
    nextPlace += 1
    let until = now + request.waitLimit
    nothingBefore = min(nothingBefore, until)
    waiting[place] = Waiting(request: request, claims: claims, until: until)
    for claim in claims { queues[claim.resource.path, default: []].insert(place) }
    sessions[request.session]?.waiting.insert(place)
    if let cycle = cycle(from: request.session) {
      removeWaiting(place)
      throw .deadlock(cycle)
    }
    log.add(.queued(request))
    return (.waiting, notices)
  }

  /// Gives up what is held by one request.
  public mutating func release(
    _ token: UInt64, of name: String, at time: Duration
  ) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    guard sessions[name] != nil else { throw .noSession(name) }
    guard held[token]?.grant.session == name else { throw .notHeld(token) }
    finish(removeHeld(token)?.grant.request, of: name)
    notices += grantWaiting()
    return notices
  }

  /// Gives up a request, whether it waits or was granted meanwhile; idempotent.
  public mutating func abandon(
    request id: String, of name: String, at time: Duration
  ) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    guard let session = sessions[name] else { throw .noSession(name) }
    for place in session.waiting where waiting[place]?.request.id == id { leave(place) }
    for token in session.grants where held[token]?.grant.request == id { removeHeld(token) }
    finish(id, of: name)
    notices += grantWaiting()
    return notices
  }

  /// What a request that was sent before has led to.
  private func answerAgain(
    _ request: Request, _ session: Session
  ) throws(LatchError) -> Answer? {
    if session.finished.contains(request.id) { throw .finished }
    for token in session.grants {
      if let grant = held[token]?.grant, grant.request == request.id { return .granted(grant) }
    }
    return session.waiting.contains { waiting[$0]?.request.id == request.id } ? .waiting : nil
  }

  private func check(_ request: Request, _ session: Session) throws(LatchError) {
    guard !request.id.isEmpty, !request.wishes.isEmpty else {
      throw .invalid("a request has a name, and asks for something")
    }
    for wish in request.wishes {
      if let problem = wish.resource.problem { throw .invalid(problem) }
      if wish.resource.keys != nil, wish.mode != .shared, wish.mode != .exclusive {
        throw .invalid("a range of keys is held shared or exclusive")
      }
    }
    guard request.wishes.count <= limits.wishCount else {
      throw .tooMany("a request asks for at most \(limits.wishCount) resources")
    }
    guard session.grants.count + session.waiting.count < limits.requestCount else {
      throw .tooMany("a session has at most \(limits.requestCount) requests")
    }
  }

  private mutating func finish(_ request: String?, of session: String) {
    guard let request else { return }
    // A name that was forgotten is a new one; a session has few that are sent again so late.
    if (sessions[session]?.finished.count ?? 0) >= limits.requestCount {
      sessions[session]?.finished = []
    }
    sessions[session]?.finished.insert(request)
  }

  // MARK: Time

  /// When something will be due; nil when nothing will.
  public var nextDeadline: Duration? {
    let dues =
      sessions.values.map(\.deadline) + waiting.values.map(\.until)
      + held.values.compactMap(\.lingersUntil)
    return dues.min()
  }

  /// Does what is due by a time: sessions expire, requests that waited for too long are refused.
  public mutating func advance(to time: Duration) -> [Notice] {
    guard time > now else { return [] }
    now = time
    if now < nothingBefore { return [] }
    var notices: [Notice] = []
    for (name, session) in sessions.sorted(by: { $0.value.deadline < $1.value.deadline })
    where session.deadline <= now {
      notices += lose(name, .expired)
    }
    for (token, one) in held {
      if let end = one.lingersUntil, end <= now { removeHeld(token) }
    }
    for (place, one) in waiting.sorted(by: { $0.key < $1.key }) where one.until <= now {
      leave(place)
      notices.append(
        .refused(session: one.request.session, request: one.request.id, .timedOut))
    }
    notices += grantWaiting()
    nothingBefore = nextDeadline ?? now + limits.longestLife
    return notices
  }

  private mutating func lose(_ name: String, _ loss: Loss) -> [Notice] {
    guard let session = sessions.removeValue(forKey: name) else { return [] }
    for place in session.waiting { leave(place) }
    for token in session.grants {
      if session.lockDelay > .zero {
        let end = now + session.lockDelay
        held[token]?.lingersUntil = end
        nothingBefore = min(nothingBefore, end)
      } else {
        removeHeld(token)
      }
    }
    log.add(.ended(session: name, loss))
    return [.lost(session: name, loss)]
  }

  // MARK: Granting

  /// Grants every request that nothing is in the way of any more, in the order of the queue.
  private mutating func grantWaiting() -> [Notice] {
    let places = freed.reduce(into: Set<UInt64>()) { $0.formUnion(queues[$1] ?? []) }
    freed = []
    var notices: [Notice] = []
    for place in places.sorted() {
      guard let one = waiting[place],
        isFree(one.claims, for: one.request.session, before: place)
      else { continue }
      removeWaiting(place)
      let grant = hold(one.request, one.claims)
      log.add(.granted(grant))
      notices.append(.granted(grant))
    }
    // What left the queue now is held, and in nobody's way less than before.
    freed = []
    return notices
  }

  /// Whether nothing that other sessions hold, or asked for before a place in the queue, conflicts with
  /// some claims. What a session holds it can have again, whoever waits for it.
  private func isFree(_ claims: [Claim], for session: String, before place: UInt64) -> Bool {
    claims.allSatisfy { claim in
      let path = claim.resource.path
      let here = holders[path] ?? []
      var isHeld = false
      for token in here {
        guard let one = held[token] else { continue }
        if one.grant.session != session {
          if one.conflicts(with: claim) { return false }
        } else if one.covers(claim) {
          isHeld = true
        }
      }
      return isHeld
        || !(queues[path] ?? []).contains { other in
          guard other < place, let one = waiting[other] else { return false }
          return one.request.session != session && one.conflicts(with: claim)
        }
    }
  }

  /// Whether a session holds one of the resources already, but not in a mode that is enough.
  private func strengthens(_ claims: [Claim], of session: String) -> Bool {
    claims.contains { claim in
      let own = (holders[claim.resource.path] ?? []).compactMap { held[$0] }
        .filter { $0.grant.session == session }
      return !own.contains { $0.covers(claim) }
        && own.contains {
          $0.claims.contains { $0.resource == claim.resource && !$0.mode.isIntention }
        }
    }
  }

  private func holders(against claims: [Claim], except session: String) -> Set<String> {
    var names: Set<String> = []
    for claim in claims {
      for token in holders[claim.resource.path] ?? [] {
        guard let one = held[token], one.grant.session != session, one.conflicts(with: claim)
        else { continue }
        names.insert(one.grant.session)
      }
    }
    return names
  }

  private mutating func hold(_ request: Request, _ claims: [Claim]) -> Grant {
    lastToken += 1
    let grant = Grant(
      token: lastToken, session: request.session, request: request.id, wishes: request.wishes)
    keep(Held(grant: grant, claims: claims))
    return grant
  }

  private mutating func keep(_ one: Held) {
    held[one.grant.token] = one
    for claim in one.claims { holders[claim.resource.path, default: []].insert(one.grant.token) }
    if one.lingersUntil == nil { sessions[one.grant.session]?.grants.insert(one.grant.token) }
  }

  /// Has a session hold again what it held before a restart.
  mutating func restore(_ grant: Grant, lingersUntil: Duration?) {
    keep(Held(grant: grant, claims: Claim.claims(of: grant.wishes), lingersUntil: lingersUntil))
  }

  @discardableResult private mutating func removeHeld(_ token: UInt64) -> Held? {
    let one = drop(token)
    if let one { log.add(.released(one.grant)) }
    return one
  }

  @discardableResult private mutating func drop(_ token: UInt64) -> Held? {
    guard let one = held.removeValue(forKey: token) else { return nil }
    for claim in one.claims {
      Self.remove(token, at: claim.resource.path, from: &holders)
      freed.insert(claim.resource.path)
    }
    sessions[one.grant.session]?.grants.remove(token)
    return one
  }

  /// Has a request wait no more that is not granted.
  private mutating func leave(_ place: UInt64) {
    guard let request = waiting[place]?.request else { return }
    removeWaiting(place)
    log.add(.left(session: request.session, request: request.id))
  }

  private mutating func removeWaiting(_ place: UInt64) {
    guard let one = waiting.removeValue(forKey: place) else { return }
    for claim in one.claims {
      Self.remove(place, at: claim.resource.path, from: &queues)
      freed.insert(claim.resource.path)
    }
    sessions[one.request.session]?.waiting.remove(place)
  }

  private static func remove(
    _ number: UInt64, at path: [String], from index: inout [[String]: Set<UInt64>]
  ) {
    index[path]?.remove(number)
    if index[path]?.isEmpty == true { index[path] = nil }
  }

  // MARK: Deadlocks

  /// Sessions of which each waits for the next, from one on back to it; nil when there are none.
  private func cycle(from start: String) -> [String]? {
    var cameFrom: [String: String] = [:]
    var open = [start]
    while let name = open.popLast() {
      for next in blockers(of: name) {
        if next == start {
          var cycle = [name]
          while let last = cycle.last, last != start, let earlier = cameFrom[last] {
            cycle.append(earlier)
          }
          return cycle.reversed()
        }
        if cameFrom[next] == nil {
          cameFrom[next] = name
          open.append(next)
        }
      }
    }
    return nil
  }

  /// The sessions that something a session waits for is in the hands of, or asked for earlier by.
  private func blockers(of name: String) -> Set<String> {
    var names: Set<String> = []
    for place in sessions[name]?.waiting ?? [] {
      guard let one = waiting[place] else { continue }
      names.formUnion(holders(against: one.claims, except: name))
      for claim in one.claims {
        for other in queues[claim.resource.path] ?? [] where other < place {
          guard let earlier = waiting[other], earlier.request.session != name,
            earlier.conflicts(with: claim)
          else { continue }
          names.insert(earlier.request.session)
        }
      }
    }
    return names
  }
}

extension LatchTable {
  // MARK: Looking

  /// What all sessions hold now, by token. What a lost session held is among it during its lock delay.
  public var grants: [Grant] { held.values.map(\.grant).sorted { $0.token < $1.token } }

  /// The requests that wait, in the order of the queue.
  public var queue: [Request] { waiting.sorted { $0.key < $1.key }.map(\.value.request) }

  /// The names of all sessions.
  public var sessionNames: [String] { sessions.keys.sorted() }

  /// The number of the last change.
  public var revision: UInt64 { log.revision }

  /// The changes after a revision, in their order; nil when some are forgotten: then look at everything,
  /// and go on from ``revision``.
  public func events(after revision: UInt64) -> [Event]? { log.events(after: revision) }

  /// Whether a session holds something by that token now: the check that whoever writes asks for.
  public func isHeld(_ token: UInt64, at time: Duration) -> Bool {
    guard let one = held[token], one.lingersUntil == nil,
      let session = sessions[one.grant.session]
    else { return false }
    return session.deadline > time
  }
}

extension LatchTable.Held {
  fileprivate func conflicts(with claim: Claim) -> Bool {
    claims.contains { $0.conflicts(with: claim) }
  }

  /// Whether who holds it has what a claim asks for.
  fileprivate func covers(_ claim: Claim) -> Bool {
    claims.contains {
      $0.resource == claim.resource && $0.mode.joined(with: claim.mode) == $0.mode
    }
  }
}

extension LatchTable.Waiting {
  fileprivate func conflicts(with claim: Claim) -> Bool {
    claims.contains { $0.conflicts(with: claim) }
  }
}

extension Mode {
  var isIntention: Bool { self == .intentionShared || self == .intentionExclusive }
}
