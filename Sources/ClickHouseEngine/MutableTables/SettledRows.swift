import MagicCore

/// How rows get into settled tables.
extension MutableTable {
  /// How many bytes are settled at once, see ``sliceRowCount``.
  private static let sliceByteCount = 64 << 20

  /// Moves the newest living rows of young tables, and then of a stage, into a settled table.
  func settle(
    _ youngs: [StorageName], into settled: StorageName, adding rows: StagedRows? = nil,
    _ firstVersion: UInt64 = 0, on connection: any EngineConnection
  ) async throws {
    let stagedKeys = rows.map { "SELECT \(shape.comparedKeyList) FROM \($0.source)" }
    let isEmpty =
      try await connection.texts(
        "SELECT toString(count()) FROM (SELECT 1 FROM \(settled) LIMIT 1)") == [["0"]]
    for (index, slice) in try await slices(of: youngs, on: connection).enumerated() {
      if Task.isCancelled || isLeaving { throw EngineError.cancelled }
      var keys = youngs.map { "SELECT \(shape.comparedKeyList) FROM \($0) WHERE \(slice)" }
      if index == 0, let stagedKeys { keys.append(stagedKeys) }
      if !keys.isEmpty, !isEmpty {
        try await connection.execute(
          "DELETE FROM \(settled) WHERE \(shape.comparedKey) IN "
            + "(\(keys.joined(separator: " UNION ALL ")))")
      }
      if youngs.isEmpty { continue }
      let unlessStaged = stagedKeys.map { " AND \(shape.comparedKey) NOT IN (\($0))" } ?? ""
      try await connection.execute(
        "INSERT INTO \(settled) (\(settledColumns)) SELECT \(settledColumns) "
          + "FROM (\(newest(of: youngs, where: slice))) "
          + "WHERE \(HiddenColumn.deleteMark) = 0" + unlessStaged
          // What comes later is merged with others, and gets statistics of its columns then.
          + " SETTINGS materialize_statistics_on_insert = \(isEmpty ? 1 : 0)")
    }
    // Those of rows that are copied for others are still there.
    if !youngs.isEmpty, settled.owner == owner {
      let marks = MutableView.rows(
        of: youngs, "\(HiddenColumn.version), \(HiddenColumn.deleteMark)", upTo: "\(UInt64.max)")
      try await noteDroppedMarks(
        "SELECT \(HiddenColumn.version) FROM (\(marks)) "
          + "WHERE \(HiddenColumn.deleteMark) = 1", in: settled, on: connection)
    }
    if let rows {
      let staged = try await newestStaged(rows, on: connection)
      try await connection.execute(
        """
        INSERT INTO \(settled) (\(HiddenColumn.version), \(shape.storedColumnList)) \
        SELECT toUInt64(\(firstVersion) + _magic_position) AS _magic_version, \
        \(shape.storedValues(version: "_magic_version")) \
        FROM (\(staged)) WHERE \(HiddenColumn.deleteMark) = 0
        """)
      try await noteDroppedMarks(
        "SELECT toUInt64(\(firstVersion) + _magic_position) AS \(HiddenColumn.version) "
          + "FROM (\(staged)) WHERE \(HiddenColumn.deleteMark) = 1",
        in: settled, on: connection)
    }
  }

  /// The last row of every key of a stage, with its position.
  private func newestStaged(
    _ rows: StagedRows, on connection: any EngineConnection
  ) async throws -> String {
    let all = "SELECT *, \(rows.position) AS _magic_position FROM \(rows.source)"
    // Without key, all new rows look alike.
    guard rows.mayRepeatKeys, !shape.isKeyless else { return all }
    let repeated = try await connection.texts(
      """
      SELECT toString(count()) FROM (SELECT 1 FROM \(rows.source) GROUP BY \(shape.keyList) \
      HAVING count() > 1 LIMIT 1) SETTINGS optimize_aggregation_in_order = 1
      """)
    if repeated == [["0"]] { return all }
    return "SELECT * FROM (\(all)) ORDER BY _magic_position DESC LIMIT 1 BY \(shape.keyList)"
  }

  /// Remembers, in the settled table's comment, up to which version delete marks are gone.
  private func noteDroppedMarks(
    _ versions: String, in settled: StorageName, on connection: any EngineConnection
  ) async throws {
    let highest = try await connection.texts(
      "SELECT toString(max(\(HiddenColumn.version))) FROM (\(versions))")
    let floor = max(markFloor, highest.first?.first.flatMap(UInt64.init) ?? 0)
    guard floor > 0 else { return }
    try await connection.execute("ALTER TABLE \(settled) MODIFY COMMENT '\(floor)'")
    markFloor = floor
  }

  /// The columns that are written into a settled table.
  private var settledColumns: String {
    "\(shape.storedColumnList), \(HiddenColumn.version), \(HiddenColumn.deleteMark)"
  }

  /// The newest versions of some of the keys of young tables.
  private func newest(of youngs: [StorageName], where condition: String) -> String {
    let rows = youngs.map {
      "SELECT \(shape.storedColumnList), \(MutableView.hidden) FROM \($0) WHERE \(condition)"
    }
    return MutableView(shape: shape, branches: []).newest(of: rows.joined(separator: " UNION ALL "))
  }

  /// Conditions for keys, of which each one is met by few enough rows of young tables, and every key
  /// meets one.
  private func slices(
    of youngs: [StorageName], on connection: any EngineConnection
  ) async throws -> [String] {
    if youngs.isEmpty { return ["1"] }
    let names = youngs.map { quotedString($0.table) }.joined(separator: ", ")
    let sizes = try await connection.texts(
      """
      SELECT toString(sum(rows)), toString(sum(data_uncompressed_bytes)) FROM system.parts \
      WHERE active AND database = \(quotedString(StorageName.database)) AND table IN (\(names))
      """)
    let (rows, bytes) = (Int(sizes[0][0]) ?? 0, Int(sizes[0][1]) ?? 0)
    let count = max(rows / sliceRowCount, bytes / Self.sliceByteCount) + 1
    if count == 1 { return ["1"] }
    return (0..<count).map { "cityHash64(\(shape.comparedKeyList)) % \(count) = \($0)" }
  }
}
