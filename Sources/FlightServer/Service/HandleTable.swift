import MagicAPI
import Synchronization

/// Things that clients reach by a name that cannot be guessed, until nobody used them for a while.
/// One that has an owner is, for everybody else, not there.
final class HandleTable<Value: Sendable>: Sendable {
  private struct Key: Hashable {
    var name: String
    var owner: String?
  }

  private struct Entry {
    var value: Value
    var lastUse = ContinuousClock.Instant.now
  }

  private let entries = Mutex<[Key: Entry]>([:])
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
    set(value, as: name, owner: owner)
    return name
  }

  /// Keeps a value under a name of its owner, instead of what may have that name.
  func set(_ value: Value, as name: String, owner: String? = nil) {
    entries.withLock { entries in
      let key = Key(name: name, owner: owner)
      if entries[key] == nil, entries.count >= countLimit { makeRoom(for: owner, in: &entries) }
      entries[key] = Entry(value: value)
    }
  }

  /// The value of a name; nil when there is none, or no longer.
  func use(_ name: String, owner: String? = nil) -> Value? { update(name, owner: owner) { $0 } }

  /// Uses a value, and possibly changes it; nil when there is none of that name.
  func update<Result>(
    _ name: String, owner: String? = nil, _ body: (inout Value) -> Result
  ) -> Result? {
    entries.withLock { entries in
      let key = Key(name: name, owner: owner)
      guard var entry = entries[key] else { return nil }
      let now = ContinuousClock.Instant.now
      guard now - entry.lastUse < lifetime else {
        entries[key] = nil
        return nil
      }
      entry.lastUse = now
      let result = body(&entry.value)
      entries[key] = entry
      return result
    }
  }

  /// Forgets a name.
  func remove(_ name: String, owner: String? = nil) {
    entries.withLock { $0[Key(name: name, owner: owner)] = nil }
  }

  private func makeRoom(for owner: String?, in entries: inout [Key: Entry]) {
    let now = ContinuousClock.Instant.now
    entries = entries.filter { now - $0.value.lastUse < lifetime }
    guard entries.count >= countLimit else { return }
    // Who has most of them makes room for his own.
    let own = entries.filter { $0.key.owner == owner }
    let candidates = own.count > entries.count / 2 ? own : entries
    // A tenth goes at once, so that a full table is not searched for every new entry.
    let oldest = candidates.sorted { $0.value.lastUse < $1.value.lastUse }
      .prefix(max(1, entries.count / 10))
    for (key, _) in oldest { entries[key] = nil }
  }
}
