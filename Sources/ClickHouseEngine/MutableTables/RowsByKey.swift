import Arrow
import MagicCore

/// Looking rows of replicated tables up by their keys.
extension MutableTables {
  public func rows(
    of definition: TableDefinition, keys: RecordBatch
  ) async throws -> RecordBatch {
    let table = try replicated(definition)
    let fields = definition.primaryKey.map { definition.schema.fields[$0] }
    guard !fields.isEmpty else {
      throw EngineError(message: "\(definition.name) has no key by which rows could be found")
    }
    guard keys.columns.count == fields.count else {
      throw EngineError(message: "the key of \(definition.name) has \(fields.count) columns")
    }
    var keySchema = keys.schema
    for index in fields.indices { keySchema.fields[index].name = fields[index].name }
    let named = try batch(keySchema, keys.columns, keys.rowCount)
    let stage = await staged.stages[table.owner]
    // What is read is not dropped meanwhile.
    let pin = storage.registry.enter()
    defer { storage.registry.leave(pin) }
    let wanted = storage.stageName(of: table.owner)
    do {
      let found = try await storage.withConnection { connection in
        let types = try ColumnTypes.columnList(of: Schema(fields: fields))
        try await connection.execute("SET fsync_metadata = 0")
        try await connection.execute(
          "CREATE TABLE \(wanted) (\(types)) ENGINE = Memory")
        try await connection.ingest(named, into: wanted.reference)
        let reader = try await connection.query(
          await table.newestRows(withKeysIn: wanted, and: stage))
        var batches: [RecordBatch] = []
        while let batch = try await reader.next() { batches.append(batch) }
        return batches
      }
      await storage.discard(wanted)
      return try DeclaredColumns(definition.schema).batch(of: found)
    } catch {
      await storage.discard(wanted)
      throw error
    }
  }

  private func batch(
    _ schema: Schema, _ columns: [ArrayData], _ count: Int
  ) throws -> RecordBatch {
    do {
      return try RecordBatch(schema: schema, columns: columns, rowCount: count)
    } catch {
      throw EngineError(message: error.description)
    }
  }
}

extension MutableTable {
  /// The SELECT of the newest living rows, among them those of a stage, that have one of some keys.
  fileprivate func newestRows(withKeysIn wanted: StorageName, and stage: StorageName?) -> String {
    var condition = "\(shape.comparedKey) IN (SELECT \(shape.comparedKeyList) FROM \(wanted))"
    // The primary index finds no keys by an expression, but parts of keys that are columns.
    for (column, type) in zip(shape.key, shape.keyTypes) where type.contains("Nullable(") {
      condition +=
        " AND (isNull(\(column)) OR \(column) IN (SELECT \(column) FROM \(wanted) "
        + "WHERE isNotNull(\(column))))"
    }
    let columns = "\(shape.columnList), \(HiddenColumn.version), \(HiddenColumn.deleteMark)"
    var sources = [(current.settled, "toUInt64(0)")]
    sources += current.youngs.map { ($0.name, HiddenColumn.commit) }
    if let stage { sources.append((stage, "toUInt64(\(UInt64.max))")) }
    let rows = sources.map { table, commit in
      "SELECT \(columns), \(commit) AS \(HiddenColumn.commit) FROM \(table) WHERE \(condition)"
    }.joined(separator: " UNION ALL ")
    let view = MutableView(shape: shape, branches: [])
    return "SELECT \(shape.columnList) FROM (\(view.newest(of: rows))) "
      + "WHERE \(HiddenColumn.deleteMark) = 0"
  }
}

/// Gives results of the engine the columns of a declared table: texts that are bytes or are kept once
/// each, and lists that are null.
struct DeclaredColumns {
  private let schema: Schema

  init(_ schema: Schema) { self.schema = schema }

  /// All rows of a result whose columns are the declared ones.
  ///
  /// - Throws: ``EngineError`` when a column is of another type.
  func batch(of results: [RecordBatch]) throws -> RecordBatch {
    var fields = schema.fields
    var columns: [ArrayData] = []
    for index in fields.indices {
      let column = try Self.column(results.map { $0.columns[index] }, fields[index])
      fields[index].type = column.type
      columns.append(column)
    }
    do {
      return try RecordBatch(
        schema: Schema(fields: fields, metadata: schema.metadata), columns: columns,
        rowCount: results.reduce(0) { $0 + $1.rowCount })
    } catch {
      throw EngineError(message: error.description)
    }
  }

  private static func column(_ parts: [ArrayData], _ field: Field) throws -> ArrayData {
    switch field.type {
    case .bool:
      let builder = BooleanBuilder()
      try append(parts, to: builder, field) { builder.append($0.bool(at: $1)) }
      return builder.finish()
    case .int8, .uint8: return try numbers(parts, field, UInt8.self)
    case .int16, .uint16: return try numbers(parts, field, UInt16.self)
    case .int32, .uint32, .float32, .date32: return try numbers(parts, field, UInt32.self)
    case .int64, .uint64, .float64, .timestamp, .duration:
      return try numbers(parts, field, UInt64.self)
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      let builder = DecimalBuilder(precision: precision, scale: scale)
      try append(parts, to: builder, field) { part, row in
        let (magnitude, isNegative) = part.decimal(at: row)
        builder.append(magnitude: magnitude, isNegative: isNegative)
      }
      return builder.finish()
    case .utf8, .binary, .largeUtf8, .largeBinary:
      let builder = BinaryBuilder(type: field.type)
      try append(parts, to: builder, field) { part, row in
        part.withBinaryValue(at: row) { builder.append($0) }
      }
      return builder.finish()
    case .fixedSizeBinary(let width):
      let builder = FixedSizeBinaryBuilder(width: width)
      try append(parts, to: builder, field) { part, row in
        part.withBinaryValue(at: row) { builder.append($0) }
      }
      return builder.finish()
    case .dictionary(_, let values): return try entries(parts, field, values)
    case .list(let item): return try lists(parts, field, item)
    case .null, .time32, .time64, .largeList, .fixedSizeList, .structure, .map, .denseUnion:
      throw EngineError(message: "column \(field.name): rows with \(field.type) are not looked up")
    }
  }

  private static func append(
    _ parts: [ArrayData], to builder: any ArrayBuilder, _ field: Field,
    _ value: (ArrayData, Int) throws -> Void
  ) throws {
    for part in parts {
      for row in 0..<part.length {
        if part.isNull(at: row) { builder.appendNull() } else { try value(part, row) }
      }
    }
    if builder.hasRejectedValue {
      throw EngineError(message: "column \(field.name): the values found are too large together")
    }
  }

  private static func numbers<T: FixedWidthInteger & BitwiseCopyable>(
    _ parts: [ArrayData], _ field: Field, _: T.Type
  ) throws -> ArrayData {
    let builder = PrimitiveBuilder<T>(type: stored(T.self))
    for part in parts {
      guard part.type == field.type else {
        throw EngineError(
          message: "column \(field.name) came as \(part.type), and is \(field.type)")
      }
    }
    try append(parts, to: builder, field) { part, row in
      part.withValues(of: T.self) { builder.append($0[row]) }
    }
    let built = builder.finish()
    return ArrayData(
      type: field.type, length: built.length, nullCount: built.nullCount,
      validity: built.validity, buffers: built.buffers)
  }

  private static func stored<T: FixedWidthInteger>(_: T.Type) -> DataType {
    switch T.bitWidth {
    case 8: .uint8
    case 16: .uint16
    case 32: .uint32
    default: .uint64
    }
  }

  private static func entries(
    _ parts: [ArrayData], _ field: Field, _ values: DataType
  ) throws -> ArrayData {
    var positions: [[UInt8]: Int] = [:]
    var texts: [[UInt8]] = []
    var indices: [Int?] = []
    for part in parts {
      for row in 0..<part.length {
        if part.isNull(at: row) {
          indices.append(nil)
          continue
        }
        let text = part.withBinaryValue(at: row) { Array($0) }
        if let position = positions[text] {
          indices.append(position)
        } else {
          positions[text] = texts.count
          indices.append(texts.count)
          texts.append(text)
        }
      }
    }
    let builder = DictionaryBuilder(values: texts, valueType: values)
    for index in indices {
      if let index { builder.append(index: index) } else { builder.appendNull() }
    }
    return builder.finish()
  }

  /// A null list is stored as a list of one null.
  private static func lists(
    _ parts: [ArrayData], _ field: Field, _ item: Field
  ) throws -> ArrayData {
    var offsets: [Int32] = [0]
    var items: [ArrayData] = []
    let validity = BooleanBuilder()
    for part in parts {
      for row in 0..<part.length {
        let range = part.listRange(at: row)
        let isNull =
          field.isNullable && !item.isNullable && range.count == 1
          && part.children[0].isNull(at: range.lowerBound)
        validity.append(!isNull)
        if !isNull { items.append(part.children[0].slice(range)) }
        let count = Int(offsets.last ?? 0) + (isNull ? 0 : range.count)
        guard let end = Int32(exactly: count) else {
          throw EngineError(
            message: "column \(field.name): the values found are too large together")
        }
        offsets.append(end)
      }
    }
    let child = try column(items, item)
    let flags = validity.finish()
    let nulls = (0..<flags.length).count { !flags.bool(at: $0) }
    var stored = item
    stored.type = child.type
    return ArrayData(
      type: .list(stored), length: flags.length, nullCount: nulls,
      validity: nulls == 0 ? nil : flags.buffers[0],
      buffers: [offsets.withUnsafeBytes { Buffer(copying: $0) }], children: [child])
  }
}
