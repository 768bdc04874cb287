import Arrow
import Foundation
import MagicAPI
import MagicCore
import SwiftProtobuf

/// A command of Flight SQL that asks about the database instead of reading from it.
struct CatalogQuery {
  /// The columns that the specification prescribes.
  let schema: Schema
  private let makeColumns: @Sendable (Call) async throws -> [ArrayData]

  /// - Throws: ``APIError`` when the command is none of these.
  init(_ command: Google_Protobuf_Any, configuration: FlightConfiguration) throws {
    if try command.unpack(ProtoCommandGetCatalogs.self) != nil {
      self.init([Self.field("catalog_name", isNullable: false)]) { _ in
        [textColumn([FlightConfiguration.catalog])]
      }
    } else if let command = try command.unpack(ProtoCommandGetDbSchemas.self) {
      self.init(schemas: command)
    } else if let command = try command.unpack(ProtoCommandGetTables.self) {
      self.init(tables: command)
    } else if try command.unpack(ProtoCommandGetTableTypes.self) != nil {
      self.init([Self.field("table_type", isNullable: false)]) { _ in
        [textColumn(TableEntry.Kind.allCases.map(\.rawValue).sorted())]
      }
    } else if let command = try command.unpack(ProtoCommandGetPrimaryKeys.self) {
      self.init(primaryKeys: command)
    } else if try command.unpack(ProtoCommandGetExportedKeys.self) != nil
      || command.unpack(ProtoCommandGetImportedKeys.self) != nil
      || command.unpack(ProtoCommandGetCrossReference.self) != nil
    {
      self.init(Self.foreignKeyFields) { _ in
        Self.foreignKeyFields.map { ArrayData(emptyOf: $0.type) }
      }
    } else if let command = try command.unpack(ProtoCommandGetSqlInfo.self) {
      self.init(SQLInfo.fields) { _ in
        SQLInfo(configuration).columns(for: command.info)
      }
    } else if let command = try command.unpack(ProtoCommandGetXdbcTypeInfo.self) {
      self.init(TypeInfo.fields) { _ in
        TypeInfo.columns(dataType: command.hasDataType ? command.dataType : nil)
      }
    } else {
      throw APIError.unsupported("the command \(command.typeURL) is not supported")
    }
  }

  private init(
    _ fields: [Field], _ makeColumns: @escaping @Sendable (Call) async throws -> [ArrayData]
  ) {
    schema = Schema(fields: fields)
    self.makeColumns = makeColumns
  }

  /// The answer.
  func rows(_ call: Call) async throws -> RecordBatch {
    let columns = try await makeColumns(call)
    return try RecordBatch(schema: schema, columns: columns, rowCount: columns.first?.length ?? 0)
  }

  static func field(_ name: String, _ type: DataType = .utf8, isNullable: Bool = true) -> Field {
    Field(name: name, type: type, isNullable: isNullable)
  }

  // MARK: Schemas and tables

  /// Whether a request that may name a catalog means ours. An empty name asks for what is in none.
  private static func isOurs(_ catalog: String?) -> Bool {
    catalog == nil || catalog == FlightConfiguration.catalog
  }

  private init(schemas command: ProtoCommandGetDbSchemas) {
    self.init([Self.field("catalog_name"), Self.field("db_schema_name", isNullable: false)]) {
      call in
      let pattern = command.hasDbSchemaFilterPattern ? command.dbSchemaFilterPattern : nil
      let databases =
        Self.isOurs(command.hasCatalog ? command.catalog : nil)
        ? try await call.service.databases().filter { pattern.map($0.isLike) ?? true } : []
      return [
        textColumn(databases.map { _ in FlightConfiguration.catalog }), textColumn(databases),
      ]
    }
  }

  private init(tables command: ProtoCommandGetTables) {
    var fields = [
      Self.field("catalog_name"), Self.field("db_schema_name"),
      Self.field("table_name", isNullable: false), Self.field("table_type", isNullable: false),
    ]
    if command.includeSchema {
      fields.append(Self.field("table_schema", .binary, isNullable: false))
    }
    self.init(fields) { call in
      let tables = try await Self.tables(command, call)
      var columns = [
        textColumn(tables.map { _ in FlightConfiguration.catalog }),
        textColumn(tables.map(\.name.database)), textColumn(tables.map(\.name.table)),
        textColumn(tables.map(\.kind.rawValue)),
      ]
      if command.includeSchema { columns.append(bytesColumn(tables.map(Self.schemaMessage))) }
      return columns
    }
  }

  private static func tables(
    _ command: ProtoCommandGetTables, _ call: Call
  ) async throws -> [TableEntry] {
    guard isOurs(command.hasCatalog ? command.catalog : nil) else { return [] }
    var selection = TableSelection()
    if command.hasDbSchemaFilterPattern { selection.database = command.dbSchemaFilterPattern }
    if command.hasTableNameFilterPattern { selection.table = command.tableNameFilterPattern }
    if !command.tableTypes.isEmpty {
      selection.kinds = Set(command.tableTypes.compactMap { TableEntry.Kind(rawValue: $0) })
      if selection.kinds?.isEmpty == true { return [] }
    }
    selection.includesColumns = command.includeSchema
    return try await call.service.tables(matching: selection)
  }

  /// A table's columns, with what only the database knows of them in their metadata.
  private static func schemaMessage(_ table: TableEntry) -> [UInt8] {
    var schema = table.columns ?? Schema(fields: [])
    for (index, field) in schema.fields.enumerated() {
      var metadata = [
        "CATALOG_NAME": FlightConfiguration.catalog, "DB_SCHEMA_NAME": table.name.database,
        "TABLE_NAME": table.name.table, "IS_AUTO_INCREMENT": "0", "IS_CASE_SENSITIVE": "1",
        "IS_READ_ONLY": table.kind == .table ? "0" : "1", "IS_SEARCHABLE": "1",
      ]
      if let types = table.columnTypes, types.indices.contains(index) {
        metadata["TYPE_NAME"] = types[index]
      }
      if let (precision, scale) = field.type.precisionAndScale {
        metadata["PRECISION"] = "\(precision)"
        metadata["SCALE"] = "\(scale)"
      }
      for (key, value) in metadata {
        schema.fields[index].metadata["ARROW:FLIGHT:SQL:\(key)"] = value
      }
    }
    var bytes: [UInt8] = []
    StreamWriter(schema: schema).writeSchema(to: &bytes)
    return bytes
  }

  // MARK: Keys

  private init(primaryKeys command: ProtoCommandGetPrimaryKeys) {
    let fields = [
      Self.field("catalog_name"), Self.field("db_schema_name"),
      Self.field("table_name", isNullable: false), Self.field("column_name", isNullable: false),
      Self.field("key_name"), Self.field("key_sequence", .int32, isNullable: false),
    ]
    self.init(fields) { call in
      var selection = TableSelection()
      selection.table = likePattern(command.table)
      let isSchemaNamed = command.hasDbSchema && !command.dbSchema.isEmpty
      if isSchemaNamed { selection.database = likePattern(command.dbSchema) }
      let tables =
        Self.isOurs(command.hasCatalog && !command.catalog.isEmpty ? command.catalog : nil)
        ? try await call.service.tables(matching: selection) : []
      let keys = tables.flatMap { table in
        table.primaryKey.enumerated().map { (table.name, $1, Int32($0 + 1)) }
      }
      return [
        textColumn(keys.map { _ in FlightConfiguration.catalog }),
        textColumn(keys.map(\.0.database)), textColumn(keys.map(\.0.table)),
        textColumn(keys.map(\.1)), textColumn(keys.map { _ in nil }),
        numberColumn(keys.map(\.2), type: .int32),
      ]
    }
  }

  /// There are no foreign keys; this is what an answer about them looks like.
  private static let foreignKeyFields = [
    field("pk_catalog_name"), field("pk_db_schema_name"),
    field("pk_table_name", isNullable: false), field("pk_column_name", isNullable: false),
    field("fk_catalog_name"), field("fk_db_schema_name"),
    field("fk_table_name", isNullable: false), field("fk_column_name", isNullable: false),
    field("key_sequence", .int32, isNullable: false), field("fk_key_name"), field("pk_key_name"),
    field("update_rule", .uint8, isNullable: false),
    field("delete_rule", .uint8, isNullable: false),
  ]
}

extension DataType {
  /// How many digits numbers have, and how many of them after the point.
  fileprivate var precisionAndScale: (Int, Int)? {
    switch self {
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      (precision, scale)
    case .int8, .uint8: (3, 0)
    case .int16, .uint16: (5, 0)
    case .int32, .uint32: (10, 0)
    case .int64: (19, 0)
    case .uint64: (20, 0)
    default: nil
    }
  }
}
