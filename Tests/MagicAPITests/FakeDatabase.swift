import Arrow
import MagicCore
import Synchronization

/// A database whose statements do what the tests tell: `SELECT n` gives n batches of one row, `WAIT`
/// runs until it is cancelled, `FAIL` fails.
final class FakeDatabase: Database {
  struct State {
    var contexts: [StatementContext] = []
    var statements: [String] = []
    var cancelled = 0
    var pins = 0
    /// By their numbers.
    var lasting: [UInt64: (pin: CommitPin, note: String)] = [:]
    var commits = 0
    var rollbacks = 0
    var sessionsClosed = 0
    var written: [String] = []
  }

  let state = Mutex(State())

  private func note(_ statement: String, _ context: StatementContext) throws {
    state.withLock { state in
      state.statements.append(statement)
      state.contexts.append(context)
    }
    if statement == "FAIL" { throw EngineError(code: 62, message: "Syntax error") }
  }

  private func wait() async throws {
    do {
      try await Task.sleep(for: .seconds(3600))
    } catch {
      self.state.withLock { $0.cancelled += 1 }
      throw EngineError(code: 394, message: "Query was cancelled")
    }
  }

  func run(_ statement: String, format: String) async throws -> StatementResult {
    try await run(statement, format: format, context: StatementContext())
  }

  func run(
    _ statement: String, format: String, context: StatementContext
  ) async throws -> StatementResult {
    try note(statement, context)
    if statement == "WAIT" { try await wait() }
    let rest = Mutex(Int(statement.split(separator: " ").last ?? "") ?? 0)
    return StatementResult(
      format: format,
      next: {
        rest.withLock { rest in
          rest -= 1
          return rest >= 0 ? [1, 2, 3] : nil
        }
      },
      cancel: { self.state.withLock { $0.cancelled += 1 } })
  }

  func query(_ statement: String, context: StatementContext) async throws -> QueryResult {
    try note(statement, context)
    if statement == "WAIT" { try await wait() }
    let count = Int(statement.split(separator: " ").last ?? "") ?? 0
    return QueryResult(
      reader: FakeReader(count: count) {
        self.state.withLock { $0.cancelled += 1 }
      })
  }

  func execute(
    _ statement: String, parameterRows: any RecordBatchReader, context: StatementContext
  ) async throws -> Int? {
    try note(statement, context)
    return 7
  }

  func schema(of statement: String, context: StatementContext) async throws -> Schema? {
    try note(statement, context)
    if statement == "WAIT" { try await wait() }
    return FakeReader.schema
  }

  func inspect(
    _ statement: String, parameters: [String: String], thoroughly: Bool
  ) throws -> StatementInspection {
    let verb = String(statement.split(separator: " ").first ?? "")
    let kind: StatementInspection.Kind =
      switch verb {
      case "INSERT": .write
      case "CREATE", "DROP": .declare
      case "SYSTEM": .administer
      default: .read
      }
    return StatementInspection(kind: kind, verb: verb, pattern: verb)
  }

  private struct FakeSession: DatabaseSession {
    let fake: FakeDatabase
    let database = "default"
    func close() async { fake.state.withLock { $0.sessionsClosed += 1 } }
  }

  func openSession() async throws -> any DatabaseSession { FakeSession(fake: self) }

  var published: CommitPoint { CommitPoint(commit: 5) }

  func snapshot(of tables: Set<TableReference>?) async throws -> CommitPin {
    state.withLock { $0.pins += 1 }
    return CommitPin(CommitPoint(commit: 5), tables: tables, isSnapshot: true) { [weak self] in
      self?.state.withLock { $0.pins -= 1 }
    }
  }

  func lastingSnapshot(of table: TableReference, note: String) async throws -> CommitPin {
    state.withLock { state in
      let number = UInt64(state.lasting.count + 1)
      let pin = CommitPin(
        CommitPoint(commit: 5), tables: [table], isSnapshot: true, lasting: number
      ) {}
      state.lasting[number] = (pin, note)
      return pin
    }
  }

  var lastingSnapshots: [(pin: CommitPin, note: String)] {
    state.withLock { Array($0.lasting.values) }
  }

  func note(_ note: String, ofLasting number: UInt64) async throws {
    state.withLock { $0.lasting[number]?.note = note }
  }

  func forget(lasting number: UInt64) async throws {
    state.withLock { $0.lasting[number] = nil }
  }

  private struct FakeTransaction: Transaction {
    let database: FakeDatabase
    func beginPart() async throws -> any Transaction { self }
    func commit(_ terms: CommitTerms) async throws -> UInt64 {
      database.state.withLock { $0.commits += 1 + terms.parts.count }
      return 6
    }
    func rollback() async { database.state.withLock { $0.rollbacks += 1 } }
  }

  func begin() async throws -> any Transaction { FakeTransaction(database: self) }

  func write(_ request: WriteRequest, rows: any RecordBatchReader) async throws -> Int {
    var count = 0
    while let batch = try await rows.next() { count += batch.rowCount }
    state.withLock { $0.written.append("\(request.action) \(request.table) \(count)") }
    return count
  }

  func tables(matching filter: TableSelection) async throws -> [TableEntry] { [] }

  func split(
    _ table: TableReference, into count: Int, at commitPoint: CommitPin?
  ) async throws -> [KeyRange] {
    [KeyRange(key: ["id"], upper: ["10"]), KeyRange(key: ["id"], lower: ["10"])]
  }
}

/// Some batches of one row.
final class FakeReader: RecordBatchReader {
  static let schema = Schema(fields: [Field(name: "a", type: .int64, isNullable: false)])

  let schema: Schema = FakeReader.schema
  private let rest: Mutex<Int>
  private let onCancel: @Sendable () -> Void

  init(count: Int, onCancel: @escaping @Sendable () -> Void = {}) {
    rest = Mutex(count)
    self.onCancel = onCancel
  }

  func next() async throws -> RecordBatch? {
    let isLeft = rest.withLock { rest in
      rest -= 1
      return rest >= 0
    }
    guard isLeft else { return nil }
    let builder = PrimitiveBuilder<Int64>(type: .int64)
    builder.append(1)
    return try RecordBatch(schema: schema, columns: [builder.finish()], rowCount: 1)
  }

  func cancel() async { onCancel() }
}
