import MagicCore

/// Runs the statements that concern mutable tables.
struct MutableStatements {
  /// What became of a statement.
  enum Outcome {
    /// It is the engine's own business, byte for byte.
    case untouched
    /// The engine has to run this instead.
    case replaced(String)
    /// It is done, and has changed so many rows, when it is one that tells.
    case done(rows: Int?)
  }

  let engine: any Engine
  let tables: MutableTables

  /// The database of names without one.
  static let defaultDatabase = "default"

  func run(_ text: SQLText) async throws -> Outcome {
    guard text.hasSelraw else { return try await runPlain(text) }
    if text.word(0) == "CREATE", CreateHead(text)?.kind != .table {
      throw EngineError(
        message: "SELRAW reads what is stored at the moment, so no view can be made of it")
    }
    let plain = try await selectingRaw(text)
    let outcome = try await runPlain(SQLText(plain))
    if case .untouched = outcome { return .replaced(plain) }
    return outcome
  }

  private func runPlain(_ text: SQLText) async throws -> Outcome {
    if let setting = StatementSession.settings.first(where: text.mentions) {
      throw EngineError(
        message: "the setting \(setting) decides here what a statement sees, so it cannot be set")
    }
    let statement = try Statement.recognise(text)
    switch statement {
    case .insert(let insert): return try await run(insert)
    case .update(let update): return try await run(update)
    case .delete(let delete): return try await run(delete)
    case .describe, .showCreate, .check, .optimize: return try await show(statement)
    default: return try await declare(statement, text)
    }
  }

  // MARK: Names

  func reference(_ name: WrittenName) -> TableReference {
    TableReference(database: name.database ?? Self.defaultDatabase, table: name.table)
  }

  /// The mutable table that a name stands for.
  func table(_ name: WrittenName) -> MutableTable? { tables.table(reference(name)) }

  /// The mutable table that a statement changes.
  ///
  /// - Returns: nil when the name stands for something else.
  /// - Throws: ``EngineError`` when the table belongs to replication.
  func ownTable(_ name: WrittenName) throws -> MutableTable? {
    guard let table = table(name) else { return nil }
    try refuseReplicated(table, reference(name))
    return table
  }

  func refuseReplicated(_ table: MutableTable, _ name: TableReference) throws {
    if table.owner.kind == .replicated {
      throw EngineError(message: "\(name) belongs to replication, which alone may change it")
    }
  }

  /// Each name of a mutable table in a SELRAW query gives way to the SELECT of its stored rows.
  private func selectingRaw(_ text: SQLText) async throws -> String {
    var views: [TableReference: String] = [:]
    for (name, table) in tables.tables() { views[name] = await table.view.storedRows }
    return text.replacingSelraw { name in views[reference(name)].map { "(\($0))" } }
  }

  // MARK: Sessions

  /// Runs `body` on a session that sees the commit point of this moment.
  func withSession<Result: Sendable>(
    _ body: (StatementSession) async throws -> Result
  ) async throws -> Result {
    let session = try await StatementSession(engine: engine, registry: tables.storage.registry)
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

/// A session of the engine for one statement, which sees one commit point.
struct StatementSession: Sendable {
  let connection: any EngineConnection
  private let registry: ReaderRegistry
  private let pin: ReaderRegistry.Pin

  /// What users must not set: the commit point; whether reads of one table share a moment, which two
  /// reads that resolve a view before and after settling must not; whether masks count.
  static let settings = [
    MutableView.commitPointSetting, "enable_shared_storage_snapshot_in_query",
    "apply_deleted_mask",
  ]

  init(engine: any Engine, registry: ReaderRegistry) async throws {
    self.registry = registry
    pin = registry.enter()
    do {
      connection = try await engine.connect()
    } catch {
      registry.leave(pin)
      throw error
    }
    do {
      try await connection.execute(
        "SET \(Self.settings[0]) = \(pin.commit), \(Self.settings[1]) = 0")
    } catch {
      await close()
      throw error
    }
  }

  /// Lets go of the commit point: the session reads nothing of it any more.
  func leave() { registry.leave(pin) }

  func close() async {
    await connection.close()
    leave()
  }
}

extension EngineConnection {
  /// The engine refuses statements above 256 KiB unless it is told their length.
  func allowLength(of statement: String) async throws {
    if statement.utf8.count > 200 << 10 {
      try await execute("SET max_query_size = \(statement.utf8.count + (64 << 10))")
    }
  }
}

extension EngineError {
  /// The same error with a table's own name in the place of the storage's.
  func naming(_ table: TableReference, for storage: [String]) -> EngineError {
    var message = self.message
    for name in storage { message = message.replacing(name, with: "\(table)") }
    return EngineError(code: code, message: message)
  }
}
