/// The rows of a table whose keys lie between two bounds, in the order of the key at the source.
///
/// A bound is a list of literals of the source's SQL, one for each column of the key, in key order. A bound
/// with fewer literals than the key has columns stands for all keys that begin so: `after: ["5"]` leaves out
/// every key whose first column is 5, `through: ["5"]` takes them all in. The range without bounds is the
/// whole table.
public struct SourceKeyRange: Hashable, Sendable, Codable {
  /// The keys up to this one do not belong to the range; nil when it begins with the first key.
  public var after: [String]?
  /// The last key of the range; nil when it has no end.
  public var through: [String]?

  public init(after: [String]? = nil, through: [String]? = nil) {
    self.after = after
    self.through = through
  }
}
