import Arrow
import MagicCore

/// Keeps replicated tables as all versions of their rows, and shows the newest.
///
/// A table with id 7 is `_magic.t7`, a ReplacingMergeTree by key and version. Its visible name is a
/// view that reads it with FINAL. Rows are on disk when a write returns.
///
/// Every write makes a part in each table it touches, which the engine merges in the background.
/// From 1,000 parts in a table on the engine slows inserts down, by up to a second each, and at
/// 3,000 it refuses them (`parts_to_delay_insert`, `parts_to_throw_insert`).
public final class VersionedTables: ChangeSink {
  /// The database that holds the storage of replicated tables.
  public static let database = "_magic"
  /// The number of tables that are written side by side.
  private static let connectionLimit = 4

  private let connections: ConnectionLimiter

  /// Keeps tables in `engine`.
  public init(engine: any Engine) {
    connections = ConnectionLimiter(engine: engine, limit: Self.connectionLimit)
  }

  public func create(_ table: TableDefinition) async throws {
    let statement = try Self.createStatement(table)
    try await connections.withConnection { connection in
      try await Self.makeDatabase(Self.database, on: connection)
      try await connection.execute("DROP TABLE IF EXISTS \(Self.storage(of: table.id)) SYNC")
      try await connection.execute(statement)
    }
  }

  public func show(_ table: TableDefinition) async throws {
    let columns = table.schema.fields.map { quotedIdentifier($0.name) }.joined(separator: ", ")
    try await connections.withConnection { connection in
      try await Self.makeDatabase(table.name.database, on: connection)
      if let owner = try await Self.owner(of: table.name, on: connection), owner.isForeign {
        throw EngineError(
          message: "\(table.name) exists and is not a replicated table; rename or drop it")
      }
      try await connection.execute(
        """
        CREATE OR REPLACE VIEW \(Self.quoted(table.name)) AS \
        SELECT \(columns) FROM \(Self.storage(of: table.id)) FINAL \
        COMMENT \(quotedString(Self.comment(of: table.id)))
        """)
    }
  }

  public func drop(_ table: TableDefinition) async throws {
    try await connections.withConnection { connection in
      try await Self.hide(table, on: connection)
      try await connection.execute("DROP TABLE IF EXISTS \(Self.storage(of: table.id)) SYNC")
    }
  }

  public func write(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws {
    // One task for each table: batches of one table follow each other.
    let tables = Dictionary(grouping: batches) { $0.table.id }
    try await withThrowingTaskGroup { group in
      for (id, batches) in tables {
        let batches = batches.map(\.batch)
        group.addTask { [connections] in
          try await connections.withConnection { connection in
            let storage = TableReference(database: Self.database, table: "t\(id)")
            for batch in batches { try await connection.ingest(batch, into: storage) }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  public func storedTableIDs() async throws -> [UInt64] {
    try await connections.withConnection { connection in
      let names = try await connection.texts(
        "SELECT name FROM system.tables WHERE database = \(quotedString(Self.database))")
      return names.compactMap { row in
        row.first.flatMap { $0.hasPrefix("t") ? UInt64($0.dropFirst()) : nil }
      }
      .sorted()
    }
  }
}

extension VersionedTables {
  private static func storage(of id: UInt64) -> String { "\(quotedIdentifier(database)).t\(id)" }

  private static func quoted(_ name: TableReference) -> String {
    "\(quotedIdentifier(name.database)).\(quotedIdentifier(name.table))"
  }

  /// Marks a view as this sink's, for one table.
  private static func comment(of id: UInt64) -> String { "replicated table \(id)" }

  private static func createStatement(_ table: TableDefinition) throws -> String {
    guard !table.primaryKey.isEmpty,
      table.primaryKey.allSatisfy({ table.schema.fields.indices.contains($0) })
    else { throw EngineError(message: "\(table.name) has no primary key") }
    let key = table.primaryKey.map { table.schema.fields[$0] }
    var settings = ["fsync_after_insert = 1", "fsync_part_directory = 1"]
    if key.contains(where: \.isNullable) { settings.append("allow_nullable_key = 1") }
    return """
      CREATE TABLE \(storage(of: table.id)) (\(try ColumnTypes.columnList(of: table.schema)), \
      \(HiddenColumn.version) UInt64, \(HiddenColumn.deleteMark) UInt8) \
      ENGINE = ReplacingMergeTree(\(HiddenColumn.version), \(HiddenColumn.deleteMark)) \
      ORDER BY (\(key.map { quotedIdentifier($0.name) }.joined(separator: ", "))) \
      SETTINGS \(settings.joined(separator: ", "))
      """
  }

  private static func makeDatabase(
    _ name: String, on connection: any EngineConnection
  ) async throws {
    try await connection.execute(
      "CREATE DATABASE IF NOT EXISTS \(quotedIdentifier(name)) ENGINE = Atomic")
  }

  /// What a name stands for in the engine.
  private struct Owner {
    var comment: String
    var isForeign: Bool { !comment.hasPrefix("replicated table ") }
  }

  /// The names under which replicated tables are read.
  static func visibleNames(on connection: any EngineConnection) async throws -> [TableReference] {
    try await connection.texts(
      """
      SELECT database, name FROM system.tables \
      WHERE engine = 'View' AND startsWith(comment, 'replicated table ')
      """
    ).map { TableReference(database: $0[0], table: $0[1]) }
  }

  private static func owner(
    of name: TableReference, on connection: any EngineConnection
  ) async throws -> Owner? {
    let rows = try await connection.texts(
      """
      SELECT if(engine = 'View', comment, '') FROM system.tables \
      WHERE database = \(quotedString(name.database)) AND name = \(quotedString(name.table))
      """)
    return rows.first?.first.map { Owner(comment: $0) }
  }

  private static func hide(
    _ table: TableDefinition, on connection: any EngineConnection
  ) async throws {
    // The name may be another table's by now.
    let owner = try await owner(of: table.name, on: connection)
    if owner?.comment == comment(of: table.id) {
      try await connection.execute("DROP VIEW IF EXISTS \(quoted(table.name)) SYNC")
    }
  }
}

extension EngineConnection {
  /// The rows of a statement that gives texts.
  func texts(_ sql: String) async throws -> [[String]] {
    let reader = try await query(sql)
    var rows: [[String]] = []
    while let batch = try await reader.next() {
      for row in 0..<batch.rowCount {
        rows.append(
          batch.columns.map { column in
            column.withBinaryValue(at: row) { String(decoding: $0, as: UTF8.self) }
          })
      }
    }
    return rows
  }
}
