/// Slows down who guesses passwords: each name may be tried in vain some times from one address, and
/// then only now and then.
struct GuessThrottle {
  /// From where whose password was wrong.
  private struct Target: Hashable {
    /// Nil for all names that an address tries.
    var user: String?
    var address: String
  }

  private struct Record {
    var failures: Double
    var time: ContinuousClock.Instant
  }

  private static let userLimit = 20.0
  private static let addressLimit = 200.0
  /// How long it takes until one failure is forgotten.
  private static let forgetting = Duration.seconds(30)
  private static let recordLimit = 10_000

  private var records: [Target: Record] = [:]

  /// How long somebody must wait before the next attempt; nil when it can be at once.
  func delay(user: String, address: String, now: ContinuousClock.Instant) -> Duration? {
    let waits = [
      failures(Target(user: user, address: address), now) - Self.userLimit + 1,
      failures(Target(address: address), now) - Self.addressLimit + 1,
    ]
    let wait = waits.max() ?? 0
    return wait > 0 ? Self.forgetting * wait : nil
  }

  mutating func noteFailure(user: String, address: String, now: ContinuousClock.Instant) {
    for target in [Target(user: user, address: address), Target(address: address)] {
      if records[target] == nil, records.count >= Self.recordLimit { makeRoom(now) }
      records[target] = Record(failures: failures(target, now) + 1, time: now)
    }
  }

  mutating func noteSuccess(user: String, address: String) {
    records[Target(user: user, address: address)] = nil
  }

  private func failures(_ target: Target, _ now: ContinuousClock.Instant) -> Double {
    guard let record = records[target] else { return 0 }
    return max(0, record.failures - (now - record.time) / Self.forgetting)
  }

  /// Forgets those that are forgiven; failing that, those that matter least.
  private mutating func makeRoom(_ now: ContinuousClock.Instant) {
    records = records.filter { failures($0.key, now) > 0 }
    guard records.count >= Self.recordLimit else { return }
    let ordered = records.sorted { failures($0.key, now) > failures($1.key, now) }
    records = Dictionary(
      uniqueKeysWithValues: ordered.prefix(Self.recordLimit / 2).map { ($0.key, $0.value) })
  }
}
