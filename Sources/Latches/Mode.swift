/// How a resource is held. The intention modes stand on what contains the resource that is meant.
///
/// Source: Gray, Lorie, Putzolu, Traiger, "Granularity of Locks and Degrees of Consistency in a Shared
/// Data Base" (1976), table 1.
public enum Mode: UInt8, Hashable, Sendable, CaseIterable {
  /// Something inside is to be read.
  case intentionShared
  /// Something inside is to be changed.
  case intentionExclusive
  /// All of it is read.
  case shared
  /// All of it is read, and something inside is to be changed.
  case sharedIntentionExclusive
  /// All of it is changed.
  case exclusive

  /// Whether two sessions may hold the modes at a time.
  public func isCompatible(with other: Mode) -> Bool {
    Self.compatible[Int(rawValue)] & 1 << other.rawValue != 0
  }

  /// For each mode the modes that are compatible with it, as bits.
  private static let compatible: [UInt8] = [
    0b01111,  // IS: all but X
    0b00011,  // IX: IS, IX
    0b00101,  // S: IS, S
    0b00001,  // SIX: IS
    0b00000,  // X: none
  ]

  /// The weakest mode that allows what both allow.
  public func joined(with other: Mode) -> Mode {
    if self == other { return self }
    let (low, high) = rawValue < other.rawValue ? (self, other) : (other, self)
    if low == .intentionExclusive, high == .shared { return .sharedIntentionExclusive }
    return high
  }

  /// The mode that what contains the resource is held in.
  var intention: Mode {
    switch self {
    case .intentionShared, .shared: .intentionShared
    case .intentionExclusive, .sharedIntentionExclusive, .exclusive: .intentionExclusive
    }
  }
}
