import Latches
import Metrics

/// What is measured of a node.
struct Measures: Sendable {
  let opened = Counter(label: "magic_latch_sessions_opened_total")
  private let sessions = Gauge(label: "magic_latch_sessions")
  private let grants = Gauge(label: "magic_latch_grants")
  private let waiting = Gauge(label: "magic_latch_waiting")
  private let granted = Counter(label: "magic_latch_granted_total")
  private let waits = Timer(label: "magic_latch_wait_seconds")
  private let expired = Counter(
    label: "magic_latch_sessions_lost_total", dimensions: [("why", "expired")])
  private let revoked = Counter(
    label: "magic_latch_sessions_lost_total", dimensions: [("why", "revoked")])

  func granted(after wait: Duration) {
    granted.increment()
    waits.recordNanoseconds(wait.nanoseconds)
  }

  func lost(_ loss: Loss) {
    switch loss {
    case .expired: expired.increment()
    case .revoked: revoked.increment()
    }
  }

  func record(sessions: Int, grants: Int, waiting: Int) {
    self.sessions.record(sessions)
    self.grants.record(grants)
    self.waiting.record(waiting)
  }
}
