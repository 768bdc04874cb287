import Arrow
import MagicCore

/// What a publication does to a table without key, once it is known which rows its deletes take.
struct ResolvedRows: Sendable {
  /// The rows that came, inserted and deleted ones.
  var stage: StorageName
  var insertCount: Int
  var deleteCount = 0
  /// The contents of which rows are deleted, with the numbers of inserts and deletes; nil without
  /// deletes.
  var deleted: StorageName?
  /// Rows that were found living, with mark 1; and the inserted rows that are left of contents of which
  /// some were deleted too, with mark 0.
  var found: StorageName?
  /// Whether some contents are both inserted and deleted.
  var isMixed = false

  func discard(from storage: StorageEngine) async {
    for name in [deleted, found].compactMap(\.self) { await storage.discard(name) }
  }
}

/// Replicated tables without key: a row is one of perhaps several with the same values. It is stored
/// under a hash of its values and a number of its own, so a delete finds some row with its values by the
/// primary index.
extension MutableTable {
  /// So many rows are resolved at once.
  private static let resolvedRowCount = 500_000
  /// Fewer than these are set aside in memory.
  private static let memoryRowCount = 50_000

  // MARK: Setting aside

  /// Makes a stage for rows of such a table, which adds the hashes of their contents.
  nonisolated func makeContentsStage(
    _ name: StorageName, isSmall: Bool = false, on connection: any EngineConnection
  ) async throws {
    let shape = await shape
    let columns = shape.columns.map { "\(quotedIdentifier($0.name)) \($0.type)" }
    try await makeAside(
      name,
      columns + [
        "\(HiddenColumn.version) UInt64", "\(HiddenColumn.deleteMark) UInt8",
        "\(HiddenColumn.contents) UInt128 MATERIALIZED \(shape.contents)",
      ], isSmall: isSmall, on: connection)
  }

  private nonisolated func makeAside(
    _ name: StorageName, _ columns: [String], isSmall: Bool, on connection: any EngineConnection
  ) async throws {
    // A crash ends it anyway.
    try await connection.execute("SET fsync_metadata = 0")
    let engine =
      isSmall
      ? "Memory"
      : "MergeTree ORDER BY \(HiddenColumn.contents) SETTINGS \(StorageName.stageSettings)"
    try await connection.execute(
      "CREATE TABLE \(name) (\(columns.joined(separator: ", "))) ENGINE = \(engine)")
  }

  /// Adds batches to a stage, which is made when there is none.
  ///
  /// - Returns: the stage.
  nonisolated func setAside(
    _ batches: [RecordBatch], in stage: StorageName?
  ) async throws -> StorageName {
    let name = stage ?? storage.stageName(of: owner)
    do {
      try await storage.withConnection { connection in
        if stage == nil {
          let count = batches.reduce(0) { $0 + $1.rowCount }
          try await makeContentsStage(name, isSmall: count < Self.memoryRowCount, on: connection)
        }
        for batch in batches { try await connection.ingest(batch, into: name.reference) }
      }
    } catch {
      if stage == nil { await storage.discard(name) }
      throw error
    }
    return name
  }

  // MARK: Resolving

  /// Finds a living row for each delete that no insert of the same publication makes up for. The caller
  /// holds the latch.
  ///
  /// - Throws: ``EngineError`` when there are fewer than are deleted.
  func resolve(_ stage: StorageName) async throws -> ResolvedRows {
    try await storage.withConnection { connection in
      let counts = try await connection.texts(
        "SELECT toString(countIf(\(HiddenColumn.deleteMark) = 0)), toString(count()) FROM \(stage)")
      let (inserts, all) = (Int(counts[0][0]) ?? 0, Int(counts[0][1]) ?? 0)
      var rows = ResolvedRows(stage: stage, insertCount: inserts)
      if inserts == all { return rows }
      let (deleted, found) = (storage.stageName(of: owner), storage.stageName(of: owner))
      (rows.deleted, rows.found) = (deleted, found)
      do {
        let isSmall = all < Self.memoryRowCount
        let contents = "\(HiddenColumn.contents) UInt128"
        try await makeAside(
          deleted,
          [contents, "inserts UInt64", "deletes UInt64", "\(HiddenColumn.version) UInt64"],
          isSmall: isSmall, on: connection)
        try await makeAside(
          found,
          [
            contents, "\(HiddenColumn.row) UInt64", "\(HiddenColumn.version) UInt64",
            "\(HiddenColumn.deleteMark) UInt8",
          ], isSmall: isSmall, on: connection)
        for slice in Self.slices(all / Self.resolvedRowCount + 1) {
          try await resolve(slice, of: &rows, deleted, found, on: connection)
        }
      } catch {
        await rows.discard(from: storage)
        throw error
      }
      return rows
    }
  }

  /// Conditions that divide all contents evenly.
  private static func slices(_ count: Int) -> [String] {
    let width = UInt128.max / UInt128(count)
    return (0..<count).map { index in
      let lower =
        "\(HiddenColumn.contents) >= toUInt128('\(width * UInt128(index))')"
      if index == count - 1 { return lower }
      return lower + " AND \(HiddenColumn.contents) < toUInt128('\(width * UInt128(index + 1))')"
    }
  }

  private func resolve(
    _ slice: String, of rows: inout ResolvedRows, _ deleted: StorageName, _ found: StorageName,
    on connection: any EngineConnection
  ) async throws {
    let (contents, row) = (HiddenColumn.contents, HiddenColumn.row)
    let (version, mark) = (HiddenColumn.version, HiddenColumn.deleteMark)
    try await connection.execute(
      """
      INSERT INTO \(deleted) SELECT \(contents), countIf(\(mark) = 0), countIf(\(mark) = 1), \
      maxIf(\(version), \(mark) = 1) FROM \(rows.stage) WHERE \(slice) GROUP BY \(contents) \
      HAVING countIf(\(mark) = 1) > 0
      """)
    let facts = try await connection.texts(
      """
      SELECT toString(sumIf(deletes - inserts, deletes > inserts)), \
      toString(maxIf(deletes - inserts, deletes > inserts)), toString(countIf(inserts > 0)) \
      FROM \(deleted) WHERE \(slice)
      """)
    let numbers = facts[0].compactMap { Int($0) }
    guard numbers.count == 3 else { throw EngineError(message: "\(deleted) cannot be read") }
    let (wanted, most, mixed) = (numbers[0], numbers[1], numbers[2])
    if wanted > 0 {
      let missing = "SELECT * FROM \(deleted) WHERE (\(slice)) AND deletes > inserts"
      try await connection.execute(
        """
        INSERT INTO \(found) SELECT \(contents), \(row), \(version), 1 FROM (SELECT \
        living.\(contents) AS \(contents), living.\(row) AS \(row), \
        missing.\(version) AS \(version), missing.deletes - missing.inserts AS wanted, \
        row_number() OVER (PARTITION BY living.\(contents) ORDER BY living.\(row)) AS number \
        FROM (SELECT * FROM (\(livingRows(withContentsIn: missing))) LIMIT \(most) BY \(contents)) \
        AS living INNER JOIN (\(missing)) AS missing ON living.\(contents) = missing.\(contents)) \
        WHERE number <= wanted
        """)
      let count = try await connection.count("\(found) WHERE (\(slice)) AND \(mark) = 1")
      guard count == wanted else {
        throw MissingRowError(table: owner.number)
      }
      rows.deleteCount += count
    }
    guard mixed > 0 else { return }
    rows.isMixed = true
    try await connection.execute(
      """
      INSERT INTO \(found) SELECT \(contents), \(version), \(version), 0 FROM (SELECT \
      staged.\(contents) AS \(contents), staged.\(version) AS \(version), \
      changed.inserts - changed.deletes AS kept, row_number() OVER \
      (PARTITION BY staged.\(contents) ORDER BY staged.\(version) DESC) AS number \
      FROM (SELECT \(contents), \(version) FROM \(rows.stage) WHERE (\(slice)) AND \(mark) = 0) \
      AS staged INNER JOIN (SELECT * FROM \(deleted) WHERE (\(slice)) AND inserts > deletes) \
      AS changed ON staged.\(contents) = changed.\(contents)) WHERE number <= kept
      """)
  }

  /// The living rows with some contents, each with what identifies it. What is being settled is in both
  /// tables, and is taken from the young one.
  private func livingRows(withContentsIn wanted: String) -> String {
    let hasContents =
      "\(HiddenColumn.contents) IN (SELECT \(HiddenColumn.contents) FROM (\(wanted)))"
    let youngs = current.youngs.map(\.name)
    func young(_ columns: String) -> String {
      youngs.map { "SELECT \(columns) FROM \($0) WHERE \(hasContents)" }
        .joined(separator: " UNION ALL ")
    }
    let view = MutableView(shape: shape, branches: [])
    let newest = view.newest(of: young("\(shape.keyList), \(MutableView.hidden)"))
    return """
      SELECT \(shape.keyList) FROM \(current.settled) WHERE \(hasContents) \
      AND \(shape.comparedKey) NOT IN (\(young(shape.keyList))) \
      UNION ALL SELECT \(shape.keyList) FROM (\(newest)) WHERE \(HiddenColumn.deleteMark) = 0
      """
  }

  // MARK: Writing

  /// Writes what was resolved into the open young table. The caller holds the latch.
  func write(
    _ rows: ResolvedRows, commit: UInt64, on connection: any EngineConnection
  ) async throws {
    let (contents, version) = (HiddenColumn.contents, HiddenColumn.version)
    let mark = HiddenColumn.deleteMark
    try await noteYoungRows(rows.insertCount + rows.deleteCount, commit: commit, on: connection)
    let young = openYoung.name
    let hidden = "\(contents), \(HiddenColumn.row), \(MutableView.hidden)"
    func insert(where condition: String) async throws {
      try await connection.execute(
        """
        INSERT INTO \(young) (\(shape.columnList), \(hidden)) SELECT \(shape.columnList), \
        \(contents), \(version), \(version), 0, \(commit) FROM \(rows.stage) \
        WHERE \(mark) = 0 AND \(condition)
        """)
    }
    if rows.insertCount > 0 {
      let deleted = rows.isMixed ? rows.deleted : nil
      try await insert(
        where: deleted.map { "\(contents) NOT IN (SELECT \(contents) FROM \($0))" } ?? "1")
    }
    guard let found = rows.found else { return }
    if rows.isMixed {
      try await insert(
        where: "(\(contents), \(version)) IN (SELECT \(contents), \(version) FROM \(found) "
          + "WHERE \(mark) = 0)")
    }
    if rows.deleteCount > 0 {
      try await connection.execute(
        """
        INSERT INTO \(young) (\(hidden)) SELECT \(contents), \(HiddenColumn.row), \(version), 1, \
        \(commit) FROM \(found) WHERE \(mark) = 1
        """)
    }
  }
}
