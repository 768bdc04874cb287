import MagicCore
import Synchronization

/// A connection that is kept between the statements of one user, who runs them one after another.
final class KeptSession: DatabaseSession {
  private struct State {
    var isInUse = false
    var isClosed = false
    var database = StatementContext().database
    /// Ends the statement that runs.
    var cancel: (@Sendable () async -> Void)?
  }

  fileprivate let connection: any EngineConnection
  private let state = Mutex(State())

  init(connection: any EngineConnection) { self.connection = connection }

  /// The current database.
  var database: String { state.withLock { $0.database } }

  /// Has the session for one statement.
  ///
  /// - Throws: ``EngineError`` when another statement has it, as ClickHouse says it.
  func use() throws -> Use {
    try state.withLock { state in
      if state.isClosed { throw EngineError(code: 372, message: "the session is closed") }
      if state.isInUse {
        throw EngineError(
          code: 373, message: "the session is locked by a statement that still runs")
      }
      state.isInUse = true
    }
    return Use(self)
  }

  func close() async {
    let cancel = state.withLock { state in
      state.isClosed = true
      return state.cancel
    }
    await cancel?()
    await connection.close()
  }

  /// The hold of one statement on the session; it ends with ``end()``, or when it is dropped.
  final class Use: Sendable {
    private struct Lent {
      var hasEnded = false
      /// What the settings were before; nil for a default.
      var settings: [String: String?] = [:]
      var database: String?
    }

    private let session: KeptSession
    private let lent = Mutex(Lent())

    fileprivate init(_ session: KeptSession) { self.session = session }

    deinit { end() }

    var connection: any EngineConnection { session.connection }

    var database: String { session.database }

    /// Takes note of what `USE` has changed.
    func setDatabase(_ name: String) { session.state.withLock { $0.database = name } }

    /// Tells how ``KeptSession/close()`` ends the statement.
    func onClose(_ cancel: @escaping @Sendable () async -> Void) {
      session.state.withLock { $0.cancel = cancel }
    }

    /// The settings that the session has changed.
    func settings() async throws -> [String: String] {
      let rows = try await connection.texts(
        "SELECT name, value FROM system.settings WHERE changed "
          + "AND name NOT IN (\(StatementSession.settings.map(quotedString).joined(separator: ", ")))"
      )
      return Dictionary(rows.map { ($0[0], $0[1]) }) { $1 }
    }

    /// Whether the session has a temporary table of that name.
    func hasTemporaryTable(_ name: String) async throws -> Bool {
      try await connection.texts(
        "SELECT name FROM system.tables WHERE is_temporary AND name = \(quotedString(name))"
      ).isEmpty == false
    }

    /// Takes note of what some settings are, because they are about to be changed for the statement.
    func lend(_ settings: [String: String]) async throws {
      let names = lent.withLock { lent in
        settings.keys.filter { lent.settings[$0] == nil }.sorted()
      }
      guard !names.isEmpty else { return }
      let rows = try await connection.texts(
        "SELECT name, value, toString(changed) FROM system.settings "
          + "WHERE name IN (\(names.map(quotedString).joined(separator: ", ")))")
      lent.withLock { lent in
        for row in rows { lent.settings[row[0]] = .some(row[2] == "0" ? nil : row[1]) }
      }
    }

    /// Makes another database the current one for the statement.
    func lend(database: String) async throws {
      try await connection.execute("USE \(quotedIdentifier(database))")
      lent.withLock { $0.database = database }
    }

    /// Puts back what was changed for the statement only.
    func restore() async {
      let before = lent.withLock { lent in
        defer { (lent.settings, lent.database) = ([:], nil) }
        return lent
      }
      var statements: [String] = []
      if !before.settings.isEmpty {
        let changes = before.settings.sorted { $0.key < $1.key }.map { name, value in
          "\(quotedIdentifier(name)) = \(value.map(quotedString) ?? "DEFAULT")"
        }
        statements.append("SET " + changes.joined(separator: ", "))
      }
      if before.database != nil { statements.append("USE \(quotedIdentifier(database))") }
      guard !statements.isEmpty else { return }
      // Also when the statement's task is cancelled.
      await Task { [connection, session] in
        do {
          for statement in statements { try await connection.execute(statement) }
        } catch {
          // It is not what its owner left any more.
          session.state.withLock { $0.isClosed = true }
        }
      }.value
    }

    /// Gives the session to the next statement; idempotent.
    func end() {
      let isFirst = lent.withLock { lent in
        defer { lent.hasEnded = true }
        return !lent.hasEnded
      }
      guard isFirst else { return }
      session.state.withLock { ($0.isInUse, $0.cancel) = (false, nil) }
    }
  }
}
