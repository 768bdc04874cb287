import MySQLSchema

/// A table found at the source.
public struct SourceTable: Sendable {
  public var name: TableName
  /// Its columns, or why its declaration cannot be used.
  public var schema: Result<TableSchema, SourceError>
  /// `InnoDB`, `MyISAM`, …
  public var storageEngine: String
  /// What the server guesses; good for showing progress only.
  public var estimatedRows: UInt64
  /// The bytes that its rows take at the source, without other indexes than the primary key's; a guess.
  public var dataBytes: UInt64
  /// The bytes that a row takes on average; a guess.
  public var averageRowBytes: UInt64
  /// Whether the storage engine changes its rows when rows of another table are deleted or changed (ON DELETE
  /// or ON UPDATE CASCADE, SET NULL or SET DEFAULT of a foreign key of its own). Servers leave these changes out
  /// of their binlogs, so that the copy does not get them.
  public var isChangedByCascades: Bool
}

extension SourceConnection {
  /// The base tables that a selection means, in the order of their names, with their declarations.
  ///
  /// Views, sequences and temporary tables are not among them. The server opens each of its tables for that, to
  /// see its declaration and its storage engine's guesses, and reads no rows.
  public func listTables(_ selection: TableFilter) throws(SourceError) -> [SourceTable] {
    try forgetOldStatistics()
    let rows = try query(
      """
      SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, TABLE_COLLATION, DATA_LENGTH, AVG_ROW_LENGTH \
      FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
      """)
    let cascades = try tablesChangedByCascades()
    var tables: [SourceTable] = []
    for row in rows {
      let fields = row.map { $0.map(Self.text) }
      guard fields.count == 7, let database = fields[0], let table = fields[1] else { continue }
      let name = TableName(database: database, table: table)
      guard selection.selects(name) else { continue }
      guard let schema = try declaration(of: name, collation: fields[4]) else { continue }
      func number(_ index: Int) -> UInt64 { fields[index].flatMap { UInt64($0) } ?? 0 }
      tables.append(
        SourceTable(
          name: name, schema: schema, storageEngine: fields[2] ?? "", estimatedRows: number(3),
          dataBytes: number(5), averageRowBytes: number(6),
          isChangedByCascades: cascades.contains(name)))
    }
    return tables.sorted { $0.name < $1.name }
  }

  /// MySQL 8 tells what it knew of a table a day ago; 1193 is the answer of servers without such a memory.
  private func forgetOldStatistics() throws(SourceError) {
    if isMariaDB { return }
    do throws(SourceError) {
      try execute("SET SESSION information_schema_stats_expiry = 0")
    } catch {
      guard error.number == 1193 else { throw error }
    }
  }

  /// The tables with foreign keys that change them.
  private func tablesChangedByCascades() throws(SourceError) -> Set<TableName> {
    let rows = try query(
      """
      SELECT CONSTRAINT_SCHEMA, TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
      WHERE DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
      OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
      """)
    return Set(
      Self.textPairs(rows).map { TableName(database: $0.0, table: $0.1) })
  }

  /// The columns of one table, or why its declaration cannot be used; nil when there is no such table.
  ///
  /// `collation` is the default collation of the table, if it is known.
  public func declaration(of name: TableName, collation: String? = nil) throws(SourceError)
    -> Result<TableSchema, SourceError>?
  {
    let statement: String
    do throws(SourceError) {
      let rows = try query("SHOW CREATE TABLE \(quoteName(name))")
      guard let row = rows.first, row.count >= 2, let text = row[1] else { return nil }
      statement = Self.text(text)
    } catch {
      // The table may have been dropped since it was listed: 1146 no such table, 1049 no such database.
      if error.number == 1146 || error.number == 1049 { return nil }
      guard error.code == .permission || error.code == .sql else { throw error }
      return .failure(error)
    }
    guard
      case .createTable(let create) = parseDDL(statement, defaultDatabase: name.database),
      case .definition(var schema) = create.source
    else { return .failure(Self.notUnderstood(name, statement)) }
    schema.name = name
    let charset = collation.flatMap { Charset.name(collationName: $0) }
    return .success(charset.map { schema.withDefaultCharset($0) } ?? schema)
  }

  private static func notUnderstood(_ name: TableName, _ statement: String) -> SourceError {
    var reason = "it is not a table"
    if case .unrecognized(let text, _) = parseDDL(statement, defaultDatabase: name.database) {
      reason = text
    }
    return SourceError(.schema, "the declaration of \(name) is not understood: \(reason)")
  }
}

func quoteName(_ name: TableName) -> String {
  "\(quoteName(name.database)).\(quoteName(name.table))"
}
