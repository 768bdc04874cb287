import Arrow
import MagicCore
import Threads

/// A session of the embedded engine, on a thread of its own.
///
/// A statement whose task is cancelled is ended in the engine.
public actor ClickHouseConnection: EngineConnection {
  private let executor = ThreadExecutor(name: "magic-engine")
  private lazy var threadID = currentThreadID()
  private let database: DatabaseHandle
  private let killer: QueryKiller?
  private let onClose: @Sendable () -> Void
  private var session: SessionHandle?
  private var isClosed = false
  private var openResult: OpenResult?

  /// The connection's own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// `onClose` is called once, when the session is gone.
  init(
    database: DatabaseHandle, killer: QueryKiller?, onClose: @escaping @Sendable () -> Void
  ) {
    self.database = database
    self.killer = killer
    self.onClose = onClose
  }

  isolated deinit { endSession() }

  /// Opens the session now instead of with the first statement.
  func open() throws { _ = try openSession() }

  @discardableResult
  public func execute(_ sql: String) async throws -> Int? {
    try await run { statement in
      try statement.setQuery(sql)
      return try statement.executeUpdate()
    }
  }

  public func query(_ sql: String) async throws -> any RecordBatchReader {
    let statement = try newStatement()
    let run = StatementRun(threadID: threadID, killer: killer)
    do {
      let stream = try await cancellable(run) {
        try statement.setQuery(sql)
        return try statement.executeQuery()
      }
      openResult = OpenResult(run: run, stream: stream, statement: statement)
      return ResultReader(schema: stream.schema, run: run, connection: self)
    } catch {
      run.end()
      throw error
    }
  }

  public func ingest(_ batch: RecordBatch, into table: TableReference) async throws {
    if batch.rowCount == 0 { return }
    let columns = try await columns(of: table)
    let adapted = try IngestPlan(schema: batch.schema, table: table, columns: columns).adapt(batch)
    _ = try await run { statement in
      try statement.setOption("adbc.ingest.target_table", table.table)
      try statement.setOption("adbc.ingest.target_db_schema", table.database)
      try statement.setOption("adbc.ingest.mode", "adbc.ingest.mode.append")
      var remaining: RecordBatch? = adapted
      return try withExportedStream(
        schema: adapted.schema,
        next: {
          defer { remaining = nil }
          return remaining
        },
        { stream in
          try statement.bind(stream)
          return try statement.executeUpdate()
        })
    }
  }

  public func close() async { endSession() }

  /// The next batch of the open result; ends it when there is none.
  fileprivate func next(of run: StatementRun) async throws -> RecordBatch? {
    guard let result = openResult, result.run === run else {
      if run.wasCancelled { throw EngineError.cancelled }
      return nil
    }
    do {
      let batch = try await cancellable(run) { try result.stream?.nextBatch() }
      if batch == nil { endResult(of: run) }
      return batch
    } catch {
      endResult(of: run)
      throw error
    }
  }

  /// Gives up the result, if it is still open. Releasing its stream ends it in the engine.
  fileprivate func endResult(of run: StatementRun) {
    guard let result = openResult, result.run === run else { return }
    openResult = nil
    result.close()
  }

  private func endSession() {
    if isClosed { return }
    isClosed = true
    openResult?.close()
    openResult = nil
    session = nil
    onClose()
  }

  private func openSession() throws -> SessionHandle {
    if isClosed { throw EngineError(message: "the connection is closed") }
    if let session { return session }
    let session = try SessionHandle(database: database)
    self.session = session
    return session
  }

  private func newStatement() throws -> StatementHandle {
    if let openResult {
      // Its reader may be gone already, and its end be on its way to this thread.
      guard openResult.run.wasCancelled else {
        throw EngineError(message: "the connection still streams the result of another statement")
      }
      endResult(of: openResult.run)
    }
    return try openSession().statement()
  }

  /// Runs a statement to its end.
  private func run<Result>(_ body: (StatementHandle) throws -> Result) async throws -> Result {
    let statement = try newStatement()
    let run = StatementRun(threadID: threadID, killer: killer)
    defer { run.end() }
    return try await cancellable(run) { try body(statement) }
  }

  /// The columns that a row of the table is inserted with.
  private func columns(of table: TableReference) async throws -> [TableColumn] {
    let sql = """
      SELECT name, type FROM system.columns \
      WHERE database = \(quotedString(table.database)) AND table = \(quotedString(table.table)) \
      AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position
      """
    return try await texts(sql).map { TableColumn(name: $0[0], type: $0[1]) }
  }

  /// Makes a call that blocks, and ends the statement when the task is cancelled meanwhile.
  private func cancellable<Result>(
    _ run: StatementRun, _ body: () throws -> Result
  ) async throws -> Result {
    try await withTaskCancellationHandler {
      // A call of a method of this actor: it keeps the closure on the connection's thread.
      try unlessCancelled(body)
    } onCancel: {
      run.cancel()
    }
  }

  private func unlessCancelled<Result>(_ body: () throws -> Result) throws -> Result {
    if Task.isCancelled { throw EngineError.cancelled }
    return try body()
  }
}

/// A result whose stream is open, which keeps its connection busy.
private final class OpenResult {
  let run: StatementRun
  private(set) var stream: ImportedStream?
  private var statement: StatementHandle?

  init(run: StatementRun, stream: ImportedStream, statement: StatementHandle) {
    self.run = run
    self.stream = stream
    self.statement = statement
  }

  /// Releases the stream, which ends the statement, before the statement itself.
  func close() {
    stream = nil
    statement = nil
    run.end()
  }
}

/// Reads a result through its connection's thread.
private final class ResultReader: RecordBatchReader {
  let schema: Schema
  private let run: StatementRun
  private let connection: ClickHouseConnection

  init(schema: Schema, run: StatementRun, connection: ClickHouseConnection) {
    self.schema = schema
    self.run = run
    self.connection = connection
  }

  deinit {
    run.cancel()
    Task.detached { [run, connection] in await connection.endResult(of: run) }
  }

  func next() async throws -> RecordBatch? { try await connection.next(of: run) }

  func cancel() async {
    run.cancel()
    await connection.endResult(of: run)
  }
}
