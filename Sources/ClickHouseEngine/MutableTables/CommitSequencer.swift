import MagicCore

/// Gives out commit numbers and versions, and publishes commits in the order of their numbers.
///
/// Commits that end while a record is being made durable share the next one.
actor CommitSequencer {
  /// How a commit ended.
  private struct Ended {
    /// Who waits for its publication; nil when there is nothing to publish.
    var waiter: CheckedContinuation<Void, any Error>?
    var checkpoint: [UInt8]?
  }

  private let log: CommitLog
  private let registry: ReaderRegistry
  private let onPublish: @Sendable (UInt64) -> Void
  private var record: CommitRecord
  /// What was published last.
  private var point: CommitPoint
  /// The last commit before which all have ended, well or not.
  private var ended: UInt64
  private var nextCommit: UInt64
  /// Commits that have ended, but are not published because one before has not.
  private var endedEarly: [UInt64: Ended] = [:]
  /// Who waits until a commit and all before it have ended.
  private var endWaiters: [(commit: UInt64, continuation: CheckedContinuation<Void, any Error>)] =
    []
  private var isWriting = false
  private var failure: EngineError?

  /// - Parameter onPublish: is called with every commit point that was published.
  init(
    log: CommitLog, record: CommitRecord, registry: ReaderRegistry,
    onPublish: @escaping @Sendable (UInt64) -> Void
  ) {
    self.log = log
    self.record = record
    point = registry.published
    self.registry = registry
    self.onPublish = onPublish
    ended = record.commit
    nextCommit = record.commit + 1
  }

  /// The writer's checkpoint as of the published commit point.
  var checkpoint: [UInt8] { record.checkpoint }

  /// The number of a new commit. Later commits are published after it, so its holder ends it soon,
  /// by ``publish(_:checkpoint:)`` or ``abandon(_:)``.
  ///
  /// - Throws: ``EngineError`` when a publication failed: nothing can be published any more.
  func begin() throws -> UInt64 {
    if let failure { throw failure }
    defer { nextCommit += 1 }
    return nextCommit
  }

  /// The first of `count` versions that nobody else gets.
  func versions(_ count: Int) -> UInt64 {
    defer { record.nextVersion += UInt64(count) }
    return record.nextVersion
  }

  /// Makes all later versions larger than `version`.
  func raiseVersions(above version: UInt64) {
    record.nextVersion = max(record.nextVersion, version + 1)
  }

  /// Makes a commit, whose rows are durable, visible; returns once that is durable as well.
  ///
  /// - Parameter checkpoint: the writer's new checkpoint; nil to keep the one before.
  func publish(_ commit: UInt64, checkpoint: [UInt8]? = nil) async throws {
    if let failure { throw failure }
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      endedEarly[commit] = Ended(waiter: continuation, checkpoint: checkpoint)
      writeNext()
    }
  }

  /// Ends a commit of which no rows are left.
  func abandon(_ commit: UInt64) {
    endedEarly[commit] = Ended()
    writeNext()
  }

  /// Returns once a commit and all before it have ended: those that end well are published.
  func waitForEnd(of commit: UInt64) async throws {
    if let failure { throw failure }
    if hasEnded(commit) { return }
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      endWaiters.append((commit, continuation))
    }
  }

  private func hasEnded(_ commit: UInt64) -> Bool {
    ended >= commit && (!isWriting || registry.published.commit >= commit)
  }

  /// Publishes everything up to the first commit that has not ended.
  private func writeNext() {
    guard !isWriting, failure == nil else { return }
    defer { resumeEndWaiters() }
    var waiting: [CheckedContinuation<Void, any Error>] = []
    while let next = endedEarly.removeValue(forKey: ended + 1) {
      ended += 1
      if let waiter = next.waiter { waiting.append(waiter) }
      if let checkpoint = next.checkpoint { record.checkpoint = checkpoint }
    }
    guard !waiting.isEmpty else { return }
    record.commit = ended
    isWriting = true
    Task { [record, waiting] in await write(record, for: waiting) }
  }

  private func resumeEndWaiters() {
    let ready = endWaiters.filter { hasEnded($0.commit) }
    endWaiters.removeAll { hasEnded($0.commit) }
    for waiter in ready { waiter.continuation.resume() }
  }

  private func write(
    _ record: CommitRecord, for waiting: [CheckedContinuation<Void, any Error>]
  ) async {
    do {
      try await log.write(record)
      if point.checkpoint != record.checkpoint {
        point = CommitPoint(commit: record.commit, checkpoint: record.checkpoint)
      }
      point.commit = record.commit
      registry.publish(point)
      onPublish(record.commit)
      isWriting = false
      for continuation in waiting { continuation.resume() }
      writeNext()
    } catch {
      fail("the commit log failed, so nothing can be published until a restart: \(error)")
      for continuation in waiting { continuation.resume(throwing: error) }
    }
  }

  /// Ends all publication: what comes now fails with `message`.
  func fail(_ message: String) {
    let failure = self.failure ?? EngineError(message: message)
    self.failure = failure
    let early = endedEarly.values.compactMap(\.waiter)
    endedEarly = [:]
    let waiters = early + endWaiters.map(\.continuation)
    endWaiters = []
    for continuation in waiters { continuation.resume(throwing: failure) }
  }
}
