import MagicCore

/// What one statement asks of a caller who is no admin.
struct StatementCheck {
  let inspection: StatementInspection
  let caller: Caller
  let bounds: [String: Int]

  /// - Throws: ``APIError`` when the caller may not run the statement.
  func run() throws(APIError) {
    switch inspection.kind {
    case .read, .session: break
    case .kill where inspection.killedStatement != nil: return
    case .write, .declare:
      guard caller.role >= .writer else {
        throw caller.forbidden("run \(inspection.verb)")
      }
    case .kill, .administer:
      guard Self.verbs.contains(inspection.verb) else {
        throw APIError(
          .invalid, "Syntax error: no statement begins like this one", engineCode: 62)
      }
      throw caller.forbidden("run this statement; an admin may")
    }
    if let parameter = inspection.missingParameters.min() {
      throw APIError(.invalid, "give a value for the parameter \(parameter)", engineCode: 456)
    }
    for name in inspection.sources { try checkSource(name, caller) }
    if inspection.verb == "USE",
      let name = inspection.sources.first(where: { SystemTables.belongsToEngine($0.database ?? "") }
      )
    {
      throw caller.forbidden("work in the database \(name.database ?? "")")
    }
    for name in inspection.targets { try checkTarget(name, caller) }
    for setting in inspection.settings { try checkSetting(setting, isInText: true) }
    try checkDoors()
    try checkNames()
  }

  /// What statements begin with.
  private static let verbs: Set<String> = [
    "ALTER", "ATTACH", "BACKUP", "BEGIN", "CHECK", "COMMIT", "COPY", "CREATE", "DELETE", "DESC",
    "DESCRIBE", "DETACH", "DROP", "EXCHANGE", "EXECUTE", "EXISTS", "EXPLAIN", "FROM", "GRANT",
    "IMPORT", "INSERT", "KILL", "MOVE", "OPTIMIZE", "RENAME", "REPLACE", "RESTORE", "REVOKE",
    "ROLLBACK", "SELECT", "SELRAW", "SET", "SHOW", "START", "SYSTEM", "TABLE", "TRUNCATE",
    "UNDROP", "UPDATE", "UPSERT", "USE", "VALUES", "WATCH", "WITH",
  ]

  /// Whether it reads what tells about tables.
  var readsMetadata: Bool {
    inspection.sources.contains { name in
      guard let database = name.database else { return false }
      return SystemTables.isMetadata(database: database, table: name.table)
    }
  }

  /// What leads out of the engine, to its host and to other servers.
  private func checkDoors() throws(APIError) {
    if let function = inspection.functions.first(where: Functions.isDoor) {
      throw caller.forbidden("use the function \(function)")
    }
    if let function = inspection.tableFunctions.first(where: { !Functions.isHarmlessTable($0) }) {
      throw caller.forbidden(
        "use the table function \(function); for a view with parameters write its database, too")
    }
    if let engine = inspection.engines.first(where: {
      inspection.concernsDatabase ? $0 != "Atomic" : !Engines.isHarmless($0)
    }) {
      throw caller.forbidden("use the engine \(engine)")
    }
  }

  /// What would show a caller more than what he may see of tables.
  private func checkNames() throws(APIError) {
    if inspection.isOpaque {
      throw caller.forbidden(
        "run this statement, whose text does not tell what it reads; write names of tables as they "
          + "are, with quotes if they are keywords")
    }
    // Later on, somebody else's rights would count.
    if readsMetadata, inspection.kind != .read {
      throw caller.forbidden("use system tables other than in a query")
    }
  }

  /// - Parameter isInText: whether the statement itself sets it, which comes after all limits.
  func checkSetting(
    _ setting: StatementInspection.Setting, isInText: Bool
  ) throws(APIError) {
    if setting.name.hasPrefix("param_") { return }
    guard Settings.isAllowed(setting.name, for: caller.role) else {
      throw caller.forbidden("set \(setting.name)")
    }
    if let functions = Settings.functions[setting.name],
      !functions.contains(setting.value ?? "")
    {
      throw caller.forbidden(
        "set \(setting.name) to something else than \(functions.joined(separator: ", "))")
    }
    // A service's limit is an error, and not the end of what is given.
    let limitsResult = bounds["max_result_rows"] != nil || bounds["max_result_bytes"] != nil
    if setting.name == "result_overflow_mode", limitsResult, setting.value != "throw" {
      throw caller.forbidden("set result_overflow_mode, because the service limits results")
    }
    guard isInText, let bound = bounds[setting.name] else { return }
    guard let value = setting.value.flatMap({ Int($0) }), value >= 1, value <= bound else {
      throw caller.forbidden("set \(setting.name) to more than \(bound)")
    }
  }
}

extension StatementInspection {
  /// Whether it makes or drops whole databases.
  var concernsDatabase: Bool {
    ["CREATE", "DROP"].contains(verb) && !targets.isEmpty && targets.allSatisfy { $0.table == nil }
  }
}
