import MagicCore

/// Whose table a storage belongs to.
struct StorageOwner: Hashable, Sendable, CustomStringConvertible {
  enum Kind: Character, Sendable {
    /// Made by a `CREATE TABLE` statement.
    case user = "u"
    /// Written by replication, and by nobody else.
    case replicated = "r"
    /// A table as it was, see ``KeptTables``.
    case kept = "k"
  }

  var kind: Kind
  var number: UInt64

  var description: String { "\(kind.rawValue)\(number)" }

  /// - Returns: nil for a text of another form.
  init?(_ text: some StringProtocol) {
    guard let kind = text.first.flatMap(Kind.init(rawValue:)), let number = UInt64(text.dropFirst())
    else { return nil }
    self.kind = kind
    self.number = number
  }

  init(kind: Kind, number: UInt64) {
    self.kind = kind
    self.number = number
  }
}

/// The order in which whoever needs several tables' latches takes them.
extension StorageOwner: Comparable {
  static func < (one: StorageOwner, other: StorageOwner) -> Bool {
    (one.kind.rawValue, one.number) < (other.kind.rawValue, other.number)
  }
}

/// The names of the plain tables behind mutable ones, which tell all that recovery needs to know:
/// `u7_s2_130`, `u7_y2_5`, `u7_x9`.
struct StorageName: Hashable, Sendable, CustomStringConvertible {
  /// The database of all storage.
  static let database = "_magic"

  /// Whether a database is the layer's own.
  static func isStorage(_ database: String) -> Bool {
    database == Self.database || database.hasPrefix(PastTables.databasePrefix)
  }

  /// The settings of a stage, which is read once and then dropped: merging it would be for nothing.
  static let stageSettings =
    "auto_statistics_types = '', max_bytes_to_merge_at_max_space_in_pool = 1, "
    + "max_bytes_to_merge_at_min_space_in_pool = 1, "
    + "parts_to_delay_insert = 1000000, parts_to_throw_insert = 1000000, "
    + "max_parts_in_total = 1000000000"

  enum Role: Hashable, Sendable {
    /// Every key once, superseded rows masked. A generation holds from a commit point on.
    case settled(generation: UInt64, from: UInt64)
    /// All versions of rows that are not settled into a generation yet.
    case young(generation: UInt64, number: UInt64)
    /// Rows of a statement or transaction that has not ended.
    case stage(UInt64)
  }

  var owner: StorageOwner
  var role: Role

  init(_ owner: StorageOwner, _ role: Role) {
    self.owner = owner
    self.role = role
  }

  /// - Returns: nil for a name of another form.
  init?(_ text: String) {
    let parts = text.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count >= 2, let owner = StorageOwner(parts[0]), let letter = parts[1].first else {
      return nil
    }
    let numbers = [parts[1].dropFirst()] + parts.dropFirst(2)
    let values = numbers.compactMap { UInt64($0) }
    guard values.count == numbers.count else { return nil }
    self.owner = owner
    switch (letter, values.count) {
    case ("s", 2): role = .settled(generation: values[0], from: values[1])
    case ("y", 2): role = .young(generation: values[0], number: values[1])
    case ("x", 1): role = .stage(values[0])
    default: return nil
    }
  }

  var isStage: Bool {
    if case .stage = role { true } else { false }
  }

  /// The table's name inside ``database``.
  var table: String {
    switch role {
    case .settled(let generation, let from): "\(owner)_s\(generation)_\(from)"
    case .young(let generation, let number): "\(owner)_y\(generation)_\(number)"
    case .stage(let number): "\(owner)_x\(number)"
    }
  }

  /// The name as SQL writes it.
  var description: String { "\(Self.database).\(table)" }

  /// The condition for the table's rows in a system table, where `column` has tables' names.
  func isNamed(by column: String) -> String {
    "database = \(quotedString(Self.database)) AND \(column) = \(quotedString(table))"
  }
}
