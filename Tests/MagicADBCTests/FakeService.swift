import Arrow
import MagicAPI
import MagicCore

/// A service that answers as it was told to.
struct FakeService: MagicService {
  var databaseNames: [String] = []
  var entries: [TableEntry] = []
  var answer: @Sendable (StatementRequest) throws -> any RecordBatchReader = { _ in
    throw APIError(.unsupported, "not here")
  }

  func query(_ request: StatementRequest) async throws -> QueryResult {
    QueryResult(reader: try answer(request))
  }

  func scan(_ scan: TableScan) async throws -> QueryResult {
    QueryResult(reader: try answer(StatementRequest("\(scan.table) \(scan.range?.lower ?? [])")))
  }

  func tables(matching filter: TableSelection) async throws -> [TableEntry] {
    entries.filter { entry in
      (filter.database.map(entry.name.database.isLike) ?? true)
        && (filter.table.map(entry.name.table.isLike) ?? true)
        && (filter.kinds?.contains(entry.kind) ?? true)
    }.map { entry in
      var entry = entry
      if !filter.includesColumns { (entry.columns, entry.columnTypes) = (nil, nil) }
      return entry
    }
  }

  func databases() async throws -> [String] { databaseNames }

  func split(
    _ table: TableReference, into count: Int, snapshot: String?
  ) async throws -> TableSplits {
    TableSplits(
      snapshot: Snapshot(id: "s", commit: 7, expires: 0),
      ranges: (0..<count).map { KeyRange(key: ["id"], lower: ["\($0)"], upper: ["\($0 + 1)"]) })
  }

  func commitPoint(atLeast gtids: String?, timeout: Duration?) async throws -> CommitPoint {
    CommitPoint(commit: 7)
  }

  func snapshots() async throws -> [Snapshot] { [] }

  func openSnapshot(_ request: SnapshotRequest) async throws -> Snapshot {
    Snapshot(id: "s", commit: 7, expires: 0)
  }

  func run(
    _ request: StatementRequest, format: String, input: StatementInput?
  ) async throws -> StatementResult { throw APIError(.unsupported, "not here") }
  func execute(
    _ request: StatementRequest, parameterRows: any RecordBatchReader
  ) async throws -> Int? { throw APIError(.unsupported, "not here") }
  func describe(_ request: StatementRequest) async throws -> StatementDescription {
    throw APIError(.unsupported, "not here")
  }
  func write(_ write: TableWrite, rows: any RecordBatchReader) async throws -> Int {
    throw APIError(.unsupported, "not here")
  }
  func beginTransaction(partOf: String?) async throws -> String {
    throw APIError(.unsupported, "not here")
  }
  func commit(_ request: CommitRequest) async throws {}
  func renew(transaction: String) async throws {}
  func rollback(transaction: String) async throws {}
  func renew(snapshot: String) async throws -> Snapshot {
    try await openSnapshot(SnapshotRequest())
  }
  func release(snapshot: String) async throws {}
  func end(session: String) async throws {}
  func statements() async throws -> [StatementEntry] { [] }
  func cancel(statement id: String) async throws -> Bool { false }
}

/// A batch of one column of numbers.
func numbers(_ values: [Int64], name: String = "n") throws -> RecordBatch {
  try RecordBatch(
    schema: Schema(fields: [Field(name: name, type: .int64)]),
    columns: [numberColumn(values, type: .int64)], rowCount: values.count)
}

/// Reads the numbers in the first column of a result.
func allNumbers(_ reader: any RecordBatchReader) async throws -> [Int64] {
  var found: [Int64] = []
  while let batch = try await reader.next() {
    found += batch.columns[0].withValues(of: Int64.self) { Array($0) }
  }
  return found
}
