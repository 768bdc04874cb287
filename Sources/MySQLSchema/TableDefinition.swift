/// A table's definition as it is written, before defaults and implied attributes are applied.
struct TableDefinition {
  struct ColumnDefinition: Hashable, Sendable {
    var name: String
    var type: DeclaredType
    var isNullable = true
    var isPrimaryKey = false
    var isGenerated = false
    var isInvisible = false
    var isUnique = false
    var isAutoIncrement = false
    /// Whether NULL or NOT NULL is written.
    var declaresNullability = false
    var defaultValue = DefaultClause.none

    init(name: String, type: DeclaredType) {
      self.name = name
      self.type = type
    }

    func column(defaultCharset: String?) throws(SQLSyntaxError) -> Column {
      // The server takes NOT NULL for granted where it gives out the numbers.
      var isNullable = isNullable
      if isAutoIncrement { isNullable = false }
      let resolved = try type.resolved(defaultCharset: defaultCharset)
      let detail = type.resolvedDetail(defaultCharset: defaultCharset)
      return Column(
        name: name, type: resolved, isNullable: isNullable, isGenerated: isGenerated,
        isInvisible: isInvisible, default: columnDefault(resolved, detail),
        isAutoIncrement: isAutoIncrement, detail: detail)
    }

    private func columnDefault(_ type: ColumnType, _ detail: TypeDetail) -> ColumnDefault {
      if isGenerated { return .expression }
      let value = defaultValue.normalized(for: type, detail)
      guard value == .none, isNullable, !isAutoIncrement else { return value }
      return isImplicitTimestamp ? .expression : .null
    }

    /// Whether the server's `explicit_defaults_for_timestamp`, which no statement tells, decides on
    /// NULL and the default.
    var isImplicitTimestamp: Bool {
      guard case .fixed(.timestamp) = type.kind else { return false }
      switch defaultValue {
      case .none: return !(declaresNullability && isNullable)
      case .literal, .expression: return !declaresNullability
      case .null: return false
      }
    }
  }

  struct KeyPart: Hashable, Sendable {
    var name: String
    /// How many characters or bytes of the column are in the key; nil for all.
    var prefixLength: Int?
    /// The name is that of a period (WITHOUT OVERLAPS).
    var isPeriod = false
    /// An expression, which has no name.
    var isExpression = false
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
    /// MariaDB's SEQUENCE=1: the table keeps the state of a sequence.
    var isSequence = false
    /// Whether a query follows that fills the table.
    var hasQuery = false
  }

  var columns: [ColumnDefinition] = []
  var primaryKey: [KeyPart] = []
  var primaryKeyIfNotExists = false
  /// The other indices, in the order of the text.
  var keys: [KeyDefinition] = []
  var foreignKeys: [ForeignKeyDefinition] = []
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
    applyVersioning(to: &schema)
    try addKeys(to: &schema)
    guard !schema.columns.isEmpty else {
      throw SQLSyntaxError(reason: "a table without columns", offset: 0)
    }
    return schema
  }

  private func addKeys(to schema: inout TableSchema) throws(SQLSyntaxError) {
    schema.keys = []
    if !schema.primaryKey.isEmpty {
      let parts = schema.primaryKey.map { index in
        let column = schema.columns[index]
        let part = primaryKey.first { sameName($0.name, column.name) }
        return TableKey.Part(column: column, prefixLength: part?.prefixLength)
      }
      schema.keys = [TableKey(name: TableKey.primaryName, isUnique: true, parts: parts)]
    }
    schema.applyPrimaryKeyNullability()
    try schema.addForeignKeys(foreignKeys)
    try schema.addKeys(try keys.map { (key) throws(SQLSyntaxError) in try withoutPeriods(key) })
    schema.chooseKey()
  }

  /// An index over a period is one over its columns, the end before the start.
  private func withoutPeriods(_ key: KeyDefinition) throws(SQLSyntaxError) -> KeyDefinition {
    var key = key
    var parts: [KeyPart] = []
    for part in key.parts {
      guard part.isPeriod else {
        parts.append(part)
        continue
      }
      let period = try period(part.name)
      parts += [KeyPart(name: period.endColumn), KeyPart(name: period.startColumn)]
    }
    key.parts = parts
    return key
  }

  private func period(_ name: String) throws(SQLSyntaxError) -> Period {
    guard let period = periods.first(where: { sameName($0.name, name) }) else {
      throw SQLSyntaxError(reason: "unknown period \(name)", offset: 0)
    }
    return period
  }

  /// The columns that bound a period cannot be NULL.
  private func applyPeriods(to schema: inout TableSchema) throws(SQLSyntaxError) {
    for period in periods {
      for name in [period.startColumn, period.endColumn] {
        let index = try index(of: name, in: schema)
        schema.columns[index].isNullable = false
        if schema.columns[index].default == .null { schema.columns[index].default = .none }
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
            isInvisible: true, default: .expression))
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
      let period = try period(part.name)
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
