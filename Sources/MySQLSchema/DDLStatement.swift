/// What a logged statement does to tables and databases.
public enum DDLStatement: Hashable, Sendable {
  case createTable(CreateTable)
  case alterTable(AlterTable)
  case dropTables([TableName], isTemporary: Bool)
  /// Renames, to be applied in this order.
  case renameTables([TableRename])
  case truncateTable(TableName)
  /// `charset` is the default of the database's tables, or nil when the statement leaves it to the
  /// server.
  case createDatabase(String, charset: String?)
  /// `charset` is nil when the statement does not change it.
  case alterDatabase(String, charset: String?)
  case dropDatabase(String)
  /// CREATE INDEX as the change of its table, whose key a unique index may become.
  case createIndex(AlterTable)
  /// DROP INDEX as the change of its table, whose key the index may have been.
  case dropIndex(AlterTable)
  /// A statement that changes neither rows nor columns: views, users, SET, transaction control, and
  /// so on.
  case noEffect
  /// Rows were changed by a statement that is logged as text, so that no row event describes them.
  case dataChange
  /// Text that this parser does not understand: what it did is unknown, and when it does not begin like a
  /// statement that makes or alters a table, to which table, too.
  case unrecognized(reason: String, table: TableName? = nil)
}

/// A CREATE TABLE statement.
public struct CreateTable: Hashable, Sendable {
  /// Where the new table's columns come from.
  public enum Source: Hashable, Sendable {
    /// The whole definition is in the statement.
    case definition(TableSchema)
    /// The columns are those of another table (CREATE TABLE … LIKE).
    case like(TableName)
    /// The columns come, at least in part, from a query's result.
    case select
  }

  public var name: TableName
  public var source: Source
  public var isTemporary: Bool
  /// IF NOT EXISTS: nothing happens when the table is there.
  public var ifNotExists: Bool
  /// OR REPLACE: an existing table is dropped first.
  public var orReplace: Bool
}

/// An ALTER TABLE statement: which table, and what a reader of row events must know before
/// re-reading its columns.
public struct AlterTable: Hashable, Sendable {
  public var name: TableName
  /// The table's name afterwards, when the statement renames it.
  public var newName: TableName?
  /// Whether rows come or go without a row event: partitions dropped, truncated or exchanged,
  /// tablespaces discarded or imported.
  public var changesRows: Bool
  /// Another table whose rows come or go with the statement, if ``changesRows``: EXCHANGE
  /// PARTITION … WITH TABLE swaps them, MariaDB's CONVERT PARTITION … TO TABLE makes the table,
  /// and CONVERT TABLE … TO PARTITION drops it.
  public var otherTable: TableName?
  /// ALTER IGNORE TABLE (MariaDB): rows that violate a new key go, and values that do not fit are
  /// changed.
  public var ignoresErrors: Bool
  /// What ``TableSchema/plan(_:isStrict:)`` applies.
  var changes: [TableChange]

  init(
    name: TableName, newName: TableName? = nil, changesRows: Bool = false,
    ignoresErrors: Bool = false, changes: [TableChange] = []
  ) {
    self.name = name
    self.newName = newName
    self.changesRows = changesRows
    self.ignoresErrors = ignoresErrors
    self.changes = changes
  }
}

/// One table's old and new name.
public struct TableRename: Hashable, Sendable {
  public var from: TableName
  public var to: TableName

  public init(from: TableName, to: TableName) {
    self.from = from
    self.to = to
  }
}

/// Why SQL text could not be understood, and where.
public struct SQLSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected or is not supported.
  public var reason: String
  /// Offset in bytes from the start of the text.
  public var offset: Int

  public var description: String { "\(reason) (byte \(offset))" }
}
