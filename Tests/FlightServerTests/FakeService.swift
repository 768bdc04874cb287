import Arrow
import MagicAPI
import MagicCore
import Synchronization
import Testing

/// A service that knows a few statements by heart, and writes down what it was asked to do.
final class FakeService: MagicService {
  struct Log: Sendable {
    var requests: [StatementRequest] = []
    var parameterRows: [[Int64?]] = []
    var writes: [TableWrite] = []
    var writtenRows = 0
    var ended: [String] = []
    var cancelledReaders = 0
    var released: [String] = []
  }

  let log = Mutex(Log())
  let entries: [TableEntry] = [
    TableEntry(
      name: TableReference(database: "shop", table: "orders"), kind: .table,
      engine: "MutableMergeTree", primaryKey: ["b", "a"], rowCount: 2_000_000,
      columns: Schema(fields: [Field(name: "a", type: .int64, isNullable: false)]),
      columnTypes: ["Int64"]),
    TableEntry(
      name: TableReference(database: "shop", table: "seen"), kind: .view, engine: "View",
      columns: Schema(fields: []), columnTypes: []),
  ]

  static let numbers = Schema(fields: [Field(name: "n", type: .int64, isNullable: false)])

  static func batch(_ values: Range<Int64>) throws -> RecordBatch {
    let builder = PrimitiveBuilder<Int64>(type: .int64)
    for value in values { builder.append(value) }
    return try RecordBatch(schema: numbers, columns: [builder.finish()], rowCount: values.count)
  }

  /// `SELECT 5` gives the numbers below 5 in batches of 1000, `SELECT ?` the parameter, `SLOW` one
  /// batch and then nothing until it is cancelled, `SELECT * FROM t` the number 7. What begins with
  /// INSERT changes three rows, FAIL fails, everything else gives nothing.
  func query(_ request: StatementRequest) async throws -> QueryResult {
    log.withLock { $0.requests.append(request) }
    let words = request.sql.split(separator: " ")
    switch words.first {
    case "SELECT":
      if words[1] == "?" {
        let row = try #require(request.positionalParameters)
        return QueryResult(reader: Batches(row.schema, [row]))
      }
      if words[1] == "*" {
        return QueryResult(reader: Batches(Self.numbers, [try Self.batch(7..<8)]))
      }
      let count = Int64(words[1]) ?? 0
      let batches = try stride(from: 0, to: count, by: 1000).map { start in
        try Self.batch(start..<min(start + 1000, count))
      }
      return QueryResult(reader: Batches(Self.numbers, batches))
    case "SLOW": return QueryResult(reader: Endless(self))
    case "FAIL":
      throw APIError(.invalid, "it fails " + String(repeating: "ü", count: 10_000), engineCode: 62)
    case "INSERT": return QueryResult(reader: Batches(Schema(fields: []), []), changedRows: 3)
    default: return QueryResult(reader: Batches(Schema(fields: []), []))
    }
  }

  func describe(_ request: StatementRequest) async throws -> StatementDescription {
    let words = request.sql.split(separator: " ")
    var columns: Schema?
    if words.first == "SELECT" {
      columns =
        words[1] == "?" ? request.positionalParameters?.schema ?? Self.numbers : Self.numbers
    }
    if words.first == "SLOW" { columns = Self.numbers }
    return StatementDescription(
      columns: columns, parameterCount: request.sql.count { $0 == "?" }, isRead: columns != nil)
  }

  func execute(
    _ request: StatementRequest, parameterRows: any RecordBatchReader
  ) async throws -> Int? {
    log.withLock { $0.requests.append(request) }
    var count = 0
    while let batch = try await parameterRows.next() {
      count += batch.rowCount
      let rows = (0..<batch.rowCount).map { row in
        batch.columns.map { column in
          column.isNull(at: row) ? nil : column.withValues(of: Int64.self) { $0[row] }
        }
      }
      log.withLock { $0.parameterRows += rows }
    }
    return count
  }

  func run(
    _ request: StatementRequest, format: String, input: StatementInput?
  ) async throws -> StatementResult {
    throw APIError(.unsupported, "not here")
  }

  func scan(_ scan: TableScan) async throws -> QueryResult {
    guard scan.table == entries[0].name else { throw APIError(.notFound, "no table \(scan.table)") }
    let start = scan.range?.lower.flatMap { Int64($0[0]) } ?? 0
    return QueryResult(reader: Batches(Self.numbers, [try Self.batch(start..<(start + 2))]))
  }

  func split(
    _ table: TableReference, into count: Int, snapshot: String?
  ) async throws -> TableSplits {
    TableSplits(
      snapshot: Snapshot(id: "snap", commit: 1, expires: 4_000_000_000),
      ranges: (0..<count).map {
        KeyRange(key: ["n"], lower: ["\($0 * 2)"], upper: ["\($0 * 2 + 2)"])
      })
  }

  func write(_ write: TableWrite, rows: any RecordBatchReader) async throws -> Int {
    var count = 0
    while let batch = try await rows.next() { count += batch.rowCount }
    let total = count
    log.withLock { log in
      log.writes.append(write)
      log.writtenRows += total
    }
    return count
  }

  func tables(matching filter: TableSelection) async throws -> [TableEntry] {
    entries.filter { filter.kinds?.contains($0.kind) ?? true }
  }

  func databases() async throws -> [String] { ["default", "shop"] }
  func beginTransaction(partOf: String?) async throws -> String { "tx" }
  func commit(_ request: CommitRequest) async throws {
    log.withLock { $0.ended.append("commit \(request.transaction)") }
  }
  func renew(transaction: String) async throws {}
  func rollback(transaction: String) async throws {
    log.withLock { $0.ended.append("rollback \(transaction)") }
  }
  func commitPoint(atLeast gtids: String?, timeout: Duration?) async throws -> CommitPoint {
    CommitPoint(commit: 7)
  }

  func snapshots() async throws -> [Snapshot] { [] }

  func openSnapshot(_ request: SnapshotRequest) async throws -> Snapshot {
    Snapshot(id: "snap", commit: 1, expires: 0)
  }
  func renew(snapshot: String) async throws -> Snapshot {
    Snapshot(id: snapshot, commit: 1, expires: 4_100_000_000)
  }
  func release(snapshot: String) async throws { log.withLock { $0.released.append(snapshot) } }
  func end(session: String) async throws {}

  func statements() async throws -> [StatementEntry] { [] }
  func cancel(statement id: String) async throws -> Bool { false }

  /// A result that is there already.
  private final class Batches: RecordBatchReader {
    let schema: Schema
    private let rest: Mutex<ArraySlice<RecordBatch>>

    init(_ schema: Schema, _ batches: [RecordBatch]) {
      self.schema = schema
      rest = Mutex(batches[...])
    }

    func next() async throws -> RecordBatch? { rest.withLock { $0.popFirst() } }
    func cancel() async {}
  }

  /// A result whose second batch never comes.
  private final class Endless: RecordBatchReader {
    let schema = FakeService.numbers
    private let service: FakeService
    private let isFirst = Mutex(true)

    init(_ service: FakeService) { self.service = service }

    func next() async throws -> RecordBatch? {
      if isFirst.withLock({ isFirst in
        defer { isFirst = false }
        return isFirst
      }) {
        return try FakeService.batch(0..<1)
      }
      while true { try await Task.sleep(for: .seconds(60)) }
    }

    func cancel() async { service.log.withLock { $0.cancelledReaders += 1 } }
  }
}
