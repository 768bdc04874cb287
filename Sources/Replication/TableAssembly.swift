import Arrow
import Binlog
import MagicCore
import MySQLSchema
import RowEncoding

/// A live table while the stream is read: its rows that wait for publication.
final class TableAssembly {
  var table: ReplicatedTable
  let encoder: TableEncoder
  /// How many bytes the encoder has, after the last rows that it took.
  var byteCount = 0
  var definition: TableDefinition { table.definition }

  /// - Throws: `EncodingError` when a column cannot be encoded.
  init(_ table: ReplicatedTable, _ options: EncodingOptions) throws {
    self.table = table
    encoder = try TableEncoder(
      schema: table.schema, options: options, defaults: table.schema.columns.map(\.encodedDefault))
  }
}

extension TableSchema {
  /// The table's name in the engine.
  var reference: TableReference { TableReference(database: name.database, table: name.table) }

  /// Why the table cannot be replicated, or nil when it can.
  func reasonNotToReplicate(_ options: EncodingOptions) -> String? {
    if let column = columns.first(where: { HiddenColumn.all.contains($0.name) }) {
      return "its column \(column.name) has a name that the copy needs for itself"
    }
    do {
      _ = try TableEncoder(schema: self, options: options)
      return nil
    } catch {
      return "\(error)"
    }
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

extension Column {
  /// What a row has in the column that was inserted without it.
  fileprivate var encodedDefault: DefaultValue {
    switch self.default {
    case .null: .value(nil)
    case .literal(let text): .value(text)
    // Without a detail the declaration was never read.
    case .none where isAutoIncrement || isNullable || detail == nil: .unknown
    // INSERT IGNORE, or one that is not strict.
    case .none: type.implicitValue.map(DefaultValue.value) ?? .unknown
    case .expression: .unknown
    }
  }
}
