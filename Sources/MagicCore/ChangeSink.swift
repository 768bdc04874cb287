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

/// Where replication puts rows.
///
/// What is written becomes visible by ``publish(_:checkpoint:)`` only: all of it at once, together
/// with the checkpoint, or nothing.
public protocol ChangeSink: Sendable {
  /// The checkpoint of the last publication; nil before the first.
  func checkpoint() async throws -> [UInt8]?
  /// Makes empty storage for a table, not yet visible. Storage that its id had before is replaced.
  func create(_ table: TableDefinition) async throws
  /// Makes a table visible under its name from now on; idempotent.
  func show(_ table: TableDefinition) async throws
  /// Removes a table and its rows, and its name unless that is another table's; idempotent.
  func drop(_ table: TableDefinition) async throws
  /// Adds rows to a table that is not visible yet; each key comes once, and before any change.
  /// Each batch has the table's visible columns, then ``HiddenColumn/version`` and
  /// ``HiddenColumn/deleteMark``. The rows are durable on return.
  func copy(_ batch: RecordBatch, into table: TableDefinition) async throws
  /// Sets row versions aside for the next publication, so that a transaction of any size takes a
  /// bounded amount of memory. They are gone when the process ends before that. The batches are of
  /// the same form as those of ``copy(_:into:)``.
  func stage(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws
  /// Forgets what was staged since the last publication.
  func discardStaged() async throws
  /// Makes the staged row versions and these visible in one step, durable together with the
  /// checkpoint: a JSON object, whose member `gtids`, if there is one, tells the transactions of the
  /// source that are in the copy then.
  func publish(
    _ batches: [(table: TableDefinition, batch: RecordBatch)], checkpoint: [UInt8]
  ) async throws
  /// The ids of all tables that have storage, in ascending order.
  func storedTableIDs() async throws -> [UInt64]
}
