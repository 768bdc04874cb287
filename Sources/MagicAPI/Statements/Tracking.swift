import Arrow
import MagicCore

extension CallerService {
  /// The result, whose end is the statement's end.
  func tracked(_ result: StatementResult, by statement: RunningStatement) -> StatementResult {
    if let rows = result.changedRows { statement.note(rows: rows) }
    let reading = TrackedResult(result, statement)
    return StatementResult(
      format: result.format, changedRows: result.changedRows, commitPoint: result.commitPoint,
      next: { try await reading.next() }, cancel: { await reading.cancel() })
  }

  /// The result, whose end is the statement's end.
  func tracked(_ result: QueryResult, by statement: RunningStatement) -> QueryResult {
    if let rows = result.changedRows { statement.note(rows: rows) }
    if result.reader.schema.fields.isEmpty {
      statement.end(nil)
      return result
    }
    return QueryResult(
      reader: TrackedReader(result.reader, statement), changedRows: result.changedRows,
      commitPoint: result.commitPoint)
  }
}

/// A result in bytes. Dropped half-read, it ends its statement.
private final class TrackedResult: Sendable {
  private let result: StatementResult
  private let statement: RunningStatement

  init(_ result: StatementResult, _ statement: RunningStatement) {
    self.result = result
    self.statement = statement
    statement.setCancel { await result.cancel() }
  }

  deinit { statement.endEarly() }

  func next() async throws -> [UInt8]? {
    try await statement.read({ try await result.next() }, rows: { _ in 0 }, bytes: { $0.count })
  }

  func cancel() async {
    await result.cancel()
    statement.endEarly()
  }
}

/// A result in record batches. Dropped half-read, it ends its statement.
private final class TrackedReader: RecordBatchReader {
  let schema: Schema
  private let reader: any RecordBatchReader
  private let statement: RunningStatement

  init(_ reader: any RecordBatchReader, _ statement: RunningStatement) {
    schema = reader.schema
    self.reader = reader
    self.statement = statement
    statement.setCancel { await reader.cancel() }
  }

  deinit { statement.endEarly() }

  func next() async throws -> RecordBatch? {
    try await statement.read(
      { try await reader.next() }, rows: \.rowCount, bytes: { $0.bufferByteCount })
  }

  func cancel() async {
    await reader.cancel()
    statement.endEarly()
  }
}

extension RecordBatch {
  /// The bytes of all buffers that the rows lie in.
  fileprivate var bufferByteCount: Int { columns.reduce(0) { $0 + $1.bufferByteCount } }
}

extension ArrayData {
  fileprivate var bufferByteCount: Int {
    buffers.reduce(0) { $0 + $1.byteCount } + children.reduce(0) { $0 + $1.bufferByteCount }
  }
}
