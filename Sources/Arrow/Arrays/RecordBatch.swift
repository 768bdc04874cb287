/// Columns of one length, with their schema.
public struct RecordBatch: Sendable {
  public let schema: Schema
  public let columns: [ArrayData]
  /// The number of rows, which every column has.
  public let rowCount: Int

  /// - Throws: `malformed` when the number, the types or the lengths of the columns do not match.
  public init(schema: Schema, columns: [ArrayData], rowCount: Int) throws(ArrowError) {
    guard columns.count == schema.fields.count else {
      throw ArrowError(
        .malformed, "\(columns.count) columns for \(schema.fields.count) fields")
    }
    for (column, field) in zip(columns, schema.fields) {
      guard column.type == field.type else {
        throw ArrowError(
          .malformed, "column \(field.name) is \(column.type), its field \(field.type)")
      }
      guard column.length == rowCount else {
        throw ArrowError(
          .malformed, "column \(field.name) has \(column.length) values in \(rowCount) rows")
      }
    }
    self.schema = schema
    self.columns = columns
    self.rowCount = rowCount
  }

  /// The rows in `rows`, sharing this batch's memory.
  ///
  /// - Precondition: `rows` lies within the batch.
  public func slice(_ rows: Range<Int>) -> RecordBatch {
    RecordBatch(
      unchecked: schema, columns: columns.map { $0.slice(rows) }, rowCount: rows.count)
  }

  private init(unchecked schema: Schema, columns: [ArrayData], rowCount: Int) {
    self.schema = schema
    self.columns = columns
    self.rowCount = rowCount
  }

  /// The column called `name`.
  public func column(_ name: String) -> ArrayData? {
    schema.index(of: name).map { columns[$0] }
  }
}
