import MagicCore

/// A session of the engine as a statement's context says, which sees one commit point.
struct StatementSession: Sendable {
  let connection: any EngineConnection
  /// The kept session that lends the connection.
  private let kept: KeptSession.Use?
  private let registry: ReaderRegistry
  /// The session's own hold on its commit point; nil when the context has one.
  private let pin: ReaderRegistry.Pin?
  /// What the statement sees.
  let point: CommitPoint
  private let context: StatementContext

  /// What users must not set: the commit point; whether reads of one table share a moment, which two
  /// reads that resolve a view before and after settling must not; whether masks count.
  static let settings = [
    MutableView.commitPointSetting, "enable_shared_storage_snapshot_in_query",
    CommitPointFunctions.gtidSetting, "apply_deleted_mask",
  ]

  static func refusal(of setting: String) -> EngineError {
    EngineError(
      message: "the setting \(setting) decides here what a statement sees, so it cannot be set")
  }

  init(_ scope: StatementScope) async throws {
    registry = scope.registry
    context = scope.context
    if let commitPoint = context.commitPoint {
      pin = nil
      point = commitPoint.point
    } else {
      let entered = registry.enter()
      pin = entered
      point = entered.point
    }
    // What is set for reading only cannot be taken back, so a kept connection would stay so.
    kept = context.isReadOnly ? nil : scope.kept
    do {
      connection = if let kept { kept.connection } else { try await scope.engine.connect() }
    } catch {
      if let pin { registry.leave(pin) }
      throw error
    }
    do {
      try await prepare(scope)
    } catch {
      await close()
      throw error
    }
  }

  /// Everything that the statement runs with goes into one SET.
  private func prepare(_ scope: StatementScope) async throws {
    var settings = context.settings
    if context.isReadOnly {
      if let kept = scope.kept {
        settings = try await kept.settings().merging(settings) { $1 }
      }
      settings["readonly"] = nil
    }
    if let kept {
      try await kept.lend(settings)
    } else if scope.database != StatementContext().database {
      try await connection.execute("USE \(quotedIdentifier(scope.database))")
    }
    if let kept, scope.database != kept.database {
      try await kept.lend(database: scope.database)
    }
    var changes = settings.sorted { $0.key < $1.key }.map {
      "\(quotedIdentifier($0.key)) = \(quotedString($0.value))"
    }
    changes += context.parameters.sorted { $0.key < $1.key }.map {
      "\(quotedIdentifier("param_" + $0.key)) = \(quotedString($0.value))"
    }
    changes += ["\(Self.settings[0]) = \(point.commit)", "\(Self.settings[1]) = 0"]
    changes.append("\(Self.settings[2]) = \(quotedString(point.gtids ?? ""))")
    if context.isReadOnly {
      // What cannot be set any more when the statement is known.
      if settings["max_query_size"] == nil { changes.append("max_query_size = \(128 << 20)") }
      changes.append("readonly = 1")
    }
    try await connection.execute("SET " + changes.joined(separator: ", "))
  }

  /// Whether the connection outlives the statement.
  var isKept: Bool { kept != nil }

  /// Sets what the layer needs for a statement of the user.
  func set(_ settings: [String: String]) async throws {
    try await kept?.lend(settings)
    let changes = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
    try await connection.execute("SET " + changes.joined(separator: ", "))
  }

  /// Gives up the settings of the user's statement, before the layer's own ones follow on the same
  /// connection: some of them would change what those do.
  func forgetSettings() async throws {
    guard !context.settings.isEmpty else { return }
    let changes = context.settings.keys.sorted().map { "\(quotedIdentifier($0)) = DEFAULT" }
    try await connection.execute("SET " + changes.joined(separator: ", "))
  }

  /// The engine refuses statements above 256 KiB unless it is told their length.
  func allowLength(of statement: String) async throws {
    if !context.isReadOnly, statement.utf8.count > 200 << 10 {
      try await set(["max_query_size": "\(statement.utf8.count + (64 << 10))"])
    }
  }

  /// Lets go of the commit point: the session reads nothing of it any more.
  func leave() {
    if let pin { registry.leave(pin) }
  }

  func close() async {
    if let kept {
      await kept.restore()
    } else {
      await connection.close()
    }
    leave()
  }
}
