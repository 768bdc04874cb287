import MagicCore

/// Checks of a declared table: what would give wrong rows is refused, with the reason.
struct TableDeclaration {
  /// What the engine tells of a table.
  private struct Facts {
    var sortingKey: String
    var primaryKey: String
    var partitionKey: String
    var statement: String
  }

  private struct Column {
    var name: String
    var type: String
    var defaultKind: String
    var isInPartitionKey: Bool
  }

  /// - Parameter isComplete: whether the table has the hidden columns already.
  /// - Throws: ``EngineError`` with the reason why the table in `storage` cannot be mutable.
  static func check(
    _ storage: StorageName, isComplete: Bool, on connection: any EngineConnection
  ) async throws {
    let rows = try await connection.texts(
      """
      SELECT sorting_key, primary_key, partition_key, create_table_query FROM system.tables \
      WHERE \(storage.isNamed(by: "name"))
      """)
    guard let row = rows.first else {
      throw EngineError(message: "the storage table \(storage) is missing")
    }
    let facts = Facts(
      sortingKey: row[0], primaryKey: row[1], partitionKey: row[2], statement: row[3])
    let columns = try await connection.texts(
      """
      SELECT name, type, default_kind, toString(is_in_partition_key) \
      FROM system.columns WHERE \(storage.isNamed(by: "table"))
      """
    ).map {
      Column(
        name: $0[0], type: $0[1], defaultKind: $0[2], isInPartitionKey: $0[3] == "1")
    }
    let types = try await TableShape.keyTypes(of: facts.sortingKey, in: storage, on: connection)
    try checkKey(facts, columns, types)
    try checkColumns(columns.filter { !isComplete || !HiddenColumn.stored.contains($0.name) })
    try checkClauses(facts, columns)
  }

  private static func checkKey(
    _ facts: Facts, _ columns: [Column], _ types: [String]
  ) throws {
    guard facts.primaryKey == facts.sortingKey else {
      throw EngineError(
        message: "PRIMARY KEY (\(facts.primaryKey)) and ORDER BY (\(facts.sortingKey)) differ: the "
          + "sorting key of a MutableMergeTree table is its primary key, so give one of them")
    }
    if let type = types.first(where: { $0.contains("Float") }) {
      throw EngineError(
        message:
          "the key (\(facts.sortingKey)) has \(type): floating-point numbers do not identify "
          + "a row, since NaN equals nothing and -0 equals 0")
    }
    let key = splitAtCommas(facts.sortingKey)
    let isOfKey =
      columns.allSatisfy {
        !$0.isInPartitionKey || key.contains($0.name) || key.contains(quotedIdentifier($0.name))
      }
      || splitAtCommas(facts.partitionKey).allSatisfy(key.contains)
    guard isOfKey else {
      throw EngineError(
        message: "PARTITION BY \(facts.partitionKey) is not derived from the key "
          + "(\(shownKey(facts))): a row that moves to another partition would be there twice, and "
          + "deleted rows would reappear")
    }
  }

  private static func shownKey(_ facts: Facts) -> String {
    facts.sortingKey == HiddenColumn.row ? "" : facts.sortingKey
  }

  private static func checkColumns(_ columns: [Column]) throws {
    for column in columns {
      if HiddenColumn.stored.contains(column.name) { throw hiddenColumn(column.name) }
      if !["", "DEFAULT"].contains(column.defaultKind) {
        throw EngineError(
          message: "column \(column.name) is \(column.defaultKind), which a MutableMergeTree table "
            + "does not take: use DEFAULT, or compute it in a view")
      }
    }
  }

  /// The error for a statement that names a column of the layer's own.
  static func hiddenColumn(_ name: String) -> EngineError {
    EngineError(message: "\(name) is a hidden column of every MutableMergeTree table")
  }

  private static func checkClauses(_ facts: Facts, _ columns: [Column]) throws {
    let text = SQLText(facts.statement)
    let key = Set(splitAtCommas(facts.sortingKey))
    let names = Set(columns.map(\.name))
    var isInTTL = false
    for (index, token) in text.tokens.enumerated() {
      switch text.word(index) {
      case "PROJECTION" where token.depth == 1:
        throw EngineError(
          message: "projections are not updated when rows are masked, so a MutableMergeTree table "
            + "takes none")
      case "TTL" where token.depth <= 1: isInTTL = true
      case "SETTINGS" where token.depth == 0: isInTTL = false
      case "GROUP" where isInTTL && text.word(index + 1) == "BY":
        throw EngineError(
          message: "TTL … GROUP BY would merge rows of different keys; a MutableMergeTree table "
            + "does not take it")
      default: break
      }
      if token.depth == 1, text.isSymbol(index, ",") { isInTTL = false }
      guard isInTTL, let name = text.identifier(index) else { continue }
      if names.contains(name), !key.contains(name), !key.contains(quotedIdentifier(name)) {
        throw EngineError(
          message: "TTL by column \(name), which is not in the key (\(shownKey(facts))): a row "
            + "could expire and an older version of it reappear")
      }
    }
  }
}
