/// A table's definition as it is written, before defaults and implied attributes are applied.
struct TableDefinition {
  struct ColumnDefinition: Hashable, Sendable {
    var name: String
    var type: DeclaredType
    var isNullable = true
    var isPrimaryKey = false
    var isGenerated = false
    var isInvisible = false

    init(name: String, type: DeclaredType) {
      self.name = name
      self.type = type
    }

    func column(defaultCharset: String?) throws(SQLSyntaxError) -> Column {
      Column(
        name: name, type: try type.resolved(defaultCharset: defaultCharset),
        isNullable: isNullable, isGenerated: isGenerated, isInvisible: isInvisible)
    }
  }

  struct KeyPart: Hashable, Sendable {
    var name: String
    /// Only the first characters of the column are in the key.
    var hasPrefix = false
    /// The name is that of a period (WITHOUT OVERLAPS).
    var isPeriod = false
  }

  struct Period {
    var name: String
    var startColumn: String
    var endColumn: String
  }

  struct Options {
    var charset = CharsetClause()
    var storageEngine: String?
    var isSystemVersioned = false
    /// Whether a query follows that fills the table.
    var hasQuery = false
  }

  var columns: [ColumnDefinition] = []
  var primaryKey: [KeyPart] = []
  var periods: [Period] = []

  func schema(name: TableName, options: Options) throws(SQLSyntaxError) -> TableSchema {
    var schema = TableSchema(
      name: name, columns: [], primaryKey: [], storageEngine: options.storageEngine)
    var names: Set<String> = []
    for column in columns {
      guard names.insert(column.name.lowercased()).inserted else {
        throw SQLSyntaxError(reason: "column \(column.name) is declared twice", offset: 0)
      }
      schema.columns.append(try column.column(defaultCharset: options.charset.name))
    }
    try applyPeriods(to: &schema)
    schema.defaultCharset = options.charset.name
    schema.isSystemVersioned = options.isSystemVersioned
    schema.primaryKey = try primaryKeyIndices(in: schema)
    schema.primaryKeyHasPrefix = primaryKey.contains(where: \.hasPrefix)
    applyVersioning(to: &schema)
    for index in schema.primaryKey { schema.columns[index].isNullable = false }
    guard !schema.columns.isEmpty else {
      throw SQLSyntaxError(reason: "a table without columns", offset: 0)
    }
    return schema
  }

  /// The columns that bound a period cannot be NULL.
  private func applyPeriods(to schema: inout TableSchema) throws(SQLSyntaxError) {
    for period in periods {
      for name in [period.startColumn, period.endColumn] {
        schema.columns[try index(of: name, in: schema)].isNullable = false
      }
    }
  }

  /// The columns of a system-versioned table that no definition names, and the end of a row's life,
  /// which MariaDB appends to the primary key so that past rows keep theirs.
  private func applyVersioning(to schema: inout TableSchema) {
    guard schema.isSystemVersioned else { return }
    let declared = periods.first { $0.name.lowercased() == "system_time" }
    if declared == nil {
      for name in ["row_start", "row_end"] {
        schema.columns.append(
          Column(
            name: name, type: .timestamp(fractionalDigits: 6), isNullable: false, isGenerated: true,
            isInvisible: true))
      }
    }
    guard !schema.primaryKey.isEmpty,
      let end = schema.columnIndex(declared?.endColumn ?? "row_end"),
      !schema.primaryKey.contains(end)
    else { return }
    schema.primaryKey.append(end)
  }

  private func primaryKeyIndices(in schema: TableSchema) throws(SQLSyntaxError) -> [Int] {
    let inline = columns.indices.filter { columns[$0].isPrimaryKey }
    if !inline.isEmpty { return inline }
    var indices: [Int] = []
    for part in primaryKey {
      guard part.isPeriod else {
        indices.append(try index(of: part.name, in: schema))
        continue
      }
      // The server puts the end before the start.
      guard let period = periods.first(where: { $0.name.lowercased() == part.name.lowercased() })
      else { throw SQLSyntaxError(reason: "unknown period \(part.name)", offset: 0) }
      indices.append(try index(of: period.endColumn, in: schema))
      indices.append(try index(of: period.startColumn, in: schema))
    }
    return indices
  }

  private func index(of name: String, in schema: TableSchema) throws(SQLSyntaxError) -> Int {
    guard let index = schema.columnIndex(name) else {
      throw SQLSyntaxError(reason: "unknown column \(name)", offset: 0)
    }
    return index
  }
}
