import Arrow
import MagicAPI
import MagicCore

/// What there is in a database, down to the depth asked for, in the nested form of the
/// specification.
struct CatalogObjects {
  /// How far down the answer goes.
  enum Depth: Int32 {
    case columns = 0
    case catalogs = 1
    case schemas = 2
    case tables = 3
  }

  /// What is asked for; the names are patterns of SQL's LIKE, and nil means all.
  struct Query: Sendable {
    var depth = Depth.columns
    var catalog: String?
    var schema: String?
    var table: String?
    var tableTypes: [String]?
    var column: String?
  }

  private struct SchemaEntry {
    var name: String
    var tables: [TableEntry]?
  }

  private let query: Query

  static let schema = Schema(fields: [
    Field(name: "catalog_name", type: .utf8), Field(name: "catalog_db_schemas", type: schemaList),
  ])

  private static let schemaFields = [
    Field(name: "db_schema_name", type: .utf8), Field(name: "db_schema_tables", type: tableList),
  ]
  private static let tableFields = [
    Field(name: "table_name", type: .utf8, isNullable: false),
    Field(name: "table_type", type: .utf8, isNullable: false),
    Field(name: "table_columns", type: .list(item(ColumnObject.fields))),
    Field(name: "table_constraints", type: .list(item(constraintFields))),
  ]
  private static let constraintFields = [
    Field(name: "constraint_name", type: .utf8),
    Field(name: "constraint_type", type: .utf8, isNullable: false),
    Field(
      name: "constraint_column_names", type: .list(Field(name: "item", type: .utf8)),
      isNullable: false),
    Field(name: "constraint_column_usage", type: .list(item(usageFields))),
  ]
  private static let usageFields = [
    Field(name: "fk_catalog", type: .utf8), Field(name: "fk_db_schema", type: .utf8),
    Field(name: "fk_table", type: .utf8, isNullable: false),
    Field(name: "fk_column_name", type: .utf8, isNullable: false),
  ]
  private static var schemaList: DataType { .list(item(schemaFields)) }
  private static var tableList: DataType { .list(item(tableFields)) }

  private static func item(_ fields: [Field]) -> Field {
    Field(name: "item", type: .structure(fields))
  }

  /// Asks the service and puts the answer together.
  static func batch(_ query: Query, service: any MagicService) async throws -> RecordBatch {
    let objects = CatalogObjects(query: query)
    let isOurs = query.catalog.map { Connection.catalog.isLike($0) } ?? true
    let names = isOurs ? [Connection.catalog] : []
    let schemas =
      isOurs && query.depth != .catalogs ? try await objects.schemas(service) : nil
    return try RecordBatch(
      schema: schema,
      columns: [
        textColumn(names),
        listColumn(names.map { _ in schemas }, item: item(schemaFields), items: objects.column),
      ], rowCount: names.count)
  }

  private func schemas(_ service: any MagicService) async throws -> [SchemaEntry] {
    let databases = try await service.databases().filter { name in
      query.schema.map { name.isLike($0) } ?? true
    }
    if query.depth == .schemas { return databases.map { SchemaEntry(name: $0) } }
    let kinds = query.tableTypes.map { Set($0.compactMap { TableEntry.Kind(rawValue: $0) }) }
    var selection = TableSelection()
    selection.database = query.schema
    selection.table = query.table
    selection.kinds = kinds
    selection.includesColumns = query.depth == .columns
    // Types that there are not ask for no tables.
    let tables = kinds?.isEmpty == true ? [] : try await service.tables(matching: selection)
    let byDatabase = Dictionary(grouping: tables, by: \.name.database)
    return databases.map { SchemaEntry(name: $0, tables: byDatabase[$0] ?? []) }
  }

  private func column(_ schemas: [SchemaEntry]) -> ArrayData {
    structureColumn(
      Self.schemaFields,
      [
        textColumn(schemas.map(\.name)),
        listColumn(schemas.map(\.tables), item: Self.item(Self.tableFields), items: column),
      ], count: schemas.count)
  }

  private func column(_ tables: [TableEntry]) -> ArrayData {
    let hasColumns = query.depth == .columns
    return structureColumn(
      Self.tableFields,
      [
        textColumn(tables.map(\.name.table)), textColumn(tables.map(\.kind.rawValue)),
        listColumn(
          tables.map { hasColumns ? columns(of: $0) : nil }, item: Self.item(ColumnObject.fields),
          items: ColumnObject.column),
        // The one constraint that there is.
        listColumn(
          tables.map { hasColumns ? ($0.primaryKey.isEmpty ? [] : [$0.primaryKey]) : nil },
          item: Self.item(Self.constraintFields), items: column),
      ], count: tables.count)
  }

  private func columns(of table: TableEntry) -> [ColumnObject] {
    let fields = table.columns?.fields ?? []
    return fields.enumerated().compactMap { index, field in
      guard query.column.map({ field.name.isLike($0) }) ?? true else { return nil }
      let types = table.columnTypes ?? []
      return ColumnObject(
        field: field, position: index + 1,
        typeName: types.indices.contains(index) ? types[index] : nil)
    }
  }

  private func column(_ primaryKeys: [[String]]) -> ArrayData {
    let none: [String?] = primaryKeys.map { _ in nil }
    return structureColumn(
      Self.constraintFields,
      [
        textColumn(none), textColumn(primaryKeys.map { _ in "PRIMARY KEY" }),
        listColumn(primaryKeys, item: Field(name: "item", type: .utf8)) { textColumn($0) },
        listColumn(none.map { _ in [String]?.none }, item: Self.item(Self.usageFields)) { _ in
          ArrayData(emptyOf: .structure(Self.usageFields))
        },
      ], count: primaryKeys.count)
  }
}
