import Foundation
import LatchClient
import Latches

/// Renders latches for people.
enum LatchText {
  static func lines(_ overview: LatchOverview) -> String {
    var text = "node \(overview.node), revision \(overview.revision)\n"
    for session in overview.sessions {
      text +=
        "session \(session.name) of \(session.user): \(seconds(session.remaining)) of "
        + "\(seconds(session.timeToLive)) left\n"
      for grant in overview.grants where grant.session == session.name { text += line(grant) }
    }
    let names = Set(overview.sessions.map(\.name))
    for grant in overview.grants where !names.contains(grant.session) {
      text += "session \(grant.session) is over, and what it held is not free yet\n" + line(grant)
    }
    for (session, _, wishes) in overview.queue {
      text += "waiting: \(session) for \(list(wishes))\n"
    }
    return text
  }

  private static func line(_ grant: Grant) -> String {
    "  token \(grant.token): \(list(grant.wishes))\n"
  }

  static func line(_ event: LatchEvent) -> String {
    switch event {
    case .opened(let session, let user): "opened \(session) of \(user)"
    case .ended(let session, let loss):
      loss.map { "lost \(session): \($0.word)" } ?? "closed \(session)"
    case .queued(let session, _, let wishes): "queued \(session) for \(list(wishes))"
    case .left(let session, let request): "left \(session) with request \(request)"
    case .granted(let grant): "granted \(grant.session) token \(grant.token): \(list(grant.wishes))"
    case .released(let grant):
      "released \(grant.session) token \(grant.token): \(list(grant.wishes))"
    }
  }

  private static func list(_ wishes: [Wish]) -> String {
    wishes.map(\.description).joined(separator: " ")
  }

  private static func seconds(_ duration: Duration) -> String {
    String(format: "%.1f s", duration / .seconds(1))
  }
}

extension SessionLoss {
  /// One word for programs.
  var word: String {
    switch self {
    case .expired: "expired"
    case .revoked: "revoked"
    case .unknown: "unknown"
    case .refused: "refused"
    }
  }
}

/// Renders latches for programs.
enum LatchJSON {
  struct Overview: Encodable {
    struct Session: Encodable {
      var session: String
      var user: String
      var ttl_ms: Int
      var lock_delay_ms: Int
      var remaining_ms: Int
    }

    var node: String
    var revision: UInt64
    var last_token: UInt64
    var sessions: [Session]
    var grants: [Grant]
    var queue: [Queued]

    init(_ overview: LatchOverview) {
      node = overview.node
      revision = overview.revision
      last_token = overview.lastToken
      sessions = overview.sessions.map {
        Session(
          session: $0.name, user: $0.user, ttl_ms: $0.timeToLive.wholeMilliseconds,
          lock_delay_ms: $0.lockDelay.wholeMilliseconds,
          remaining_ms: $0.remaining.wholeMilliseconds)
      }
      grants = overview.grants.map { Grant($0) }
      queue = overview.queue.map {
        Queued(session: $0.session, request: $0.request, resources: $0.wishes.map(\.description))
      }
    }
  }

  struct Grant: Encodable {
    var token: UInt64
    var session: String
    var request: String
    var resources: [String]

    init(_ grant: Latches.Grant) {
      token = grant.token
      session = grant.session
      request = grant.request
      resources = grant.wishes.map(\.description)
    }
  }

  struct Queued: Encodable {
    var session: String
    var request: String
    var resources: [String]
  }

  /// Changes before the revision may be missing.
  struct Reset: Encodable {
    var revision: UInt64
    var event = "reset"
  }

  struct Event: Encodable {
    var revision: UInt64
    var event: String
    var session: String
    var user: String?
    var request: String?
    var token: UInt64?
    var resources: [String]?
    var loss: String?

    init(_ event: LatchEvent, _ revision: UInt64) {
      self.revision = revision
      switch event {
      case .opened(let session, let user):
        (self.event, self.session, self.user) = ("opened", session, user)
      case .ended(let session, let loss):
        (self.event, self.session, self.loss) = ("ended", session, loss?.word)
      case .queued(let session, let request, let wishes):
        (self.event, self.session, self.request) = ("queued", session, request)
        resources = wishes.map(\.description)
      case .left(let session, let request):
        (self.event, self.session, self.request) = ("left", session, request)
      case .granted(let grant):
        (self.event, self.session) = ("granted", grant.session)
        fill(grant)
      case .released(let grant):
        (self.event, self.session) = ("released", grant.session)
        fill(grant)
      }
    }

    private mutating func fill(_ grant: Latches.Grant) {
      token = grant.token
      request = grant.request
      resources = grant.wishes.map(\.description)
    }
  }
}

extension Duration {
  fileprivate var wholeMilliseconds: Int { Int(self / .milliseconds(1)) }
}

/// Prints something as one line of JSON.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  try writeToStandardOutput(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
}
