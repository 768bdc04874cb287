import Binlog
import MagicCore
import MySQLSchema

/// What became of a table of the source.
public enum TableState: Hashable, Sendable, Codable {
  /// Its existing rows are being copied; nobody sees it yet.
  case copying
  /// It follows the stream.
  case live
  /// It no longer follows the stream; it stays as of `position`.
  case stopped(reason: String, at: BinlogPosition)
}

/// A table of the source and its copy.
public struct ReplicatedTable: Hashable, Sendable, Codable {
  /// The number of the copy's storage; never reused in a data folder.
  public var id: UInt64
  public var schema: TableSchema
  public var state: TableState
  /// The copy contains every change at or before this position; changes at or before it are dropped
  /// when the stream repeats them. Nil while nothing of the table is stored.
  public var copyPosition: BinlogPosition?
  /// Whether the source dropped the table, so that a new table may take its name.
  public var isDropped = false

  public init(
    id: UInt64, schema: TableSchema, state: TableState, copyPosition: BinlogPosition? = nil
  ) {
    self.id = id
    self.schema = schema
    self.state = state
    self.copyPosition = copyPosition
  }

  /// Whether rows of the table were ever stored: its copy was finished, or it began empty.
  public var hasStorage: Bool {
    copyPosition != nil
  }

  /// Whether a change whose event starts at `position` belongs to the copy.
  public func accepts(changeAt position: BinlogPosition) -> Bool {
    guard let copyPosition, position >= copyPosition else { return false }
    if case .stopped(_, let stop) = state { return position < stop }
    return true
  }
}

/// Every table that the data folder knows, as it is stored in `catalog.json`.
public struct Catalog: Hashable, Sendable, Codable {
  /// The version of the form of the files in the data folder, raised when an older program could
  /// not read them.
  public static let currentFormatVersion = 1

  public var formatVersion = Catalog.currentFormatVersion
  /// What identifies the server that the copy was made from; nil when it was made from files.
  public var sourceIdentity: String?
  public private(set) var tables: [ReplicatedTable] = []
  private var nextTableID: UInt64 = 1

  public init() {}

  /// The table of that name, unless the source dropped it.
  public subscript(name: TableName) -> ReplicatedTable? {
    tables.first { $0.schema.name == name && !$0.isDropped }
  }

  /// Adds a table under an identifier of its own.
  @discardableResult
  public mutating func add(
    _ schema: TableSchema, state: TableState, copyPosition: BinlogPosition? = nil
  ) -> ReplicatedTable {
    let table = ReplicatedTable(
      id: nextTableID, schema: schema, state: state, copyPosition: copyPosition)
    nextTableID += 1
    tables.append(table)
    return table
  }

  /// Replaces the table that has the same identifier.
  public mutating func update(_ table: ReplicatedTable) {
    if let index = tables.firstIndex(where: { $0.id == table.id }) { tables[index] = table }
  }

  /// Removes tables of that name which the source dropped, and returns their identifiers.
  public mutating func removeDropped(_ name: TableName) -> [UInt64] {
    let dropped = tables.filter { $0.schema.name == name && $0.isDropped }.map(\.id)
    tables.removeAll { dropped.contains($0.id) }
    return dropped
  }

  /// Removes a table for good.
  public mutating func remove(id: UInt64) { tables.removeAll { $0.id == id } }

  /// The catalog of a copy that is made of some tables' rows at a checkpoint.
  ///
  /// It has no table that came after the checkpoint: the stream, or the next copy from the source, makes
  /// those again. Nor has it one whose rows should be in the copy but are not.
  ///
  /// - Parameter stored: the tables whose rows as of the checkpoint are in the copy.
  public func asOf(_ checkpoint: BinlogPosition, holding stored: Set<UInt64>) -> Catalog {
    var catalog = self
    catalog.tables.removeAll { table in
      if let position = table.copyPosition {
        return position > checkpoint || !stored.contains(table.id)
      }
      if case .stopped(_, let position) = table.state { return position > checkpoint }
      return true
    }
    return catalog
  }
}
