/// How many transactions and row changes a second were stored lately.
struct Rates {
  private static let window = Duration.seconds(10)

  private var marks: [(time: ContinuousClock.Instant, counters: Counters)] = []

  mutating func note(_ counters: Counters, at now: ContinuousClock.Instant) {
    // One mark in a while is enough, and the oldest one kept is older than the window.
    if let last = marks.last, now - last.time < .milliseconds(200) { return }
    marks.append((now, counters))
    while marks.count > 2, now - marks[1].time > Self.window { marks.removeFirst() }
  }

  /// The rates since the beginning of the window.
  func perSecond(at now: ContinuousClock.Instant) -> (transactions: Double, rowChanges: Double) {
    guard let first = marks.first, let last = marks.last else { return (0, 0) }
    let seconds = Double((now - max(first.time, now - Self.window)) / .seconds(1))
    guard seconds > 0, last.time >= now - Self.window else { return (0, 0) }
    return (
      Double(last.counters.transactions - first.counters.transactions) / seconds,
      Double(last.counters.rowChanges - first.counters.rowChanges) / seconds
    )
  }
}
