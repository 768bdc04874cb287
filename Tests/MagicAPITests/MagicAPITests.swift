import Arrow
import Foundation
import Logging
import MagicCore
import Testing

@testable import MagicAPI

@Suite struct MagicAPITests {
  let database = FakeDatabase()

  func makeAPI(_ change: (inout MagicAPI.Limits) -> Void = { _ in }) -> MagicAPI {
    var limits = MagicAPI.Limits(memoryByteCount: 1000)
    change(&limits)
    return MagicAPI(
      database: database, limits: limits, disk: DiskReserve(path: "/", byteCount: 0),
      keepsQueryLog: false, logger: Logger(label: "test"))
  }

  func service(
    _ api: MagicAPI, _ user: String = "ana", _ role: Caller.Role = .writer
  ) -> any MagicService {
    api.service(for: Caller(user: user, role: role, interface: "test"))
  }

  /// Waits for what another task does soon.
  func eventually(_ isSo: () -> Bool) async throws {
    for _ in 0..<500 where !isSo() { try await Task.sleep(for: .milliseconds(10)) }
    #expect(isSo())
  }

  @Test func aStatementEndsWithItsResult() async throws {
    let api = makeAPI()
    let result = try await service(api).query(StatementRequest("SELECT 2"))
    #expect(api.statements.count == 1)
    #expect(try await result.reader.next()?.rowCount == 1)
    #expect(try await result.reader.next()?.rowCount == 1)
    #expect(try await result.reader.next() == nil)
    #expect(api.statements.count == 0)
  }

  @Test func aDroppedResultEndsItsStatement() async throws {
    let api = makeAPI()
    var result: QueryResult? = try await service(api).query(StatementRequest("SELECT 2"))
    _ = try await result?.reader.next()
    result = nil
    try await eventually { api.statements.count == 0 }
  }

  @Test func limitsAndTheIdReachTheEngine() async throws {
    let api = makeAPI()
    var request = StatementRequest("SELECT 0")
    request.id = "q1"
    request.settings = ["max_memory_usage": "100000", "max_threads": "1", "log_comment": "mine"]
    _ = try await service(api).query(request)
    let context = try #require(database.state.withLock { $0.contexts.last })
    #expect(
      context.settings == [
        "max_memory_usage": "300", "max_threads": "1", "log_comment": "q1",
        "input_format_values_interpret_expressions": "0",
        "input_format_values_deduce_templates_of_expressions": "0",
        "implicit_select": "0", "allow_introspection_functions": "0",
      ])
    #expect(!context.isReadOnly)
    _ = try await service(api, "bob", .reader).query(StatementRequest("SELECT 0"))
    #expect(database.state.withLock { $0.contexts.last?.isReadOnly } == true)
  }

  @Test func theEnginesErrorsKeepTheirCodes() async throws {
    await #expect(throws: APIError(.invalid, "Syntax error", engineCode: 62)) {
      _ = try await service(makeAPI()).query(StatementRequest("FAIL"))
    }
  }

  @Test func aRunningStatementIsCancelledByItsOwnerOnly() async throws {
    let api = makeAPI()
    var request = StatementRequest("WAIT")
    request.id = "long"
    let running = Task { [request] in try await service(api).query(request) }
    try await eventually { database.state.withLock { $0.statements.contains("WAIT") } }
    #expect(try await service(api, "bob").cancel(statement: "long") == false)
    #expect(try await service(api).cancel(statement: "long"))
    let error = await #expect(throws: APIError.self) { _ = try await running.value }
    #expect(error?.kind == .cancelled)
    #expect(database.state.withLock { $0.cancelled } == 1)
    #expect(api.statements.count == 0)
  }

  @Test func aStatementThatRunsTooLongIsEnded() async throws {
    let api = makeAPI { $0.statementDuration = .milliseconds(50) }
    var request = StatementRequest("WAIT")
    request.timeout = .seconds(100)
    let error = await #expect(throws: APIError.self) {
      _ = try await service(api).query(request)
    }
    #expect(error?.kind == .timedOut)
  }

  @Test func aResultThatNobodyReadsIsEnded() async throws {
    let api = makeAPI { $0.idleResultDuration = .milliseconds(50) }
    let house = Task { await api.run() }
    defer { house.cancel() }
    let result = try await service(api).query(StatementRequest("SELECT 5"))
    _ = try await result.reader.next()
    try await eventually { database.state.withLock { $0.cancelled } > 0 }
  }

  @Test func statementsWaitForRoom() async throws {
    let api = makeAPI {
      $0.statementCount = 1
      $0.admissionPatience = .milliseconds(100)
    }
    let first = try await service(api).query(StatementRequest("SELECT 1"))
    let error = await #expect(throws: APIError.self) {
      _ = try await service(api).query(StatementRequest("SELECT 1"))
    }
    #expect(error?.kind == .exhausted)
    async let second = service(api).query(StatementRequest("SELECT 1"))
    try await eventually { api.statements.waitingCount == 1 }
    await first.reader.cancel()
    _ = try await second.reader.next()
  }

  @Test func anIdIsUsedOnceAtATime() async throws {
    let api = makeAPI()
    var request = StatementRequest("SELECT 1")
    request.id = "same"
    let first = try await service(api).query(request)
    let error = await #expect(throws: APIError.self) {
      _ = try await service(api).query(request)
    }
    #expect(error?.kind == .alreadyExists)
    await first.reader.cancel()
    _ = try await service(api).query(request)
  }

  @Test func aTransactionIsItsOwners() async throws {
    let api = makeAPI()
    let name = try await service(api).beginTransaction(partOf: nil)
    var request = StatementRequest("INSERT 0")
    request.transaction = name
    _ = try await service(api).query(request)
    #expect(database.state.withLock { $0.contexts.last?.transaction } != nil)
    let error = await #expect(throws: APIError.self) {
      try await service(api, "bob").commit(CommitRequest(name))
    }
    #expect(error?.kind == .notFound)
    try await service(api).commit(CommitRequest(name))
    #expect(database.state.withLock { $0.commits } == 1)
    await #expect(throws: APIError.self) { try await service(api).rollback(transaction: name) }
  }

  @Test func partsOfATransactionAreItsOwners() async throws {
    let api = makeAPI()
    let name = try await service(api).beginTransaction(partOf: nil)
    let part = try await service(api).beginTransaction(partOf: name)
    try await service(api).renew(transaction: name)
    let stranger = try await service(api, "bob").beginTransaction(partOf: nil)
    var statement = StatementRequest("INSERT 0")
    statement.transaction = part
    for attempt in [
      { try await service(api, "bob").renew(transaction: name) },
      { _ = try await service(api, "bob").query(statement) },
      { try await service(api, "bob").rollback(transaction: part) },
    ] as [() async throws -> Void] {
      let error = await #expect(throws: APIError.self) { try await attempt() }
      #expect(error?.kind == .notFound)
    }
    _ = try await service(api).query(statement)
    let forgotten = try await service(api).beginTransaction(partOf: name)
    try await service(api).rollback(transaction: forgotten)
    #expect(database.state.withLock { $0.rollbacks } == 1)
    var request = CommitRequest(stranger)
    request.parts = [part]
    let error = await #expect(throws: APIError.self) {
      try await service(api, "bob").commit(request)
    }
    #expect(error?.kind == .notFound)
    request = CommitRequest(name)
    request.parts = [part]
    try await service(api).commit(request)
    #expect(database.state.withLock { $0.commits } == 2)
    #expect(api.transactions.count == 0)
  }

  @Test func whatWasBegunWithOtherRightsIsGone() async throws {
    let api = makeAPI()
    let restricted = Caller(
      user: "ana", role: .writer, databases: ["d"], rights: 1, interface: "test")
    let transaction = try await service(api).beginTransaction(partOf: nil)
    let error = await #expect(throws: APIError.self) {
      try await api.service(for: restricted).commit(CommitRequest(transaction))
    }
    #expect(error?.kind == .notFound)
    var request = StatementRequest("SELECT 0")
    request.session = SessionRequest(name: "s")
    _ = try await service(api).query(request)
    #expect(api.sessions.count == 1)
    _ = try await api.service(for: restricted).query(request)
    #expect(api.sessions.count == 2)
    #expect(database.state.withLock { $0.commits } == 0)
  }

  @Test func describingIsBoundedLikeRunning() async throws {
    let api = makeAPI {
      $0.statementCount = 1
      $0.admissionPatience = .milliseconds(100)
    }
    var request = StatementRequest("WAIT")
    request.timeout = .milliseconds(50)
    let slow = await #expect(throws: APIError.self) {
      _ = try await service(api).describe(request)
    }
    #expect(slow?.kind == .timedOut)
    let first = try await service(api).query(StatementRequest("SELECT 1"))
    let crowded = await #expect(throws: APIError.self) {
      _ = try await service(api).describe(StatementRequest("SELECT 1"))
    }
    #expect(crowded?.kind == .exhausted)
    await first.reader.cancel()
    #expect(try await service(api).describe(StatementRequest("SELECT 1")).columns != nil)
  }

  @Test func aRequestThatReadsOnlyChangesNothing() async throws {
    let api = makeAPI()
    var request = StatementRequest("INSERT 0")
    request.isReadOnly = true
    let error = await #expect(throws: APIError.self) {
      _ = try await service(api, "ana", .admin).query(request)
    }
    #expect(error?.engineCode == 164)
    request.sql = "SELECT 0"
    _ = try await service(api, "ana", .admin).query(request)
    #expect(database.state.withLock { $0.contexts.last?.isReadOnly } == true)
    // A session's own connection could not be given up again.
    request.session = SessionRequest(name: "s")
    _ = try await service(api, "ana", .admin).query(request)
    #expect(database.state.withLock { $0.contexts.last?.isReadOnly } == false)
    request.isReadOnly = false
    request.settings = ["readonly": "1"]
    _ = try await service(api, "ana", .admin).query(request)
    let context = database.state.withLock { $0.contexts.last }
    #expect(context?.isReadOnly == true)
    #expect(context?.settings["readonly"] == nil)
  }

  @Test func aWriteTokenIsOfItsUser() async throws {
    var request = StatementRequest("INSERT 0")
    request.writeToken = "t"
    _ = try await service(makeAPI()).query(request)
    #expect(database.state.withLock { $0.contexts.last?.writeToken } == "ana:t")
  }

  @Test func anUnusedTransactionIsRolledBack() async throws {
    let api = makeAPI { $0.transactionLifetime = .milliseconds(50) }
    let house = Task { await api.run() }
    defer { house.cancel() }
    _ = try await service(api).beginTransaction(partOf: nil)
    try await eventually { database.state.withLock { $0.rollbacks } == 1 }
  }

  @Test func aSnapshotPinsUntilItIsReleased() async throws {
    let api = makeAPI()
    let snapshot = try await service(api).openSnapshot(SnapshotRequest())
    #expect(snapshot.commit == 5)
    var request = StatementRequest("SELECT 0")
    request.snapshot = snapshot.id
    _ = try await service(api).query(request)
    #expect(database.state.withLock { $0.contexts.last?.commitPoint?.point.commit } == 5)
    database.state.withLock { $0.contexts = [] }
    #expect(database.state.withLock { $0.pins } == 1)
    try await service(api).release(snapshot: snapshot.id)
    #expect(database.state.withLock { $0.pins } == 0)
    await #expect(throws: APIError.self) { _ = try await service(api).query(request) }
  }

  @Test func aLastingSnapshotOutlivesItsService() async throws {
    var request = SnapshotRequest()
    request.isLasting = true
    await #expect(throws: APIError.self) { _ = try await service(makeAPI()).openSnapshot(request) }
    request.tables = [TableReference(database: "shop", table: "orders")]
    request.lifetime = .seconds(30)
    let first = makeAPI()
    // The user's rights have changed twice.
    let ana = Caller(user: "ana", role: .reader, rights: 3, interface: "test")
    let snapshot = try await first.service(for: ana).openSnapshot(request)
    #expect(snapshot.lasting == true)
    let other = try await service(first, "bob").openSnapshot(request)
    await first.shutdown()
    let second = makeAPI { $0.snapshotLifetime = .milliseconds(10) }
    try await second.prepare()
    let again = second.service(
      for: Caller(user: "ana", role: .reader, rights: 1, interface: "test"))
    #expect(try await again.snapshots().map(\.id) == [snapshot.id])
    #expect(try await again.renew(snapshot: snapshot.id).tables == request.tables)
    await #expect(throws: APIError.self) { _ = try await again.renew(snapshot: other.id) }
    try await again.release(snapshot: snapshot.id)
    #expect(database.state.withLock { $0.lasting.count } == 1)
    // Of one that was not used for very long nothing stays, nor of one that there is no room for.
    let (number, note) = try #require(
      database.state.withLock { $0.lasting.first.map { ($0.key, $0.value.note) } })
    var noted = try JSONDecoder().decode(LastingSnapshot.self, from: Data(note.utf8))
    #expect(noted.id == other.id)
    noted.used -= 8 * 86400
    try await database.note(try noted.text, ofLasting: number)
    let third = makeAPI()
    try await third.prepare()
    #expect(database.state.withLock { $0.lasting.isEmpty })
    _ = try await service(third).openSnapshot(request)
    #expect(database.state.withLock { $0.lasting.count } == 1)
    try await makeAPI { $0.snapshotCount = 0 }.prepare()
    #expect(database.state.withLock { $0.lasting.isEmpty })
  }

  @Test func theUseOfALastingSnapshotIsNoted() async throws {
    let api = makeAPI()
    var request = SnapshotRequest()
    request.isLasting = true
    request.tables = [TableReference(database: "shop", table: "orders")]
    request.lifetime = .milliseconds(40)
    let snapshot = try await service(api).openSnapshot(request)
    func used() throws -> Double {
      let note = database.state.withLock { $0.lasting.first?.value.note ?? "" }
      return try JSONDecoder().decode(LastingSnapshot.self, from: Data(note.utf8)).used
    }
    let first = try used()
    try await Task.sleep(for: .milliseconds(20))
    await api.noteUses()
    #expect(try used() == first)
    _ = try await service(api).renew(snapshot: snapshot.id)
    await api.noteUses()
    #expect(try used() >= first + 0.02)
  }

  @Test func aSessionBeginsWithItsFirstStatementAndEnds() async throws {
    let api = makeAPI()
    let house = Task { await api.run() }
    defer { house.cancel() }
    var request = StatementRequest("SELECT 0")
    request.session = SessionRequest(name: "s", mustExist: true)
    let error = await #expect(throws: APIError.self) {
      _ = try await service(api).query(request)
    }
    #expect(error?.engineCode == 372)
    request.session = SessionRequest(name: "s", timeout: .milliseconds(50))
    _ = try await service(api).query(request)
    #expect(database.state.withLock { $0.contexts.last?.session } != nil)
    try await eventually { database.state.withLock { $0.sessionsClosed } == 1 }
  }

  @Test func aScanIsAStatement() async throws {
    var scan = TableScan(TableReference(database: "shop", table: "a`b"))
    scan.columns = ["x", "y"]
    scan.filter = "x > 1 -- all"
    scan.range = KeyRange(key: ["id"], lower: ["3"], upper: ["7"])
    scan.limit = 9
    _ = try await service(makeAPI()).scan(scan)
    #expect(
      database.state.withLock { $0.statements.last } == """
        SELECT `x`, `y` FROM `shop`.`a\\`b` WHERE (x > 1 -- all
        ) AND (id >= 3) AND (id < 7) LIMIT 9
        """)
  }

  @Test(arguments: [
    "1) UNION ALL SELECT 5 WHERE (1", "1;", "(1", "1)", "[1)", "'a", #"'a\'"#, "`a", "\"a", "",
    " -- x", "1 /* x", "1 /* /* */", "$a$)$a$", "$1", "\u{2018}'\u{2019}) OR (\u{2018}'\u{2019}",
    #"1 \G"#, #"x'\' ) UNION ALL SELECT ('"#, "1\0", "a\u{A0}= 1",
  ])
  func aFilterStaysInItsPlace(filter: String) async throws {
    var scan = TableScan(TableReference(database: "shop", table: "t"))
    scan.filter = filter
    let service = service(makeAPI())
    let error = await #expect(throws: APIError.self) { _ = try await service.scan(scan) }
    #expect(error?.kind == .invalid && error?.message.contains("`filter`") == true)
    scan.filter = nil
    for range in [
      KeyRange(key: [filter], lower: ["1"]), KeyRange(key: ["a"], lower: [filter]),
      KeyRange(key: ["a"], upper: [filter]),
    ] {
      scan.range = range
      let error = #expect(throws: APIError.self) { try scan.statement() }
      #expect(error?.message.contains("`range`") == true)
    }
  }

  @Test(arguments: [
    "a = ')' OR b = 'it''s; (' OR `c;)` = 1 OR \"d(\" = 2", #"a = '\'); --'"#, "f(a[1], {b: 2})",
    "a > 1 /* ) /* ; */ ( */ AND b", "a -- )\n AND b // (\n", "a #! )\n", "a = 'ž ‘ $x$ \\\\'",
    "x = x'41' AND a - -1 > 0",
  ])
  func aFilterMayBeAnyExpression(filter: String) throws {
    var scan = TableScan(TableReference(database: "shop", table: "t"))
    scan.filter = filter
    #expect(try scan.statement() == "SELECT * FROM `shop`.`t` WHERE (\(filter)\n)")
  }

  @Test func aScanOfNoColumnsIsRefused() throws {
    var scan = TableScan(TableReference(database: "shop", table: "t"))
    scan.columns = []
    let error = #expect(throws: APIError.self) { try scan.statement() }
    #expect(error?.kind == .invalid && error?.message.contains("leave it out") == true)
  }

  @Test func writesAreRefusedWhenTheDiskIsNearlyFull() async throws {
    let api = MagicAPI(
      database: database, limits: MagicAPI.Limits(memoryByteCount: 1000),
      disk: DiskReserve(path: "/", byteCount: .max), keepsQueryLog: false,
      logger: Logger(label: "test"))
    let table = TableWrite(TableReference(database: "shop", table: "t"))
    let error = await #expect(throws: APIError.self) {
      _ = try await service(api).write(table, rows: FakeReader(count: 2))
    }
    #expect(error?.kind == .exhausted)
    #expect(database.state.withLock { $0.written } == [])
    _ = try await service(api).query(StatementRequest("SELECT 0"))
    // This makes room.
    _ = try await service(api).query(StatementRequest("DROP 0"))
    await #expect(throws: APIError.self) {
      _ = try await service(api).query(StatementRequest("CREATE 0"))
    }
  }

  @Test func aStoppingServiceEndsWhatDoesNotFinish() async throws {
    let api = makeAPI { $0.shutdownGrace = .milliseconds(50) }
    let running = Task { try await service(api).query(StatementRequest("WAIT")) }
    try await eventually { database.state.withLock { $0.statements.contains("WAIT") } }
    await api.shutdown()
    let error = await #expect(throws: APIError.self) { _ = try await running.value }
    #expect(error?.kind == .unavailable)
    let refused = await #expect(throws: APIError.self) {
      _ = try await service(api).query(StatementRequest("SELECT 0"))
    }
    #expect(refused?.kind == .unavailable)
  }
}
