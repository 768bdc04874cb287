import MagicAPI
import Synchronization

/// Things that clients reach by a name that cannot be guessed, until nobody used them for a while.
/// One that has an owner is, for everybody else, not there.
final class HandleTable<Value: Sendable>: Sendable {
  private struct Entry {
    var value: Value
    var owner: String?
    var lastUse = ContinuousClock.Instant.now
  }

  private let entries = Mutex<[String: Entry]>([:])
  private let lifetime: Duration
  private let countLimit: Int

  /// - Parameters:
  ///   - lifetime: after how long without use an entry goes.
  ///   - countLimit: how many there may be; the one that was not used for longest makes room.
  init(lifetime: Duration, countLimit: Int) {
    self.lifetime = lifetime
    self.countLimit = countLimit
  }

  /// Keeps a value under a new name.
  func add(_ value: Value, owner: String? = nil) -> String {
    let name = randomName()
    entries.withLock { entries in
      if entries.count >= countLimit { makeRoom(for: owner, in: &entries) }
      entries[name] = Entry(value: value, owner: owner)
    }
    return name
  }

  /// The value of a name; nil when there is none, or no longer.
  func use(_ name: String, owner: String? = nil) -> Value? { update(name, owner: owner) { $0 } }

  /// Uses a value, and possibly changes it; nil when there is none of that name.
  func update<Result>(
    _ name: String, owner: String? = nil, _ body: (inout Value) -> Result
  ) -> Result? {
    entries.withLock { entries in
      guard var entry = entries[name], entry.owner == owner else { return nil }
      let now = ContinuousClock.Instant.now
      guard now - entry.lastUse < lifetime else {
        entries[name] = nil
        return nil
      }
      entry.lastUse = now
      let result = body(&entry.value)
      entries[name] = entry
      return result
    }
  }

  /// Forgets a name.
  func remove(_ name: String, owner: String? = nil) {
    entries.withLock { entries in
      if entries[name]?.owner == owner { entries[name] = nil }
    }
  }

  private func makeRoom(for owner: String?, in entries: inout [String: Entry]) {
    let now = ContinuousClock.Instant.now
    entries = entries.filter { now - $0.value.lastUse < lifetime }
    guard entries.count >= countLimit else { return }
    // Who has most of them makes room for his own.
    let own = entries.filter { $0.value.owner == owner }
    let candidates = own.count > entries.count / 2 ? own : entries
    // A tenth goes at once, so that a full table is not searched for every new entry.
    let oldest = candidates.sorted { $0.value.lastUse < $1.value.lastUse }
      .prefix(max(1, entries.count / 10))
    for (name, _) in oldest { entries[name] = nil }
  }
}
