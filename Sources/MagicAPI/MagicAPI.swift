import Logging
import MagicCore
import Synchronization

/// The service over a database: it decides who may do what, bounds what all callers take together,
/// and holds what they reach by name. Every interface goes through it.
public final class MagicAPI: Sendable {
  let database: any Database
  let limits: Limits
  let policy: AccessPolicy
  let disk: DiskReserve
  let statements: RunningStatements
  let transactions: LeaseTable<OpenTransaction>
  let snapshots: LeaseTable<CommitPin>
  /// What is noted with the lasting ones, by their numbers.
  let lasting = Mutex<[UInt64: LastingSnapshot]>([:])
  let sessions: LeaseTable<any DatabaseSession>
  let fence: (any Fence)?
  private let queryLog: QueryLog?
  private let metrics = ServiceMetrics()
  let logger: Logger

  /// Makes a service; ``run()`` keeps its house.
  ///
  /// `fence` knows the fencing tokens that statements bring; nil when they can bring none. With
  /// `keepsQueryLog`, what runs is written into `magic.query_log`.
  public init(
    database: any Database, limits: Limits, disk: DiskReserve, fence: (any Fence)? = nil,
    keepsQueryLog: Bool, logger: Logger
  ) {
    self.database = database
    self.fence = fence
    self.limits = limits
    policy = AccessPolicy(bounds: limits.bounds)
    self.disk = disk
    self.logger = logger
    statements = RunningStatements(
      limit: limits.statementCount, patience: limits.admissionPatience)
    transactions = LeaseTable("transaction", countLimit: limits.transactionCount)
    snapshots = LeaseTable("snapshot", countLimit: limits.snapshotCount)
    sessions = LeaseTable("session", countLimit: limits.sessionCount)
    queryLog = keepsQueryLog ? QueryLog(database: database, logger: logger) : nil
  }

  /// The service as a caller has it.
  public func service(for caller: Caller) -> any MagicService {
    CallerService(api: self, caller: caller)
  }

  /// What a snapshot of that name keeps, whoever's it is; nil when there is none.
  public func pin(ofSnapshot name: String) -> CommitPin? {
    snapshots.all.first { $0.name == name }?.value
  }

  /// Makes the query log's table, and takes over the lasting snapshots of services before. To be called
  /// once, before ``run()``.
  ///
  /// - Throws: `EngineError`.
  public func prepare() async throws {
    try await queryLog?.prepare()
    try await takeOverSnapshots()
  }

  /// Ends what nobody uses any more and what takes too much, and writes the query log, until its
  /// task is cancelled.
  public func run() async {
    let watch = StatementWatch(database: database, statements: statements, limits: limits)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await watch.run() }
      group.addTask { await self.queryLog?.run() }
      group.addTask { await self.keepHouse() }
      group.addTask { await self.watchDisk() }
    }
  }

  /// Admits no more statements, lets those that run finish for a bounded time, and ends the rest.
  public func shutdown() async {
    statements.close()
    let alarm = Task { [limits, statements] in
      try await Task.sleep(for: limits.shutdownGrace)
      for statement in statements.all { statement.cancel(.shutdown) }
    }
    await statements.waitUntilEmpty()
    alarm.cancel()
    for transaction in transactions.takeAll() { await transaction.rollback() }
    for session in sessions.takeAll() { await session.close() }
    _ = snapshots.takeAll()
    await queryLog?.flush()
  }

  private func keepHouse() async {
    while !Task.isCancelled {
      for transaction in transactions.takeExpired() { await transaction.rollback() }
      for session in sessions.takeExpired() { await session.close() }
      for pin in snapshots.takeExpired() { await forget(pin) }
      await noteUses()
      metrics.note(
        running: statements.count, waiting: statements.waitingCount,
        transactions: transactions.count, snapshots: snapshots.count,
        freeDisk: disk.freeByteCount)
      try? await Task.sleep(for: .seconds(1))
    }
  }

  /// Ends what writes when the disk's reserve is reached.
  private func watchDisk() async {
    while !Task.isCancelled {
      if disk.freeByteCount < disk.byteCount {
        for statement in statements.all where statement.inspection.takesRoom {
          statement.cancel(.disk)
        }
      }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Admits a statement; its ``RunningStatement/end(_:)`` must follow.
  ///
  /// - Parameter isNoted: whether it is in the query log and the metrics.
  func begin(
    _ inspection: StatementInspection, id: String?, timeout: Duration?, caller: Caller,
    isNoted: Bool = true
  ) async throws -> RunningStatement {
    let statement = RunningStatement(
      id: id ?? randomName(), caller: caller, inspection: inspection
    ) { [weak self] statement, error in
      self?.statements.leave(statement)
      if isNoted { self?.noteEnd(of: statement, error) }
    }
    try await statements.enter(statement)
    if let duration = [timeout, limits.statementDuration].compactMap(\.self).min() {
      let alarm = Task { [weak statement] in
        try await Task.sleep(for: duration)
        statement?.cancel(.timedOut)
      }
      statement.whenEnded { alarm.cancel() }
    }
    return statement
  }

  private func noteEnd(of statement: RunningStatement, _ error: APIError?) {
    metrics.note(statement, error: error)
    queryLog?.add(statement, error: error)
    var metadata: Logger.Metadata = [
      "user": "\(statement.caller.user)", "interface": "\(statement.caller.interface)",
      "query_id": "\(statement.id)", "verb": "\(statement.inspection.verb)",
      "milliseconds": "\((ContinuousClock.now - statement.start) / .milliseconds(1))",
    ]
    if let error { metadata["outcome"] = "\(error.kind)" }
    logger.debug("statement ended", metadata: metadata)
  }
}
