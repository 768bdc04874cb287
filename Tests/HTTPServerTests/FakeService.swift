import Arrow
import MagicAPI
import MagicCore
import Synchronization

/// Does what a script says, and remembers what it was asked.
final class FakeService: MagicService {
  /// What a statement does.
  enum Script: Sendable {
    case chunks([[UInt8]])
    case failEarly(APIError)
    case failAfter([UInt8], EngineError)
    /// Never ends by itself.
    case endless([UInt8])
    /// Gives one chunk, then nothing until it is cancelled.
    case hang([UInt8])
    /// Gives these rows.
    case rows([RecordBatch])
  }

  struct State {
    var requests: [StatementRequest] = []
    var formats: [String] = []
    /// The rows of INSERTs, whole; nil when the statement had none.
    var inputs: [[UInt8]?] = []
    /// How the reading of rows ended, when it failed.
    var inputErrors: [String] = []
    var callers: [Caller] = []
    var batches: [RecordBatch] = []
    var writes: [TableWrite] = []
    var scans: [TableScan] = []
    var calls: [String] = []
    var pulled = 0
    var cancelled = 0
  }

  private let script: Script
  private let state = Mutex(State())

  init(_ script: Script) { self.script = script }

  var received: [String] { state.withLock { $0.requests.map(\.sql) } }
  var formats: [String] { state.withLock { $0.formats } }
  var pulled: Int { state.withLock { $0.pulled } }
  var cancelled: Int { state.withLock { $0.cancelled } }
  var seen: State { state.withLock { $0 } }

  func service(for caller: Caller) -> FakeService {
    state.withLock { $0.callers.append(caller) }
    return self
  }

  private func note(_ call: String) { state.withLock { $0.calls.append(call) } }

  func run(
    _ request: StatementRequest, format: String, input: StatementInput?
  ) async throws -> StatementResult {
    state.withLock {
      $0.requests.append(request)
      $0.formats.append(format)
    }
    if case .failEarly(let error) = script { throw error }
    try await read(input)
    let position = Mutex(0)
    return StatementResult(
      format: format, changedRows: input == nil ? nil : 3,
      next: {
        self.state.withLock { $0.pulled += 1 }
        let index = position.withLock { position in
          defer { position += 1 }
          return position
        }
        return try await self.chunk(index)
      },
      cancel: { self.state.withLock { $0.cancelled += 1 } })
  }

  private func read(_ input: StatementInput?) async throws {
    var bytes: [UInt8]?
    do {
      if let input {
        bytes = []
        while let chunk = try await input.next() { bytes? += chunk }
      }
    } catch {
      state.withLock { $0.inputErrors.append("\(error)") }
      throw error
    }
    state.withLock { [bytes] in $0.inputs.append(bytes) }
  }

  private func chunk(_ index: Int) async throws -> [UInt8]? {
    switch script {
    case .chunks(let chunks): return index < chunks.count ? chunks[index] : nil
    case .failEarly(let error): throw error
    case .failAfter(let bytes, let error):
      if index == 0 { return bytes }
      throw error
    case .endless(let bytes): return bytes
    case .rows: return nil
    case .hang(let bytes):
      if index == 0 { return bytes }
      while cancelled == 0 {
        // Ends by cancellation of the statement alone, as an engine's statement does.
        try? await Task.sleep(for: .milliseconds(2))
        await Task.yield()
      }
      throw EngineError(code: 394, message: "Code: 394. DB::Exception: Query was cancelled.")
    }
  }

  func query(_ request: StatementRequest) async throws -> QueryResult {
    state.withLock { $0.requests.append(request) }
    return try result()
  }

  private func result() throws -> QueryResult {
    switch script {
    case .rows(let batches):
      guard let first = batches.first else { throw APIError(.failed, "no rows") }
      return QueryResult(reader: FakeReader(first.schema, batches), changedRows: 7)
    case .failAfter(_, let error):
      return QueryResult(reader: FakeReader(Schema(fields: []), [], then: error))
    case .failEarly(let error): throw error
    default: throw APIError(.unsupported, "not in this script")
    }
  }

  func execute(
    _ request: StatementRequest, parameterRows: any RecordBatchReader
  ) async throws -> Int? {
    state.withLock { $0.requests.append(request) }
    return try await take(parameterRows)
  }

  private func take(_ rows: any RecordBatchReader) async throws -> Int {
    var count = 0
    do {
      while let batch = try await rows.next() {
        state.withLock { $0.batches.append(batch) }
        count += batch.rowCount
      }
    } catch {
      state.withLock { $0.inputErrors.append("\(error)") }
      throw error
    }
    return count
  }

  func describe(_ request: StatementRequest) async throws -> StatementDescription {
    state.withLock { $0.requests.append(request) }
    return StatementDescription(columns: fakeSchema, parameterCount: 2, isRead: true)
  }

  func scan(_ scan: TableScan) async throws -> QueryResult {
    state.withLock { $0.scans.append(scan) }
    return try result()
  }

  func split(
    _ table: TableReference, into count: Int, snapshot: String?
  ) async throws -> TableSplits {
    note("split \(table) \(count) \(snapshot ?? "-")")
    return TableSplits(
      snapshot: Snapshot(id: "s1", commit: 9, expires: 1.5),
      ranges: [
        KeyRange(key: ["id"], lower: nil, upper: ["10"], rowCount: 4),
        KeyRange(key: ["id"], lower: ["10"], upper: nil, rowCount: 5),
      ])
  }

  func write(_ write: TableWrite, rows: any RecordBatchReader) async throws -> Int {
    state.withLock { $0.writes.append(write) }
    if case .failEarly(let error) = script { throw error }
    return try await take(rows)
  }

  func tables(matching filter: TableSelection) async throws -> [TableEntry] {
    note("tables \(filter.database ?? "-") \(filter.table ?? "-") \(filter.includesColumns)")
    return [
      TableEntry(
        name: TableReference(database: "shop", table: "orders"), kind: .table,
        engine: "MutableMergeTree", comment: "c", primaryKey: ["id"], rowCount: 3,
        columns: fakeSchema, columnTypes: ["Int64", "Nullable(String)"])
    ]
  }

  func databases() async throws -> [String] { ["default", "shop"] }
  func beginTransaction(partOf: String?) async throws -> String {
    partOf.map { "\($0).1" } ?? "t1"
  }
  func commit(_ request: CommitRequest) async throws {
    let parts = (request.parts ?? []).joined(separator: ",")
    let since = request.unchangedSince.map(String.init) ?? "-"
    note("commit \(request.transaction) [\(parts)] \(request.token ?? "-") \(since)")
  }
  func renew(transaction: String) async throws { note("renew \(transaction)") }
  func rollback(transaction: String) async throws { note("rollback \(transaction)") }
  func commitPoint(atLeast gtids: String?, timeout: Duration?) async throws -> CommitPoint {
    CommitPoint(commit: 7)
  }

  func snapshots() async throws -> [Snapshot] { [] }

  func openSnapshot(_ request: SnapshotRequest) async throws -> Snapshot {
    Snapshot(id: "s2", commit: 8, expires: 2.5)
  }
  func renew(snapshot: String) async throws -> Snapshot {
    throw APIError(.notFound, "There is no snapshot \(snapshot)")
  }
  func release(snapshot: String) async throws { note("release \(snapshot)") }
  func end(session: String) async throws {}

  func statements() async throws -> [StatementEntry] { [] }
  func cancel(statement id: String) async throws -> Bool { id == "q1" }
}

let fakeSchema = Schema(fields: [
  Field(name: "id", type: .int64, isNullable: false), Field(name: "name", type: .utf8),
])

/// Gives batches, and then an error.
private actor FakeReader: RecordBatchReader {
  nonisolated let schema: Schema
  private var batches: ArraySlice<RecordBatch>
  private let error: EngineError?

  init(_ schema: Schema, _ batches: [RecordBatch], then error: EngineError? = nil) {
    self.schema = schema
    self.batches = batches[...]
    self.error = error
  }

  func next() async throws -> RecordBatch? {
    if let batch = batches.popFirst() { return batch }
    if let error { throw error }
    return nil
  }

  func cancel() {}
}
