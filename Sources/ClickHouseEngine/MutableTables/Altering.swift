import MagicCore

/// Changes of a table as a whole.
extension MutableTable {
  /// How long a change of the declaration waits for statements that read an earlier state.
  private static let readerPatience = Duration.seconds(30)

  /// Changes the declaration: a copy of the settled table is altered, and takes its place in one
  /// step when that succeeded.
  ///
  /// - Parameters:
  ///   - columns: those that it modifies.
  ///   - statement: the ALTER statement with another table's name.
  /// - Throws: ``EngineError`` when the engine refuses, when the result could not be mutable, or when
  ///   readers do not end; the table is as it was then.
  func alter(
    modifying columns: [String], _ statement: @escaping @Sendable (_ table: String) -> String
  ) async throws {
    let deadline = ContinuousClock.now + Self.readerPatience
    while true {
      // Not under the latch: a statement that reads an earlier state may be about to write.
      try await waitForReaders(until: deadline)
      let isDone = try await settling.withLatch {
        try await latch.withLatch {
          try requireTable()
          try await waitForCommits()
          if storage.registry.hasStatementsAtNewest(below: visibleCommit) { return false }
          try await storage.withConnection {
            try await replaceByAltered(modifying: columns, statement, on: $0)
          }
          return true
        }
      }
      if isDone { return }
    }
  }

  private func replaceByAltered(
    modifying columns: [String], _ statement: (_ table: String) -> String,
    on connection: any EngineConnection
  ) async throws {
    let stage = storage.stageName(of: owner)
    do {
      let youngs = current.youngs.filter { $0.rows > 0 }
      try await copySettled(to: stage, settling: youngs, on: connection)
      try await fixDefaults(of: columns, in: stage, on: connection)
      try await connection.execute(statement("\(stage)"))
      try await TableDeclaration.check(stage, isComplete: true, on: connection)
      let shape = try await TableShape.read(stage, on: connection)
      let generation = try await makeGeneration(
        of: stage, shape: shape, from: visibleCommit, on: connection)
      try await storage.changeMeaning(of: [self]) {
        try await replace(with: generation, shape: shape, on: connection)
      }
    } catch {
      await storage.discard(stage)
      throw error
    }
  }

  private func requireTable() throws {
    if isRemoved { throw EngineError(code: 60, message: "the table was dropped meanwhile") }
  }

  /// Stores the defaults of rows that are older than their column: the engine computes them when it
  /// reads, so another default would change those rows.
  private func fixDefaults(
    of columns: [String], in stage: StorageName, on connection: any EngineConnection
  ) async throws {
    let withDefault = try await connection.texts(
      "SELECT name FROM system.columns WHERE \(stage.isNamed(by: "table")) "
        + "AND default_kind = 'DEFAULT'"
    ).map { $0[0] }
    for column in columns where withDefault.contains(column) {
      try await connection.execute(
        "ALTER TABLE \(stage) MATERIALIZE COLUMN \(quotedIdentifier(column))")
    }
  }

  /// Empties the table.
  func truncate() async throws {
    try await settling.withLatch {
      try await latch.withLatch {
        try requireTable()
        try await storage.withConnection { try await publishGeneration(adding: nil, on: $0) }
      }
    }
  }

  /// Changes the comment.
  func modifyComment(_ comment: String) async throws {
    try await latch.withLatch {
      try requireTable()
      try await storage.withConnection { connection in
        setComment(comment)
        try await refreshView(on: connection)
      }
    }
  }

  private func waitForReaders(until deadline: ContinuousClock.Instant) async throws {
    try await storage.prepareChange(of: [self])
    while storage.registry.hasStatementsAtNewest(below: visibleCommit) {
      guard ContinuousClock.now < deadline else {
        throw EngineError(
          message: "statements that began before the last change of the table still run; end them, "
            + "or try again later")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
