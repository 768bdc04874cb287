import MagicCore

/// What one statement runs in: its context, and how it gets the sessions that it needs.
struct StatementScope: Sendable {
  let engine: any Engine
  let registry: ReaderRegistry
  private(set) var context: StatementContext
  /// The rows that the statement reads from outside of its text.
  var input: InputFile?
  /// The kept session that the statement has to itself; nil when it has sessions of its own.
  let kept: KeptSession.Use?

  init(engine: any Engine, registry: ReaderRegistry, context: StatementContext) throws {
    self.engine = engine
    self.registry = registry
    self.context = context
    if let session = context.session {
      guard let session = session as? KeptSession else {
        throw EngineError(message: "the session belongs to another database")
      }
      kept = try session.use()
    } else {
      kept = nil
    }
    if let setting = StatementSession.settings.first(where: { context.settings[$0] != nil }) {
      throw StatementSession.refusal(of: setting)
    }
  }

  /// The database of names without one.
  var database: String { Self.database(of: context) }

  /// The database of names without one. A context that says nothing else means the session's own.
  static func database(of context: StatementContext) -> String {
    guard let session = context.session as? KeptSession,
      context.database == StatementContext().database
    else { return context.database }
    return session.database
  }

  /// Refuses a statement that changes something when this one may only read, or reads what is not
  /// any more.
  ///
  /// - Throws: ``EngineError``, like the engine's own.
  func requireChange(_ verb: String) throws {
    if context.isReadOnly {
      throw EngineError(code: 164, message: "\(verb): the statement may only read")
    }
    if context.commitPoint != nil {
      throw EngineError(
        code: 164,
        message: "\(verb): a statement that reads an earlier commit point can change nothing")
    }
  }

  /// The same without the kept session and without a transaction, for what runs later.
  func detached() async throws -> StatementScope {
    var context = context
    context.database = database
    if let kept { context.settings = try await kept.settings().merging(context.settings) { $1 } }
    context.session = nil
    context.transaction = nil
    return try StatementScope(engine: engine, registry: registry, context: context)
  }

  /// The same for a statement that takes effect whatever becomes of the transaction.
  func outsideTransaction() -> StatementScope {
    var scope = self
    scope.context.transaction = nil
    return scope
  }

  /// The same for a statement of the layer that reads another commit point.
  func reading(at commitPoint: CommitPin?) -> StatementScope {
    var scope = self
    scope.context.commitPoint = commitPoint
    return scope
  }

  /// The same for a DESCRIBE of the layer, which gives a row for each column and nothing else.
  func describingColumns() -> StatementScope {
    var scope = self
    scope.context.settings["describe_compact_output"] = "0"
    scope.context.settings["describe_include_subcolumns"] = "0"
    scope.context.settings["describe_include_virtual_columns"] = "0"
    return scope
  }

  /// A session that sees the statement's commit point, else that of this moment.
  func openSession() async throws -> StatementSession { try await StatementSession(self) }

  /// A session that may read files, for a statement of the layer that formats rows which `session`
  /// gave. A session that may only read is closed.
  func sessionForWriting(instead session: StatementSession) async throws -> StatementSession {
    guard context.isReadOnly else { return session }
    await session.close()
    var scope = self
    scope.context.isReadOnly = false
    return try await scope.openSession()
  }

  /// Runs `body` so that closing the kept session ends it.
  func endingWithSession<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    guard let kept else { return try await body() }
    let task = Task { try await body() }
    kept.onClose {
      task.cancel()
      _ = await task.result
    }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Runs `body` on a session of its own.
  func withSession<Result: Sendable>(
    _ body: (StatementSession) async throws -> Result
  ) async throws -> Result {
    let session = try await openSession()
    do {
      let result = try await body(session)
      await session.close()
      return result
    } catch {
      await session.close()
      throw error
    }
  }
}
