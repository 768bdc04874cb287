import Arrow
import MagicCore

extension StatementPath {
  public func begin() async throws -> any Transaction {
    EngineTransaction(engine: engine, tables: tables)
  }

  public func write(
    _ request: WriteRequest, rows: any RecordBatchReader
  ) async throws -> Int {
    try await Fencing.$current.withValue(request.fencing) {
      try await RowWriter(engine: engine, tables: tables, request: request, rows: rows).write()
    }
  }
}
