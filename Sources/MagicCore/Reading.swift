import Arrow

/// The result of a statement that has none: no rows of no columns.
public struct EmptyReader: RecordBatchReader {
  public let schema = Schema(fields: [])

  /// Makes a reader.
  public init() {}

  public func next() async throws -> RecordBatch? { nil }

  public func cancel() async {}
}

extension RecordBatchReader {
  /// All rows that are left, of columns that are all of type String.
  public func texts() async throws -> [[String]] {
    var rows: [[String]] = []
    while let batch = try await next() {
      for row in 0..<batch.rowCount {
        rows.append(
          batch.columns.map { column in
            column.withBinaryValue(at: row) { String(decoding: $0, as: UTF8.self) }
          })
      }
    }
    return rows
  }
}
