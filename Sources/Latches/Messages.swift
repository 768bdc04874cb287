/// A call for some resources, all at once or none.
public struct Request: Hashable, Sendable {
  /// The session that is to hold them.
  public var session: String
  /// A name that the caller chooses: a request of the same name is the same one, sent again.
  public var id: String
  /// What it asks for.
  public var wishes: [Wish]
  /// How long it may wait; zero to be granted now or not at all.
  public var waitLimit: Duration

  /// Makes a request.
  public init(session: String, id: String, wishes: [Wish], waitLimit: Duration) {
    self.session = session
    self.id = id
    self.wishes = wishes
    self.waitLimit = waitLimit
  }
}

/// What a session holds by one request.
public struct Grant: Hashable, Sendable {
  /// The fencing token: larger than that of every grant before it. It names the grant.
  public var token: UInt64
  /// The session that holds it.
  public var session: String
  /// The request that it answers.
  public var request: String
  /// What is held.
  public var wishes: [Wish]

  /// Makes a grant.
  public init(token: UInt64, session: String, request: String, wishes: [Wish]) {
    self.token = token
    self.session = session
    self.request = request
    self.wishes = wishes
  }
}

/// A change that has begun of what is held by a token, and not ended.
public struct Entry: Hashable, Sendable {
  /// The token of the grant.
  public var token: UInt64
  /// Tells it from other entries.
  public var number: UInt64

  /// Makes an entry.
  public init(token: UInt64, number: UInt64) {
    self.token = token
    self.number = number
  }
}

/// What can be seen of a session.
public struct SessionState: Hashable, Sendable {
  public var name: String
  public var owner: String
  public var timeToLive: Duration
  public var lockDelay: Duration
  /// When it is lost if it is not kept alive.
  public var deadline: Duration
}

/// The answer to a request.
public enum Answer: Hashable, Sendable {
  case granted(Grant)
  /// A notice will follow.
  case waiting
}

/// What happens to a session without its having asked at that moment.
public enum Notice: Hashable, Sendable {
  /// A request that waited is granted.
  case granted(Grant)
  /// A request that waited is refused.
  case refused(session: String, request: String, LatchError)
  /// The session is gone, and all that it held with it.
  case lost(session: String, Loss)
}

/// Why a session is gone.
public enum Loss: String, Hashable, Sendable {
  /// It was not kept alive.
  case expired
  /// An administrator ended it.
  case revoked
}

/// Why something is refused.
public enum LatchError: Error, Hashable, Sendable {
  /// The request makes no sense.
  case invalid(String)
  /// There is no such session: it ended.
  case noSession(String)
  /// There is a session of that name.
  case sessionExists(String)
  /// The session holds nothing by that token.
  case notHeld(UInt64)
  /// What is held by the token does not allow to change a path.
  case notCovered(UInt64, [String])
  /// It waited for as long as it was willing to.
  case timedOut
  /// The request was given up, or its grant released, before it was sent again.
  case finished
  /// What the session holds cannot be held in a stronger mode now, because of these sessions. Waiting
  /// for that could be for ever.
  case cannotUpgrade([String])
  /// Each of the sessions waits for the next, and the last for the first, which asked last.
  case deadlock([String])
  /// There are too many sessions, requests or resources.
  case tooMany(String)
}

/// How much a table of latches holds.
public struct Limits: Hashable, Sendable {
  /// Sessions at a time.
  public var sessionCount = 10_000
  /// Sessions of one owner at a time.
  public var ownerSessionCount = 5_000
  /// Grants and waiting requests of one session.
  public var requestCount = 1_000
  /// Wishes of one request.
  public var wishCount = 1_000
  /// Entries of one grant at a time.
  public var entryCount = 100
  /// Requests of a session that are over and still known to be.
  public var finishedCount = 256
  /// Bytes of the name of a session or a request.
  public var nameByteCount = 256
  /// Bytes of all names and keys of a resource.
  public var resourceByteCount = 4_096
  /// Bytes of all names and keys of a request.
  public var requestByteCount = 256 << 10
  /// Bytes of all names and keys of the grants and waiting requests of a session.
  public var sessionByteCount = 4 << 20
  /// Bytes of all names and keys of all grants and waiting requests.
  public var totalByteCount = 512 << 20
  /// Changes that those who watch can still be told.
  public var eventCount = 10_000
  /// Bytes of all names and keys of those changes.
  public var eventByteCount = 64 << 20
  /// How long a session may last without being kept alive.
  public var longestLife = Duration.seconds(3600)
  /// How long somebody outside this process may stay inside a grant.
  public var longestEntry = Duration.seconds(60)

  /// The defaults.
  public init() {}
}
