/// What can be held: a database, a table in it, a partition of that, or a range of keys of a table or a
/// partition.
public struct Resource: Hashable, Sendable {
  /// The most names of a path.
  public static let maximumDepth = 3

  /// The names from the outermost in: database, table, partition.
  public var path: [String]
  /// The keys that are meant; nil for all of it.
  public var keys: KeyRange?

  /// Names a resource.
  public init(_ path: [String], keys: KeyRange? = nil) {
    self.path = path
    self.keys = keys
  }

  var byteCount: Int {
    path.reduce(0) { $0 + $1.utf8.count } + (keys?.lower.count ?? 0) + (keys?.upper?.count ?? 0)
  }

  /// Why there cannot be such a resource; nil when there can.
  var problem: String? {
    guard (1...Self.maximumDepth).contains(path.count) else {
      return "a resource has 1 to \(Self.maximumDepth) names: database, table, partition"
    }
    guard !path.contains(where: \.isEmpty) else { return "a resource has an empty name" }
    guard let keys else { return nil }
    if path.count < 2 { return "a database has no keys" }
    if let upper = keys.upper, !keys.lower.lexicographicallyPrecedes(upper) {
      return "a range of keys is empty"
    }
    return nil
  }
}

/// A range of keys, which are compared as bytes.
public struct KeyRange: Hashable, Sendable {
  /// The first key; empty for the least of all.
  public var lower: [UInt8]
  /// The first key after the range; nil when it has no end.
  public var upper: [UInt8]?

  /// Makes a range.
  public init(from lower: [UInt8] = [], to upper: [UInt8]? = nil) {
    self.lower = lower
    self.upper = upper
  }

  /// Whether there is a key in both.
  public func overlaps(_ other: KeyRange) -> Bool {
    func begins(_ one: KeyRange, before end: [UInt8]?) -> Bool {
      end.map { one.lower.lexicographicallyPrecedes($0) } ?? true
    }
    return begins(self, before: other.upper) && begins(other, before: upper)
  }
}

/// One resource in one mode, of those that a request asks for or implies.
struct Claim: Hashable, Sendable {
  var resource: Resource
  var mode: Mode

  /// Whether two sessions cannot have the claims at a time. A range of keys and all of its table
  /// conflict by the intention that the range implies.
  func conflicts(with other: Claim) -> Bool {
    guard resource.path == other.resource.path, !mode.isCompatible(with: other.mode) else {
      return false
    }
    switch (resource.keys, other.resource.keys) {
    case (nil, nil): return true
    case (let one?, let another?): return one.overlaps(another)
    default: return false
    }
  }

  /// Whether it is one of those that stand for the ranges or the partitions of a table.
  var isHidden: Bool { resource.path.count > 2 && resource.path[2].isEmpty }

  /// What some wishes imply: intentions on everything that contains what is wished for, and each
  /// resource once, in the mode that all of its wishes need.
  ///
  /// Ranges of keys of a table and its partitions are two ways to divide it: nobody knows which keys a
  /// partition has. So each of either is in the way of every change of the other. For each table there
  /// are two more resources, which nobody can name. One is held IX by those who change ranges and S by all
  /// who have partitions, the other IX by those who change partitions and S by all who have ranges.
  static func claims(of wishes: [Wish]) -> [Claim] {
    var modes: [Resource: Mode] = [:]
    func add(_ resource: Resource, _ mode: Mode) {
      modes[resource] = modes[resource].map { $0.joined(with: mode) } ?? mode
    }
    for wish in wishes {
      add(wish.resource, wish.mode)
      let path = wish.resource.path
      let depth = wish.resource.keys == nil ? path.count - 1 : path.count
      for count in 0..<depth { add(Resource(Array(path[...count])), wish.mode.intention) }
      guard path.count > 2 || path.count == 2 && wish.resource.keys != nil else { continue }
      let hidden = [path[0], path[1], ""]
      let (own, others) = path.count > 2 ? (["p"], ["r"]) : (["r"], ["p"])
      if wish.mode.intention == .intentionExclusive {
        add(Resource(hidden + own), .intentionExclusive)
      }
      add(Resource(hidden + others), .shared)
    }
    return modes.map { Claim(resource: $0.key, mode: $0.value) }
  }
}

/// A resource that a request asks for, and how.
public struct Wish: Hashable, Sendable {
  /// What is wished for.
  public var resource: Resource
  /// In which mode.
  public var mode: Mode

  /// Makes a wish.
  public init(_ resource: Resource, _ mode: Mode) {
    self.resource = resource
    self.mode = mode
  }
}

extension [Wish] {
  /// How many bytes the names and keys of all have.
  var byteCount: Int { reduce(0) { $0 + $1.resource.byteCount } }
}
