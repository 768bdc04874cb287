/// What of a table of latches outlives a restart. Requests that wait do not: who still wants one sends it
/// again.
public struct LatchSnapshot: Hashable, Sendable {
  /// One session.
  public struct Session: Hashable, Sendable {
    public var owner: String
    public var timeToLive: Duration
    public var lockDelay: Duration
    public var deadline: Duration
    /// The requests that are over, the oldest first.
    public var finished: RecentNames

    /// Makes a session.
    public init(
      owner: String, timeToLive: Duration, lockDelay: Duration, deadline: Duration,
      finished: RecentNames
    ) {
      self.owner = owner
      self.timeToLive = timeToLive
      self.lockDelay = lockDelay
      self.deadline = deadline
      self.finished = finished
    }
  }

  /// Something held.
  public struct Held: Hashable, Sendable {
    public var grant: Grant
    /// How long it stays held when its session is lost.
    public var lockDelay: Duration
    /// When its lock delay is over, where its session was lost.
    public var lingersUntil: Duration?
    /// Until when others than this process may be inside, by the number of the entry.
    public var entries: [UInt64: Duration]
    /// Whether it is given up, and only stays until nobody is inside.
    public var isEnding: Bool

    /// Makes something held.
    public init(
      grant: Grant, lockDelay: Duration = .zero, lingersUntil: Duration? = nil,
      entries: [UInt64: Duration] = [:],
      isEnding: Bool = false
    ) {
      self.grant = grant
      self.lockDelay = lockDelay
      self.lingersUntil = lingersUntil
      self.entries = entries
      self.isEnding = isEnding
    }
  }

  /// The sessions by name.
  public var sessions: [String: Session] = [:]
  /// What is held, by token.
  public var held: [UInt64: Held] = [:]
  /// The token of the last grant ever.
  public var lastToken: UInt64 = 0
  /// The number of the last change.
  public var revision: UInt64 = 0

  /// Nothing.
  public init() {}

  /// Takes over what has changed. Each session keeps `finishedCount` requests that are over.
  public mutating func apply(
    _ changes: LatchChanges, finishedCount: Int = Limits().finishedCount
  ) {
    for (name, session) in changes.sessions { sessions[name] = session }
    for (name, deadline) in changes.kept { sessions[name]?.deadline = deadline }
    for (name, requests) in changes.finished {
      for request in requests {
        sessions[name]?.finished.insert(request, countLimit: finishedCount)
      }
    }
    for (token, one) in changes.held { held[token] = one }
    lastToken = changes.lastToken
    revision = changes.revision
  }
}

/// What has changed of a table of latches since it was last asked.
public struct LatchChanges: Hashable, Sendable {
  /// Sessions that were opened; nil for those that ended.
  public var sessions: [String: LatchSnapshot.Session?] = [:]
  /// The deadlines of other sessions that were kept alive.
  public var kept: [String: Duration] = [:]
  /// The requests of other sessions that are over now.
  public var finished: [String: [String]] = [:]
  /// What is held in another way than before; nil where it is free.
  public var held: [UInt64: LatchSnapshot.Held?] = [:]
  /// The token of the last grant ever.
  public var lastToken: UInt64 = 0
  /// The number of the last change.
  public var revision: UInt64 = 0

  /// Nothing.
  public init() {}

  /// Whether nothing has changed that must outlive a restart.
  public var isEmpty: Bool {
    sessions.isEmpty && kept.isEmpty && finished.isEmpty && held.isEmpty
  }
}

/// The names of what has changed.
struct Unsaved: Sendable {
  var sessions: Set<String> = []
  var kept: Set<String> = []
  var finished: [String: RecentNames] = [:]
  var held: Set<UInt64> = []
}

extension LatchTable {
  /// What of the table outlives a restart.
  public var snapshot: LatchSnapshot {
    var snapshot = LatchSnapshot()
    snapshot.sessions = sessions.mapValues(\.stored)
    snapshot.held = held.compactMapValues(\.stored)
    snapshot.lastToken = lastToken
    snapshot.revision = log.revision
    return snapshot
  }

  /// Has changes that could not be stored be taken once more.
  public mutating func putBack(_ changes: LatchChanges) {
    unsaved.sessions.formUnion(changes.sessions.keys)
    unsaved.kept.formUnion(changes.kept.keys)
    unsaved.held.formUnion(changes.held.keys)
    for (name, requests) in changes.finished {
      unsaved.finished[name] = RecentNames(
        (requests + (unsaved.finished[name]?.ordered ?? [])).suffix(limits.finishedCount))
    }
  }

  /// Takes what has changed since it was last taken.
  public mutating func takeChanges() -> LatchChanges {
    var changes = LatchChanges()
    for name in unsaved.sessions { changes.sessions[name] = .some(sessions[name]?.stored) }
    for name in unsaved.kept where !unsaved.sessions.contains(name) {
      if let session = sessions[name] { changes.kept[name] = session.deadline }
    }
    for (name, requests) in unsaved.finished
    where !unsaved.sessions.contains(name) && sessions[name] != nil {
      changes.finished[name] = requests.ordered
    }
    for token in unsaved.held { changes.held[token] = .some(held[token]?.stored) }
    changes.lastToken = lastToken
    changes.revision = log.revision
    unsaved = Unsaved()
    return changes
  }

  /// Goes on with what was there.
  ///
  /// `isSameClock` says whether time has been measured from the same moment on. If not, nobody can
  /// tell how much of a lease is over, and each has its whole time again.
  public init(
    limits: Limits = Limits(), from snapshot: LatchSnapshot, at time: Duration, isSameClock: Bool
  ) {
    self.init(limits: limits, lastToken: snapshot.lastToken, revision: snapshot.revision)
    for (name, one) in snapshot.sessions {
      let deadline = isSameClock ? one.deadline : time + one.timeToLive
      add(
        Session(
          owner: one.owner, timeToLive: one.timeToLive, lockDelay: one.lockDelay,
          deadline: deadline, number: 0, finished: one.finished), name: name)
    }
    for one in snapshot.held.values.sorted(by: { $0.grant.token < $1.grant.token }) {
      var again = Held(
        grant: one.grant, claims: Claim.claims(of: one.grant.wishes), lockDelay: one.lockDelay,
        lingersUntil: one.lingersUntil, entries: one.entries.mapValues { .some($0) },
        isEnding: one.isEnding)
      if !isSameClock {
        again.lingersUntil = one.lingersUntil.map { _ in
          time + (one.lockDelay > .zero ? one.lockDelay : limits.longestLife)
        }
        again.entries = one.entries.mapValues { _ in time + limits.longestEntry }
      }
      if sessions[one.grant.session] == nil, one.lingersUntil == nil, !one.isEnding {
        // The end of its session was stored, and not all of what follows from that.
        unsaved.held.insert(one.grant.token)
        if one.lockDelay > .zero {
          again.lingersUntil = time + one.lockDelay
        } else if one.entries.isEmpty {
          continue
        } else {
          again.isEnding = true
        }
      }
      restore(again)
    }
  }
}

extension LatchTable.Session {
  fileprivate var stored: LatchSnapshot.Session {
    LatchSnapshot.Session(
      owner: owner, timeToLive: timeToLive, lockDelay: lockDelay, deadline: deadline,
      finished: finished)
  }
}

extension LatchTable.Held {
  /// What outlives a restart: who is inside without a limit is this process, and does not.
  fileprivate var stored: LatchSnapshot.Held? {
    let entries = entries.compactMapValues { $0 }
    if isEnding, entries.isEmpty { return nil }
    return LatchSnapshot.Held(
      grant: grant, lockDelay: lockDelay, lingersUntil: lingersUntil, entries: entries,
      isEnding: isEnding)
  }
}
