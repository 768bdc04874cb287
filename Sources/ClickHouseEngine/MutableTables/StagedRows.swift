import MagicCore

/// Rows that a statement has set aside, with the columns of a settled table.
struct StagedRows: Sendable {
  enum Versions: Hashable, Sendable {
    /// The rows get new ones in the order of their coming.
    case allotted
    /// The rows have their own (IMPORT).
    case given
  }

  /// Where they are.
  enum Place: Hashable, Sendable {
    /// A temporary table of the connection, in memory.
    case memory(String)
    /// A table of its own.
    case table(StorageName)
  }

  var place: Place
  var count: Int
  var versions = Versions.allotted
  /// Whether several rows may have the same key; the last of them counts.
  var mayRepeatKeys = true
  /// Which of the rows count; nil for all.
  var condition: String?

  /// From this many rows on they go into a new generation directly.
  static let bulkCount = 200_000

  /// Whether they are better not added to a young table.
  var isBulk: Bool { !isInMemory && versions == .allotted && count > Self.bulkCount }

  var isInMemory: Bool {
    if case .memory = place { true } else { false }
  }

  /// The rows as SQL names them after FROM.
  var source: String {
    let name =
      switch place {
      case .memory(let name): name
      case .table(let name): "\(name)"
      }
    return condition.map { "(SELECT * FROM \(name) WHERE \($0))" } ?? name
  }

  /// An expression for a row's number in the order of their coming, from 0.
  var position: String {
    switch place {
    case .memory: "rowNumberInAllBlocks()"
    // Stages are not merged, and rows of equal keys keep their order inside of a part.
    case .table: "_part_starting_offset + _part_offset"
    }
  }
}
