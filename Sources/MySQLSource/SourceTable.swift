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
}

extension SourceConnection {
  /// The base tables that a selection means, in the order of their names, with their declarations.
  public func listTables(_ selection: TableFilter) throws(SourceError) -> [SourceTable] {
    let rows = try query(
      """
      SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, TABLE_COLLATION \
      FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
      """)
    var tables: [SourceTable] = []
    for row in rows {
      let fields = row.map { $0.map(Self.text) }
      guard fields.count == 5, let database = fields[0], let table = fields[1] else { continue }
      let name = TableName(database: database, table: table)
      guard selection.selects(name) else { continue }
      guard let schema = try declaration(of: name, collation: fields[4]) else { continue }
      tables.append(
        SourceTable(
          name: name, schema: schema, storageEngine: fields[2] ?? "",
          estimatedRows: fields[3].flatMap(UInt64.init) ?? 0))
    }
    return tables.sorted { $0.name < $1.name }
  }

  /// The columns of one table, or why its declaration cannot be used; nil when there is no such table.
  ///
  /// - Parameter collation: the default collation of the table, if it is known.
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
    if case .unrecognized(let text) = parseDDL(statement, defaultDatabase: name.database) {
      reason = text
    }
    return SourceError(.schema, "the declaration of \(name) is not understood: \(reason)")
  }
}

func quoteName(_ name: TableName) -> String {
  "\(quoteName(name.database)).\(quoteName(name.table))"
}
