/// Who has claims on a path, and of what modes.
struct ClaimIndex: Sendable {
  private struct Place: Sendable {
    var numbers: Set<UInt64> = []
    /// How many claims there are on all of it, by mode, and on ranges of its keys.
    var modes = SIMD8<UInt32>()
    var rangeCount = 0
  }

  private var places: [[String]: Place] = [:]

  subscript(path: [String]) -> Set<UInt64> { places[path]?.numbers ?? [] }

  /// Whether anybody's claim could conflict with one, so that it is worth while to look at each.
  func mayConflict(with claim: Claim) -> Bool {
    guard let place = places[claim.resource.path] else { return false }
    if claim.resource.keys != nil { return place.rangeCount > 0 }
    return Mode.allCases.contains {
      place.modes[Int($0.rawValue)] > 0 && !$0.isCompatible(with: claim.mode)
    }
  }

  mutating func insert(_ number: UInt64, _ claims: [Claim]) {
    for claim in claims {
      places[claim.resource.path, default: Place()].numbers.insert(number)
      count(claim, 1)
    }
  }

  mutating func remove(_ number: UInt64, _ claims: [Claim]) {
    for claim in claims {
      let path = claim.resource.path
      places[path]?.numbers.remove(number)
      if places[path]?.numbers.isEmpty == true {
        places[path] = nil
      } else {
        count(claim, -1)
      }
    }
  }

  private mutating func count(_ claim: Claim, _ change: Int) {
    if claim.resource.keys != nil {
      places[claim.resource.path]?.rangeCount += change
    } else {
      let mode = Int(claim.mode.rawValue)
      places[claim.resource.path]?.modes[mode] &+= UInt32(truncatingIfNeeded: change)
    }
  }
}

/// What is due, and when: a binary heap. What is not due any more is found out when its time comes.
struct Agenda: Sendable {
  enum Item: Hashable, Sendable {
    /// A session, by name and number, may have expired.
    case session(String, UInt64)
    /// The request at a place in the queue has waited for long enough.
    case request(UInt64)
    /// The lock delay of a token is over.
    case lingering(UInt64)
    /// An entry, by token and number, is over.
    case entry(UInt64, UInt64)
  }

  private var heap: [(time: Duration, item: Item)] = []

  var count: Int { heap.count }

  var first: Duration? { heap.first?.time }

  mutating func add(_ item: Item, at time: Duration) {
    heap.append((time, item))
    var index = heap.count - 1
    while index > 0, heap[index].time < heap[(index - 1) / 2].time {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  /// Takes the first item, if it is due.
  mutating func next(dueBy now: Duration) -> Item? {
    guard let first = heap.first, first.time <= now else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    sink(0)
    return first.item
  }

  mutating func keep(where isWanted: (Item) -> Bool) {
    heap.removeAll { !isWanted($0.item) }
    for index in heap.indices.reversed() { sink(index) }
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2]
      where child < heap.count && heap[child].time < heap[least].time {
        least = child
      }
      if least == index { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}

/// A bounded number of names, of which the oldest are forgotten.
public struct RecentNames: Hashable, Sendable, ExpressibleByArrayLiteral {
  /// The names, the oldest first.
  public private(set) var ordered: [String] = []
  private var known: Set<String> = []

  /// Some names, the oldest first.
  public init(_ names: [String] = []) {
    ordered = names
    known = Set(names)
  }

  public init(arrayLiteral names: String...) { self.init(names) }

  func contains(_ name: String) -> Bool { known.contains(name) }

  mutating func insert(_ name: String, countLimit: Int) {
    guard known.insert(name).inserted else { return }
    ordered.append(name)
    // Half as many more are kept for a while, so that most additions move nothing.
    guard ordered.count > countLimit * 3 / 2 else { return }
    for old in ordered.prefix(ordered.count - countLimit) { known.remove(old) }
    ordered.removeFirst(ordered.count - countLimit)
  }
}
