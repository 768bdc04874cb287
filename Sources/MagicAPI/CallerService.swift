import Arrow
import MagicCore

/// The service on behalf of one caller.
struct CallerService: MagicService {
  let api: MagicAPI
  let caller: Caller

  // MARK: Statements

  func run(
    _ request: StatementRequest, format: String, input: StatementInput?
  ) async throws -> StatementResult {
    try await start(request, hasInput: input != nil) { sql, context in
      var context = context
      context.input = input
      return try await api.database.run(sql, format: format, context: context)
    } track: { result, statement in
      tracked(result, by: statement)
    } whenKilled: {
      StatementResult(format: format, next: { nil }, cancel: {})
    }
  }

  func query(_ request: StatementRequest) async throws -> QueryResult {
    try await start(request) { sql, context in
      try await api.database.query(sql, context: context)
    } track: { result, statement in
      tracked(result, by: statement)
    } whenKilled: {
      QueryResult(reader: EmptyReader())
    }
  }

  func execute(
    _ request: StatementRequest, parameterRows: any RecordBatchReader
  ) async throws -> Int? {
    try await start(request) { sql, context in
      try await api.database.execute(sql, parameterRows: parameterRows, context: context)
    } track: { rows, statement in
      statement.note(rows: rows ?? 0)
      statement.end(nil)
      return rows
    } whenKilled: {
      nil
    }
  }

  func describe(_ request: StatementRequest) async throws -> StatementDescription {
    do {
      let home = try await homeDatabase(for: request)
      let (inspection, told) = try await check(request, home: home)
      // The engine works out subqueries that stand for a value.
      let schema = try await admitted(inspection, timeout: request.timeout) { statement in
        let restrictions = try await statement.perform {
          try await self.restrictions(of: request, told: told, home: home)
        }
        let context = try await context(request, restrictions, statement)
        return try await statement.perform {
          try await columns(of: restrictions.statement, inspection, request, context: context)
        }
      }
      return StatementDescription(
        columns: schema, parameterCount: inspection.positionalParameterCount,
        isRead: inspection.kind == .read)
    } catch {
      throw APIError(wrapping: error).redacted(for: caller)
    }
  }

  /// Does something within all limits of a statement.
  private func admitted<Result: Sendable>(
    _ inspection: StatementInspection, id: String? = nil, timeout: Duration? = nil,
    isNoted: Bool = false, _ body: (RunningStatement) async throws -> Result
  ) async throws -> Result {
    let statement = try await api.begin(
      inspection, id: id, timeout: timeout, caller: caller, isNoted: isNoted)
    do {
      let result = try await body(statement)
      statement.end(nil)
      return result
    } catch {
      throw statement.end(error)
    }
  }

  /// The columns of a statement's result; nil also when that depends on values that are missing.
  private func columns(
    of statement: String, _ inspection: StatementInspection, _ request: StatementRequest,
    context: StatementContext
  ) async throws -> Schema? {
    do {
      return try await api.database.schema(of: statement, context: context)
    } catch let error as EngineError
      where inspection.positionalParameterCount > 0 && request.positionalParameters == nil
      && APIError(error).kind == .invalid
    {
      // It was described with NULL for each value, and some statements take no NULL: whether this
      // one is wrong is seen when it has its values.
      return nil
    }
  }

  /// What a statement would touch, and under what restrictions the caller may run it.
  ///
  /// - Parameter thoroughly: whether all that it reads is looked at, too, not only what its words tell
  ///   at once.
  private func check(
    _ request: StatementRequest, hasInput: Bool = false, home: String, thoroughly: Bool = false
  ) async throws -> (StatementInspection, EngineRestrictions) {
    guard isTrusted(request) || request.sql.utf8.count <= Self.statementByteLimit else {
      throw APIError(
        .exhausted,
        "the statement is longer than \(Self.statementByteLimit >> 20) MiB; send its rows "
          + "apart from its text")
    }
    let inspection = try await api.database.inspect(
      request.sql, parameters: request.parameters, thoroughly: thoroughly)
    let session = request.session.flatMap { api.sessions.look($0.name, owner: caller.owner) }
    let restrictions = try api.policy.check(
      inspection, request, hasInput: hasInput, caller: caller, home: home,
      current: session?.database)
    return (inspection, restrictions)
  }

  /// Under what restrictions the caller may run a statement.
  ///
  /// - Parameter told: those that its words alone have told, which are all for who is trusted.
  private func restrictions(
    of request: StatementRequest, told: EngineRestrictions, hasInput: Bool = false, home: String
  ) async throws -> EngineRestrictions {
    if isTrusted(request) { return told }
    return try await check(request, hasInput: hasInput, home: home, thoroughly: true).1
  }

  private func isTrusted(_ request: StatementRequest) -> Bool {
    caller.role == .admin && !request.isReadOnly
  }

  /// How long a statement with its rows may be, of people who are no admins.
  private static let statementByteLimit = 16 << 20

  /// Runs a statement through all that every statement goes through.
  private func start<Result: Sendable>(
    _ request: StatementRequest, hasInput: Bool = false,
    run: @escaping @Sendable (String, StatementContext) async throws -> Result,
    track: (Result, RunningStatement) -> Result, whenKilled: () -> Result
  ) async throws -> Result {
    do {
      let home = try await homeDatabase(for: request)
      let (inspection, told) = try await check(request, hasInput: hasInput, home: home)
      if let gtids = request.atLeast {
        guard request.snapshot == nil else {
          throw APIError(
            .invalid, "a statement reads at a snapshot, or at least at some GTIDs, not both")
        }
        _ = try await api.wait(for: gtids, timeout: request.timeout)
      }
      if inspection.takesRoom { try api.disk.check() }
      if inspection.kind == .kill, let id = inspection.killedStatement {
        _ = try await cancel(statement: id)
        return whenKilled()
      }
      let statement = try await api.begin(
        inspection, id: request.id, timeout: request.timeout, caller: caller)
      do {
        let restrictions = try await statement.perform {
          try await self.restrictions(of: request, told: told, hasInput: hasInput, home: home)
        }
        let context = try await context(request, restrictions, statement)
        let result = try await statement.perform { try await run(restrictions.statement, context) }
        return track(result, statement)
      } catch {
        throw statement.end(error)
      }
    } catch {
      throw APIError(wrapping: error).redacted(for: caller)
    }
  }

  // MARK: What a statement uses

  /// What a request reaches by name.
  private struct Uses: Sendable {
    var transaction: (any Transaction)?
    var snapshot: CommitPin?
    var session: (any DatabaseSession)?
  }

  /// Takes into use what a request names; ``close(_:)`` must follow.
  private func open(_ request: StatementRequest) async throws -> Uses {
    var uses = Uses()
    if let name = request.session { uses.session = try await session(name) }
    do {
      if let name = request.transaction {
        uses.transaction = try enter(transaction: name)
      }
      if let name = request.snapshot {
        uses.snapshot = try api.snapshots.renew(name, owner: owner(ofSnapshot: name)).value
      }
      return uses
    } catch {
      if uses.transaction != nil {
        leave(transaction: request.transaction ?? "")
      }
      if let session = request.session { api.sessions.leave(session.name, owner: caller.owner) }
      throw error
    }
  }

  private func close(_ request: StatementRequest) {
    if let name = request.transaction { leave(transaction: name) }
    if let session = request.session { api.sessions.leave(session.name, owner: caller.owner) }
  }

  private func session(_ request: SessionRequest) async throws -> any DatabaseSession {
    if !api.sessions.contains(request.name, owner: caller.owner) {
      guard !request.mustExist else {
        throw APIError(
          .notFound, "there is no session \(request.name): it ended, or never began",
          engineCode: 372)
      }
      let session = try await openSession()
      let lifetime = min(request.timeout ?? .seconds(60), api.limits.sessionLifetime)
      do {
        _ = try api.sessions.add(
          session, name: request.name, owner: caller.owner, lifetime: lifetime)
      } catch {
        await session.close()
        // Another statement of the same session may have been quicker.
        if error.kind != .alreadyExists { throw error }
      }
    }
    return try api.sessions.enter(request.name, owner: caller.owner)
  }

  /// A session in the database that names without one belong to.
  private func openSession() async throws -> any DatabaseSession {
    let session = try await api.database.openSession()
    let home = try await homeDatabase(for: StatementRequest(""))
    guard home != StatementContext().database else { return session }
    do {
      var context = StatementContext()
      context.session = session
      _ = try await api.database.run(
        "USE \(quotedIdentifier(home))", format: "Null", context: context)
      return session
    } catch {
      await session.close()
      throw error
    }
  }

  /// The database that the caller works in: the one asked for, else the first that exists.
  private func homeDatabase(for request: StatementRequest) async throws -> String {
    guard request.database == StatementRequest("").database else { return request.database }
    let candidates = api.policy.homeDatabases(of: caller)
    if candidates.count == 1 { return candidates[0] }
    let existing = Set(
      try await api.database.texts("SELECT name FROM system.databases").map { $0[0] })
    return candidates.first(where: existing.contains) ?? candidates[candidates.count - 1]
  }

  /// A write token, which is its user's own. Names of users have no colon.
  private func ownToken(_ token: String) -> String { "\(caller.user):\(token)" }

  /// What a statement runs with. It has what its request names in use until it ends.
  private func context(
    _ request: StatementRequest, _ restrictions: EngineRestrictions, _ statement: RunningStatement
  ) async throws -> StatementContext {
    let uses = try await open(request)
    statement.whenEnded { close(request) }
    var context = StatementContext()
    context.database = restrictions.database
    context.parameters = request.parameters
    context.positionalParameters = request.positionalParameters
    context.writeToken = request.writeToken.map(ownToken)
    context.fencing = try fencing(request, statement, home: restrictions.database)
    context.transaction = uses.transaction
    context.commitPoint = uses.snapshot
    context.session = uses.session
    var settings = restrictions.settings
    // What the engine would keep to itself, since it concerns record batches.
    let asText = "output_format_arrow_string_as_string"
    if let setting = statement.inspection.settings.last(where: { $0.name == asText }) {
      settings[asText] = setting.value
    }
    // A session that was told so could not be used any more.
    let isReadOnly = settings.removeValue(forKey: "readonly").map { $0 != "0" } ?? false
    context.isReadOnly = restrictions.isReadOnly || isReadOnly
    api.limits.apply(to: &settings)
    // By this the watch finds out which statement takes how much memory.
    settings["log_comment"] = statement.id
    context.settings = settings
    return context
  }

  // MARK: Tables

  func scan(_ scan: TableScan) async throws -> QueryResult {
    var request = StatementRequest(try scan.statement())
    request.snapshot = scan.snapshot
    request.atLeast = scan.atLeast
    return try await query(request)
  }

  func split(
    _ table: TableReference, into count: Int, snapshot: String?
  ) async throws -> TableSplits {
    try await failing {
      guard (1...10_000).contains(count) else {
        throw APIError(.invalid, "a table is divided into 1 to 10000 parts, not \(count)")
      }
      try api.policy.checkReading(table, by: caller)
      let snapshot =
        if let snapshot {
          try await renew(snapshot: snapshot)
        } else {
          try await openSnapshot(SnapshotRequest())
        }
      let pin = try api.snapshots.renew(snapshot.id, owner: owner(ofSnapshot: snapshot.id)).value
      let inspection = StatementInspection(kind: .read, verb: "SPLIT", pattern: "SPLIT \(table)")
      return try await admitted(inspection) { statement in
        let ranges = try await statement.perform {
          try await api.database.split(table, into: count, at: pin)
        }
        return TableSplits(snapshot: snapshot, ranges: ranges)
      }
    }
  }

  func write(_ write: TableWrite, rows: any RecordBatchReader) async throws -> Int {
    try await failing {
      try api.policy.checkWriting(write.table, by: caller)
      try api.disk.check()
      var request = WriteRequest(
        table: write.table, action: write.action, whenMissing: write.whenMissing,
        whenExisting: write.whenExisting, token: write.token.map(ownToken))
      request.fencing = try fencing(
        write.fencingToken, rows: [write.table],
        tables: write.inspection.kind == .declare ? [write.table] : [])
      return try await admitted(write.inspection, id: write.id, isNoted: true) { statement in
        if let name = write.transaction {
          request.transaction = try enter(transaction: name)
          statement.whenEnded { leave(transaction: name) }
        }
        let count = try await statement.perform { [request] in
          try await api.database.write(request, rows: rows)
        }
        statement.note(rows: count)
        return count
      }
    }
  }

  func tables(matching selection: TableSelection) async throws -> [TableEntry] {
    try await failing {
      try await api.database.tables(matching: selection).filter { caller.sees($0.name.database) }
    }
  }

  func databases() async throws -> [String] {
    try await failing {
      try await api.database.texts("SELECT name FROM system.databases ORDER BY name")
        .map { $0[0] }.filter(caller.sees)
    }
  }

  // MARK: Transactions and snapshots

  func beginTransaction(partOf parent: String?) async throws -> String {
    try await failing {
      try api.policy.checkWriting(by: caller)
      if let parent {
        let open = try api.transactions.renew(parent, owner: caller.owner).value
        return "\(parent).\(try await open.beginPart())"
      }
      let transaction = OpenTransaction(try await api.database.begin())
      do {
        return try api.transactions.add(
          transaction, owner: caller.owner, lifetime: api.limits.transactionLifetime)
      } catch {
        await transaction.rollback()
        throw error
      }
    }
  }

  func commit(_ request: CommitRequest) async throws {
    try await failing {
      var terms = CommitTerms()
      terms.fencing = try fencing(request.fencingToken, rows: [], tables: [])
      terms.token = request.token.map(ownToken)
      terms.unchangedSince = request.unchangedSince
      let open = try api.transactions.take(request.transaction, owner: caller.owner)
      do {
        terms.parts = try open.take(parts: request.parts ?? [])
        try api.disk.check()
      } catch {
        await open.rollback()
        throw error
      }
      // Once it has begun, it goes on to its end whatever becomes of the client.
      try await Task { [terms] in try await open.commit(terms) }.value
    }
  }

  func renew(transaction: String) async throws {
    try await failing { _ = try api.transactions.renew(transaction, owner: caller.owner) }
  }

  func rollback(transaction: String) async throws {
    try await failing {
      let (whole, part) = OpenTransaction.split(transaction)
      guard part != nil else {
        return await (try api.transactions.take(whole, owner: caller.owner)).rollback()
      }
      let open = try api.transactions.renew(whole, owner: caller.owner).value
      for part in try open.take(parts: [transaction]) { await part.rollback() }
    }
  }

  /// A transaction, or a part of one, for a statement; ``leave(transaction:)`` must follow.
  private func enter(transaction name: String) throws(APIError) -> any Transaction {
    let (whole, part) = OpenTransaction.split(name)
    let open = try api.transactions.enter(whole, owner: caller.owner)
    do {
      return try open.member(part)
    } catch {
      leave(transaction: name)
      throw error
    }
  }

  private func leave(transaction name: String) {
    api.transactions.leave(OpenTransaction.split(name).whole, owner: caller.owner)
  }

  func commitPoint(atLeast gtids: String?, timeout: Duration?) async throws -> CommitPoint {
    try await failing {
      if let gtids { return try await api.wait(for: gtids, timeout: timeout) }
      return api.database.published
    }
  }

  func openSnapshot(_ request: SnapshotRequest) async throws -> Snapshot {
    try await failing {
      for table in request.tables ?? [] { try api.policy.checkReading(table, by: caller) }
      let lifetime = min(
        request.lifetime ?? api.limits.snapshotLifetime, api.limits.longestSnapshotLifetime)
      if request.isLasting, request.tables?.count != 1 {
        throw APIError(.invalid, "a lasting snapshot is of one table: name it")
      }
      if let gtids = request.atLeast {
        _ = try await api.wait(for: gtids, timeout: request.timeout)
      }
      let pin: CommitPin
      let id: String
      if request.isLasting, let table = request.tables?.first {
        (pin, id) = try await api.openLasting(table, owner: caller.owner, lifetime: lifetime)
      } else {
        pin = try await api.database.snapshot(of: request.tables)
        id = try api.snapshots.add(pin, owner: caller.owner, lifetime: lifetime)
      }
      return Snapshot(id: id, pin: pin, user: caller.user, lifetime: lifetime)
    }
  }

  func snapshots() async throws -> [Snapshot] {
    api.snapshots.all.filter { caller.role == .admin || $0.owner == caller.owner }
      .sorted { $0.remaining < $1.remaining }
      .map { Snapshot(id: $0.name, pin: $0.value, user: $0.owner.user, lifetime: $0.remaining) }
  }

  func renew(snapshot: String) async throws -> Snapshot {
    try await failing {
      let owner = owner(ofSnapshot: snapshot)
      let (pin, lifetime) = try api.snapshots.renew(snapshot, owner: owner)
      return Snapshot(id: snapshot, pin: pin, user: owner.user, lifetime: lifetime)
    }
  }

  func release(snapshot: String) async throws {
    if let pin = try? api.snapshots.take(snapshot, owner: owner(ofSnapshot: snapshot)) {
      await api.forget(pin)
    }
  }

  /// Whose snapshot of a name the caller means: an admin reaches those of others too.
  private func owner(ofSnapshot name: String) -> Caller.Owner {
    guard caller.role == .admin, !api.snapshots.contains(name, owner: caller.owner) else {
      return caller.owner
    }
    return api.snapshots.owner(of: name) ?? caller.owner
  }

  // MARK: Fencing

  /// What a request's fencing token has to allow.
  private func fencing(
    _ token: UInt64?, rows: Set<TableReference>, tables: Set<TableReference>
  ) throws(APIError) -> Fencing? {
    guard let token else { return nil }
    guard let fence = api.fence else {
      throw APIError(
        .unsupported, "there is no latch service here that knows fencing tokens: see --latch")
    }
    let user = caller.role == .admin ? nil : caller.user
    return Fencing(fence, token: token, FencedChange(by: user, rows: rows, tables: tables))
  }

  /// What a statement's fencing token has to allow.
  private func fencing(
    _ request: StatementRequest, _ statement: RunningStatement, home: String
  ) throws(APIError) -> Fencing? {
    let inspection = statement.inspection
    guard request.fencingToken != nil, ![.read, .session, .kill].contains(inspection.kind) else {
      return nil
    }
    let targets = targets(request, statement, home: home)
    guard !targets.isEmpty, inspection.kind != .administer else {
      throw APIError(
        .unsupported,
        "\(inspection.verb): it does not tell which tables it changes, so no fencing token can be "
          + "checked for it")
    }
    // Rows of a table may be somebody's of whom others hold other rows.
    let isOfRows = inspection.kind == .write
    return try fencing(
      request.fencingToken, rows: isOfRows ? targets : [], tables: isOfRows ? [] : targets)
  }

  /// The tables that a statement changes; a name without a table is a database's.
  private func targets(_ request: StatementRequest, _ statement: RunningStatement, home: String)
    -> Set<TableReference>
  {
    let session = request.session.flatMap { api.sessions.look($0.name, owner: caller.owner) }
    // As the statement itself finds them: what a request says comes before what its session has.
    let own = home == StatementContext().database ? session?.database ?? home : home
    return Set(
      statement.inspection.targets.map { name in
        TableReference(database: name.database ?? own, table: name.table ?? "")
      })
  }

  func end(session: String) async throws {
    guard let session = try? api.sessions.take(session, owner: caller.owner) else { return }
    await session.close()
  }

  func statements() async throws -> [StatementEntry] {
    api.statements.all.filter { caller.role == .admin || $0.caller.user == caller.user }
      .sorted { $0.start < $1.start }
      .map(StatementEntry.init)
  }

  func cancel(statement id: String) async throws -> Bool {
    guard let statement = api.statements.statement(id),
      caller.role == .admin || statement.caller.user == caller.user
    else { return false }
    statement.cancel(.cancelled)
    return true
  }

  private func failing<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
      return try await body()
    } catch {
      throw APIError(wrapping: error).redacted(for: caller)
    }
  }
}
