import MagicCore

/// Rows that bring their own versions.
extension MutableTable {
  /// No higher versions are imported, so that there are always some left.
  private static let importedVersionLimit = UInt64(1) << 62

  /// Publishes rows that have versions of their own. The caller holds both latches.
  ///
  /// - Throws: see ``newest(ofImported:on:)``.
  func publishImport(_ rows: StagedRows, on connection: any EngineConnection) async throws {
    try await publish(try await newest(ofImported: rows, on: connection), on: connection)
  }

  /// Those of imported rows that count. The caller holds both latches.
  ///
  /// - Throws: ``EngineError`` when a version cannot be told from another, is too high, or so low
  ///   that a deleted row might reappear.
  func newest(
    ofImported rows: StagedRows, on connection: any EngineConnection
  ) async throws -> StagedRows {
    if rows.count == 0 { return rows }
    let oldest = try await checkImported(rows, on: connection)
    if markFloor > 0, oldest <= markFloor {
      throw EngineError(
        message: "IMPORT: version \(oldest) is too old: rows deleted up to version \(markFloor) "
          + "are forgotten, so an older version of them would reappear")
    }
    var remaining = rows
    remaining.condition = isNewest(rows)
    remaining.count = try await connection.count(remaining.source)
    return remaining
  }

  /// Checks the rows by themselves.
  ///
  /// - Returns: the lowest version.
  func checkImported(
    _ rows: StagedRows, on connection: any EngineConnection
  ) async throws -> UInt64 {
    let version = HiddenColumn.version
    let facts =
      try await connection.texts(
        """
        SELECT toString(min(\(version))), toString(max(\(version))), \
        toString(max(\(HiddenColumn.deleteMark))), \
        toString(count() - uniqExact(\(shape.comparedKeyList), \(version))) FROM \(rows.source)
        """
      ).first?.compactMap { UInt64($0) } ?? []
    guard facts.count == 4 else { throw EngineError(message: "IMPORT: the rows cannot be read") }
    if facts[1] > Self.importedVersionLimit {
      throw EngineError(
        message: "IMPORT: version \(facts[1]) is above \(Self.importedVersionLimit)")
    }
    if facts[2] > 1 {
      throw EngineError(message: "IMPORT: a delete mark is 0 or 1, not \(facts[2])")
    }
    if facts[3] > 0 {
      throw EngineError(message: "IMPORT: two rows have the same key and the same version")
    }
    await storage.sequencer.raiseVersions(above: facts[1])
    return facts[0]
  }

  /// Whether a row of a stage has no newer version among the rows that are settled or about to be,
  /// which the open young table would hide.
  private func isNewest(_ rows: StagedRows) -> String {
    let version = HiddenColumn.version
    let key = shape.comparedKey
    let older = ([current.settled] + current.youngs.dropLast().map(\.name)).map {
      "SELECT \(key) AS _magic_key, \(version) AS _magic_version FROM \($0) "
        + "WHERE _magic_key IN (SELECT \(key) FROM \(rows.source))"
    }.joined(separator: " UNION ALL ")
    return """
      (\(key), \(version)) NOT IN (SELECT staged._magic_key, staged._magic_version FROM \
      (SELECT \(key) AS _magic_key, \(version) AS _magic_version FROM \(rows.source)) AS staged \
      INNER JOIN (SELECT _magic_key, max(_magic_version) AS _magic_newest FROM (\(older)) \
      GROUP BY _magic_key) AS stored ON staged._magic_key = stored._magic_key \
      WHERE stored._magic_newest > staged._magic_version)
      """
  }
}
