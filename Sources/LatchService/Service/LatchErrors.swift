import GRPCCore
import LatchProtocol
import Latches

extension RPCError {
  /// What any error of the latch service means in gRPC.
  init(latches error: any Error) {
    switch error {
    case let error as RPCError: self = error
    case let error as LatchError: self.init(error)
    case let error as NodeError: self.init(error)
    case let error as ProtocolError:
      self.init(code: .invalidArgument, message: error.description, failure: .init(.invalid))
    case is CancellationError: self.init(code: .cancelled, message: "the call was cancelled")
    default: self.init(code: .internalError, message: String("\(error)".prefix(2048)))
    }
  }

  private init(_ error: LatchError) {
    var failure = ProtoFailure()
    let (code, message): (Code, String)
    switch error {
    case .invalid(let what):
      (code, message, failure.reason) = (.invalidArgument, what, .invalid)
    case .noSession(let name):
      code = .notFound
      message = "there is no session \(name): it was lost, closed, or never opened"
      failure.reason = .noSession
    case .sessionExists(let name):
      code = .alreadyExists
      message = "there is a session \(name), or something is still held in its name"
      failure.reason = .sessionExists
    case .notHeld(let token):
      code = .failedPrecondition
      message = "nothing is held by the token \(token)"
      failure.reason = .notHeld
    case .notCovered(let token, let path):
      code = .failedPrecondition
      message =
        "what is held by the token \(token) does not allow to change \(Resource(path)): that takes X"
      failure.reason = .notCovered
    case .timedOut:
      code = .deadlineExceeded
      message = "others hold it, and the wait limit is over"
      failure.reason = .timedOut
    case .finished:
      code = .aborted
      message = "the request is over: it was given up, or its grant was released"
      failure.reason = .finished
    case .cannotUpgrade(let sessions):
      code = .aborted
      message =
        "what the session holds cannot be held in a stronger mode now, because of "
        + Self.list(sessions)
      failure.reason = .cannotUpgrade
      failure.sessions = Array(sessions.prefix(100))
    case .deadlock(let sessions):
      code = .aborted
      message = "these sessions would wait for one another: \(Self.list(sessions))"
      failure.reason = .deadlock
      failure.sessions = Array(sessions.prefix(100))
    case .tooMany(let what): (code, message, failure.reason) = (.resourceExhausted, what, .tooMany)
    }
    self.init(code: code, message: message, failure: failure)
  }

  private init(_ error: NodeError) {
    var failure = ProtoFailure()
    let (code, message): (Code, String)
    switch error {
    case .notLeading(let leader):
      code = .unavailable
      message =
        leader.map { "another node serves the latches: \($0.address)" }
        ?? "no node is known to serve the latches at the moment"
      failure.reason = .notLeader
      failure.leader = leader?.address ?? ""
    case .notStored(let why):
      code = .unavailable
      message = "the latches cannot be stored: \(why)"
      failure.reason = .notStored
    case .notYet(let time):
      code = .unavailable
      message = """
        leases from before the machine was started anew may last for \(time.components.seconds + 1) s, \
        until then nothing is granted
        """
      failure.reason = .notYet
      failure.retryMs = time.milliseconds + 1
    case .tooOld(let revision):
      code = .outOfRange
      message = "changes after that revision are forgotten; now it is \(revision)"
      failure.reason = .tooOld
    case .notAllowed(let what):
      (code, message, failure.reason) = (.permissionDenied, what, .notAllowed)
    case .stopping:
      (code, message, failure.reason) = (.unavailable, "the service is stopping", .stopping)
    }
    self.init(code: code, message: message, failure: failure)
  }

  private static func list(_ sessions: [String]) -> String {
    let shown = sessions.prefix(5).joined(separator: ", ")
    return sessions.count > 5 ? "\(shown) and \(sessions.count - 5) more" : shown
  }
}

extension ProtoFailure {
  init(_ reason: Reason) {
    self.init()
    self.reason = reason
  }
}
