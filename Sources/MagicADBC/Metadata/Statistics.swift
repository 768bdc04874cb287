import Arrow
import MagicAPI
import MagicCore

/// What is known of the sizes of tables, in the form of the specification: their numbers of rows.
enum Statistics {
  /// The number of rows, among the statistics that the specification numbers.
  private static let rowCountKey: Int16 = 6

  private struct Entry {
    var table: TableReference
    var rowCount: Int
  }

  static let schema = Schema(fields: [
    Field(name: "catalog_name", type: .utf8),
    Field(
      name: "catalog_db_schemas", type: .list(Field(name: "item", type: .structure(schemaFields))),
      isNullable: false),
  ])

  /// The names of the driver's own statistics, of which there are none.
  static let nameSchema = Schema(fields: [
    Field(name: "statistic_name", type: .utf8, isNullable: false),
    Field(name: "statistic_key", type: .int16, isNullable: false),
  ])

  private static let schemaFields = [
    Field(name: "db_schema_name", type: .utf8),
    Field(
      name: "db_schema_statistics",
      type: .list(Field(name: "item", type: .structure(statisticFields))), isNullable: false),
  ]
  private static let statisticFields = [
    Field(name: "table_name", type: .utf8, isNullable: false),
    Field(name: "column_name", type: .utf8),
    Field(name: "statistic_key", type: .int16, isNullable: false),
    Field(name: "statistic_value", type: .denseUnion(valueFields), isNullable: false),
    Field(name: "statistic_is_approximate", type: .bool, isNullable: false),
  ]
  private static let valueFields = [
    Field(name: "int64", type: .int64), Field(name: "uint64", type: .uint64),
    Field(name: "float64", type: .float64), Field(name: "binary", type: .binary),
  ]

  /// Asks the service and puts the answer together; the names in `query` are patterns.
  ///
  /// - Parameter isApproximate: whether only what is known without reading tables is wanted.
  static func batch(
    _ query: CatalogObjects.Query, isApproximate: Bool, service: any MagicService
  ) async throws -> RecordBatch {
    let isOurs = query.catalog.map { Connection.catalog.isLike($0) } ?? true
    let names = isOurs ? [Connection.catalog] : []
    let entries = isOurs ? try await entries(query, isApproximate, service) : []
    let schemas = Dictionary(grouping: entries, by: \.table.database)
      .sorted { $0.key < $1.key }
    return try RecordBatch(
      schema: schema,
      columns: [
        textColumn(names),
        listColumn(
          names.map { _ in schemas }, item: Field(name: "item", type: .structure(schemaFields))
        ) { schemas in
          structureColumn(
            schemaFields,
            [
              textColumn(schemas.map(\.key)),
              listColumn(
                schemas.map(\.value), item: Field(name: "item", type: .structure(statisticFields)),
                items: column),
            ], count: schemas.count)
        },
      ], rowCount: names.count)
  }

  private static func entries(
    _ query: CatalogObjects.Query, _ isApproximate: Bool, _ service: any MagicService
  ) async throws -> [Entry] {
    var selection = TableSelection()
    selection.database = query.schema
    selection.table = query.table
    selection.kinds = [.table]
    var entries: [Entry] = []
    for table in try await service.tables(matching: selection) {
      if let count = table.rowCount {
        entries.append(Entry(table: table.name, rowCount: count))
      } else if !isApproximate, let count = try await count(table.name, service) {
        entries.append(Entry(table: table.name, rowCount: count))
      }
    }
    return entries
  }

  private static func count(
    _ table: TableReference, _ service: any MagicService
  ) async throws -> Int? {
    let name = "\(quotedIdentifier(table.database)).\(quotedIdentifier(table.table))"
    let result = try await service.query(StatementRequest("SELECT count() FROM \(name)"))
    var count: Int?
    while let batch = try await result.reader.next() {
      guard batch.rowCount > 0, let column = batch.columns.first, column.type == .uint64 else {
        continue
      }
      count = column.withValues(of: UInt64.self) { Int(clamping: $0[0]) }
    }
    return count
  }

  private static func column(_ entries: [Entry]) -> ArrayData {
    structureColumn(
      statisticFields,
      [
        textColumn(entries.map(\.table.table)), textColumn(entries.map { _ in nil }),
        numberColumn(entries.map { _ in rowCountKey }, type: .int16),
        unionColumn(
          valueFields, entries.map { _ in 0 },
          children: [numberColumn(entries.map { Int64($0.rowCount) }, type: .int64)]
            + valueFields[1...].map { ArrayData(emptyOf: $0.type) }),
        booleanColumn(entries.map { _ in false }),
      ], count: entries.count)
  }
}
