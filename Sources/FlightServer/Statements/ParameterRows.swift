import Arrow
import MagicAPI
import MagicCore

/// The rows of parameters that a client sends. Columns of unions, which are how some clients send
/// values of any type, become columns of the type that the values have.
final class ParameterRows: RecordBatchReader {
  let schema: Schema
  private let first: BatchList
  private let rest: IncomingRows

  /// Reads up to the first rows; nil when there are no columns, and so no parameters.
  init?(_ rows: IncomingRows) async throws {
    guard try await rows.hasColumns() else { return nil }
    rest = rows
    let batch = try await rows.next()?.withoutUnions()
    schema = batch?.schema ?? rows.schema
    first = BatchList(schema: schema, batch.map { [$0] } ?? [])
  }

  func next() async throws -> RecordBatch? {
    if let batch = first.next() { return batch }
    guard let batch = try await rest.next()?.withoutUnions() else { return nil }
    guard batch.schema.fields.map(\.type) == schema.fields.map(\.type) else {
      throw APIError.invalid("a parameter has values of several types: send those of one")
    }
    return batch
  }

  func cancel() { rest.cancel() }
}

extension RecordBatch {
  /// The same rows, with columns of the types that the values of unions have.
  ///
  /// - Throws: ``APIError`` when a column has values of several types.
  func withoutUnions() throws -> RecordBatch {
    let plain = try columns.map { try $0.withoutUnion() }
    let fields = zip(schema.fields, plain).map { field, column in
      Field(name: field.name, type: column.type, metadata: field.metadata)
    }
    return try RecordBatch(schema: Schema(fields: fields), columns: plain, rowCount: rowCount)
  }
}

extension ArrayData {
  fileprivate func withoutUnion() throws(APIError) -> ArrayData {
    guard case .denseUnion = type else { return self }
    guard length > 0 else { return ArrayData(emptyOf: .null) }
    let (field, start) = unionPosition(at: 0)
    for index in 0..<length where unionPosition(at: index) != (field, start + index) {
      throw APIError.invalid(
        "a parameter has values of several types: send batches in which it has one")
    }
    return children[field].slice(start..<(start + length))
  }
}
