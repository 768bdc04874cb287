import GRPCCore
import LatchProtocol

/// Why a call of a latch service failed.
public struct LatchCallError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of failure it is.
  public enum Kind: String, Hashable, Sendable {
    /// The call makes no sense.
    case invalid
    /// The session is over.
    case noSession
    /// There is a session of that name.
    case sessionExists
    /// Nothing is held by the token.
    case notHeld
    /// What is held by the token does not allow the change.
    case notCovered
    /// Others hold it, and the wait limit is over.
    case timedOut
    /// The request was given up, or its grant released.
    case finished
    /// What is held cannot be held in a stronger mode now.
    case cannotUpgrade
    /// Sessions would wait for one another.
    case deadlock
    /// A limit is reached.
    case tooMany
    /// Events are forgotten.
    case tooOld
    /// The caller may not do this.
    case notAllowed
    /// The caller is nobody who is known.
    case unauthenticated
    /// No node that serves could be reached in time.
    case unavailable
  }

  /// What kind of failure it is.
  public var kind: Kind
  /// What a person should know.
  public var message: String
  /// The sessions that are in the way.
  public var sessions: [String] = []

  public var description: String { message }
}

extension LatchCallError {
  /// What an error of a call means; nil when the call can be made again, perhaps elsewhere.
  init?(_ error: RPCError) {
    let failure = error.latchFailure
    let kind: Kind? =
      switch failure?.reason {
      case .invalid: .invalid
      case .noSession: .noSession
      case .sessionExists: .sessionExists
      case .notHeld: .notHeld
      case .notCovered: .notCovered
      case .timedOut: .timedOut
      case .finished: .finished
      case .cannotUpgrade: .cannotUpgrade
      case .deadlock: .deadlock
      case .tooMany: .tooMany
      case .tooOld: .tooOld
      case .notAllowed: .notAllowed
      case .unauthenticated: .unauthenticated
      case .notLeader, .notStored, .notYet, .stopping: nil
      case .unspecified, .UNRECOGNIZED, nil:
        switch error.code {
        case .unauthenticated: .unauthenticated
        case .permissionDenied: .notAllowed
        case .invalidArgument, .unimplemented: .invalid
        case .resourceExhausted: .tooMany
        default: nil
        }
      }
    guard let kind else { return nil }
    self.init(kind: kind, message: error.message, sessions: failure?.sessions ?? [])
  }
}

/// A session is over without its owner having wished so: what it held is not held any more.
public enum SessionLoss: Error, Hashable, Sendable, CustomStringConvertible {
  /// It was not kept alive in time.
  case expired
  /// An administrator ended it.
  case revoked
  /// It is not known to the service.
  case unknown
  /// The caller may not use it any more.
  case refused(String)

  public var description: String {
    switch self {
    case .expired: "the session was lost: the service could not be reached in time"
    case .revoked: "the session was lost: an administrator ended it"
    case .unknown: "the session was lost: the service does not know it any more"
    case .refused(let why): "the session was lost: \(why)"
    }
  }
}
