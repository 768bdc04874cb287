import Synchronization

/// Things that a caller reaches by a name, and that end when nothing is done with them for a while.
final class LeaseTable<Value: Sendable>: Sendable {
  private struct Key: Hashable {
    var owner: Caller.Owner
    var name: String
  }

  private struct Lease {
    var value: Value
    var lifetime: Duration
    var expires: ContinuousClock.Instant
    /// How many statements use it now: it does not end meanwhile.
    var users = 0
  }

  /// What they are called in errors, such as `transaction`.
  private let noun: String
  private let countLimit: Int
  private let leases = Mutex<[Key: Lease]>([:])

  /// Holds at most `countLimit` things, of which one user has half at most.
  init(_ noun: String, countLimit: Int) {
    self.noun = noun
    self.countLimit = countLimit
  }

  /// Adds something; it is not in use yet.
  ///
  /// - Throws: ``APIError`` when there are too many, or the owner has one of that name.
  func add(
    _ value: Value, name: String = randomName(), owner: Caller.Owner, lifetime: Duration
  ) throws(APIError) -> String {
    try leases.withLock { leases throws(APIError) in
      try requireRoom(for: owner, in: leases)
      let key = Key(owner: owner, name: name)
      guard leases[key] == nil else {
        throw APIError(.alreadyExists, "there is a \(noun) \(name) already")
      }
      leases[key] = Lease(value: value, lifetime: lifetime, expires: .now + lifetime)
    }
    return name
  }

  /// - Throws: ``APIError`` when there are too many.
  func requireRoom(for owner: Caller.Owner) throws(APIError) {
    try leases.withLock { leases throws(APIError) in try requireRoom(for: owner, in: leases) }
  }

  private func requireRoom(for owner: Caller.Owner, in leases: [Key: Lease]) throws(APIError) {
    guard leases.count < countLimit else {
      throw APIError(
        .exhausted,
        "there are \(countLimit) \(noun)s already, which is the limit: end some, or try later")
    }
    let ownCount = leases.keys.count { $0.owner.user == owner.user }
    guard ownCount < max(1, countLimit / 2) else {
      throw APIError(
        .exhausted, "you have \(ownCount) \(noun)s, which is the limit: end some, or try later")
    }
  }

  /// How many there are.
  var count: Int { leases.withLock { $0.count } }

  /// Whether the owner has one of that name.
  func contains(_ name: String, owner: Caller.Owner) -> Bool {
    leases.withLock { $0[Key(owner: owner, name: name)] != nil }
  }

  /// The value of that name; nil when the owner has none.
  func look(_ name: String, owner: Caller.Owner) -> Value? {
    leases.withLock { $0[Key(owner: owner, name: name)]?.value }
  }

  /// Whose there is of that name, of several any.
  func owner(of name: String) -> Caller.Owner? {
    leases.withLock { leases in leases.keys.first { $0.name == name }?.owner }
  }

  /// All there are.
  var all: [(name: String, owner: Caller.Owner, value: Value, remaining: Duration)] {
    leases.withLock { leases in
      leases.map { ($0.name, $0.owner, $1.value, $1.expires - .now) }
    }
  }

  /// Takes something into use; ``leave(_:owner:)`` must follow.
  func enter(_ name: String, owner: Caller.Owner) throws(APIError) -> Value {
    let key = Key(owner: owner, name: name)
    return try leases.withLock { leases throws(APIError) in
      guard let value = leases[key]?.value else { throw missing(name) }
      leases[key]?.users += 1
      return value
    }
  }

  /// Ends a use; from now on its time runs anew.
  func leave(_ name: String, owner: Caller.Owner) {
    let key = Key(owner: owner, name: name)
    leases.withLock { leases in
      guard var lease = leases[key] else { return }
      lease.users -= 1
      lease.expires = .now + lease.lifetime
      leases[key] = lease
    }
  }

  /// Lets its time run anew.
  ///
  /// - Returns: the value, and how long it lasts now.
  func renew(_ name: String, owner: Caller.Owner) throws(APIError) -> (
    value: Value, lifetime: Duration
  ) {
    let key = Key(owner: owner, name: name)
    return try leases.withLock { leases throws(APIError) in
      guard var lease = leases[key] else { throw missing(name) }
      lease.expires = .now + lease.lifetime
      leases[key] = lease
      return (lease.value, lease.lifetime)
    }
  }

  /// Removes something, whether it is in use or not.
  func take(_ name: String, owner: Caller.Owner) throws(APIError) -> Value {
    let key = Key(owner: owner, name: name)
    guard let lease = leases.withLock({ $0.removeValue(forKey: key) }) else { throw missing(name) }
    return lease.value
  }

  /// Removes and returns what has not been used for too long.
  func takeExpired(at now: ContinuousClock.Instant = .now) -> [Value] {
    leases.withLock { leases in
      let expired = leases.filter { $0.value.users == 0 && $0.value.expires <= now }
      for key in expired.keys { leases[key] = nil }
      return expired.values.map(\.value)
    }
  }

  /// Removes and returns everything.
  func takeAll() -> [Value] {
    leases.withLock { leases in
      defer { leases = [:] }
      return leases.values.map(\.value)
    }
  }

  private func missing(_ name: String) -> APIError {
    APIError(.notFound, "there is no \(noun) \(name): it ended, or was not used for too long")
  }
}

/// A name that cannot be guessed, of 128 random bits.
public func randomName() -> String { hexadecimal(randomBytes(16)) }
