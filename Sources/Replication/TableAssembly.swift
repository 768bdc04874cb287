import Arrow
import Binlog
import MagicCore
import MySQLSchema
import RowEncoding

/// A live table while the stream is read: its rows that wait for publication.
final class TableAssembly {
  var table: ReplicatedTable
  let definition: TableDefinition
  let encoder: TableEncoder
  /// Whether it is visible under its name.
  var isShown = false

  /// - Throws: `EncodingError` when a column cannot be encoded.
  init(_ table: ReplicatedTable, _ options: EncodingOptions) throws {
    self.table = table
    encoder = try TableEncoder(schema: table.schema, options: options)
    definition = table.definition
  }

  func accepts(changeAt position: BinlogPosition) -> Bool {
    table.accepts(changeAt: position)
  }
}

extension TableSchema {
  /// The table's name in the engine.
  var reference: TableReference { TableReference(database: name.database, table: name.table) }

  /// Why the table cannot be replicated, or nil when it can.
  public var reasonNotToReplicate: String? {
    if primaryKey.isEmpty {
      return "it has no primary key: add one at the source; the next start copies the table"
    }
    if let column = columns.first(where: {
      [HiddenColumn.version, HiddenColumn.deleteMark].contains($0.name)
    }) {
      return "its column \(column.name) has a name that the copy needs for itself"
    }
    if primaryKeyHasPrefix {
      return "its primary key covers only a prefix of a column"
    }
    return nil
  }
}

extension ReplicatedTable {
  /// The table in the engine's terms.
  public var definition: TableDefinition {
    TableDefinition(
      id: id, name: schema.reference, schema: TableEncoder.arrowSchema(for: schema),
      primaryKey: schema.primaryKey)
  }
}
