import Arrow
import MagicAPI
import MagicCore

/// The results of one query for each row of parameters, one after the other.
actor RepeatedQuery: RecordBatchReader {
  nonisolated let schema: Schema
  private let service: any MagicService
  private var request: StatementRequest
  private let rows: ParameterRows
  private var result: (any RecordBatchReader)?

  /// Runs the query for the first row.
  ///
  /// - Parameter description: tells the columns when there are no rows at all.
  init(
    _ request: StatementRequest, _ description: StatementDescription, rows: ParameterRows,
    service: any MagicService
  ) async throws {
    self.request = request
    self.service = service
    self.rows = rows
    self.request.positionalParameters = try await rows.nextRow()
    if self.request.positionalParameters != nil {
      result = try await service.query(self.request).reader
    }
    schema = result?.schema ?? description.columns ?? Schema(fields: [])
  }

  func next() async throws -> RecordBatch? {
    while let result {
      if let batch = try await result.next() { return batch }
      self.result = nil
      request.positionalParameters = try await rows.nextRow()
      guard request.positionalParameters != nil else { break }
      let next = try await service.query(request).reader
      guard next.schema.fields == schema.fields else {
        throw APIError(
          .invalid,
          "the rows of parameters give results of different columns: run the statement "
            + "for each of them")
      }
      self.result = next
    }
    return nil
  }

  func cancel() async {
    await result?.cancel()
    result = nil
    await rows.cancel()
  }
}

/// Rows of parameters, as batches or one by one.
actor ParameterRows: RecordBatchReader {
  nonisolated let schema: Schema
  private let reader: any RecordBatchReader
  private var batch: RecordBatch?
  private var position = 0

  init(_ reader: any RecordBatchReader) {
    schema = reader.schema
    self.reader = reader
  }

  /// The next row, which is still to be read; nil at the end.
  func peek() async throws -> RecordBatch? {
    while true {
      if let batch, position < batch.rowCount { return batch.slice(position..<(position + 1)) }
      guard let next = try await reader.next() else { return nil }
      (batch, position) = (next, 0)
    }
  }

  /// The next row; nil at the end.
  func nextRow() async throws -> RecordBatch? {
    let row = try await peek()
    position += 1
    return row
  }

  /// The rest of a batch, or the next one; nil at the end.
  func next() async throws -> RecordBatch? {
    guard try await peek() != nil, let batch else { return nil }
    self.batch = nil
    return batch.slice(position..<batch.rowCount)
  }

  func cancel() async {
    batch = nil
    await reader.cancel()
  }
}
