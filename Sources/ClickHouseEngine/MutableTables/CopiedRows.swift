import Arrow
import MagicCore

/// Rows that are copied into a replicated table before it is seen. They go into the settled table, and
/// what was changed meanwhile stays young: so a changed key wins over a copied one.
extension MutableTables {
  public func copy(_ batch: RecordBatch, into definition: TableDefinition) async throws {
    let table = try replicated(definition)
    try await table.requireUnseen(definition)
    if await !table.shape.hasContents {
      let settled = await table.current.settled
      return try await storage.withConnection {
        try await $0.ingest(batch, into: settled.reference)
      }
    }
    let stage = try await table.setAside([batch], in: nil)
    do {
      try await storage.withConnection { connection in
        try await table.copyContents(
          from: "\(stage)", version: HiddenColumn.version, count: batch.rowCount, on: connection)
      }
    } catch {
      await storage.discard(stage)
      throw error
    }
    await storage.discard(stage)
  }

  public func discardCopied(
    _ definition: TableDefinition, keeping versions: [ClosedRange<UInt64>]
  ) async throws {
    let table = try replicated(definition)
    try await table.requireUnseen(definition)
    let settled = await table.current.settled
    try await storage.withConnection { connection in
      guard !versions.isEmpty else {
        _ = try await connection.execute("TRUNCATE TABLE \(settled) SYNC")
        return
      }
      for condition in Self.gaps(between: versions) {
        // Most are empty, and a delete looks at every part.
        if try await connection.count("\(settled) WHERE \(condition)") > 0 {
          try await connection.execute("DELETE FROM \(settled) WHERE \(condition)")
        }
      }
    }
  }

  /// Conditions for the versions that are in no range, not too long each.
  static func gaps(between ranges: [ClosedRange<UInt64>]) -> [String] {
    var gaps: [String] = []
    /// The first version after the ranges so far; nil when there is none.
    var next: UInt64? = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      guard let start = next else { break }
      if range.lowerBound > start {
        gaps.append("\(HiddenColumn.version) BETWEEN \(start) AND \(range.lowerBound - 1)")
      }
      if range.upperBound >= start {
        next = range.upperBound == .max ? nil : range.upperBound + 1
      }
    }
    if let next { gaps.append("\(HiddenColumn.version) >= \(next)") }
    return stride(from: 0, to: gaps.count, by: 500).map {
      gaps[$0..<min($0 + 500, gaps.count)].joined(separator: " OR ")
    }
  }

  /// Copies the rows of a file in the format Native, with version 0.
  func copy(
    file path: String, compression: String, columns: String, into definition: TableDefinition
  ) async throws -> Int? {
    let table = try replicated(definition)
    try await table.requireUnseen(definition)
    let source = "FROM INFILE \(path) \(compression)FORMAT Native"
    let settled = await table.current.settled
    return try await storage.withConnection { connection in
      guard await table.shape.hasContents else {
        return try await connection.execute("INSERT INTO \(settled) (\(columns)) \(source)")
      }
      let stage = storage.stageName(of: table.owner)
      do {
        try await table.makeContentsStage(stage, on: connection)
        let count = try await connection.execute("INSERT INTO \(stage) (\(columns)) \(source)")
        try await table.copyContents(
          from: "\(stage)", version: "0", count: try await connection.count("\(stage)"),
          on: connection)
        await storage.discard(stage)
        return count
      } catch {
        await storage.discard(stage)
        throw error
      }
    }
  }
}

extension MutableTable {
  /// What identifies copied rows of a table without key begins here, above all versions.
  static let firstCopiedRow = UInt64(1) << 63

  /// Waits until nothing is settled any more.
  ///
  /// - Throws: ``EngineError`` when the table is seen, so that its rows are settled.
  func requireUnseen(_ definition: TableDefinition) async throws {
    try await settling.withLatch {
      if isRemoved { throw EngineError(code: 60, message: "\(definition.name) was dropped") }
      if let name {
        throw EngineError(message: "\(name) is seen already, so no rows are copied into it")
      }
    }
  }

  /// Copies rows of a stage that has their contents' hashes into the settled table.
  nonisolated func copyContents(
    from stage: String, version: String, count: Int, on connection: any EngineConnection
  ) async throws {
    let first = try await takeCopiedRows(count, on: connection)
    let shape = await shape
    try await connection.execute(
      """
      INSERT INTO \(await current.settled) (\(shape.columnList), \(HiddenColumn.version), \
      \(HiddenColumn.deleteMark), \(HiddenColumn.contents), \(HiddenColumn.row)) \
      SELECT \(shape.columnList), \(version), 0, \(HiddenColumn.contents), \
      toUInt64(\(first) + rowNumberInAllBlocks()) FROM \(stage) \
      SETTINGS max_threads = 1, max_insert_threads = 1
      """)
  }

  /// What identifies the first of so many copied rows; nobody else gets it.
  private func takeCopiedRows(
    _ count: Int, on connection: any EngineConnection
  ) async throws -> UInt64 {
    if nextCopiedRow == nil {
      var highest = Self.firstCopiedRow
      for name in storageNames {
        let found = try await connection.texts(
          "SELECT toString(max(\(HiddenColumn.row))) FROM \(name)")
        highest = max(highest, found.first?.first.flatMap(UInt64.init) ?? 0)
      }
      // Somebody else may have asked meanwhile.
      nextCopiedRow = nextCopiedRow ?? highest + 1
    }
    let first = nextCopiedRow ?? Self.firstCopiedRow
    nextCopiedRow = first + UInt64(count)
    return first
  }
}
