/// A table's name, qualified by its database.
public struct TableName: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  public var database: String
  public var table: String

  public init(database: String, table: String) {
    self.database = database
    self.table = table
  }

  public var description: String { "\(database).\(table)" }

  public static func < (left: TableName, right: TableName) -> Bool {
    (left.database, left.table) < (right.database, right.table)
  }
}

/// One column of a table at the source.
public struct Column: Hashable, Sendable, Codable {
  public var name: String
  public var type: ColumnType
  /// Whether the column may be NULL. A TIMESTAMP that a definition leaves open counts as nullable,
  /// although a server without `explicit_defaults_for_timestamp` makes it NOT NULL.
  public var isNullable: Bool
  /// Whether the server computes the column (GENERATED ALWAYS AS); it is a column of the copy all
  /// the same.
  public var isGenerated: Bool
  /// Whether `SELECT *` at the source leaves the column out (INVISIBLE).
  public var isInvisible: Bool

  public init(
    name: String, type: ColumnType, isNullable: Bool, isGenerated: Bool = false,
    isInvisible: Bool = false
  ) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    self.isGenerated = isGenerated
    self.isInvisible = isInvisible
  }
}

/// A table as the source declares it: columns in binlog order and the primary key.
public struct TableSchema: Hashable, Sendable, Codable {
  public var name: TableName
  public var columns: [Column]
  /// Indices into ``columns`` of the primary key's columns, in key order; empty without a primary
  /// key.
  public var primaryKey: [Int]
  /// The storage engine (`InnoDB`, `MyISAM`, …) when the declaration says.
  public var storageEngine: String?
  /// The charset of text columns that do not declare theirs, when it is known.
  public var defaultCharset: String?
  /// Whether the primary key holds only the first characters of some column, so that it cannot
  /// identify a row by whole values.
  public var primaryKeyHasPrefix: Bool
  /// Whether the table keeps past rows (MariaDB's WITH SYSTEM VERSIONING), which the binlog inserts
  /// beside the living ones.
  public var isSystemVersioned: Bool

  public init(
    name: TableName, columns: [Column], primaryKey: [Int], storageEngine: String? = nil,
    defaultCharset: String? = nil, primaryKeyHasPrefix: Bool = false,
    isSystemVersioned: Bool = false
  ) {
    self.name = name
    self.columns = columns
    self.primaryKey = primaryKey
    self.storageEngine = storageEngine
    self.defaultCharset = defaultCharset
    self.primaryKeyHasPrefix = primaryKeyHasPrefix
    self.isSystemVersioned = isSystemVersioned
  }

  /// The index of a column by its name, whose case does not matter.
  public func columnIndex(_ name: String) -> Int? {
    let lowercased = name.lowercased()
    return columns.firstIndex { $0.name == name || $0.name.lowercased() == lowercased }
  }

  /// The same table with the charset of its database in the columns whose declarations leave theirs
  /// open.
  public func withDefaultCharset(_ charset: String) -> TableSchema {
    var schema = self
    let name = Charset.canonicalName(charset)
    schema.defaultCharset = defaultCharset ?? name
    for index in columns.indices where columns[index].type == .string(charset: nil) {
      schema.columns[index].type = name == "binary" ? .bytes : .string(charset: name)
    }
    return schema
  }
}
