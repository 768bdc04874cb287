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
    /// Tells it from other sessions of the same name.
    var number: UInt64
    /// The tokens of its grants, by request.
    var grants: [String: UInt64] = [:]
    /// The places in the queue of its requests.
    var waiting: [String: UInt64] = [:]
    /// The requests that are over, so that a copy of one that arrives late does nothing.
    var finished = RecentNames()
  }

  struct Held: Sendable {
    var grant: Grant
    var claims: [Claim]
    /// How long it stays held when its session is lost.
    var lockDelay = Duration.zero
    /// When it goes, of a session that is gone: the lock delay.
    var lingersUntil: Duration?
    /// Those who change what it holds just now, and until when they may; nil for as long as they like.
    var entries: [UInt64: Duration?] = [:]
    /// Whether it is given up, and only stays until nobody is inside.
    var isEnding = false
  }

  fileprivate struct Waiting {
    var request: Request
    var claims: [Claim]
    var until: Duration
  }

  let limits: Limits
  private var now = Duration.zero
  var sessions: [String: Session] = [:]
  private(set) var held: [UInt64: Held] = [:]
  private var waiting: [UInt64: Waiting] = [:]
  /// The tokens of grants, and the places of waiting requests, that have a claim on a path.
  private var holders = ClaimIndex()
  private var queues = ClaimIndex()
  /// The tokens of what is held in the name of a session and not by it any more.
  private var remains: [String: Set<UInt64>] = [:]
  /// How many sessions somebody has.
  private var sessionCounts: [String: Int] = [:]
  /// The bytes of what is held in the name of each session or waited for, and of all together.
  private var byteCounts: [String: Int] = [:]
  private var totalByteCount = 0
  private var nextPlace: UInt64 = 1
  private var nextEntry: UInt64
  /// The paths of which something became free since requests were granted last.
  private var freed: Set<[String]> = []
  /// What has changed of late.
  var log: EventLog
  private var agenda = Agenda()
  /// What has changed since it was last taken.
  var unsaved = Unsaved()
  /// The token of the last grant.
  public private(set) var lastToken: UInt64

  /// A table without sessions.
  ///
  /// `lastToken` is of all grants ever; the next one's token is larger. `revision` is of the last
  /// change ever.
  public init(limits: Limits = Limits(), lastToken: UInt64 = 0, revision: UInt64 = 0) {
    self.limits = limits
    self.lastToken = lastToken
    log = EventLog(
      countLimit: limits.eventCount, byteLimit: limits.eventByteCount, revision: revision)
    nextEntry = revision + 1
  }

  // MARK: Sessions

  /// Begins a session, which lasts while it is kept alive.
  ///
  /// - Parameters:
  ///   - name: a name that no other session has.
  ///   - owner: whose it is, for those who look.
  ///   - timeToLive: how long it lasts without being kept alive.
  ///   - lockDelay: how long what it holds stays held when it is lost, so that what it has begun can
  ///     come to its end.
  ///   - time: now.
  public mutating func open(
    _ name: String, owner: String, timeToLive: Duration, lockDelay: Duration = .zero,
    at time: Duration
  ) throws(LatchError) -> [Notice] {
    let notices = advance(to: time)
    guard (1...limits.nameByteCount).contains(name.utf8.count) else {
      throw .invalid("the name of a session has 1 to \(limits.nameByteCount) bytes")
    }
    guard timeToLive > .zero, timeToLive <= limits.longestLife, lockDelay >= .zero,
      lockDelay <= limits.longestLife
    else {
      throw .invalid("a session lasts more than nothing, and at most \(limits.longestLife)")
    }
    // What a lost one of that name holds for its lock delay is not the new one's.
    guard sessions[name] == nil, remains[name] == nil else { throw .sessionExists(name) }
    guard sessions.count < limits.sessionCount else {
      throw .tooMany("there are \(sessions.count) sessions, which is the limit")
    }
    guard sessionCounts[owner, default: 0] < limits.ownerSessionCount else {
      throw .tooMany("\(owner) has \(limits.ownerSessionCount) sessions, which is the limit")
    }
    add(
      Session(
        owner: owner, timeToLive: timeToLive, lockDelay: lockDelay, deadline: now + timeToLive,
        number: 0), name: name)
    unsaved.sessions.insert(name)
    log.add(.opened(session: name, owner: owner))
    return notices
  }

  mutating func add(_ session: Session, name: String) {
    var session = session
    session.number = nextPlace
    nextPlace += 1
    sessions[name] = session
    sessionCounts[session.owner, default: 0] += 1
    plan(.session(name, session.number), at: session.deadline)
  }

  private mutating func removeSession(_ name: String) -> Session? {
    guard let session = sessions.removeValue(forKey: name) else { return nil }
    let count = sessionCounts[session.owner, default: 1] - 1
    sessionCounts[session.owner] = count == 0 ? nil : count
    unsaved.sessions.insert(name)
    return session
  }

  /// Lets a session's time run anew.
  public mutating func keepAlive(_ name: String, at time: Duration) throws(LatchError) -> [Notice] {
    let notices = advance(to: time)
    guard let session = sessions[name] else { throw .noSession(name) }
    sessions[name]?.deadline = now + session.timeToLive
    unsaved.kept.insert(name)
    return notices
  }

  /// Ends a session: all that it holds is free at once.
  public mutating func close(_ name: String, at time: Duration) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    guard let session = removeSession(name) else { throw .noSession(name) }
    for place in session.waiting.values.sorted() { leave(place) }
    for token in session.grants.values.sorted() { removeHeld(token) }
    log.add(.ended(session: name, nil))
    notices += grantWaiting()
    return notices
  }

  /// Ends a session in its owner's place; the owner is told. What is held of one that is lost already, for
  /// its lock delay, is free at once.
  public mutating func revoke(_ name: String, at time: Duration) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    let lingering = (remains[name] ?? []).filter { held[$0]?.lingersUntil != nil }
    guard sessions[name] != nil || !lingering.isEmpty else { throw .noSession(name) }
    for token in lingering.sorted() { removeHeld(token) }
    if sessions[name] != nil { notices += lose(name, .revoked) }
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
      let others = holders(against: claims, except: request.session, evenEnding: true)
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
    plan(.request(place), at: until)
    waiting[place] = Waiting(request: request, claims: claims, until: until)
    queues.insert(place, claims)
    count(request.wishes.byteCount, of: request.session)
    sessions[request.session]?.waiting[request.id] = place
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
    guard let request = held[token]?.grant.request, sessions[name]?.grants[request] == token else {
      throw .notHeld(token)
    }
    removeHeld(token)
    finish(request, of: name)
    notices += grantWaiting()
    return notices
  }

  /// Gives up a request, whether it waits or was granted meanwhile; idempotent.
  public mutating func abandon(
    request id: String, of name: String, at time: Duration
  ) throws(LatchError) -> [Notice] {
    var notices = advance(to: time)
    guard let session = sessions[name] else { throw .noSession(name) }
    if let place = session.waiting[id] { leave(place) }
    if let token = session.grants[id] { removeHeld(token) }
    finish(id, of: name)
    notices += grantWaiting()
    return notices
  }

  /// Takes a request out of the queue whose caller is gone; sent again, it is a new one. What was granted
  /// stays.
  public mutating func withdraw(
    request id: String, of name: String, at time: Duration
  ) -> [Notice] {
    var notices = advance(to: time)
    if let place = sessions[name]?.waiting[id] { leave(place) }
    notices += grantWaiting()
    return notices
  }

  /// What a request that was sent before has led to.
  private func answerAgain(
    _ request: Request, _ session: Session
  ) throws(LatchError) -> Answer? {
    if session.finished.contains(request.id) { throw .finished }
    let isAnother = LatchError.invalid(
      "the session has a request \(request.id) that asks for something else")
    if let token = session.grants[request.id], let grant = held[token]?.grant {
      guard Set(grant.wishes) == Set(request.wishes) else { throw isAnother }
      return .granted(grant)
    }
    guard let place = session.waiting[request.id] else { return nil }
    guard waiting[place].map({ Set($0.request.wishes) == Set(request.wishes) }) ?? true else {
      throw isAnother
    }
    return .waiting
  }

  private func check(_ request: Request, _ session: Session) throws(LatchError) {
    guard (1...limits.nameByteCount).contains(request.id.utf8.count), !request.wishes.isEmpty else {
      throw .invalid(
        "a request has a name of 1 to \(limits.nameByteCount) bytes, and asks for something")
    }
    for wish in request.wishes {
      if let problem = wish.resource.problem { throw .invalid(problem) }
      guard wish.resource.byteCount <= limits.resourceByteCount else {
        throw .invalid("a resource is named in at most \(limits.resourceByteCount) bytes")
      }
      if wish.resource.keys != nil, wish.mode != .shared, wish.mode != .exclusive {
        throw .invalid("a range of keys is held shared or exclusive")
      }
    }
    guard request.wishes.count <= limits.wishCount else {
      throw .tooMany("a request asks for at most \(limits.wishCount) resources")
    }
    let byteCount = request.wishes.byteCount
    guard byteCount <= limits.requestByteCount else {
      throw .tooMany("a request names its resources in at most \(limits.requestByteCount) bytes")
    }
    guard byteCounts[request.session, default: 0] + byteCount <= limits.sessionByteCount else {
      throw .tooMany(
        "a session names all of its resources in at most \(limits.sessionByteCount) bytes")
    }
    guard totalByteCount + byteCount <= limits.totalByteCount else {
      throw .tooMany("all resources are named in at most \(limits.totalByteCount) bytes")
    }
    guard session.grants.count + session.waiting.count < limits.requestCount else {
      throw .tooMany("a session has at most \(limits.requestCount) requests")
    }
  }

  private mutating func finish(_ request: String, of session: String) {
    // A name that was forgotten is a new one; a session has few that are sent again so late.
    sessions[session]?.finished.insert(request, countLimit: limits.finishedCount)
    unsaved.finished[session, default: RecentNames()].insert(
      request, countLimit: limits.finishedCount)
  }

  // MARK: Entering

  /// Begins to change what is held by a token. Until that ends, all of the grant stays held, even when
  /// its session is lost, closed or gives it up meanwhile: what has begun comes to its end before
  /// anybody else may begin.
  ///
  /// - Parameters:
  ///   - token: the fencing token of the grant.
  ///   - paths: what is to be changed; of each the grant must hold something exclusive, be it inside.
  ///   - wholly: whether all of it may be changed, or it may go: the grant must hold all of it then.
  ///   - until: when it ends by itself; nil when it lasts until ``leave(_:at:)``.
  ///   - time: now.
  public mutating func enter(
    _ token: UInt64, changing paths: [[String]], wholly: Bool = false, until: Duration? = nil,
    at time: Duration
  ) throws(LatchError) -> (entry: Entry, notices: [Notice]) {
    let notices = advance(to: time)
    guard isHeld(token, at: time), var one = held[token] else { throw .notHeld(token) }
    for path in paths where !one.grant.allowsChange(of: path, wholly: wholly) {
      throw .notCovered(token, path)
    }
    guard one.entries.count < limits.entryCount else {
      throw .tooMany("a grant is entered \(limits.entryCount) times at once at most")
    }
    let number = nextEntry
    nextEntry += 1
    one.entries[number] = .some(until)
    held[token] = one
    if let until {
      plan(.entry(token, number), at: until)
      unsaved.held.insert(token)
    }
    return (Entry(token: token, number: number), notices)
  }

  /// Ends a change; idempotent.
  public mutating func leave(_ entry: Entry, at time: Duration) -> [Notice] {
    var notices = advance(to: time)
    removeEntry(entry)
    notices += grantWaiting()
    return notices
  }

  private mutating func removeEntry(_ entry: Entry) {
    guard let until = held[entry.token]?.entries.removeValue(forKey: entry.number) else { return }
    if until != nil { unsaved.held.insert(entry.token) }
    if let one = held[entry.token], one.isEnding, one.entries.isEmpty { removeHeld(entry.token) }
  }

  // MARK: Time

  /// When something will be due at the earliest; nil when nothing will.
  public var nextDeadline: Duration? { agenda.first }

  /// Does what is due by a time: sessions expire, requests that waited for too long are refused.
  public mutating func advance(to time: Duration) -> [Notice] {
    guard time > now else { return [] }
    now = time
    var expired: [String] = []
    var overdue: [UInt64] = []
    while let item = agenda.next(dueBy: now) {
      switch item {
      case .session(let name, let number):
        guard let session = sessions[name], session.number == number else { continue }
        if session.deadline <= now {
          expired.append(name)
        } else {
          // It was kept alive.
          agenda.add(item, at: session.deadline)
        }
      case .request(let place): overdue.append(place)
      case .lingering(let token):
        if let end = held[token]?.lingersUntil, end <= now { removeHeld(token) }
      case .entry(let token, let number): removeEntry(Entry(token: token, number: number))
      }
    }
    var notices: [Notice] = []
    for name in expired { notices += lose(name, .expired) }
    for place in overdue.sorted() {
      guard let one = waiting[place] else { continue }
      leave(place)
      notices.append(
        .refused(session: one.request.session, request: one.request.id, .timedOut))
    }
    notices += grantWaiting()
    return notices
  }

  /// Sees to it that something is done when it is due.
  private mutating func plan(_ item: Agenda.Item, at time: Duration) {
    agenda.add(item, at: time)
    // What was planned and is not due any more leaves when there is more of it than of the rest.
    guard agenda.count > 2 * (sessions.count + waiting.count + held.count) + 1000 else { return }
    let (sessions, waiting, held) = (sessions, waiting, held)
    agenda.keep { item in
      switch item {
      case .session(let name, let number): sessions[name]?.number == number
      case .request(let place): waiting[place] != nil
      case .lingering(let token): held[token] != nil
      case .entry(let token, let number): held[token]?.entries[number] != nil
      }
    }
  }

  private mutating func lose(_ name: String, _ loss: Loss) -> [Notice] {
    guard let session = removeSession(name) else { return [] }
    for place in session.waiting.values.sorted() { leave(place) }
    for token in session.grants.values.sorted() {
      if session.lockDelay > .zero {
        let end = now + session.lockDelay
        held[token]?.lingersUntil = end
        held[token]?.lockDelay = session.lockDelay
        remains[name, default: []].insert(token)
        unsaved.held.insert(token)
        plan(.lingering(token), at: end)
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
    guard !freed.isEmpty else { return [] }
    let places = freed.reduce(into: Set<UInt64>()) { $0.formUnion(queues[$1]) }
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
      if holders.mayConflict(with: claim),
        holders[path].contains(where: { token in
          guard let one = held[token] else { return false }
          return one.grant.session != session && one.conflicts(with: claim)
        })
      {
        return false
      }
      guard queues.mayConflict(with: claim) else { return true }
      return holds(claim, session)
        || !queues[path].contains { other in
          guard other < place, let one = waiting[other] else { return false }
          return one.request.session != session && one.conflicts(with: claim)
        }
    }
  }

  /// Whether a session has what a claim asks for.
  private func holds(_ claim: Claim, _ session: String) -> Bool {
    sessions[session]?.grants.values.contains { held[$0]?.covers(claim) == true } ?? false
  }

  /// Whether a session holds one of the resources already, but not in a mode that is enough.
  private func strengthens(_ claims: [Claim], of session: String) -> Bool {
    let own = (sessions[session]?.grants.values).map { $0.compactMap { held[$0] } } ?? []
    if own.isEmpty { return false }
    return claims.contains { claim in
      !claim.isHidden && !own.contains { $0.covers(claim) }
        && own.contains {
          $0.claims.contains { $0.resource == claim.resource && !$0.mode.isIntention }
        }
    }
  }

  /// The sessions in whose names something is held in the way of some claims.
  private func holders(
    against claims: [Claim], except session: String, evenEnding: Bool
  ) -> Set<String> {
    var names: Set<String> = []
    for claim in claims where holders.mayConflict(with: claim) {
      for token in holders[claim.resource.path] {
        guard let one = held[token], evenEnding || !one.isEnding, one.grant.session != session,
          one.conflicts(with: claim)
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
    keep(
      Held(
        grant: grant, claims: claims, lockDelay: sessions[request.session]?.lockDelay ?? .zero))
    unsaved.held.insert(grant.token)
    return grant
  }

  private mutating func keep(_ one: Held) {
    let grant = one.grant
    held[grant.token] = one
    holders.insert(grant.token, one.claims)
    count(grant.wishes.byteCount, of: grant.session)
    if one.lingersUntil == nil, !one.isEnding {
      sessions[grant.session]?.grants[grant.request] = grant.token
    } else {
      remains[grant.session, default: []].insert(grant.token)
    }
  }

  /// Has a session hold again what it held before a restart.
  mutating func restore(_ one: Held) {
    keep(one)
    if let end = one.lingersUntil { plan(.lingering(one.grant.token), at: end) }
    for (number, until) in one.entries {
      if let until { plan(.entry(one.grant.token, number), at: until) }
    }
  }

  /// Gives up what is held by a token: now, or once nobody is inside any more.
  private mutating func removeHeld(_ token: UInt64) {
    guard let one = held[token] else { return }
    guard one.entries.isEmpty else {
      held[token]?.isEnding = true
      held[token]?.lingersUntil = nil
      sessions[one.grant.session]?.grants[one.grant.request] = nil
      remains[one.grant.session, default: []].insert(token)
      unsaved.held.insert(token)
      return
    }
    drop(token)
    log.add(.released(one.grant))
  }

  private mutating func drop(_ token: UInt64) {
    guard let one = held.removeValue(forKey: token) else { return }
    holders.remove(token, one.claims)
    count(-one.grant.wishes.byteCount, of: one.grant.session)
    for claim in one.claims { freed.insert(claim.resource.path) }
    let (name, request) = (one.grant.session, one.grant.request)
    if sessions[name]?.grants[request] == token { sessions[name]?.grants[request] = nil }
    remains[name]?.remove(token)
    if remains[name]?.isEmpty == true { remains[name] = nil }
    unsaved.held.insert(token)
  }

  private mutating func count(_ bytes: Int, of session: String) {
    totalByteCount += bytes
    let all = byteCounts[session, default: 0] + bytes
    byteCounts[session] = all == 0 ? nil : all
  }

  /// Has a request wait no more that is not granted.
  private mutating func leave(_ place: UInt64) {
    guard let request = waiting[place]?.request else { return }
    removeWaiting(place)
    log.add(.left(session: request.session, request: request.id))
  }

  private mutating func removeWaiting(_ place: UInt64) {
    guard let one = waiting.removeValue(forKey: place) else { return }
    queues.remove(place, one.claims)
    count(-one.request.wishes.byteCount, of: one.request.session)
    for claim in one.claims { freed.insert(claim.resource.path) }
    sessions[one.request.session]?.waiting[one.request.id] = nil
  }

  // MARK: Deadlocks

  /// Sessions of which each waits for the next, from one on back to it; nil when there are none.
  private func cycle(from start: String) -> [String]? {
    // Nobody can wait for one that holds nothing and stands in the queue once, at its end.
    guard let session = sessions[start], !session.grants.isEmpty || session.waiting.count > 1 else {
      return nil
    }
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
    for place in sessions[name]?.waiting.values.map(\.self) ?? [] {
      guard let one = waiting[place] else { continue }
      // What is given up already ends without anything that its session may wait for.
      names.formUnion(holders(against: one.claims, except: name, evenEnding: false))
      for claim in one.claims {
        guard queues.mayConflict(with: claim) else { continue }
        for other in queues[claim.resource.path] where other < place {
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

  /// What a session holds now.
  public func grants(of session: String) -> [Grant] {
    sessions[session]?.grants.values.compactMap { held[$0]?.grant } ?? []
  }

  /// The session that holds something by a token.
  public func holder(of token: UInt64) -> String? { held[token]?.grant.session }

  /// The requests that wait, in the order of the queue.
  public var queue: [Request] { waiting.sorted { $0.key < $1.key }.map(\.value.request) }

  /// The names of all sessions.
  public var sessionNames: [String] { sessions.keys.sorted() }

  /// How many sessions, grants and waiting requests there are.
  public var counts: (sessions: Int, grants: Int, waiting: Int) {
    (sessions.count, held.count, waiting.count)
  }

  /// What a session is; nil when there is none of that name.
  public func session(_ name: String) -> SessionState? {
    sessions[name].map {
      SessionState(
        name: name, owner: $0.owner, timeToLive: $0.timeToLive, lockDelay: $0.lockDelay,
        deadline: $0.deadline)
    }
  }

  /// The number of the last change.
  public var revision: UInt64 { log.revision }

  /// The changes after a revision, in their order; nil when some are forgotten: then look at everything,
  /// and go on from ``revision``.
  public func events(after revision: UInt64) -> [Event]? { log.events(after: revision) }

  /// Whether a session holds something by that token now: the check that whoever writes asks for.
  public func isHeld(_ token: UInt64, at time: Duration) -> Bool {
    guard let one = held[token], one.lingersUntil == nil, !one.isEnding,
      let session = sessions[one.grant.session]
    else { return false }
    return session.deadline > time
  }
}

extension Grant {
  /// Whether it holds something exclusive of a path: all of it, or, unless that is asked for, something
  /// inside.
  func allowsChange(of path: [String], wholly: Bool) -> Bool {
    wishes.contains { wish in
      guard wish.mode == .exclusive else { return false }
      let own = wish.resource.path
      if path.starts(with: own), wish.resource.keys == nil { return true }
      return !wholly && (own.starts(with: path) || path.starts(with: own))
    }
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
