import Arrow

/// A replicated table as its readers see it. How its rows are stored is the sink's own affair.
public struct TableDefinition: Hashable, Sendable, Codable {
  /// Identifies the table for ever, through renames; never reused.
  public var id: UInt64
  /// The name under which it is read.
  public var name: TableReference
  /// The visible columns.
  public var schema: Schema
  /// Positions in `schema` of the columns that identify a row, in key order.
  public var primaryKey: [Int]

  /// Describes a table.
  public init(id: UInt64, name: TableReference, schema: Schema, primaryKey: [Int]) {
    self.id = id
    self.name = name
    self.schema = schema
    self.primaryKey = primaryKey
  }
}

/// The names of the columns that every written batch has after the visible ones.
public enum HiddenColumn {
  /// `UInt64`: for one key the row with the highest version wins.
  public static let version = "_INTERNAL_VERSION"
  /// `UInt8`: 1 when the version removes the row, else 0.
  public static let deleteMark = "_INTERNAL_DELMARK"
}

/// Where replication puts rows.
public protocol ChangeSink: Sendable {
  /// Makes empty storage for a table, not yet visible. Storage that its id had before is replaced.
  func create(_ table: TableDefinition) async throws
  /// Makes a table visible under its name from now on; idempotent.
  func show(_ table: TableDefinition) async throws
  /// Removes a table and its rows, and its name unless that is another table's; idempotent.
  func drop(_ table: TableDefinition) async throws
  /// Writes row versions. Each batch has the table's visible columns, then
  /// ``HiddenColumn/version`` and ``HiddenColumn/deleteMark``. All rows are durable on return;
  /// several tables are written side by side.
  func write(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws
  /// The ids of all tables that have storage, in ascending order.
  func storedTableIDs() async throws -> [UInt64]
}
