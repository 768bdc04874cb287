import Arrow
import Binlog
import MySQLSchema
import RowEncoding
import WireFormat

/// The declarations of tables as the binlog goes on, and the decoders of their rows.
struct DumpTables {
  private var declared: [TableName: TableSchema]
  private var decoders: [TableName: RowImageDecoder] = [:]

  init(_ tables: [TableSchema]) {
    declared = Dictionary(tables.map { ($0.name, $0) }) { _, last in last }
  }

  /// The decoder for the rows that follow a table map.
  ///
  /// A declaration says most about a table, the table map's own metadata less; where neither serves,
  /// columns get numbers for names.
  ///
  /// - Throws: `EncodingError` when the rows cannot be decoded at all.
  mutating func decoder(for tableMap: TableMap) throws(EncodingError) -> RowImageDecoder {
    let name = TableName(database: tableMap.database, table: tableMap.table)
    if let decoder = decoders[name], (try? decoder.prepare(for: tableMap)) != nil {
      return decoder
    }
    let described = try? TableSchema(tableMap: tableMap)
    for schema in [declared[name], described].compactMap(\.self) {
      if let decoder = try? RowImageDecoder(table: schema),
        (try? decoder.prepare(for: tableMap)) != nil
      {
        decoders[name] = decoder
        return decoder
      }
    }
    let decoder = try RowImageDecoder(table: TableSchema(positional: tableMap))
    try decoder.prepare(for: tableMap)
    decoders[name] = decoder
    return decoder
  }

  /// Follows a statement. A declaration that is no longer known is dropped.
  mutating func apply(_ statement: DDLStatement) {
    switch statement {
    case .createTable(let create) where !create.isTemporary: apply(create)
    case .alterTable(let alteration), .createIndex(let alteration), .dropIndex(let alteration):
      guard let schema = remove(alteration.name),
        let altered = try? schema.applying(alteration)
      else { return }
      declare(altered)
    case .dropTables(let names, isTemporary: false):
      for name in names { _ = remove(name) }
    case .renameTables(let renames):
      for rename in renames {
        guard var schema = remove(rename.from) else { continue }
        schema.name = rename.to
        declare(schema)
      }
    case .dropDatabase(let database):
      for name in declared.keys where name.database == database { _ = remove(name) }
    case .createTable, .dropTables, .truncateTable, .createDatabase, .alterDatabase, .noEffect,
      .dataChange, .unrecognized:
      break
    }
  }

  private mutating func apply(_ create: CreateTable) {
    if create.ifNotExists && declared[create.name] != nil { return }
    switch create.source {
    case .definition(let schema): declare(schema)
    case .like(let other):
      guard var schema = declared[other] else { return }
      schema.name = create.name
      declare(schema)
    case .select: _ = remove(create.name)
    }
  }

  private mutating func declare(_ schema: TableSchema) {
    declared[schema.name] = schema
    decoders[schema.name] = nil
  }

  private mutating func remove(_ name: TableName) -> TableSchema? {
    decoders[name] = nil
    return declared.removeValue(forKey: name)
  }
}

/// The rows of one event; an update has two rows for each change.
struct DecodedRows {
  let table: TableSchema
  let kind: RowsEvent.Kind
  let presentBefore: ColumnBitmap
  let presentAfter: ColumnBitmap
  private let batch: RecordBatch

  /// The number of rows that were inserted, updated or deleted.
  var changeCount: Int { kind == .update ? batch.rowCount / 2 : batch.rowCount }

  /// Decodes the rows.
  init(_ event: RowsEvent, in bytes: RawSpan, by decoder: RowImageDecoder)
    throws(EncodingError)
  {
    table = decoder.table
    kind = event.kind
    presentBefore = event.columnsPresent
    presentAfter = event.columnsPresentAfter
    do throws(EncodingError) {
      var reader = ByteReader(bytes.extracting(0..<event.images.upperBound))
      reader.offset = event.images.lowerBound
      while !reader.isAtEnd {
        try decoder.appendImage(&reader, present: presentBefore)
        if kind == .update {
          try decoder.appendImage(
            &reader, present: presentAfter, hasValueOptions: event.hasValueOptions)
        }
      }
    } catch {
      _ = try? decoder.finish()
      throw error
    }
    batch = try decoder.finish()
  }

  /// Writes a row as a member called `name`, with the columns that its image had.
  func write(row: Int, present: ColumnBitmap, as name: String, to line: inout JSONLine) {
    let printer = CellPrinter(table: table)
    line.key(name)
    line.open("{")
    for (index, column) in table.columns.enumerated() where present[index] {
      line.key(column.name)
      printer.write(batch.columns[index], row: row, column: index, to: &line)
    }
    line.close("}")
  }
}
