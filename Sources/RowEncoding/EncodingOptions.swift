/// Choices that change what the encoders produce.
public struct EncodingOptions: Hashable, Sendable {
  /// What becomes of dates that are no day of the calendar: 0000-00-00, 2024-00-10, 2024-02-31.
  public enum ZeroDates: String, Hashable, Sendable, CaseIterable {
    /// They become NULL and are counted; in a key column they are an error all the same.
    case null
    /// They are an error.
    case stop
  }

  public var zeroDates: ZeroDates

  public init(zeroDates: ZeroDates = .null) {
    self.zeroDates = zeroDates
  }
}

/// How many values were changed because their Arrow type cannot hold them.
public struct EncodingCounters: Hashable, Sendable {
  /// Dates that are no day of the calendar and became NULL.
  public var zeroDates = 0
  /// Texts with bytes that mean nothing in the column's charset; those became U+FFFD.
  public var invalidTexts = 0

  public init() {}

  public static func += (left: inout EncodingCounters, right: EncodingCounters) {
    left.zeroDates += right.zeroDates
    left.invalidTexts += right.invalidTexts
  }
}
