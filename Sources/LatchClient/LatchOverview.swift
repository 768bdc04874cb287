import LatchProtocol
public import Latches

/// Everything that there is in a latch service.
public struct LatchOverview: Hashable, Sendable {
  /// A session.
  public struct Session: Hashable, Sendable {
    public var name: String
    /// Whose it is.
    public var user: String
    /// How long it lasts without being kept alive.
    public var timeToLive: Duration
    /// How long what it holds stays held when it is lost.
    public var lockDelay: Duration
    /// What is left of its time.
    public var remaining: Duration
  }

  /// The name of the node that serves.
  public var node: String
  /// Watching from here on misses nothing.
  public var revision: UInt64
  /// The token of the last grant ever.
  public var lastToken: UInt64
  public var sessions: [Session]
  /// What is held, by token.
  public var grants: [Grant]
  /// What is waited for, in the order of the queue.
  public var queue: [(session: String, request: String, wishes: [Wish])] {
    waiting.map { ($0.session, $0.id, $0.wishes) }
  }
  private var waiting: [Request]

  init(_ response: ProtoInspectResponse) throws {
    node = response.node
    revision = response.revision
    lastToken = response.lastToken
    sessions = response.sessions.map {
      Session(
        name: $0.session, user: $0.user, timeToLive: .milliseconds($0.ttlMs),
        lockDelay: .milliseconds($0.lockDelayMs), remaining: .milliseconds($0.remainingMs))
    }
    grants = try response.grants.map { try Grant($0) }
    waiting = try response.queue.map {
      Request(
        session: $0.session, id: $0.requestID, wishes: try $0.wishes.map { try Wish($0) },
        waitLimit: .zero)
    }
  }
}

/// Something that has changed in a latch service.
public enum LatchEvent: Hashable, Sendable {
  case opened(session: String, user: String)
  /// By its owner's wish where there is no loss.
  case ended(session: String, SessionLoss?)
  case queued(session: String, request: String, [Wish])
  /// It waits no more, and was not granted.
  case left(session: String, request: String)
  case granted(Grant)
  case released(Grant)

  /// - Returns: nil for one that this version does not know.
  init?(_ event: ProtoEvent) throws {
    switch event.change {
    case .opened(let opened): self = .opened(session: opened.session, user: opened.user)
    case .ended(let ended):
      self = .ended(session: ended.session, ended.hasLoss ? SessionLoss(ended.loss) : nil)
    case .queued(let queued):
      self = .queued(
        session: queued.session, request: queued.requestID,
        try queued.wishes.map { try Wish($0) })
    case .left(let left): self = .left(session: left.session, request: left.requestID)
    case .granted(let grant): self = .granted(try Grant(grant))
    case .released(let grant): self = .released(try Grant(grant))
    case nil: return nil
    }
  }
}

extension SessionLoss {
  init(_ loss: ProtoLoss) {
    switch loss {
    case .expired: self = .expired
    case .revoked: self = .revoked
    case .unspecified, .unknown, .UNRECOGNIZED: self = .unknown
    }
  }
}
