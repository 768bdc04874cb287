import MagicCore

/// Changes of what the names of tables mean: a table is altered, renamed, replaced or dropped.
extension StorageEngine {
  /// How long such a change waits for statements at snapshots that began before it. Replication waits as
  /// long as it takes.
  static let snapshotPatience = Duration.seconds(30)

  /// Makes such a change, as a commit of its own: snapshots before it go on reading what was there.
  /// The caller holds the latches of the tables.
  ///
  /// - Throws: ``EngineError`` when statements at snapshots do not end that may not have found all
  ///   their tables yet; what `change` throws.
  func changeMeaning(
    of tables: [MutableTable], isolation: isolated (any Actor)? = #isolation,
    _ change: () async throws -> Void
  ) async throws {
    try await preserving(tables) {
      let commit = try await beginCommit()
      do {
        // What changes names cannot be taken back.
        try checkFence(of: commit)
        try await change()
      } catch {
        await abandon(commit)
        throw error
      }
      try await publish(commit)
    }
  }

  /// Does something by which names may come to mean something else, once snapshots can do without
  /// the tables. The caller holds the latches of the tables.
  func preserving<Result: Sendable>(
    _ tables: [MutableTable], isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Result
  ) async throws -> Result {
    let deadline = ContinuousClock.now + Self.snapshotPatience
    while true {
      let result = try await pinning.withLatch { () async throws -> Result? in
        guard try await preserve(tables) else { return nil }
        return try await body()
      }
      if let result { return result }
      try await Self.wait(for: tables, until: deadline)
    }
  }

  /// Does the same as far as it can be done before the tables' latches are taken, so that writers
  /// need not wait for statements at snapshots.
  func prepareChange(of tables: [MutableTable]) async throws {
    let deadline = ContinuousClock.now + Self.snapshotPatience
    let byOwner = Dictionary(tables.map { ($0.owner, $0) }) { $1 }
    let tables = byOwner.values.sorted { $0.owner < $1.owner }
    while true {
      let latches = tables.map(\.latch)
      if try await withLatches(latches, { try await preserve(tables) }) { return }
      try await Self.wait(for: tables, until: deadline)
    }
  }

  /// - Returns: whether no statement at a snapshot may still read the tables under their names.
  private func preserve(
    _ tables: [MutableTable], isolation: isolated (any Actor)? = #isolation
  ) async throws -> Bool {
    guard !registry.snapshotCommits(of: nil).isEmpty else { return true }
    let marks = try await withConnection { connection in
      var marks: [UInt64] = []
      for table in tables { marks.append(try await table.preserve(on: connection)) }
      return marks
    }
    return !registry.hasStatementsAtSnapshots(before: marks.max() ?? 0)
  }

  private static func wait(
    for tables: [MutableTable], until deadline: ContinuousClock.Instant
  ) async throws {
    let isReplication = tables.contains { $0.owner.kind == .replicated }
    guard isReplication || ContinuousClock.now < deadline else {
      throw EngineError(
        message: "statements that read snapshots, and began before, still run; end them, or try "
          + "again later")
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
