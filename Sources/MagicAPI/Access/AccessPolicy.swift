import MagicCore

/// Decides who may do what.
public struct AccessPolicy: Sendable {
  /// The highest values of settings that limit a statement.
  private let bounds: [String: Int]

  /// Makes a policy.
  ///
  /// - Parameter bounds: the highest values of settings that limit a statement, where 0 would mean no
  ///   limit.
  public init(bounds: [String: Int] = [:]) { self.bounds = bounds }

  /// Tells under what restrictions a caller may run a statement.
  ///
  /// - Parameters:
  ///   - inspection: what the statement's text says that it does.
  ///   - request: the statement, and how it is to run.
  ///   - hasInput: whether rows follow the statement's text.
  ///   - caller: who runs it.
  ///   - home: the database that the caller works in who asks for none.
  ///   - current: the database that the request's session is in, when there is one already.
  /// - Throws: ``APIError`` of kind `forbidden` when the caller may not.
  public func check(
    _ inspection: StatementInspection, _ request: StatementRequest, hasInput: Bool = false,
    caller: Caller, home: String, current: String? = nil
  ) throws(APIError) -> EngineRestrictions {
    var restrictions = EngineRestrictions(statement: request.sql, database: request.database)
    restrictions.settings = request.settings.filter { !Settings.ignored.contains($0.key) }
    if let setting = inspection.settings.first(where: { Settings.ignored.contains($0.name) }) {
      throw APIError(
        .unsupported,
        "\(setting.name) cannot be set in a statement; as a request's parameter it is ignored",
        engineCode: 452)
    }
    guard caller.role != .admin || request.isReadOnly else { return restrictions }
    if request.isReadOnly, inspection.kind == .write || inspection.kind == .declare {
      throw APIError(
        .forbidden, "\(inspection.verb) changes something, and the request may only read: use POST",
        engineCode: 164)
    }
    let check = StatementCheck(inspection: inspection, caller: caller, bounds: bounds)
    try check.run()
    for (name, value) in restrictions.settings {
      try check.checkSetting(.init(name: name, value: value), isInText: false)
    }
    if request.session == nil || request.database != StatementRequest("").database {
      restrictions.database = try checkCurrentDatabase(request.database, caller, home: home)
    }
    // Outside of a session, whose temporary tables a connection of its own would not have.
    let onlyReads = caller.role == .reader || request.isReadOnly && request.session == nil
    restrictions.isReadOnly = onlyReads && inspection.kind == .read
    if restrictions.isReadOnly {
      // The engine accepts a SETTINGS clause in a session that may only read if it changes nothing.
      for setting in inspection.settings {
        if let value = setting.value { restrictions.settings[setting.name] = value }
      }
    }
    if !inspection.hasPlainValues || hasInput {
      restrictions.settings.merge(Settings.literalRows) { $1 }
    }
    // In such a database, names without one are of tables that tell about tables, too.
    let isAmongMetadata = [restrictions.database, home, current ?? home].contains(
      where: SystemTables.belongsToEngine)
    if isAmongMetadata, inspection.kind == .declare, !inspection.concernsDatabase {
      throw caller.forbidden("declare a table while working in a database of the engine")
    }
    if isAmongMetadata, inspection.readsOwnTables {
      throw caller.forbidden(
        "read tables by their names alone while working in a database of the engine; write the "
          + "database in front")
    }
    restrictions.settings.merge(Settings.fixed) { $1 }
    if check.readsMetadata || isAmongMetadata {
      restrictions.settings["additional_table_filters"] = SystemTables.filters(for: caller)
      if let guarded = inspection.guarded { restrictions.statement = guarded }
    }
    return restrictions
  }

  /// The database that names without one belong to, for a caller who asked for one.
  private func checkCurrentDatabase(
    _ database: String, _ caller: Caller, home: String
  ) throws(APIError) -> String {
    if database == SystemTables.database {
      throw caller.forbidden(
        "work in the database system; write system. in front of its tables instead")
    }
    if caller.sees(database) { return database }
    if database == StatementRequest("").database { return home }
    throw caller.forbidden("see the database \(database)")
  }

  /// The databases of which a caller who asks for none works in the first that exists.
  public func homeDatabases(of caller: Caller) -> [String] {
    let standard = StatementRequest("").database
    if caller.sees(standard) { return [standard] }
    let granted = caller.databases ?? []
    return granted.filter { !$0.contains("*") } + [SystemTables.informationSchema]
  }

  /// - Throws: ``APIError`` of kind `forbidden` when the caller may not read a table.
  public func checkReading(_ table: TableReference, by caller: Caller) throws(APIError) {
    guard caller.role != .admin else { return }
    try checkSource(.init(database: table.database, table: table.table), caller)
  }

  /// - Throws: ``APIError`` of kind `forbidden` when the caller may not write or declare a table.
  public func checkWriting(_ table: TableReference, by caller: Caller) throws(APIError) {
    try checkWriting(by: caller)
    guard caller.role != .admin else { return }
    try checkTarget(.init(database: table.database, table: table.table), caller)
  }

  /// - Throws: ``APIError`` of kind `forbidden` when the caller may not know of all databases.
  public static func checkSeeingAll(by caller: Caller) throws(APIError) {
    guard caller.databases == nil || caller.role == .admin else {
      throw caller.forbidden("see the state of all tables")
    }
  }

  /// - Throws: ``APIError`` of kind `forbidden` when the caller may not write anything.
  public func checkWriting(by caller: Caller) throws(APIError) {
    guard caller.role >= .writer else { throw caller.forbidden("write") }
  }
}

/// - Throws: ``APIError`` when the caller may not read what a name says.
func checkSource(_ name: StatementInspection.Name, _ caller: Caller) throws(APIError) {
  guard let database = name.database else { return }
  if database == SystemTables.database {
    guard let table = name.table else { return }
    guard SystemTables.isReadable(table) else {
      throw caller.forbidden("read system.\(table)")
    }
  } else if !caller.sees(database) {
    throw caller.forbidden("see the database \(database)")
  }
}

/// - Throws: ``APIError`` when the caller may not change what a name says.
func checkTarget(_ name: StatementInspection.Name, _ caller: Caller) throws(APIError) {
  guard let database = name.database else { return }
  guard caller.sees(database), !SystemTables.belongsToEngine(database) else {
    throw caller.forbidden("write to the database \(database)")
  }
}

extension Caller {
  /// Whether the caller may know of a database.
  public func sees(_ database: String) -> Bool {
    if role == .admin { return true }
    if SystemTables.isHidden(database) { return false }
    guard let databases, !SystemTables.belongsToEngine(database) else { return true }
    return databases.contains { isMatch(database.unicodeScalars[...], $0.unicodeScalars[...]) }
  }

  /// The refusal of something.
  func forbidden(_ what: String) -> APIError {
    // Only what a request says of itself restricts an admin.
    let who = role == .admin ? "a request that only reads (GET)" : "\(user), a \(role.rawValue),"
    return APIError(.forbidden, "\(who) may not \(what)", engineCode: 497)
  }
}

/// Whether a name matches a pattern in which `*` stands for any characters.
private func isMatch(
  _ name: Substring.UnicodeScalarView, _ pattern: Substring.UnicodeScalarView
) -> Bool {
  let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
  guard let first = parts.first, let last = parts.last, parts.count > 1 else {
    return name.elementsEqual(pattern)
  }
  guard name.starts(with: first), name.count >= first.count + last.count,
    name.suffix(last.count).elementsEqual(last)
  else { return false }
  var rest = name.dropFirst(first.count).dropLast(last.count)
  for part in parts.dropFirst().dropLast() where !part.isEmpty {
    guard let found = rest.firstRange(of: part) else { return false }
    rest = rest[found.upperBound...]
  }
  return true
}
