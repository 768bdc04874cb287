import Arrow
import Glibc
import MagicCore

/// A column of a table in the engine, as `system.columns` tells it.
struct TableColumn: Hashable {
  var name: String
  var type: String
}

/// Checks that a table holds every value of a batch as it is, and puts the batch into the form
/// that the engine takes.
///
/// The engine itself would convert silently: a null into 0, a number that is too large into its low
/// bits, and an address in a binary column into `::`.
struct IngestPlan {
  /// - Throws: ``EngineError`` when the columns are not the table's, by name, order and type.
  init(schema: Schema, table: TableReference, columns: [TableColumn]) throws {
    guard !columns.isEmpty else {
      throw EngineError(code: 60, message: "there is no table \(table)")
    }
    guard schema.fields.count == columns.count else {
      throw EngineError(
        message: "\(table) has \(columns.count) columns and the data \(schema.fields.count)")
    }
    for (field, column) in zip(schema.fields, columns) {
      guard field.name == column.name else {
        throw EngineError(
          message: "\(table): the data has column \(field.name) where \(column.name) belongs")
      }
      try Self.check(field, against: column, of: table)
    }
  }

  private static func check(
    _ field: Field, against column: TableColumn, of table: TableReference
  ) throws {
    let type = try ColumnTypes.clickHouseType(of: field)
    // A column may admit more than the data has: nulls, or repeated texts held once.
    var admitted = [type, "Nullable(\(type))"]
    if type == "String" || type == "Nullable(String)" {
      admitted += ["LowCardinality(\(type))", "LowCardinality(Nullable(String))"]
    }
    if type == "LowCardinality(String)" { admitted.append("LowCardinality(Nullable(String))") }
    guard admitted.contains(column.type) else {
      throw EngineError(
        message: "\(table): column \(column.name) is \(column.type) and the data \(type)")
    }
  }

  /// The batch with the columns rewritten that the engine would misread.
  func adapt(_ batch: RecordBatch) throws -> RecordBatch {
    var fields = batch.schema.fields
    var columns = batch.columns
    for index in fields.indices {
      let field = fields[index]
      try Self.checkNulls(columns[index], field, column: field.name)
      if field.extensionName == ColumnTypes.ipv6Extension, field.type == .fixedSizeBinary(16) {
        columns[index] = Self.addressTexts(columns[index])
        fields[index].type = .utf8
        fields[index].metadata[Field.extensionNameKey] = nil
      } else if case .list(let item) = field.type, columns[index].nullCount > 0 {
        fields[index].type = .list(try ColumnTypes.storedItem(item, of: field))
        fields[index].isNullable = false
        columns[index] = try Self.markedLists(columns[index], type: fields[index].type)
      }
    }
    do {
      return try RecordBatch(
        schema: Schema(fields: fields, metadata: batch.schema.metadata), columns: columns,
        rowCount: batch.rowCount)
    } catch {
      throw EngineError(message: error.description)
    }
  }

  /// Refuses nulls that the schema rules out, and what the engine misreads below the top level,
  /// where nothing is rewritten.
  private static func checkNulls(_ data: ArrayData, _ field: Field, column: String) throws {
    if !field.isNullable, data.nullCount > 0 {
      throw EngineError(message: "column \(column) has nulls in \(field.name), declared non-null")
    }
    if case .largeList = field.type, data.nullCount > 0 { throw unsupportedNull(column) }
    if case .fixedSizeList = field.type, data.nullCount > 0 { throw unsupportedNull(column) }
    for (child, childField) in zip(data.children, field.type.childFields) {
      if childField.extensionName == ColumnTypes.ipv6Extension {
        throw EngineError(message: "column \(column): IPv6 addresses inside of lists and structs")
      }
      if case .list = childField.type, child.nullCount > 0 { throw unsupportedNull(column) }
      try checkNulls(child, childField, column: column)
    }
  }

  private static func unsupportedNull(_ column: String) -> EngineError {
    EngineError(message: "column \(column): ClickHouse stores null lists only at the top level")
  }

  /// IPv6 addresses as text, the only form of them that the engine reads.
  private static func addressTexts(_ column: ArrayData) -> ArrayData {
    let builder = BinaryBuilder(type: .utf8)
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      guard let base = text.baseAddress else { return }
      for row in 0..<column.length {
        if column.isNull(at: row) {
          builder.appendNull()
          continue
        }
        // There is room for the longest address, so this does not fail.
        column.withBinaryValue(at: row) { bytes in
          _ = inet_ntop(AF_INET6, bytes.baseAddress, base, socklen_t(INET6_ADDRSTRLEN))
        }
        builder.append(UnsafeRawBufferPointer(start: base, count: strlen(base)))
      }
    }
    return builder.finish()
  }

  /// Lists in which `[NULL]` stands for a null list.
  private static func markedLists(_ column: ArrayData, type: DataType) throws -> ArrayData {
    guard let items = column.children.first else {
      throw EngineError(message: "a list column without items")
    }
    // Lists lie one after another, so the items are laid out anew: -1 is where a null goes.
    var positions: [Int] = []
    positions.reserveCapacity(items.length + column.nullCount)
    var offsets: [Int32] = [0]
    offsets.reserveCapacity(column.length + 1)
    for row in 0..<column.length {
      if column.isNull(at: row) {
        positions.append(-1)
      } else {
        positions += column.listRange(at: row)
      }
      guard let end = Int32(exactly: positions.count) else {
        throw EngineError(message: "more than 2^31 list items in one batch")
      }
      offsets.append(end)
    }
    return ArrayData(
      type: type, length: column.length,
      buffers: [offsets.withUnsafeBytes { Buffer(copying: $0) }],
      children: [try gather(items, positions)])
  }

  /// The items at `positions`; a position of -1 gives a null.
  private static func gather(_ items: ArrayData, _ positions: [Int]) throws -> ArrayData {
    return switch items.type {
    case .int8, .uint8, .dictionary(.int8, _), .dictionary(.uint8, _):
      gather(items, positions, as: UInt8.self, .uint8)
    case .int16, .uint16, .dictionary(.int16, _), .dictionary(.uint16, _):
      gather(items, positions, as: UInt16.self, .uint16)
    case .int32, .uint32, .float32, .date32, .dictionary(.int32, _), .dictionary(.uint32, _):
      gather(items, positions, as: UInt32.self, .uint32)
    case .int64, .uint64, .float64, .timestamp, .duration, .dictionary(.int64, _),
      .dictionary(.uint64, _):
      gather(items, positions, as: UInt64.self, .uint64)
    case .utf8, .binary:
      gatherTexts(items, positions)
    case .null, .bool, .decimal128, .decimal256, .time32, .time64, .largeUtf8, .largeBinary,
      .fixedSizeBinary, .list, .largeList, .fixedSizeList, .structure, .map, .denseUnion,
      .dictionary:
      throw EngineError(message: "null lists of \(items.type) cannot be stored")
    }
  }

  private static func gather<T: FixedWidthInteger & BitwiseCopyable>(
    _ items: ArrayData, _ positions: [Int], as: T.Type, _ stored: DataType
  ) -> ArrayData {
    let builder = PrimitiveBuilder<T>(type: stored)
    items.withValues(of: T.self) { values in
      for position in positions {
        if position < 0 { builder.appendNull() } else { builder.append(values[position]) }
      }
    }
    let built = builder.finish()
    return ArrayData(
      type: items.type, length: built.length, nullCount: built.nullCount, validity: built.validity,
      buffers: built.buffers, dictionary: items.dictionary)
  }

  private static func gatherTexts(_ items: ArrayData, _ positions: [Int]) -> ArrayData {
    let builder = BinaryBuilder(type: items.type)
    for position in positions {
      if position < 0 {
        builder.appendNull()
      } else {
        items.withBinaryValue(at: position) { builder.append($0) }
      }
    }
    return builder.finish()
  }
}
