/// A FOREIGN KEY of a table at the source.
public struct ForeignKey: Hashable, Sendable, Codable {
  /// What becomes of the table's rows when the row that they refer to is deleted or gets another
  /// key.
  public enum Action: String, Hashable, Sendable, Codable {
    case restrict, noAction, cascade, setNull, setDefault

    /// Whether the server changes the table's own rows, which it does without row events.
    public var changesRows: Bool {
      switch self {
      case .cascade, .setNull, .setDefault: true
      case .restrict, .noAction: false
      }
    }
  }

  public var name: String
  public var columns: [String]
  public var referencedTable: TableName
  public var onDelete: Action
  public var onUpdate: Action

  public init(
    name: String, columns: [String], referencedTable: TableName, onDelete: Action = .restrict,
    onUpdate: Action = .restrict
  ) {
    self.name = name
    self.columns = columns
    self.referencedTable = referencedTable
    self.onDelete = onDelete
    self.onUpdate = onUpdate
  }
}

/// A foreign key as a statement declares it.
struct ForeignKeyDefinition: Hashable, Sendable {
  var name: String?
  var columns: [String]
  /// The database of the referenced table; nil for the table's own.
  var database: String?
  var table: String
  var onDelete = ForeignKey.Action.restrict
  var onUpdate = ForeignKey.Action.restrict
  var ifNotExists = false
}

extension TableSchema {
  /// Whether a foreign key has the server change rows of this table when rows of another change.
  ///
  /// The binlog has no row events of such changes, so a copy misses them.
  public var cascades: Bool {
    foreignKeys.contains { $0.onDelete.changesRows || $0.onUpdate.changesRows }
  }

  mutating func addForeignKeys(_ definitions: [ForeignKeyDefinition]) throws(SQLSyntaxError) {
    guard foreignKeys.count + definitions.count <= 512 else {
      throw SQLSyntaxError(reason: "more than 512 foreign keys", offset: 0)
    }
    for definition in definitions {
      if definition.ifNotExists,
        foreignKeys.contains(where: { sameName($0.name, definition.name ?? "") })
      {
        continue
      }
      let columns = try definition.columns.map { (name) throws(SQLSyntaxError) in
        guard let index = columnIndex(name) else {
          throw SQLSyntaxError(reason: "unknown column \(name)", offset: 0)
        }
        return self.columns[index].name
      }
      foreignKeys.append(
        ForeignKey(
          name: definition.name ?? newForeignKeyName(), columns: columns,
          referencedTable: TableName(
            database: definition.database ?? name.database, table: definition.table),
          onDelete: definition.onDelete, onUpdate: definition.onUpdate))
    }
  }

  private var generatedPrefix: String { "\(name.table)_ibfk_" }

  /// The name that InnoDB gives to a foreign key without one.
  private func newForeignKeyName() -> String {
    let numbers = foreignKeys.compactMap { key in
      key.name.hasPrefix(generatedPrefix) ? Int(key.name.dropFirst(generatedPrefix.count)) : nil
    }
    return "\(generatedPrefix)\((numbers.max() ?? 0).addingReportingOverflow(1).partialValue)"
  }

  /// Gives the table another name; the names that InnoDB made for foreign keys follow it.
  public mutating func rename(to newName: TableName) {
    let oldPrefix = generatedPrefix
    name = newName
    for index in foreignKeys.indices where foreignKeys[index].name.hasPrefix(oldPrefix) {
      foreignKeys[index].name =
        generatedPrefix + foreignKeys[index].name.dropFirst(oldPrefix.count)
    }
  }

  /// The definition of a table that was created LIKE this one: its columns and indices, but neither
  /// rows nor foreign keys.
  public func definition(like newName: TableName) -> TableSchema {
    var schema = self
    schema.name = newName
    schema.foreignKeys = []
    return schema
  }
}
