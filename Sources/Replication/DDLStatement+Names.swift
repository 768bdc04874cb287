import MySQLSchema

extension DDLStatement {
  /// The statement with the names of databases and tables in lower case, as a server with
  /// lower_case_table_names=1 takes them.
  func foldingNames() -> DDLStatement {
    switch self {
    case .createTable(var create):
      create.name = create.name.folded
      switch create.source {
      case .definition(var schema):
        schema.rename(to: schema.name.folded)
        create.source = .definition(schema)
      case .like(let other): create.source = .like(other.folded)
      case .select: break
      }
      return .createTable(create)
    case .alterTable(let alter): return .alterTable(alter.folded)
    case .createIndex(let alter): return .createIndex(alter.folded)
    case .dropIndex(let alter): return .dropIndex(alter.folded)
    case .dropTables(let names, let isTemporary):
      return .dropTables(names.map(\.folded), isTemporary: isTemporary)
    case .renameTables(let renames):
      return .renameTables(
        renames.map { TableRename(from: $0.from.folded, to: $0.to.folded) })
    case .truncateTable(let name): return .truncateTable(name.folded)
    case .createDatabase(let name, let charset):
      return .createDatabase(name.lowercased(), charset: charset)
    case .dropDatabase(let name): return .dropDatabase(name.lowercased())
    case .unrecognized(let reason, let table):
      return .unrecognized(reason: reason, table: table?.folded)
    case .alterDatabase, .noEffect, .dataChange: return self
    }
  }
}

extension TableName {
  fileprivate var folded: TableName {
    TableName(database: database.lowercased(), table: table.lowercased())
  }
}

extension AlterTable {
  fileprivate var folded: AlterTable {
    var alter = self
    alter.name = name.folded
    alter.newName = newName?.folded
    alter.otherTable = otherTable?.folded
    return alter
  }
}
