import Arrow
import MagicAPI
import MagicCore

// What a connection tells about the database.
extension Connection {
  /// The columns of one table.
  func tableSchema(catalog: String?, schema: String?, table: String) throws -> Schema {
    try Self.check(catalog: catalog)
    let service = try service()
    let database = schema.flatMap { $0.isEmpty ? nil : $0 } ?? self.schema
    var selection = TableSelection()
    selection.database = likePattern(database)
    selection.table = likePattern(table)
    selection.includesColumns = true
    let tables = try work.wait { [selection] in try await service.tables(matching: selection) }
    guard let columns = tables.first?.columns else {
      throw DriverError(
        .notFound, "there is no table \(database).\(table)", sqlState: "42S02", engineCode: 60)
    }
    return columns
  }

  /// The kinds of tables that there are.
  static func tableTypes() throws -> RecordBatch {
    let types = TableEntry.Kind.allCases.map(\.rawValue).sorted()
    return try RecordBatch(
      schema: Schema(fields: [Field(name: "table_type", type: .utf8, isNullable: false)]),
      columns: [textColumn(types)], rowCount: types.count)
  }

  /// What there is in the database.
  func objects(_ query: CatalogObjects.Query) throws -> RecordBatch {
    let service = try service()
    return try work.wait { try await CatalogObjects.batch(query, service: service) }
  }

  /// What is known of the sizes of tables.
  func statistics(_ query: CatalogObjects.Query, isApproximate: Bool) throws -> RecordBatch {
    let service = try service()
    return try work.wait {
      try await Statistics.batch(query, isApproximate: isApproximate, service: service)
    }
  }

  /// The rows of a partition of some statement's result.
  func read(_ partition: Partition) throws -> any RecordBatchReader {
    let service = try service()
    return try work.wait { try await partition.read(service).reader }
  }
}
