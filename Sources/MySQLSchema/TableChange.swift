/// One of the changes that an ALTER TABLE statement makes to columns, key and charset.
enum TableChange: Hashable, Sendable {
  enum Position: Hashable, Sendable {
    case first
    case after(String)
  }

  typealias NewColumn = TableDefinition.ColumnDefinition

  case add(NewColumn, Position?, ifNotExists: Bool)
  /// Gives the column of this name another definition, and perhaps another name and place.
  case modify(String, NewColumn, Position?, ifExists: Bool)
  case drop(String, ifExists: Bool)
  case rename(String, String, ifExists: Bool)
  case setInvisible(String, Bool)
  case setDefault(String, DefaultClause, ifExists: Bool)
  case primaryKey([TableDefinition.KeyPart], ifNotExists: Bool)
  case dropPrimaryKey
  case addKey(KeyDefinition)
  case dropKey(String, ifExists: Bool)
  case renameKey(String, String, ifExists: Bool)
  case addForeignKey(ForeignKeyDefinition)
  case dropForeignKey(String)
  /// Drops the index or foreign key of this name; without either it is that of a CHECK.
  case dropConstraint(String)
  case setDefaultCharset(String)
  case convertCharset(String)
  case setEngine(String)
  case notUnderstood(String)

  /// Whether the change is one of indices, references or storage.
  var leavesColumns: Bool {
    switch self {
    case .addKey, .dropKey, .renameKey, .addForeignKey, .dropForeignKey, .dropConstraint,
      .setEngine:
      true
    case .add, .modify, .drop, .rename, .setInvisible, .setDefault, .primaryKey, .dropPrimaryKey,
      .setDefaultCharset, .convertCharset, .notUnderstood:
      false
    }
  }
}
