import Arrow

/// A replicated table as its readers see it. How its rows are stored is the sink's own affair.
public struct TableDefinition: Hashable, Sendable, Codable {
  /// Identifies the table's rows and columns for ever, through renames; never reused. A table whose
  /// declaration changes goes on under another one.
  public var id: UInt64
  /// The name under which it is read.
  public var name: TableReference
  /// The visible columns.
  public var schema: Schema
  /// Positions in `schema` of the columns that identify a row, in key order. Empty for a table without
  /// a key: each of its rows is one of perhaps several with the same values.
  public var primaryKey: [Int]

  /// Describes a table.
  public init(id: UInt64, name: TableReference, schema: Schema, primaryKey: [Int]) {
    self.id = id
    self.name = name
    self.schema = schema
    self.primaryKey = primaryKey
  }
}

/// A table without a key has no row that a change takes away: the copy is not what the source changed.
public struct MissingRowError: Error, Sendable, CustomStringConvertible {
  /// The number of the table.
  public var table: UInt64

  /// Describes the error.
  public init(table: UInt64) { self.table = table }

  public var description: String {
    "the copy lacks a row that the source deleted: the table has to be copied again"
  }
}

/// Where replication puts rows.
///
/// What is written becomes visible by ``publish(_:checkpoint:)`` only: all of it at once, together
/// with the checkpoint, or nothing.
public protocol ChangeSink: Sendable {
  /// The checkpoint of the last publication; nil before the first.
  func checkpoint() async throws -> [UInt8]?
  /// Why a table cannot be stored, or not be seen under its name, such as that something else has it; nil
  /// when nothing is in its way.
  func obstacle(to table: TableDefinition) async throws -> String?
  /// Makes empty storage for a table, not yet visible. Storage that its id had before is replaced.
  func create(_ table: TableDefinition) async throws
  /// Makes storage for a table, not yet visible, that holds the published rows of another one in another
  /// shape. Storage that its id had before is replaced; the other table stays as it is.
  ///
  /// - Parameters:
  ///   - table: the new table.
  ///   - old: the table whose rows it holds.
  ///   - columns: for each column of `table` the position of the column of `old` whose values it takes,
  ///     of the same type or of one whose values its own can all hold; nil for a new column.
  ///   - defaults: one row of the columns of `table`: the values of its new columns.
  func create(
    _ table: TableDefinition, from old: TableDefinition, columns: [Int?], defaults: RecordBatch
  ) async throws
  /// Lets readers see tables under their names from now on, in place of what had these names, and no
  /// longer see others, whose rows are removed; all in one step, and idempotent. A table that has another
  /// name so far is renamed.
  func change(showing shown: [TableDefinition], dropping dropped: [TableDefinition]) async throws
  /// Adds rows to a table that is not visible yet; each key comes once. Each batch has the table's
  /// visible columns, then ``HiddenColumn/version`` and ``HiddenColumn/deleteMark``. The versions are
  /// lower than those of any change, and changes of the table may have been published before: where a
  /// key was changed, the copied row does not count. The rows are durable on return.
  func copy(_ batch: RecordBatch, into table: TableDefinition) async throws
  /// Removes copied rows of a table, but for those with these versions: a copy that was interrupted goes
  /// on without what it had done in part.
  func discardCopied(_ table: TableDefinition, keeping versions: [ClosedRange<UInt64>]) async throws
  /// The rows with these keys as they are published and staged; a key that has no row gives none.
  ///
  /// `keys` has the columns of the table's key in key order; keys may repeat.
  ///
  /// - Returns: the table's visible columns, in any order of rows.
  func rows(of table: TableDefinition, keys: RecordBatch) async throws -> RecordBatch
  /// Sets row versions aside for the next publication, so that a transaction of any size takes a
  /// bounded amount of memory. They are gone when the process ends before that. The batches are of
  /// the same form as those of ``copy(_:into:)``.
  func stage(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws
  /// Forgets what was staged since the last publication.
  func discardStaged() async throws
  /// Makes the staged row versions and these visible in one step, durable together with the
  /// checkpoint: a JSON object, whose member `gtids`, if there is one, tells the transactions of the
  /// source that are in the copy then.
  ///
  /// In a table without a key a row with a delete mark takes away one row that has its values.
  ///
  /// - Throws: ``MissingRowError`` when there is none; nothing is published then.
  func publish(
    _ batches: [(table: TableDefinition, batch: RecordBatch)], checkpoint: [UInt8]
  ) async throws
  /// The ids of all tables that have storage, in ascending order.
  func storedTableIDs() async throws -> [UInt64]
  /// Makes or removes a database. One that holds anything else stays; one that cannot be is left out.
  func createDatabase(_ name: String) async throws
  func dropDatabase(_ name: String) async throws
}
