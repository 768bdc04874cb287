/// What of a table of latches outlives a restart. Requests that wait do not: who still wants one sends it
/// again.
public struct LatchSnapshot: Hashable, Sendable, Codable {
  /// One session.
  public struct Session: Hashable, Sendable, Codable {
    var name: String
    var owner: String
    var timeToLive: Duration
    var lockDelay: Duration
    var deadline: Duration
    var finished: Set<String>
  }

  /// Something held.
  public struct Held: Hashable, Sendable, Codable {
    var grant: Grant
    var lingersUntil: Duration?
  }

  var sessions: [Session]
  var held: [Held]
  var lastToken: UInt64
  var revision: UInt64
}

extension LatchTable {
  /// What of the table outlives a restart.
  public var snapshot: LatchSnapshot {
    LatchSnapshot(
      sessions: sessions.map { name, session in
        LatchSnapshot.Session(
          name: name, owner: session.owner, timeToLive: session.timeToLive,
          lockDelay: session.lockDelay, deadline: session.deadline, finished: session.finished)
      }.sorted { $0.name < $1.name },
      held: held.values.map { LatchSnapshot.Held(grant: $0.grant, lingersUntil: $0.lingersUntil) }
        .sorted { $0.grant.token < $1.grant.token },
      lastToken: lastToken, revision: log.revision)
  }

  /// Goes on with what was there.
  ///
  /// - Parameters:
  ///   - time: now.
  ///   - isSameClock: whether time has been measured from the same moment on. If not, nobody can tell how
  ///     much of a lease is over, and each has its whole time again.
  public init(
    limits: Limits = Limits(), from snapshot: LatchSnapshot, at time: Duration, isSameClock: Bool
  ) {
    self.init(limits: limits, lastToken: snapshot.lastToken)
    log = EventLog(countLimit: limits.eventCount, revision: snapshot.revision)
    for one in snapshot.sessions {
      sessions[one.name] = Session(
        owner: one.owner, timeToLive: one.timeToLive, lockDelay: one.lockDelay,
        deadline: isSameClock ? one.deadline : time + one.timeToLive, finished: one.finished)
    }
    for one in snapshot.held {
      let remaining =
        isSameClock ? one.lingersUntil : one.lingersUntil.map { _ in time + limits.longestLife }
      restore(one.grant, lingersUntil: remaining)
    }
  }
}
