import MagicCore
import Synchronization

/// What all mutable tables of a data folder share: the engine, the commit points and their readers,
/// and the storage tables that wait for their end.
final class StorageEngine: Sendable {
  /// A storage table that no view names any more.
  private struct Retired {
    var name: StorageName
    /// Those who entered before may have resolved a view that named it.
    var mark: UInt64
    /// The engine's own readers (refreshes, dictionaries) do not enter; they get this long.
    var earliest: ContinuousClock.Instant
  }

  let registry: ReaderRegistry
  /// What snapshots read of tables that are not what they were.
  let past = PastTables()
  /// What is kept for processes to come.
  let kept = KeptTables()
  /// Held while a snapshot is pinned, and while what a name means changes.
  let pinning = WriteLatch()
  let sequencer: CommitSequencer
  private let engine: any Engine
  private let retired = Mutex<[Retired]>([])
  private let lastStage = Atomic<UInt64>(0)
  /// The commits that have entered with fencing tokens.
  private let fenced = Mutex<[UInt64: (fencing: Fencing, entries: [FenceEntry])]>([:])

  init(engine: any Engine, registry: ReaderRegistry, sequencer: CommitSequencer) {
    self.engine = engine
    self.registry = registry
    self.sequencer = sequencer
  }

  /// What the layer's own statements need whatever the types and keys of a table are.
  private static let settings = [
    "allow_suspicious_low_cardinality_types = 1", "allow_suspicious_variant_types = 1",
    "allow_suspicious_fixed_string_types = 1", "allow_experimental_time_time64_type = 1",
    "allow_suspicious_indices = 1", "max_partitions_per_insert_block = 0",
    "lightweight_deletes_sync = 1", "mutations_sync = 1", "insert_null_as_default = 0",
    "max_query_size = 16777216",
  ]

  // MARK: Commits

  /// The number of a new commit, see ``CommitSequencer/begin()``. Until its end nobody else is given
  /// what the fencing tokens of the task hold.
  ///
  /// - Throws: ``EngineError`` also when a token is stale.
  func beginCommit() async throws -> UInt64 {
    guard let fencing = Fencing.current else { return try await sequencer.begin() }
    let entries = try await fencing.enter()
    do {
      let commit = try await sequencer.begin()
      fenced.withLock { $0[commit] = (fencing, entries) }
      return commit
    } catch {
      await fencing.leave(entries)
      throw error
    }
  }

  /// Refuses to publish a commit that took so long that others may hold what its tokens did.
  ///
  /// - Throws: ``EngineError``; the commit is to be taken back.
  func checkFence(of commit: UInt64) throws {
    let entries = fenced.withLock { $0[commit]?.entries } ?? []
    let now = ContinuousClock.now
    if entries.contains(where: { $0.deadline.map { $0 <= now } ?? false }) {
      throw EngineError(
        message: "the change took longer than its latch can be kept for it, and was not made")
    }
  }

  /// Publishes a commit, see ``CommitSequencer/publish(_:checkpoint:)``.
  ///
  /// - Parameter showing: what is seen with it, and has to be before others get what its fencing tokens
  ///   hold.
  func publish(
    _ commit: UInt64, checkpoint: [UInt8]? = nil, isolation: isolated (any Actor)? = #isolation,
    showing: () async throws -> Void = {}
  ) async throws {
    let result: Result<Void, any Error>
    do {
      try await sequencer.publish(commit, checkpoint: checkpoint)
      result = .success(try await showing())
    } catch {
      result = .failure(error)
    }
    await leaveFence(of: commit)
    try result.get()
  }

  /// Ends a commit of which no rows are left.
  func abandon(_ commit: UInt64) async {
    await sequencer.abandon(commit)
    await leaveFence(of: commit)
  }

  private func leaveFence(of commit: UInt64) async {
    guard let (fencing, entries) = fenced.withLock({ $0.removeValue(forKey: commit) }) else {
      return
    }
    await fencing.leave(entries)
  }

  /// Runs `body` with a session for the layer's own statements.
  func withConnection<Result: Sendable>(
    isolation: isolated (any Actor)? = #isolation,
    _ body: (any EngineConnection) async throws -> Result
  ) async throws -> Result {
    try await engine.withConnection { connection in
      try await connection.execute("SET " + Self.settings.joined(separator: ", "))
      return try await body(connection)
    }
  }

  /// The name of a new stage.
  func stageName(of owner: StorageOwner) -> StorageName {
    StorageName(owner, .stage(lastStage.add(1, ordering: .relaxed).newValue))
  }

  /// Drops storage tables once nobody can need them.
  func retire(_ names: [StorageName]) {
    let mark = registry.mark
    let earliest = ContinuousClock.now + .seconds(2)
    retired.withLock { retired in
      retired += names.map { Retired(name: $0, mark: mark, earliest: earliest) }
    }
  }

  /// Drops the retired tables that nobody needs any more.
  ///
  /// - Parameter isLast: whether the engine's own readers need not be waited for.
  func dropRetired(isLast: Bool = false) async throws {
    try await past.dropUnread(self)
    guard nextRetired(isLast: isLast) != nil else { return }
    try await withConnection { connection in
      while let next = nextRetired(isLast: isLast) {
        try await connection.execute("DROP TABLE IF EXISTS \(next) SYNC")
        retired.withLock { retired in retired.removeAll { $0.name == next } }
      }
    }
  }

  /// The next table to drop: of each owner the one that was retired first. At the next start, what is
  /// left of a table's young tables is read again, and must not lack a later one.
  private func nextRetired(isLast: Bool) -> StorageName? {
    let now = ContinuousClock.now
    return retired.withLock { retired in
      var seen: Set<StorageOwner> = []
      return retired.first { table in
        // What snapshots read does not hold up the rest: the next start looks at what the view names.
        !past.holds(table.name) && seen.insert(table.name.owner).inserted
          && (isLast || table.earliest <= now)
          && !registry.hasStatements(before: table.mark)
      }?.name
    }
  }

  /// Drops a table that nobody but the caller ever knew, whatever became of the caller's task.
  func discard(_ name: StorageName) async {
    // One that cannot be dropped now is dropped when the data folder is opened again.
    await Task { [self] in
      try? await withConnection { _ = try await $0.execute("DROP TABLE IF EXISTS \(name) SYNC") }
    }.value
  }
}

extension StorageEngine {
  /// Removes the rows of a commit that failed from young tables, so that later ones can be published. When that fails
  /// too, nothing is published any more: the next start removes the rows.
  func takeBack(_ commit: UInt64, from places: [String], because reason: any Error) async {
    await Task { [self] in
      do {
        try await withConnection { connection in
          for place in places { try await removeRows(of: commit, from: place, on: connection) }
        }
        await abandon(commit)
      } catch {
        await sequencer.fail(
          "a write failed (\(reason)) and could not be taken back (\(error)): restart to recover")
      }
    }.value
  }

  private func removeRows(
    of commit: UInt64, from place: String, on connection: any EngineConnection
  ) async throws {
    let condition = "\(HiddenColumn.commit) = \(commit)"
    let count = try await connection.texts(
      "SELECT toString(count()) FROM \(place) WHERE \(condition)")
    if count != [["0"]] { try await connection.execute("DELETE FROM \(place) WHERE \(condition)") }
  }
}
