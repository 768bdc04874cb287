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
  /// What rows get that do not give the column a value. A nullable column without a default has
  /// ``ColumnDefault/null``, a generated one ``ColumnDefault/expression``.
  public var `default`: ColumnDefault
  public var isAutoIncrement: Bool
  /// What the declaration says beyond ``type``; nil when no declaration was read.
  public var detail: TypeDetail?

  public init(
    name: String, type: ColumnType, isNullable: Bool, isGenerated: Bool = false,
    isInvisible: Bool = false, default: ColumnDefault = .none, isAutoIncrement: Bool = false,
    detail: TypeDetail? = nil
  ) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    self.isGenerated = isGenerated
    self.isInvisible = isInvisible
    self.default = `default`
    self.isAutoIncrement = isAutoIncrement
    self.detail = detail
  }

  /// Reads also what was written before a member existed: the member has its default then.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    name = try members.decode(String.self, forKey: .name)
    type = try members.decode(ColumnType.self, forKey: .type)
    isNullable = try members.decode(Bool.self, forKey: .isNullable)
    isGenerated = try members.decodeIfPresent(Bool.self, forKey: .isGenerated) ?? false
    isInvisible = try members.decodeIfPresent(Bool.self, forKey: .isInvisible) ?? false
    self.default = try members.decodeIfPresent(ColumnDefault.self, forKey: .default) ?? .none
    isAutoIncrement = try members.decodeIfPresent(Bool.self, forKey: .isAutoIncrement) ?? false
    detail = try members.decodeIfPresent(TypeDetail.self, forKey: .detail)
  }
}

/// A table as the source declares it: columns in binlog order and its keys.
public struct TableSchema: Hashable, Sendable, Codable {
  public var name: TableName
  public var columns: [Column]
  /// Indices into ``columns`` of the columns by which rows are known, in key order: those of the
  /// primary key, or without one those of the first unique key that cannot be NULL
  /// (``primaryKeyIsUniqueKey``). Empty without either, and when floating-point numbers are in it.
  public var primaryKey: [Int]
  /// Whether ``primaryKey`` is a unique key that serves because the table has no primary key.
  public var primaryKeyIsUniqueKey: Bool
  /// The indices, in the server's order; nil when no declaration was read, so that they are not
  /// known.
  public var keys: [TableKey]?
  public var foreignKeys: [ForeignKey]
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
    isSystemVersioned: Bool = false, primaryKeyIsUniqueKey: Bool = false,
    keys: [TableKey]? = nil, foreignKeys: [ForeignKey] = []
  ) {
    self.name = name
    self.columns = columns
    self.primaryKey = primaryKey
    self.primaryKeyIsUniqueKey = primaryKeyIsUniqueKey
    self.keys = keys
    self.foreignKeys = foreignKeys
    self.storageEngine = storageEngine
    self.defaultCharset = defaultCharset
    self.primaryKeyHasPrefix = primaryKeyHasPrefix
    self.isSystemVersioned = isSystemVersioned
  }

  /// Reads also what was written before a member existed: the member has its default then.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    name = try members.decode(TableName.self, forKey: .name)
    columns = try members.decode([Column].self, forKey: .columns)
    primaryKey = try members.decode([Int].self, forKey: .primaryKey)
    storageEngine = try members.decodeIfPresent(String.self, forKey: .storageEngine)
    defaultCharset = try members.decodeIfPresent(String.self, forKey: .defaultCharset)
    primaryKeyHasPrefix =
      try members.decodeIfPresent(Bool.self, forKey: .primaryKeyHasPrefix) ?? false
    isSystemVersioned = try members.decodeIfPresent(Bool.self, forKey: .isSystemVersioned) ?? false
    primaryKeyIsUniqueKey =
      try members.decodeIfPresent(Bool.self, forKey: .primaryKeyIsUniqueKey) ?? false
    keys = try members.decodeIfPresent([TableKey].self, forKey: .keys)
    foreignKeys = try members.decodeIfPresent([ForeignKey].self, forKey: .foreignKeys) ?? []
  }

  /// The index of a column by its name, whose case does not matter.
  public func columnIndex(_ name: String) -> Int? {
    if let index = columns.firstIndex(where: { $0.name == name }) { return index }
    let lowercased = name.lowercased()
    return columns.firstIndex { $0.name.lowercased() == lowercased }
  }

  /// Whether members of an ENUM or SET may have become question marks, because the charset of the database,
  /// which is not known, lacks their characters.
  public var hasUnknownMembers: Bool { defaultCharset == nil && !holdsMembers(in: nil) }

  private func holdsMembers(in charset: String?) -> Bool {
    columns.allSatisfy { column in
      switch column.type {
      case .enumeration(let members), .set(let members):
        members.allSatisfy { Charset.holds($0, in: charset) }
      default: true
      }
    }
  }

  /// The same table with the charset of its database in the columns whose declarations leave theirs
  /// open.
  public func withDefaultCharset(_ charset: String) -> TableSchema {
    var schema = self
    let name = Charset.canonicalName(charset)
    schema.defaultCharset = defaultCharset ?? (holdsMembers(in: name) ? name : nil)
    for index in columns.indices where columns[index].type == .string(charset: nil) {
      schema.columns[index].type = name == "binary" ? .bytes : .string(charset: name)
    }
    // How many bytes a column takes decides whether its index can be the key.
    schema.chooseKey()
    return schema
  }
}
