import Foundation
import HTTPServer
import LatchService
import Latches
import Logging
import MagicAPI

/// Who asks, and what this server is.
struct Acquaintance: Encodable {
  var user: String
  var role: Caller.Role
  /// The databases that the user may see; nil for all.
  var databases: [String]?
  /// Whether there are no users, so that everybody is an administrator.
  var isOpen: Bool
  /// Magic's version.
  var version: String
  /// Whether the server follows a source.
  var replicates: Bool
  /// How many bytes of the disk have to stay free.
  var diskReserveBytes: UInt64

  /// Shows that to the caller.
  static func view(
    isOpen: Bool, replicates: Bool, diskReserve: UInt64
  ) -> HTTPServer.View {
    { caller, _ in
      let answer = Acquaintance(
        user: caller.user, role: caller.role,
        databases: caller.role == .admin ? nil : caller.databases, isOpen: isOpen,
        version: Magic.configuration.version, replicates: replicates,
        diskReserveBytes: diskReserve)
      return Array(try JSONEncoder().encode(answer))
    }
  }
}

/// The latches of this server, and who waits for them.
struct LatchListing: Encodable {
  struct Session: Encodable {
    var name: String
    var owner: String
    /// How long it lasts without being kept alive.
    var remainingSeconds: Double
    /// How many grants it holds.
    var grants: Int
  }

  struct Held: Encodable {
    /// The fencing token.
    var token: UInt64
    var session: String
    /// Whose session it is; nil when the session is over and what it held is not free yet.
    var owner: String?
    var resources: [String]
  }

  struct Waiting: Encodable {
    var session: String
    var owner: String?
    var resources: [String]
  }

  var sessions: [Session]
  var grants: [Held]
  /// In the order in which they came.
  var waiting: [Waiting]

  init(_ overview: Overview) {
    let owners = Dictionary(overview.sessions.map { ($0.name, $0.owner) }) { $1 }
    let counts = Dictionary(overview.grants.map { ($0.session, 1) }, uniquingKeysWith: +)
    sessions = overview.sessions.map {
      Session(
        name: $0.name, owner: $0.owner,
        remainingSeconds: max(0, ($0.deadline - overview.time) / .seconds(1)),
        grants: counts[$0.name] ?? 0)
    }
    grants = overview.grants.map {
      Held(
        token: $0.token, session: $0.session, owner: owners[$0.session],
        resources: $0.wishes.map(\.description))
    }
    waiting = overview.queue.map {
      Waiting(
        session: $0.session, owner: owners[$0.session], resources: $0.wishes.map(\.description))
    }
  }

  /// Shows the latches to those who may see all databases: resources are named by these.
  static func view(of node: LatchNode) -> HTTPServer.View {
    { caller, _ in
      try AccessPolicy.checkSeeingAll(by: caller)
      do {
        return Array(try JSONEncoder().encode(LatchListing(try await node.inspect())))
      } catch let error as NodeError {
        throw APIError(.unavailable, "the latches cannot be seen here: \(error)")
      }
    }
  }

  /// Asks for the end of a session.
  private struct Revocation: Message {
    static let members = ["session"]
    var session: String
  }

  /// Ends a session, and what it holds, for an administrator.
  static func revoking(at node: LatchNode, logger: Logger) -> HTTPServer.Handler {
    { json in
      let session = try Revocation(json: json).session
      do {
        try await node.revoke(session, by: Principal(user: "", isAdmin: true))
      } catch LatchError.noSession {
        throw APIError(.notFound, "there is no session \(session) any more")
      } catch let error as NodeError {
        throw APIError(.unavailable, "the session \(session) cannot be ended here: \(error)")
      }
      logger.notice("the latch session \(session) was revoked by an administrator")
      return Array("{}".utf8)
    }
  }
}
