import MagicCore

/// Moving young rows into the settled table, in the background.
///
/// In place it takes four steps: the young table is *frozen*, a new one takes what is written from
/// then on; nobody reads a commit point before the last one of the frozen table; its keys are
/// masked in the settled table and its newest living rows added there, which no reader sees,
/// because the view leaves out of the settled rows what is in a young table; the view forgets the
/// frozen table. A crash between them leaves steps that may be repeated.
extension MutableTable {
  /// A young table is settled when it has this many rows, or rests, or is old.
  private static let eagerRowCount = 300_000
  private static let restDuration = Duration.milliseconds(400)
  private static let ageLimit = Duration.seconds(3)
  /// How long readers of earlier commit points hold up settling before it goes on in a copy.
  private static let patience = Duration.seconds(5)
  /// The same for snapshots.
  private static let pinPatience = Duration.seconds(2)
  /// With fewer young rows than these it does not, but for snapshots.
  private static let copyRowCount = 100_000
  private static let generationLimit = 8
  /// How long after a copy its rows get statistics, which take a third of its time, and of how many rows
  /// at most: of more there are parts enough to be merged.
  static let statisticsDelay = Duration.seconds(2)
  private static let mostRowsWithoutMerge = 20_000_000
  /// How long rows are left alone after they were written.
  private static let grace = Duration.milliseconds(200)

  /// The first commit point whose readers read the current generation.
  private var readersStart: UInt64 { generations.count > 1 ? current.from : 0 }

  /// Whether the background should call ``settle()`` now.
  func settlingIsDue(at now: ContinuousClock.Instant) -> Bool {
    guard isSettled else { return false }
    if let statisticsAreDue, now >= statisticsAreDue { return true }
    if !unreadGenerations.isEmpty || !pinnedGenerations.isEmpty { return true }
    if current.youngs.count > 1 { return true }
    guard openYoung.rows > 0, let first = openYoung.firstWrite, let last = openYoung.lastWrite
    else { return false }
    let isLarge =
      openYoung.rows >= Self.eagerRowCount
      || openYoung.inserts >= Self.youngInsertLimit / 2
    if let lastSettling {
      // It takes at most half of the time, and a fifth when little waits.
      let pause = lastSettling.duration * (isLarge ? 1 : 4)
      if now - lastSettling.end < pause { return false }
    }
    return isLarge || now - last >= Self.restDuration || now - first >= Self.ageLimit
  }

  /// Settles what is young, as far as readers allow.
  ///
  /// - Parameter isForced: whether to go on in a copy, however little there is, when they do not.
  func settle(isForced: Bool = false) async throws {
    try await settling.withLatch {
      if isRemoved || !isSettled { return }
      try await storage.withConnection { connection in
        try await latch.withLatch { try await removeOldGenerations(on: connection) }
        try await settleYoung(isForced: isForced, on: connection)
        try await addStatistics(on: connection)
      }
    }
  }

  /// Has the engine compute the statistics of the columns, by which it orders joins. Parts get them when
  /// they are merged; of few copied rows there may be too few parts for that.
  private func addStatistics(on connection: any EngineConnection) async throws {
    guard let due = statisticsAreDue, due <= .now else { return }
    statisticsAreDue = nil
    let settled = current.settled
    if try await connection.count("\(settled)") <= Self.mostRowsWithoutMerge {
      try await connection.execute(
        "ALTER TABLE \(settled) MATERIALIZE STATISTICS ALL SETTINGS mutations_sync = 0")
    }
  }

  /// Settles everything that is published by now.
  func settleAll() async throws {
    let last = lastCommit
    while !isRemoved, isSettled,
      current.youngs.contains(where: { $0.rows > 0 && $0.firstCommit <= last })
    {
      try await settle(isForced: true)
    }
  }

  private func settleYoung(
    isForced: Bool, on connection: any EngineConnection
  ) async throws {
    let start = ContinuousClock.now
    if current.youngs.count == 1 {
      guard openYoung.rows > 0 else { return }
      try await latch.withLatch {
        if !isRemoved { try await freeze(on: connection) }
      }
      if isRemoved { return }
    }
    let frozen = current.youngs[0]
    try await storage.sequencer.waitForEnd(of: frozen.lastCommit)
    // What the engine runs by itself has looked the commit point up by then.
    if let last = frozen.lastWrite { try await Task.sleep(until: last + Self.grace) }
    // Readers of earlier generations do not mind.
    // The last one may have been given up, and is not published then.
    let last = min(frozen.lastCommit, storage.registry.published.commit)
    let range = readersStart..<max(readersStart, last)
    let isPinned = storage.registry.snapshotCommits(of: owner).contains(where: range.contains)
    let isRead = storage.registry.hasStatements(from: range.lowerBound, below: range.upperBound)
    if isPinned || isRead {
      waitingSince = waitingSince ?? start
      let waited = start - (waitingSince ?? start)
      // A snapshot stays for long, and other reads are not to be slow because of it.
      let isWorthACopy =
        isPinned || youngRows >= Self.copyRowCount || youngInserts >= Self.youngInsertLimit / 2
      // More generations would make statements slow to plan.
      if waited >= (isForced ? Self.grace : isPinned ? Self.pinPatience : Self.patience),
        isForced || isWorthACopy, generations.count < Self.generationLimit
      {
        try await settleInCopy(on: connection)
      } else {
        try await Task.sleep(for: .milliseconds(20))
      }
      return
    }
    waitingSince = nil
    try await settle([frozen.name], into: current.settled, on: connection)
    try await latch.withLatch {
      if !isRemoved { try await removeYoung(frozen.name, on: connection) }
    }
    let end = ContinuousClock.now
    lastSettling = (end, end - start)
  }

  /// Goes on in a copy of the settled table, so that a long statement keeps what it reads.
  private func settleInCopy(on connection: any EngineConnection) async throws {
    let start = ContinuousClock.now
    let stage = storage.stageName(of: owner)
    do {
      try await latch.withLatch {
        if !isRemoved { try await freeze(isForNext: true, on: connection) }
      }
      if isRemoved { return }
      let frozen = Array(current.youngs.dropLast())
      try await storage.sequencer.waitForEnd(of: lastCommit)
      try await copySettled(to: stage, settling: frozen, on: connection)
      try await latch.withLatch {
        if isRemoved { throw EngineError(code: 60, message: "the table was dropped") }
        try await add(generationOf: stage, without: frozen, on: connection)
      }
    } catch {
      await storage.discard(stage)
      throw error
    }
    waitingSince = nil
    let end = ContinuousClock.now
    lastSettling = (end, end - start)
  }
}
