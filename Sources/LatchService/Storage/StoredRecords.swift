import LatchProtocol
import Latches

extension Duration {
  /// In nanoseconds, for what is stored.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue
      + attoseconds / 1_000_000_000
  }
}

extension StoredSession {
  init(_ name: String, _ session: LatchSnapshot.Session) {
    self.name = name
    owner = session.owner
    timeToLive = session.timeToLive.nanoseconds
    lockDelay = session.lockDelay.nanoseconds
    deadline = session.deadline.nanoseconds
    finished = session.finished.ordered
  }

  var session: LatchSnapshot.Session {
    LatchSnapshot.Session(
      owner: owner, timeToLive: .nanoseconds(timeToLive), lockDelay: .nanoseconds(lockDelay),
      deadline: .nanoseconds(deadline), finished: RecentNames(finished))
  }
}

extension StoredHeld {
  init(_ held: LatchSnapshot.Held) {
    grant = ProtoGrant(held.grant)
    lockDelay = held.lockDelay.nanoseconds
    if let end = held.lingersUntil { lingersUntil = end.nanoseconds }
    entries = held.entries.mapValues(\.nanoseconds)
    isEnding = held.isEnding
  }

  func held() throws(ProtocolError) -> LatchSnapshot.Held {
    LatchSnapshot.Held(
      grant: try Grant(grant), lockDelay: .nanoseconds(lockDelay),
      lingersUntil: hasLingersUntil ? .nanoseconds(lingersUntil) : nil,
      entries: entries.mapValues { .nanoseconds($0) }, isEnding: isEnding)
  }
}

extension StoredBatch {
  /// The record of some changes.
  init(_ changes: LatchChanges) {
    lastToken = changes.lastToken
    revision = changes.revision
    for (name, session) in changes.sessions {
      if let session {
        sessions.append(StoredSession(name, session))
      } else {
        endedSessions.append(name)
      }
    }
    kept = changes.kept.mapValues(\.nanoseconds)
    for (name, requests) in changes.finished {
      finished[name, default: .init()].requests = requests
    }
    for (token, held) in changes.held {
      if let held {
        self.held.append(StoredHeld(held))
      } else {
        freed.append(token)
      }
    }
  }

  /// The record of everything.
  init(_ snapshot: LatchSnapshot) {
    lastToken = snapshot.lastToken
    revision = snapshot.revision
    sessions = snapshot.sessions.map { StoredSession($0.key, $0.value) }
    held = snapshot.held.values.map { StoredHeld($0) }
  }

  /// The changes of a record.
  func changes() throws(ProtocolError) -> LatchChanges {
    var changes = LatchChanges()
    changes.lastToken = lastToken
    changes.revision = revision
    for name in endedSessions { changes.sessions[name] = .some(nil) }
    for session in sessions { changes.sessions[session.name] = session.session }
    changes.kept = kept.mapValues { .nanoseconds($0) }
    changes.finished = finished.mapValues(\.requests)
    for token in freed { changes.held[token] = .some(nil) }
    for one in held {
      let one = try one.held()
      changes.held[one.grant.token] = one
    }
    return changes
  }
}
