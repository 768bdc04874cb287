import Foundation
import LatchClient
public import Latches
public import Logging
import Threads

/// Why a call of a node fails, beside what `LatchError` says.
public enum NodeError: Error, Hashable, Sendable {
  /// Another node serves, there if it is known.
  case notLeading(Leader?)
  /// What has changed could not be stored.
  case notStored(String)
  /// Nothing is granted for so long, because leases may be lost.
  case notYet(Duration)
  /// The changes after the revision are forgotten.
  case tooOld(UInt64)
  /// Only the session's owner and administrators may do this.
  case notAllowed(String)
  /// The node is coming to its end.
  case stopping
}

/// Who calls.
public struct Principal: Sendable {
  /// The user's name.
  public var user: String
  /// Whether sessions of others are this user's too.
  public var isAdmin: Bool
  /// Whether the user may hold what allows to change something.
  public var mayChange: Bool
  /// Which of the user's rights these are: another number after every change.
  public var rights: Int
  /// Whether the user may hold something of a database.
  public var sees: @Sendable (_ database: String) -> Bool

  /// Makes one.
  public init(
    user: String, isAdmin: Bool, mayChange: Bool = true, rights: Int = 0,
    sees: @escaping @Sendable (_ database: String) -> Bool = { _ in true }
  ) {
    self.user = user
    self.isAdmin = isAdmin
    self.mayChange = mayChange
    self.rights = rights
    self.sees = sees
  }

  /// Whether it has the rights of another.
  func hasRights(of other: Principal) -> Bool {
    user == other.user && isAdmin == other.isAdmin && mayChange == other.mayChange
      && rights == other.rights
  }
}

/// A table of latches with a clock and a store: everything of the service but its protocol.
///
/// No call returns before what it tells is stored, and while another node could serve.
public actor LatchNode {
  nonisolated let executor = ThreadExecutor(name: "latches")
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  private enum Role {
    case starting
    case leading(Beginning)
    case following(Leader?)
    case stopped
  }

  /// A call that waits, or is about to.
  private struct Waiter {
    var name: RequestName
    var continuation: CheckedContinuation<Grant, any Error>?
    var result: Result<Grant, any Error>?
  }

  /// The name of the node, for those who look.
  public nonisolated let name: String
  private let store: any LatchStore
  private let limits: Limits
  private let now: @Sendable () -> Duration
  private let logger: Logger
  let measures = Measures()

  private let peerAuthorityFile: String?
  private var leaderClient: (leader: Leader, client: LatchClient)?

  private var table: LatchTable
  private var role = Role.starting
  /// Grows when the table is another one.
  private var term = 0
  private var isStoring = false
  /// Those whose changes are not stored yet.
  private var unstored: [CheckedContinuation<Void, any Error>] = []
  /// What is to be told once it is stored.
  private var outbox: [Notice] = []
  private var waiters: [UInt64: Waiter] = [:]
  private var waiting: [RequestName: Set<UInt64>] = [:]
  private var nextNumber: UInt64 = 0
  /// Those who want to know when a session is lost.
  private var keepers: [String: [UInt64: AsyncStream<KeeperNews>.Continuation]] = [:]
  /// Everything up to here is stored.
  private var storedRevision: UInt64 = 0
  private var savedRevision: UInt64 = 0
  private var watchers: [UInt64: CheckedContinuation<Void, Never>] = [:]
  private var timer: (due: Duration, task: Task<Void, Never>)?

  private struct RequestName: Hashable {
    var session: String
    var id: String
  }

  /// Makes a node, which serves while ``run()`` runs.
  ///
  /// `peerAuthorityFile` has the certificates that those of other nodes are signed by, PEM; nil for
  /// those of the system. `now` is a clock that goes on while the machine sleeps, and never back.
  public init(
    name: String, store: any LatchStore, limits: Limits = Limits(),
    peerAuthorityFile: String? = nil, now: @escaping @Sendable () -> Duration = bootTime,
    logger: Logger
  ) {
    self.name = name
    self.store = store
    self.limits = limits
    self.peerAuthorityFile = peerAuthorityFile
    self.now = now
    self.logger = logger
    table = LatchTable(limits: limits)
  }

  /// Serves, whenever this node is the one that does, until the task is cancelled.
  public func run() async throws {
    do {
      while !Task.isCancelled {
        let beginning = try await store.begin { await self.follow($0) }
        begin(beginning)
        try await store.waitUntilDeposed()
        logger.warning("Another node serves the latches now")
        stopServing(.following(nil))
      }
    } catch {
      stopServing(.stopped)
      await store.end()
      if !(error is CancellationError) { throw error }
      return
    }
    stopServing(.stopped)
    await store.end()
  }

  private func follow(_ leader: Leader?) { role = .following(leader) }

  private func begin(_ beginning: Beginning) {
    table = LatchTable(
      limits: limits, from: beginning.snapshot, at: now(), isSameClock: beginning.isSameClock)
    storedRevision = table.revision
    savedRevision = table.revision
    role = .leading(beginning)
    let counts = table.counts
    logger.notice(
      "Serving latches", metadata: ["sessions": "\(counts.sessions)", "grants": "\(counts.grants)"])
    if let time = beginning.grantsFrom, time > now() {
      logger.warning(
        """
        The machine was started anew without an orderly end of the service: sessions from before are \
        over, and nothing is granted for \((time - now()).components.seconds) s, until their leases are
        """)
    }
    setTimer()
  }

  private func stopServing(_ role: Role) {
    self.role = role
    timer?.task.cancel()
    timer = nil
    for number in waiters.keys { finish(number, .failure(reasonNotToServe)) }
    for keeper in keepers.values.flatMap(\.values) { keeper.finish() }
    keepers = [:]
    for watcher in watchers.values { watcher.resume() }
    watchers = [:]
    outbox = []
    term += 1
    table = LatchTable(limits: limits)
  }

  private var reasonNotToServe: NodeError {
    switch role {
    case .starting: .notLeading(nil)
    case .leading: .notLeading(nil)
    case .following(let leader): .notLeading(leader)
    case .stopped: .stopping
    }
  }

  /// Whether this node serves now.
  public var isServing: Bool {
    if case .leading = role { store.isLeading } else { false }
  }

  private func checkServing() throws {
    guard isServing else { throw reasonNotToServe }
  }

  /// Whether somebody proves to be another node.
  func isNode(secret: String) -> Bool {
    if case .leading(let beginning) = role { beginning.secret == secret } else { false }
  }

  // MARK: Calls

  /// Does something with the table, and waits until it is stored.
  private func perform<Result>(
    _ body: (inout LatchTable, Duration) throws(LatchError) -> (Result, [Notice])
  ) async throws -> Result {
    try checkServing()
    let time = now()
    outbox += table.advance(to: time)
    let result: Swift.Result<Result, LatchError>
    do throws(LatchError) {
      let (value, notices) = try body(&table, time)
      outbox += notices
      result = .success(value)
    } catch {
      result = .failure(error)
    }
    setTimer()
    try await commit()
    try checkServing()
    return try result.get()
  }

  /// Begins a session.
  ///
  /// With `resume`, one of that name, of the same user, is meant if there is one. It keeps its own
  /// time to live.
  ///
  /// - Returns: the session, be it the one that was there.
  @discardableResult
  public func open(
    _ name: String, timeToLive: Duration, lockDelay: Duration, resume: Bool, by caller: Principal
  ) async throws -> SessionState {
    var isKnown = false
    let session = try await perform { table, time throws(LatchError) in
      let notices: [Notice]
      if resume, let known = table.session(name), known.owner == caller.user {
        guard lockDelay == .zero || lockDelay == known.lockDelay else {
          throw .invalid(
            "the session \(name) has a lock delay of \(known.lockDelay), and keeps it")
        }
        isKnown = true
        notices = try table.keepAlive(name, at: time)
      } else {
        notices = try table.open(
          name, owner: caller.user, timeToLive: timeToLive, lockDelay: lockDelay, at: time)
      }
      guard let session = table.session(name) else { throw .noSession(name) }
      return (session, notices)
    }
    // After a start of the machine this is how long leases may last that are not in the store.
    do {
      try await store.sync()
    } catch {
      throw NodeError.notStored("\(error)")
    }
    if !isKnown { measures.opened.increment() }
    return session
  }

  /// Lets a session's time run anew. With `checksGrants`, it may only be one that holds what the
  /// caller may hold.
  ///
  /// - Returns: its whole time.
  public func keepAlive(
    _ name: String, checksGrants: Bool = false, by caller: Principal
  ) async throws -> Duration {
    try check(caller, name)
    if checksGrants, !caller.isAdmin {
      for grant in table.grants(of: name) { try check(caller, grant.wishes) }
    }
    return try await perform { table, time throws(LatchError) in
      let notices = try table.keepAlive(name, at: time)
      return (table.session(name)?.timeToLive ?? .zero, notices)
    }
  }

  /// Ends a session.
  public func close(_ name: String, by caller: Principal) async throws {
    try check(caller, name)
    try await perform { table, time throws(LatchError) in
      ((), try table.close(name, at: time))
    }
    keepers[name] = nil
    refuseWaiters(of: name)
  }

  /// Ends a session in its owner's place.
  public func revoke(_ name: String, by caller: Principal) async throws {
    guard caller.isAdmin else {
      throw NodeError.notAllowed("only administrators end sessions of others")
    }
    try await perform { table, time throws(LatchError) in
      ((), try table.revoke(name, at: time))
    }
  }

  /// Acquires resources; waits for them as long as the request says. The cancellation of the task takes
  /// it out of the queue.
  public func acquire(_ request: Request, by caller: Principal) async throws -> Grant {
    try check(caller, request.session)
    try check(caller, request.wishes)
    if case .leading(let beginning) = role, let time = beginning.grantsFrom, time > now() {
      throw NodeError.notYet(time - now())
    }
    let start = now()
    let number = takeNumber()
    let name = RequestName(session: request.session, id: request.id)
    let grant: Grant
    do {
      let answer = try await perform { table, time throws(LatchError) in
        let (answer, notices) = try table.acquire(request, at: time)
        if answer == .waiting {
          waiters[number] = Waiter(name: name)
          waiting[name, default: []].insert(number)
        }
        return (answer, notices)
      }
      switch answer {
      case .granted(let given): grant = given
      case .waiting: grant = try await wait(number)
      }
    } catch {
      forget(number, name, after: error)
      throw error
    }
    // Since it was granted, storing it has taken time.
    try checkServing()
    guard table.isHeld(grant.token, at: now()) else { throw LatchError.noSession(grant.session) }
    measures.granted(after: now() - start)
    return grant
  }

  private func wait(_ number: UInt64) async throws -> Grant {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        waiters[number]?.continuation = continuation
        if let result = waiters[number]?.result { finish(number, result) }
        if Task.isCancelled { giveUp(number) }
      }
    } onCancel: {
      Task { await self.giveUp(number) }
    }
  }

  /// Lets a call wait no more whose caller is gone.
  private func giveUp(_ number: UInt64) { finish(number, .failure(CancellationError())) }

  /// Takes a call out of the queue that has failed.
  private func forget(_ number: UInt64, _ name: RequestName, after error: any Error) {
    remove(number, name)
    // The table knows what it has refused. Another may have been sent a second time.
    guard !(error is LatchError), waiting[name] == nil, case .leading = role else { return }
    outbox += table.withdraw(request: name.id, of: name.session, at: now())
    Task { try? await commit() }
  }

  private func remove(_ number: UInt64, _ name: RequestName) {
    waiters[number] = nil
    waiting[name]?.remove(number)
    if waiting[name]?.isEmpty == true { waiting[name] = nil }
  }

  /// Lets a call go on that waits, now or as soon as it does.
  private func finish(_ number: UInt64, _ result: Result<Grant, any Error>) {
    guard let waiter = waiters[number] else { return }
    guard let continuation = waiter.continuation else {
      waiters[number]?.result = result
      return
    }
    remove(number, waiter.name)
    continuation.resume(with: result)
  }

  private func refuseWaiters(of session: String) {
    for (name, numbers) in waiting where name.session == session {
      for number in numbers { finish(number, .failure(LatchError.noSession(session))) }
    }
  }

  /// Gives up a grant.
  public func release(_ token: UInt64, of session: String, by caller: Principal) async throws {
    try check(caller, session)
    try await perform { table, time throws(LatchError) in
      ((), try table.release(token, of: session, at: time))
    }
  }

  /// Gives up a request, whatever became of it.
  public func abandon(request id: String, of session: String, by caller: Principal) async throws {
    try check(caller, session)
    try await perform { table, time throws(LatchError) in
      ((), try table.abandon(request: id, of: session, at: time))
    }
    for number in waiting[RequestName(session: session, id: id)] ?? [] {
      finish(number, .failure(LatchError.finished))
    }
  }

  /// Begins a change that a fencing token allows; see `LatchTable.enter`. It ends by itself after
  /// `limit`.
  public func enter(
    _ token: UInt64, changing paths: [[String]], wholly: Bool = false, limit: Duration,
    by caller: Principal
  ) async throws -> Entry {
    guard limit > .zero, limit <= limits.longestEntry else {
      throw LatchError.invalid("an entry lasts more than nothing, and at most 60 s")
    }
    if let session = table.holder(of: token) { try check(caller, session) }
    guard caller.mayChange else { throw NodeError.notAllowed("a reader changes nothing") }
    for path in paths { try checkDatabase(path.first ?? "", caller) }
    return try await enter(token, paths, wholly, limit)
  }

  /// How long a change by this process may take; nil for any time.
  public nonisolated var entryLimit: Duration? { store.entryLimit }

  /// Begins a change by this process that a fencing token allows, wherever the latches are served.
  ///
  /// While another node may take over, it must end within ``LatchStore/entryLimit``. The session
  /// must be the caller's, unless that is an administrator.
  ///
  /// - Throws: `LatchError`, or `LatchCallError` of another node, when the token is not held now, or does not
  ///   allow to change a path.
  public func enter(
    _ token: UInt64, changing paths: [[String]], wholly: Bool = false, for caller: Principal
  ) async throws -> Entry {
    if case .following(let leader?) = role {
      return try await client(of: leader).enter(
        token, changing: paths, wholly: wholly, limit: store.entryLimit ?? limits.longestEntry,
        onBehalfOf: caller.isAdmin ? nil : caller.user)
    }
    if let session = table.holder(of: token) { try check(caller, session) }
    return try await enter(token, paths, wholly, store.entryLimit)
  }

  /// Ends a change by this process. What cannot be told to another node ends by its limit.
  public func leave(_ entry: Entry) async {
    do {
      if case .following(let leader?) = role {
        try await client(of: leader).leave(entry)
      } else {
        try await leaveHere(entry)
      }
    } catch {
      logger.warning("A change that has ended cannot be told to the latch service: \(error)")
    }
  }

  /// A client of the node that serves.
  private func client(of leader: Leader) -> LatchClient {
    if let known = leaderClient, known.leader == leader { return known.client }
    leaderClient?.client.close()
    var configuration = LatchClientConfiguration(endpoints: [leader.address])
    configuration.credentials = .node(secret: leader.secret)
    configuration.usesTLS = leader.usesTLS
    configuration.authorityFile = peerAuthorityFile
    configuration.patience = .seconds(5)
    let client = LatchClient(configuration)
    leaderClient = (leader, client)
    return client
  }

  private func enter(
    _ token: UInt64, _ paths: [[String]], _ wholly: Bool, _ limit: Duration?
  ) async throws -> Entry {
    let term = term
    var entered: Entry?
    do {
      return try await perform { table, time throws(LatchError) in
        let (entry, notices) = try table.enter(
          token, changing: paths, wholly: wholly, until: limit.map { time + $0 }, at: time)
        entered = entry
        return (entry, notices)
      }
    } catch {
      // Nobody else knows of it, who could leave.
      if let entered, term == self.term {
        outbox += table.leave(entered, at: now())
        Task { try? await commit() }
      }
      throw error
    }
  }

  /// Ends a change.
  public func leave(_ entry: Entry, by caller: Principal) async throws {
    if let session = table.holder(of: entry.token) { try check(caller, session) }
    try await leaveHere(entry)
  }

  /// Ends a change by this process.
  private func leaveHere(_ entry: Entry) async throws {
    try await perform { table, time throws(LatchError) in ((), table.leave(entry, at: time)) }
  }

  /// Everything there is.
  public func inspect() async throws -> Overview {
    try await perform { table, time throws(LatchError) in
      let notices = table.advance(to: time)
      let overview = Overview(
        revision: table.revision, sessions: table.sessionNames.compactMap { table.session($0) },
        grants: table.grants, queue: table.queue, lastToken: table.lastToken, time: time)
      return (overview, notices)
    }
  }

  /// The changes after a revision, as soon as there are some.
  ///
  /// - Parameter revision: nil for the newest.
  public func changes(
    after revision: UInt64?
  ) async throws -> (events: [Event], revision: UInt64) {
    try checkServing()
    guard let revision else { return ([], storedRevision) }
    while revision == storedRevision, isServing, !Task.isCancelled { await waitForChange() }
    try Task.checkCancellation()
    try checkServing()
    guard let events = table.events(after: revision) else {
      throw NodeError.tooOld(storedRevision)
    }
    return (events.filter { $0.revision <= storedRevision }, storedRevision)
  }

  private func waitForChange() async {
    nextNumber += 1
    let number = nextNumber
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if Task.isCancelled {
          continuation.resume()
        } else {
          watchers[number] = continuation
        }
      }
    } onCancel: {
      Task { await self.wake(number) }
    }
  }

  private func wake(_ number: UInt64) { watchers.removeValue(forKey: number)?.resume() }

  // MARK: Losses

  /// What somebody is told who keeps sessions alive.
  enum KeeperNews: Hashable, Sendable {
    case lost(session: String, Loss)
  }

  /// Has somebody told when a session is lost.
  func addKeeper(
    _ number: UInt64, of session: String, _ news: AsyncStream<KeeperNews>.Continuation
  ) {
    keepers[session, default: [:]][number] = news
  }

  func removeKeeper(_ number: UInt64, of sessions: Set<String>) {
    for session in sessions {
      keepers[session]?[number] = nil
      if keepers[session]?.isEmpty == true { keepers[session] = nil }
    }
  }

  /// A number that nobody else has.
  func takeNumber() -> UInt64 {
    nextNumber += 1
    return nextNumber
  }

  /// Sessions are used by their owners and by administrators.
  private func check(_ caller: Principal, _ session: String) throws {
    if let state = table.session(session), state.owner != caller.user, !caller.isAdmin {
      throw NodeError.notAllowed("the session belongs to another user")
    }
  }

  /// Users hold what they may read or change.
  private func check(_ caller: Principal, _ wishes: [Wish]) throws {
    for wish in wishes {
      try checkDatabase(wish.resource.path.first ?? "", caller)
      guard caller.mayChange || wish.mode == .shared || wish.mode == .intentionShared else {
        throw NodeError.notAllowed(
          "a reader holds S and IS; \(wish.mode) is for writers and administrators")
      }
    }
  }

  private func checkDatabase(_ name: String, _ caller: Principal) throws {
    guard caller.sees(name) else {
      throw NodeError.notAllowed("\(caller.user) may not use the database \(name)")
    }
  }

  // MARK: Storing

  /// Waits until everything that has changed is stored.
  private func commit() async throws {
    if isStoring {
      try await withCheckedThrowingContinuation { unstored.append($0) }
    } else {
      try await storeOnce()
    }
  }

  private func storeOnce() async throws {
    isStoring = true
    let term = term
    let changes = table.takeChanges()
    let (others, notices) = (unstored, outbox)
    unstored = []
    outbox = []
    let result: Result<Void, any Error>
    do {
      // Changes that need not be stored still count: nobody is to see a number twice.
      if !changes.isEmpty || changes.revision > savedRevision + 1 << 19 {
        try await store.write(changes, at: now())
        savedRevision = changes.revision
      }
      result = .success(())
    } catch is DeposedError {
      result = .failure(NodeError.notLeading(nil))
    } catch {
      logger.error("Latches cannot be stored: \(error)")
      result = .failure(NodeError.notStored("\(error)"))
    }
    isStoring = false
    switch result {
    case _ where term != self.term: break
    case .success:
      storedRevision = changes.revision
      deliver(notices)
    case .failure:
      table.putBack(changes)
      outbox = notices + outbox
      setTimer()
    }
    for other in others { other.resume(with: result) }
    if !unstored.isEmpty { Task { try? await storeOnceMore() } }
    try result.get()
  }

  private func storeOnceMore() async throws {
    if !isStoring, !unstored.isEmpty { try await storeOnce() }
  }

  /// Tells what is stored to whom it concerns.
  private func deliver(_ notices: [Notice]) {
    for notice in notices {
      switch notice {
      case .granted(let grant): answer(grant.session, grant.request, .success(grant))
      case .refused(let session, let request, let error):
        answer(session, request, .failure(error))
      case .lost(let session, let loss):
        measures.lost(loss)
        refuseWaiters(of: session)
        for keeper in keepers.removeValue(forKey: session)?.values.map(\.self) ?? [] {
          keeper.yield(.lost(session: session, loss))
        }
      }
    }
    for watcher in watchers.values { watcher.resume() }
    watchers = [:]
  }

  private func answer(_ session: String, _ request: String, _ result: Result<Grant, LatchError>) {
    for number in waiting[RequestName(session: session, id: request)] ?? [] {
      finish(number, result.mapError { $0 as any Error })
    }
  }

  // MARK: Time

  private func setTimer() {
    guard case .leading = role else { return }
    // What could not be stored is tried again soon.
    let retry: Duration? = outbox.isEmpty || isStoring ? nil : now() + .seconds(1)
    guard let due = [table.nextDeadline, retry].compactMap(\.self).min() else { return }
    if let timer, timer.due <= due { return }
    timer?.task.cancel()
    let delay = max(due - now(), .zero)
    timer = (
      due,
      Task {
        guard (try? await Task.sleep(for: delay, clock: .continuous)) != nil else { return }
        await self.tick(due)
      }
    )
  }

  private func tick(_ due: Duration) async {
    guard timer?.due == due else { return }
    timer = nil
    guard case .leading = role else { return }
    outbox += table.advance(to: now())
    let counts = table.counts
    measures.record(sessions: counts.sessions, grants: counts.grants, waiting: counts.waiting)
    try? await commit()
    setTimer()
  }
}

/// Everything there is, for those who look.
public struct Overview: Sendable {
  public var revision: UInt64
  public var sessions: [SessionState]
  public var grants: [Grant]
  public var queue: [Request]
  public var lastToken: UInt64
  /// When this was so.
  public var time: Duration
}
