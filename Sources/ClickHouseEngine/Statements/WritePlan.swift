import Arrow
import MagicCore

/// How the columns of Arrow data, which are found by their names, become those of a table.
struct WritePlan {
  private struct Column {
    let field: Field
    let expression: String
    /// The type as which the engine reads the column.
    let type: String
    let holdsNulls: Bool
    /// The field as it is streamed to the engine.
    let streamed: Field
  }

  private let table: TableReference
  private let columns: [Column]
  /// The schema of the batches that ``adapt(_:)`` gives.
  let schema: Schema

  /// - Parameters:
  ///   - schema: of the data.
  ///   - targets: the columns that can be written.
  /// - Throws: ``EngineError`` when the table has no such column, or values might be changed.
  init(_ schema: Schema, into targets: [TableColumn], of table: TableReference) throws {
    self.table = table
    let unknown = schema.fields.map(\.name).filter { name in
      !targets.contains { $0.name == name }
    }
    guard unknown.isEmpty else {
      throw EngineError(
        code: 16,
        message: "\(table) has no column \(unknown.joined(separator: ", ")); it has "
          + targets.map(\.name).joined(separator: ", "))
    }
    guard !schema.fields.isEmpty else {
      throw EngineError(message: "the data for \(table) has no columns")
    }
    var seen: Set<String> = []
    columns = try schema.fields.map { field in
      guard seen.insert(field.name).inserted,
        let target = targets.first(where: { $0.name == field.name })
      else { throw EngineError(message: "the data for \(table) has two columns \(field.name)") }
      do {
        return try Self.column(field, target)
      } catch let error as EngineError {
        throw EngineError(code: error.code, message: "\(table): \(error.message)")
      }
    }
    self.schema = Schema(fields: columns.map(\.streamed), metadata: schema.metadata)
  }

  private static func column(_ field: Field, _ target: TableColumn) throws -> Column {
    let conversion = try ExactConversion(of: field, to: target.type)
    let isNested = !field.type.childFields.isEmpty
    let holdsNulls = field.isNullable && TypeText(target.type).isNullable && !isNested
    var type = holdsNulls ? "Nullable(\(conversion.type))" : conversion.type
    if case .dictionary = field.type, conversion.kind == .none, target.type.hasPrefix("LowCard") {
      type = "LowCardinality(\(type))"
    }
    var streamed = field
    if !conversion.readsTime { streamed.type = Self.streamed(field.type) }
    return Column(
      field: field,
      expression: conversion.expression(
        quotedIdentifier(field.name), to: target.type, name: field.name),
      type: type, holdsNulls: holdsNulls, streamed: streamed)
  }

  /// The columns and types for the `file` function.
  var structure: String {
    columns.map { "\(quotedIdentifier($0.field.name)) \($0.type)" }.joined(separator: ", ")
  }

  /// The columns of the table, for INSERT.
  var names: String {
    columns.map { quotedIdentifier($0.field.name) }.joined(separator: ", ")
  }

  /// Their values, for SELECT.
  var values: String { columns.map(\.expression).joined(separator: ", ") }

  // MARK: Batches

  /// The batch in the form in which the engine reads every value as it is.
  ///
  /// - Throws: ``EngineError`` when there are nulls that the table cannot hold.
  func adapt(_ batch: RecordBatch) throws -> RecordBatch {
    guard batch.columns.count == columns.count else {
      throw EngineError(message: "\(table): a batch has \(batch.columns.count) columns")
    }
    do {
      return try RecordBatch(
        schema: schema,
        columns: try zip(columns, batch.columns).map { column, data in
          if !column.holdsNulls, data.nullCount > 0 { throw nulls(in: column.field) }
          try checkNulls(data, column.field)
          return Self.streamed(data, as: column.streamed.type)
        }, rowCount: batch.rowCount)
    } catch let error as ArrowError {
      throw EngineError(message: error.description)
    }
  }

  private func nulls(in field: Field) -> EngineError {
    EngineError(
      message: "\(table): the data has a null in \(field.name), which the column cannot hold")
  }

  /// Refuses nulls inside of lists, structs and maps where the engine would read another value.
  private func checkNulls(_ data: ArrayData, _ field: Field) throws {
    if let dictionary = data.dictionary, dictionary.nullCount > 0 {
      throw EngineError(
        message: "\(table): the dictionary of \(field.name) has a null; encode nulls in the indices"
      )
    }
    for (index, inner) in field.type.childFields.enumerated() {
      let child: ArrayData
      switch data.type {
      case .structure: child = data.structField(index)
      case .list, .largeList, .fixedSizeList, .map:
        guard data.length > 0 else { continue }
        let start = data.listRange(at: 0).lowerBound
        child = data.children[index].slice(
          start..<max(start, data.listRange(at: data.length - 1).upperBound))
      default: continue
      }
      let isNested = !inner.type.childFields.isEmpty
      if isNested || !inner.isNullable, child.nullCount > 0 { throw nulls(in: inner) }
      try checkNulls(child, inner)
    }
  }

  /// The type that is streamed in a type's place: the engine reads times of the day and durations as
  /// types of its own, and no nulls without a type.
  private static func streamed(_ type: DataType) -> DataType {
    switch type {
    case .time32: .int32
    case .duration, .time64: .int64
    case .null: .utf8
    case .list(let item): .list(streamed(item))
    case .largeList(let item): .largeList(streamed(item))
    case .fixedSizeList(let item, let size): .fixedSizeList(streamed(item), size)
    case .structure(let fields): .structure(fields.map(streamed))
    case .map(let entries, let keysSorted): .map(streamed(entries), keysSorted: keysSorted)
    case .dictionary(let index, let values): .dictionary(index: index, values: streamed(values))
    default: type
    }
  }

  private static func streamed(_ field: Field) -> Field {
    var field = field
    field.type = streamed(field.type)
    return field
  }

  private static func streamed(_ data: ArrayData, as type: DataType) -> ArrayData {
    if type == data.type { return data }
    if case .null = data.type {
      let builder = BinaryBuilder(type: .utf8)
      for _ in 0..<data.length { builder.appendNull() }
      return builder.finish()
    }
    var dictionary = data.dictionary
    if case .dictionary(_, let values) = type {
      dictionary = dictionary.map { streamed($0, as: values) }
    }
    return ArrayData(
      type: type, length: data.length, nullCount: data.nullCount, offset: data.offset,
      validity: data.validity, buffers: data.buffers,
      children: zip(data.children, type.childFields).map { streamed($0, as: $1.type) },
      dictionary: dictionary)
  }
}
