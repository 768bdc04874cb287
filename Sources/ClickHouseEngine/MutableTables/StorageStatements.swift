import MagicCore

/// How the plain tables behind a mutable one are declared.
extension MutableTable {
  /// Settings of settled tables. Rows survive a crash of the process and of the machine; merges
  /// end soon enough for settling, which waits for those of the parts that it masks.
  static let settledSettings = settledSettingList.map { "\($0.name) = \($0.value)" }
    .joined(separator: ", ")
  static let settledSettingList = [
    (name: "fsync_after_insert", value: "1"), (name: "fsync_part_directory", value: "1"),
    (name: "min_rows_to_fsync_after_merge", value: "1"),
    (name: "non_replicated_deduplication_window", value: "0"),
    (name: "old_parts_lifetime", value: "60"),
    (name: "max_bytes_to_merge_at_max_space_in_pool", value: "4294967296"),
    (name: "parts_to_delay_insert", value: "3000"), (name: "parts_to_throw_insert", value: "10000"),
  ]

  /// A setting of settled tables that are filled and not seen yet: rows are not written again and again
  /// while others come, only before there are very many parts.
  static let filling = "min_parts_to_merge_at_once = 50"

  /// From now on the engine merges the parts of the settled table as usual.
  func beginMerging(on connection: any EngineConnection) async throws {
    try await connection.execute(
      "ALTER TABLE \(current.settled) RESET SETTING min_parts_to_merge_at_once")
    statisticsAreDue = .now + Self.statisticsDelay
  }

  /// The hidden columns of settled tables and stages.
  static let hiddenColumns = hiddenColumnList.joined(separator: ", ")
  private static let hiddenColumnList = [
    "\(HiddenColumn.version) UInt64 CODEC(Delta, LZ4)", "\(HiddenColumn.deleteMark) UInt8",
  ]
  static let rowColumn = "\(HiddenColumn.row) UInt64 CODEC(Delta, LZ4)"

  /// Makes a plain table that a user's statement has declared a settled one.
  static func completeSettled(
    _ name: StorageName, on connection: any EngineConnection
  ) async throws {
    try await identifyRows(of: name, on: connection)
    let columns = hiddenColumnList.map { "ADD COLUMN \($0)" }.joined(separator: ", ")
    try await connection.execute("ALTER TABLE \(name) \(columns)")
    try await connection.execute(
      "ALTER TABLE \(name) MODIFY SETTING \(settledSettings)")
    try await connection.execute("ALTER TABLE \(name) MODIFY COMMENT ''")
  }

  /// Makes a table without key, which is still empty, anew with the column that identifies its rows:
  /// the engine does not change the primary key of a table.
  private static func identifyRows(
    of name: StorageName, on connection: any EngineConnection
  ) async throws {
    let declared = try await connection.texts(
      "SELECT sorting_key, create_table_query FROM system.tables WHERE \(name.isNamed(by: "name"))")
    guard let statement = declared.first, statement[0].isEmpty else { return }
    let text = TableText(statement[1])
    try await connection.execute("DROP TABLE \(name) SYNC")
    try await connection.execute(
      try text.identifyingRows(by: rowColumn, called: HiddenColumn.row))
  }

  /// The table over a settled table that has just been made.
  static func make(
    _ owner: StorageOwner, _ settled: StorageName, comment: String = "", storage: StorageEngine,
    on connection: any EngineConnection
  ) async throws -> MutableTable {
    guard case .settled(let number, let from) = settled.role else {
      throw EngineError(message: "\(settled) is no settled table")
    }
    let table = MutableTable(
      owner: owner, storage: storage, name: nil, comment: comment,
      shape: try await TableShape.read(settled, on: connection),
      generation: Generation(settled: settled, number: number, from: from, youngs: []),
      lastYoung: 0, lastGeneration: number, lastCommit: 0, markFloor: 0)
    try await table.freeze(on: connection)
    return table
  }

  /// Declares a young table, sorted by key and version.
  static func youngStatement(_ name: StorageName, _ shape: TableShape) -> String {
    let columns = shape.columns.map { "\(quotedIdentifier($0.name)) \($0.type)" }
    let contents = shape.hasContents ? ["\(HiddenColumn.contents) UInt128"] : []
    let row = contents + (shape.isKeyless ? ["\(HiddenColumn.row) UInt64"] : [])
    let hidden =
      row + [
        "\(HiddenColumn.version) UInt64", "\(HiddenColumn.deleteMark) UInt8",
        "\(HiddenColumn.commit) UInt64",
      ]
    return """
      CREATE TABLE \(name) (\((columns + hidden).joined(separator: ", "))) ENGINE = MergeTree \
      ORDER BY (\(shape.keyList), \(HiddenColumn.version)) \
      SETTINGS auto_statistics_types = '', fsync_after_insert = 1, fsync_part_directory = 1, \
      allow_nullable_key = 1, old_parts_lifetime = 60, parts_to_delay_insert = 3000, \
      parts_to_throw_insert = 10000
      """
  }

  /// Makes a stage: a table of the settled one's columns whose rows keep the order of their coming.
  ///
  /// - Parameter hasConstraints: whether rows have to meet the table's constraints, and get its
  ///   defaults.
  func makeStage(
    _ name: StorageName, hasConstraints: Bool = true, on connection: any EngineConnection
  ) async throws {
    // A crash ends it anyway.
    try await connection.execute("SET fsync_metadata = 0")
    try await connection.execute(
      """
      CREATE TABLE \(name) AS \(hasConstraints ? current.settled : openYoung.name) \
      ENGINE = MergeTree ORDER BY (\(shape.keyList)) \
      SETTINGS allow_nullable_key = 1, \(StorageName.stageSettings)
      """)
  }

  /// Makes a stage in memory, which goes with the connection.
  func makeTemporaryStage(
    _ name: String, hasConstraints: Bool, on connection: any EngineConnection
  ) async throws {
    try await connection.execute(
      "CREATE TEMPORARY TABLE \(name) AS \(hasConstraints ? current.settled : openYoung.name) "
        + "ENGINE = Memory")
  }
}
