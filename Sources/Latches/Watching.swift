/// Something that has changed in a table of latches.
public struct Event: Hashable, Sendable {
  /// What happened.
  public enum Change: Hashable, Sendable {
    case opened(session: String, owner: String)
    /// By its owner's wish where there is no loss.
    case ended(session: String, Loss?)
    case queued(Request)
    /// It waits no more, and was not granted.
    case left(session: String, request: String)
    case granted(Grant)
    /// It was given up, or its lock delay is over.
    case released(Grant)
  }

  /// The number of the change: each is larger than the one before by one.
  public var revision: UInt64
  /// What happened.
  public var change: Change
}

/// The changes of late, for those who watch.
struct EventLog: Sendable {
  private let countLimit: Int
  private let byteLimit: Int
  private var events: [Event] = []
  private var byteCount = 0
  private(set) var revision: UInt64

  init(countLimit: Int, byteLimit: Int, revision: UInt64 = 0) {
    self.countLimit = countLimit
    self.byteLimit = byteLimit
    self.revision = revision
  }

  mutating func add(_ change: Event.Change) {
    revision += 1
    // Half of them goes at a time, so that most additions move nothing.
    if events.count >= 2 * countLimit || byteCount >= 2 * byteLimit { forget() }
    events.append(Event(revision: revision, change: change))
    byteCount += change.byteCount
  }

  private mutating func forget() {
    var count = max(events.count - countLimit, 0)
    byteCount -= events[..<count].reduce(0) { $0 + $1.change.byteCount }
    while byteCount > byteLimit, count < events.count {
      byteCount -= events[count].change.byteCount
      count += 1
    }
    events.removeFirst(count)
  }

  /// The changes after a revision; nil when some of them are forgotten, or it is yet to come.
  func events(after earlier: UInt64) -> [Event]? {
    guard earlier <= revision, revision - earlier <= UInt64(events.count) else { return nil }
    return Array(events.suffix(Int(revision - earlier)))
  }
}

extension Event.Change {
  /// How many bytes the names and keys of what it tells have.
  fileprivate var byteCount: Int {
    switch self {
    case .opened, .ended, .left: 0
    case .queued(let request): request.wishes.byteCount
    case .granted(let grant), .released(let grant): grant.wishes.byteCount
    }
  }
}
