import Arrow
import Foundation
import MagicCore

/// Runs user statements in the engine and streams their results in any of its formats, or as record
/// batches.
///
/// Unless its context names a session, every statement has one of its own, so what `SET` and `USE`
/// change does not outlive it. It sees one commit point from its beginning to its end.
public struct StatementPath: Database {
  let engine: ClickHouseEngine
  let tables: MutableTables
  let parser: StatementParser

  /// Runs statements in `engine`, which holds `tables`.
  public init(engine: ClickHouseEngine, tables: MutableTables) {
    self.engine = engine
    self.tables = tables
    parser = StatementParser(engine: engine)
  }

  public func run(_ statement: String, format: String) async throws -> StatementResult {
    try await run(statement, format: format, context: StatementContext())
  }

  public func run(
    _ statement: String, format: String, context: StatementContext
  ) async throws -> StatementResult {
    try await perform(statement, context) { rows in
      empty(format: format, changedRows: rows)
    } inEngine: { text, scope in
      try await run(text, format: format, scope)
    }
  }

  public func query(_ statement: String, context: StatementContext) async throws -> QueryResult {
    try await perform(statement, context) { rows in
      QueryResult(reader: EmptyReader(), changedRows: rows)
    } inEngine: { text, scope in
      try await query(text, scope)
    }
  }

  /// Does what the mutable layer has to do of a statement, and the rest in the engine.
  ///
  /// - Parameter whenDone: makes the result of a statement of which nothing is left, from the number of
  ///   rows that it changed.
  private func perform<Result: Sendable>(
    _ statement: String, _ context: StatementContext,
    whenDone: @escaping @Sendable (_ rows: Int?) -> Result,
    inEngine: @escaping @Sendable (StatementText, StatementScope) async throws -> Result
  ) async throws -> Result {
    let scope = try scope(fixing(entering(context), for: statement))
    return try await Fencing.$current.withValue(context.fencing) {
      try await scope.endingWithSession {
        try await findingTables(scope) {
          switch try await prepare(statement, scope) {
          case .done(let rows):
            scope.kept?.end()
            return whenDone(rows)
          case .engine(let text): return try await inEngine(text, scope)
          }
        }
      }
    }
  }

  public func openSession() async throws -> any DatabaseSession {
    KeptSession(connection: try await engine.connect())
  }

  /// Keeps the newest published state readable for statements of the layer's own.
  func pin() -> CommitPin {
    let registry = tables.storage.registry
    let pin = registry.enter()
    return CommitPin(pin.point) { registry.leave(pin) }
  }

  public var published: CommitPoint { tables.storage.registry.published }

  public func snapshot(of names: Set<TableReference>?) async throws -> CommitPin {
    let registry = tables.storage.registry
    let pin = try await tables.storage.pinning.withLatch {
      let owners = try names.map { names in
        Set(
          try names.map { name in
            guard let table = tables.table(name) else { throw Self.noMutableTable(name) }
            return table.owner
          })
      }
      return registry.pin(owners)
    }
    return CommitPin(pin.point, tables: names, isSnapshot: true, number: pin.id) {
      registry.leave(pin)
    }
  }

  public func lastingSnapshot(of name: TableReference, note: String) async throws -> CommitPin {
    guard let table = tables.table(name) else { throw Self.noMutableTable(name) }
    return try await tables.keep(table, note: note)
  }

  public var lastingSnapshots: [(pin: CommitPin, note: String)] { tables.kept }

  public func note(_ note: String, ofLasting number: UInt64) async throws {
    try await tables.note(note, ofKept: number)
  }

  public func forget(lasting number: UInt64) async throws {
    try await tables.forget(kept: number)
  }

  private static func noMutableTable(_ name: TableReference) -> EngineError {
    EngineError(
      code: 60, message: "\(name) is no mutable table, and only those can be read as they were")
  }

  /// Has a statement at a snapshot enter by itself, so that what it reads stays whatever becomes of the
  /// snapshot.
  func entering(_ context: StatementContext) -> StatementContext {
    guard let snapshot = context.commitPoint, snapshot.isSnapshot else { return context }
    let registry = tables.storage.registry
    let pin = registry.enter(at: snapshot.point, isAtSnapshot: true)
    var context = context
    context.commitPoint = CommitPin(
      snapshot.point, tables: snapshot.tables, isSnapshot: true, lasting: snapshot.lasting,
      whenFound: { registry.noteFound(pin) }, release: { registry.leave(pin) })
    return context
  }

  /// Runs a statement again that found a table missing at a snapshot, because it was dropped in between.
  func findingTables<Result: Sendable>(
    _ scope: StatementScope, _ body: () async throws -> Result
  ) async throws -> Result {
    guard scope.context.commitPoint?.isSnapshot == true, scope.kept == nil else {
      return try await body()
    }
    for _ in 0..<10 {
      let revision = tables.storage.past.revision
      do {
        return try await body()
      } catch let error as EngineError {
        if tables.storage.past.revision == revision { throw error }
      }
    }
    return try await body()
  }

  func scope(_ context: StatementContext) throws -> StatementScope {
    try StatementScope(engine: engine, registry: tables.storage.registry, context: context)
  }

  func mutable(_ scope: StatementScope) -> MutableStatements {
    MutableStatements(tables: tables, scope: scope)
  }

  // MARK: What is to be run

  /// What is left of a statement for the engine.
  private enum Prepared {
    case done(rows: Int?)
    case engine(StatementText)
  }

  /// Does what the mutable layer has to do.
  private func prepare(_ statement: String, _ scope: StatementScope) async throws -> Prepared {
    var sql = SQLText(statement)
    sql = try sql.binding(scope.context.positionalParameters) ?? sql
    try refuseStorage(StatementText(sql))
    let text = try StatementText(try await asItWas(sql, scope))
    if let input = scope.context.input { return try await prepare(text, with: input, scope) }
    return try await prepare(text, scope)
  }

  /// A statement at a snapshot with the names of what tables were then.
  func asItWas(_ sql: SQLText, _ scope: StatementScope) async throws -> SQLText {
    guard let pin = scope.context.commitPoint, pin.isSnapshot else { return sql }
    let kept = scope.kept
    let reading = PastReading(tables: tables, parser: parser, pin: pin) {
      try await kept?.hasTemporaryTable($0) ?? false
    }
    return try await reading.replacingNames(
      in: sql, database: scope.database, parameters: scope.context.parameters
    ).map { SQLText($0) } ?? sql
  }

  private func prepare(
    _ text: StatementText, with input: StatementInput, _ scope: StatementScope
  ) async throws -> Prepared {
    if let insert = InputInsert(text.sql) {
      return .done(rows: try await run(insert, input, scope))
    }
    // A program may always send an input, and leave it empty.
    while let chunk = try await input.next() {
      if !chunk.isEmpty {
        throw EngineError(message: "only an INSERT with VALUES or FORMAT takes rows from outside")
      }
    }
    return try await prepare(text, scope)
  }

  private func prepare(_ text: StatementText, _ scope: StatementScope) async throws -> Prepared {
    if text.sql.word(0) == "USE", text.usedDatabase == nil {
      throw EngineError(code: 62, message: "USE takes the name of a database, and no parameter")
    }
    // The engine lets a session that may only read end the statements of others.
    if text.sql.word(0) == "KILL" { try scope.requireChange("KILL") }
    if scope.kept != nil, text.sql.word(0) == "SET", text.sql.mentions("readonly") {
      throw EngineError(
        message: "readonly cannot be set for a session, which could not be used any more")
    }
    switch try await mutable(scope).run(text.sql) {
    case .untouched: return .engine(text)
    case .replaced(let other): return .engine(try StatementText(SQLText(other)))
    case .done(let rows): return .done(rows: rows)
    }
  }

  /// The storage of mutable tables belongs to the layer: nobody else changes it.
  private func refuseStorage(_ text: StatementText) throws {
    if text.kind == .command, text.sql.namesDatabase(where: StorageName.isStorage) {
      throw EngineError(
        message: "\(StorageName.database) holds the storage of mutable tables, which nobody else "
          + "may change")
    }
  }

  // MARK: Formatted results

  private func run(
    _ text: StatementText, format: String, _ scope: StatementScope
  ) async throws -> StatementResult {
    let format = text.format ?? format
    guard !format.isEmpty, format.utf8.allSatisfy(isLetterDigitOrUnderscore) else {
      throw EngineError(message: "\(format) is not the name of an output format")
    }
    do {
      return try await run(text, as: text.kind, format: format, scope)
    } catch let error as EngineError where error.code == Self.syntaxError && text.kind == .select {
      // The engine's text is about the statement with our clause in it. Without the clause it tells
      // what is wrong with the user's own, or it was the clause that did not fit.
      return try await run(text, as: .information, format: format, scope)
    }
  }

  /// The engine's code for a statement that it cannot parse.
  private static let syntaxError = 62

  private func run(
    _ text: StatementText, as kind: StatementText.Kind, format: String, _ scope: StatementScope
  ) async throws -> StatementResult {
    let session = try await scope.openSession()
    do {
      switch kind {
      case .select:
        try await session.allowLength(of: text.text)
        return try await stream(on: session, scope, format: format) { clause in
          text.replacingFormat(with: clause)
        }
      case .information:
        return try await runInformation(text.text, on: session, scope, format: format)
      case .command:
        let rows = try await execute(text, on: session, scope)
        await session.close()
        scope.kept?.end()
        return empty(format: format, changedRows: rows)
      }
    } catch {
      await session.close()
      throw error
    }
  }

  private func execute(
    _ text: StatementText, on session: StatementSession, _ scope: StatementScope
  ) async throws -> Int? {
    try await session.allowLength(of: text.text)
    // What USE changes is the session's, also when the statement may only read.
    let database = text.usedDatabase
    let connection = database == nil ? session.connection : scope.kept?.connection
    let rows = try await fenced(context: scope.context) {
      try await (connection ?? session.connection).execute(text.text)
    }
    if let database { scope.kept?.setDatabase(database) }
    return rows
  }

  /// Runs what the engine changes by itself, while nobody else can hold the latch of it.
  func fenced<Result: Sendable>(
    context: StatementContext, _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    guard let fencing = context.fencing else { return try await body() }
    return try await fencing.entered(body)
  }

  private func empty(format: String, changedRows: Int? = nil) -> StatementResult {
    StatementResult(format: format, changedRows: changedRows, next: { nil }, cancel: {})
  }

  /// Runs a statement such as SHOW, whose rows the engine does not write to a file: they are read
  /// as Arrow data, which a SELECT then writes.
  private func runInformation(
    _ sql: String, on session: StatementSession, _ scope: StatementScope, format: String
  ) async throws -> StatementResult {
    try await session.allowLength(of: sql)
    let reader = try await session.connection.query(sql)
    let file = try UnnamedFile()
    let schema = reader.schema.withoutNullTypes
    var writer = StreamWriter(schema: schema)
    var bytes: [UInt8] = []
    writer.writeSchema(to: &bytes)
    while let batch = try await reader.next() {
      try writer.write(try batch.withoutNullTypes(schema), to: &bytes)
      try file.write(bytes)
      bytes.removeAll(keepingCapacity: true)
    }
    if reader.schema.fields.isEmpty {
      await session.close()
      scope.kept?.end()
      return empty(format: format)
    }
    writer.writeEnd(to: &bytes)
    try file.write(bytes)
    let writing = try await scope.sessionForWriting(instead: session)
    return try await stream(on: writing, scope, format: format) { [file] clause in
      "SELECT * FROM file('\(file.path)', 'ArrowStream') \(clause) "
        + "SETTINGS schema_inference_make_columns_nullable = 0"
    }
  }

  /// Runs a statement that writes its result into a pipe.
  private func stream(
    on session: StatementSession, _ scope: StatementScope, format: String,
    statement: @escaping @Sendable (_ clause: String) -> String
  ) async throws -> StatementResult {
    let pipe = try ResultPipe()
    let outfile = "INTO OUTFILE '\(pipe.writePath)' TRUNCATE "
    let sql = statement(outfile + "FORMAT \(format)")
    let execution = Task.detached {
      let outcome: Result<Void, any Error>
      do {
        // The closure is kept until the end, because it holds what the statement reads.
        _ = try await session.connection.execute(sql)
        outcome = .success(())
      } catch let error as EngineError {
        outcome = .failure(error.leavingOut(outfile))
      } catch {
        outcome = .failure(error)
      }
      await session.close()
      scope.kept?.end()
      pipe.closeWriteEnd()
      withExtendedLifetime(statement) {}
      return try outcome.get()
    }
    let run = RunningStatement(pipe: pipe, execution: execution)
    scope.kept?.onClose { [weak run] in await run?.cancel() }
    try await run.readFirst()
    scope.context.commitPoint?.noteFound()
    return StatementResult(
      format: format, commitPoint: session.point, next: { try await run.next() },
      cancel: { await run.cancel() })
  }

  // MARK: Record batches

  private func query(_ text: StatementText, _ scope: StatementScope) async throws -> QueryResult {
    let session = try await scope.openSession()
    do {
      guard text.givesRows else {
        let rows = try await execute(text, on: session, scope)
        await session.close()
        scope.kept?.end()
        return QueryResult(reader: EmptyReader(), changedRows: rows)
      }
      let sql = text.withoutFormat
      try await session.allowLength(of: sql)
      let reader = try await session.connection.query(sql)
      scope.context.commitPoint?.noteFound()
      let result = SessionReader(reader, session: session, scope: scope)
      scope.kept?.onClose { await reader.cancel() }
      return QueryResult(
        reader: scope.wantsBinaryTexts ? BinaryTextReader(result) : result,
        commitPoint: session.point)
    } catch {
      await session.close()
      throw error
    }
  }
}

extension EngineError {
  /// The same error without the words that were put into the statement.
  fileprivate func leavingOut(_ words: String) -> EngineError {
    EngineError(code: code, message: message.replacingOccurrences(of: words, with: ""))
  }
}
