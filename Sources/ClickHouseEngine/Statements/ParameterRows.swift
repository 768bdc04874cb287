import Arrow
import MagicCore

/// Statements that run once for each row of values.
extension StatementPath {
  public func execute(
    _ statement: String, parameterRows: any RecordBatchReader, context: StatementContext
  ) async throws -> Int? {
    if let insert = try ParameterInsert(SQLText(statement)) {
      return try await execute(insert, parameterRows, context)
    }
    var context = context
    var changed: Int?
    while let batch = try await parameterRows.next() {
      for row in 0..<batch.rowCount {
        context.positionalParameters = batch.slice(row..<row + 1)
        let result = try await run(statement, format: "Null", context: context)
        while try await result.next() != nil {}
        if let rows = result.changedRows { changed = (changed ?? 0) + rows }
      }
    }
    return changed
  }

  /// Writes all rows at once.
  private func execute(
    _ insert: ParameterInsert, _ rows: any RecordBatchReader, _ context: StatementContext
  ) async throws -> Int? {
    let columns = try await columns(of: insert, context)
    let statement = try insert.statement(columns, rows.schema)
    let input = ArrowInput(rows, columns: insert.numbers, names: columns.map(\.name))
    var context = context
    context.positionalParameters = nil
    context.input = StatementInput { try await input.next() }
    return try await run(statement, format: "Null", context: context).changedRows
  }

  /// The columns that the statement gives values for; their types are empty when they are not known.
  private func columns(
    of insert: ParameterInsert, _ context: StatementContext
  ) async throws -> [TableColumn] {
    let name = TableReference(
      database: insert.name.database ?? StatementScope.database(of: context),
      table: insert.name.table)
    let stored: [TableColumn]
    if let table = tables.table(name) {
      stored = await table.shape.columns.map { TableColumn(name: $0.name, type: $0.type) }
    } else {
      stored = try await tables.storage.withConnection { try await $0.insertedColumns(of: name) }
    }
    let named = insert.columns.map { names in
      names.map { name in
        stored.first { $0.name == name } ?? TableColumn(name: name, type: "")
      }
    }
    let columns = named ?? stored
    guard columns.count == insert.numbers.count else {
      throw EngineError(
        message: "the statement gives \(insert.numbers.count) values for \(columns.count) columns "
          + "of \(name)")
    }
    return columns
  }
}

/// `INSERT INTO name [(columns)] VALUES (?, …)` of nothing but places.
private struct ParameterInsert {
  let name: WrittenName
  /// The names of the column list.
  let columns: [String]?
  /// For each column which of the values it gets.
  let numbers: [Int]
  private let text: SQLText
  private let values: Int

  /// Nil when it is another statement.
  init?(_ text: SQLText) throws {
    guard let insert = InsertStatement(text), insert.source == .values, !insert.hasColumnMatcher,
      let values = text.tokens.indices.last(where: { text.word($0) == "VALUES" }),
      text.isSymbol(values + 1, "("), text.closing(values + 1) == text.tokens.count - 1
    else { return nil }
    let places = try text.placeholders()
    let items = text.split(values + 2..<text.tokens.count - 1, depth: 1)
    guard items.count == places.count,
      zip(items, places).allSatisfy({ $0 == $1.index..<$1.index + 1 }),
      Set(places.map(\.number)) == Set(places.indices)
    else { return nil }
    self.text = text
    self.values = values
    name = insert.name
    columns = insert.columns
    numbers = places.map(\.number)
  }

  /// The statement that takes the same rows as Arrow data.
  ///
  /// - Throws: ``EngineError`` when the rows have another number of values.
  func statement(_ columns: [TableColumn], _ schema: Schema) throws -> String {
    guard schema.fields.count == numbers.count else {
      throw EngineError(
        message: "the statement takes \(numbers.count) values, and \(schema.fields.count) are given"
      )
    }
    let list = columns.map { quotedIdentifier($0.name) }.joined(separator: ", ")
    let head = text.text(0..<values) + (self.columns == nil ? " (\(list))" : "")
    let fields = numbers.map { schema.fields[$0] }
    let casts = zip(columns, fields).map(Self.exactCast)
    if casts.allSatisfy({ $0 == nil }) { return head + " FORMAT ArrowStream" }
    let types = try zip(columns, fields).map { column, field in
      "\(quotedIdentifier(column.name)) \(try ColumnTypes.clickHouseType(of: field.withoutNullType))"
    }
    let values = zip(columns, casts).map { $1 ?? quotedIdentifier($0.name) }
    return head + " SELECT \(values.joined(separator: ", ")) "
      + "FROM input(\(quotedString(types.joined(separator: ", ")))) FORMAT ArrowStream"
  }

  /// How a number comes into an integer column unless it is changed by that; nil when it cannot be.
  private static func exactCast(_ column: TableColumn, _ field: Field) -> String? {
    let integers = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
    let type =
      column.type.hasPrefix("Nullable(")
      ? String(column.type.dropFirst("Nullable(".count).dropLast()) : column.type
    guard integers.contains(type) else { return nil }
    switch field.type {
    case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float32, .float64:
      let target = field.isNullable ? "Nullable(\(type))" : type
      let source = try? ColumnTypes.clickHouseType(of: field)
      if source == target { return nil }
      return "accurateCast(\(quotedIdentifier(column.name)), \(quotedString(target)))"
    default: return nil
    }
  }
}

/// Record batches as bytes of Arrow's streaming format, under other names.
private actor ArrowInput {
  private let rows: any RecordBatchReader
  private let columns: [Int]
  private let schema: Schema
  private var writer: StreamWriter
  private var hasBegun = false
  private var hasEnded = false

  init(_ rows: any RecordBatchReader, columns: [Int], names: [String]) {
    self.rows = rows
    self.columns = columns
    let fields = zip(columns, names).map { column, name in
      var field = rows.schema.fields[column]
      field.name = name
      return field
    }
    schema = Schema(fields: fields).withoutNullTypes
    writer = StreamWriter(schema: schema)
  }

  func next() async throws -> [UInt8]? {
    var bytes: [UInt8] = []
    if !hasBegun {
      hasBegun = true
      writer.writeSchema(to: &bytes)
      return bytes
    }
    if hasEnded { return nil }
    guard let batch = try await rows.next() else {
      hasEnded = true
      writer.writeEnd(to: &bytes)
      return bytes
    }
    do {
      let fields = columns.map { batch.schema.fields[$0] }
      let chosen = try RecordBatch(
        schema: Schema(fields: fields), columns: columns.map { batch.columns[$0] },
        rowCount: batch.rowCount)
      try writer.write(try chosen.withoutNullTypes(schema), to: &bytes)
    } catch let error as ArrowError {
      throw EngineError(message: error.description)
    }
    return bytes
  }
}

extension Field {
  /// The field as ``Schema/withoutNullTypes`` has it.
  fileprivate var withoutNullType: Field { Schema(fields: [self]).withoutNullTypes.fields[0] }
}

extension EngineConnection {
  /// The columns that an INSERT without a column list gives values for.
  fileprivate func insertedColumns(of table: TableReference) async throws -> [TableColumn] {
    try await texts(
      """
      SELECT name, type FROM system.columns WHERE database = \(quotedString(table.database)) \
      AND table = \(quotedString(table.table)) \
      AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL') ORDER BY position
      """
    ).map { TableColumn(name: $0[0], type: $0[1]) }
  }
}
