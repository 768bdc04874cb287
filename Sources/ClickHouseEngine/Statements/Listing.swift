import Arrow
import Foundation
import MagicCore

/// What tables and views there are.
extension StatementPath {
  public func tables(matching filter: TableSelection) async throws -> [TableEntry] {
    try await tables.storage.withConnection { connection in
      var entries = try await entries(matching: filter, on: connection)
      if let kinds = filter.kinds { entries.removeAll { !kinds.contains($0.kind) } }
      if filter.includesColumns { try await addColumns(to: &entries, on: connection) }
      return entries
    }
  }

  private func entries(
    matching filter: TableSelection, on connection: any EngineConnection
  ) async throws -> [TableEntry] {
    let patterns = [("database", filter.database), ("name", filter.table)]
    let conditions = patterns.compactMap { column, pattern in
      pattern.map { " AND \(column) LIKE \(quotedString($0))" }
    }
    let rows = try await connection.texts(
      """
      SELECT database, name, engine, comment, ifNull(toString(total_rows), '') FROM system.tables \
      WHERE NOT is_temporary AND database != \(quotedString(StorageName.database)) \
      AND NOT startsWith(database, \(quotedString(PastTables.databasePrefix)))\
      \(conditions.joined()) ORDER BY database, name
      """)
    var entries: [TableEntry] = []
    var storage: [Int: [String]] = [:]
    for row in rows {
      let name = TableReference(database: row[0], table: row[1])
      var entry = TableEntry(
        name: name, kind: Self.kind(of: name, engine: row[2]), engine: row[2], comment: row[3],
        rowCount: Int(row[4]))
      if let table = tables.table(name) {
        entry.kind = .table
        entry.engine = "MutableMergeTree"
        entry.comment = await table.comment
        entry.primaryKey = await table.shape.keyColumns
        (entry.rowCount, entry.estimatedRowCount) = (nil, nil)
        entry.lastCommit = await table.visibleCommit
        entry.lastChange = await table.lastChange?.timeIntervalSince1970
        entry.youngRowCount = await table.youngRows
        // The settled table comes first.
        storage[entries.count] = await table.current.storageNames.map(\.table)
      }
      entries.append(entry)
    }
    if storage.isEmpty { return entries }
    let names = storage.values.joined().map(quotedString).joined(separator: ", ")
    let sizes = try await connection.texts(
      """
      SELECT name, toString(total_rows), toString(total_bytes) FROM system.tables \
      WHERE database = \(quotedString(StorageName.database)) AND name IN (\(names))
      """)
    let sizeByName = Dictionary(sizes.map { ($0[0], (rows: Int($0[1]), bytes: Int($0[2]))) }) { $1 }
    for (index, names) in storage {
      entries[index].estimatedRowCount = names.first.flatMap { sizeByName[$0]?.rows }
      entries[index].byteCount = names.reduce(0) { $0 + (sizeByName[$1]?.bytes ?? 0) }
    }
    return entries
  }

  private static func kind(of name: TableReference, engine: String) -> TableEntry.Kind {
    switch name.database {
    case "system", "information_schema", "INFORMATION_SCHEMA": .systemTable
    default: engine.hasSuffix("View") ? .view : .table
    }
  }

  /// Adds the columns that `SELECT *` gives. A table whose columns Arrow cannot hold gets none.
  private func addColumns(
    to entries: inout [TableEntry], on connection: any EngineConnection
  ) async throws {
    let databases = Set(entries.map(\.name.database)).map(quotedString).sorted()
    guard !databases.isEmpty else { return }
    let rows = try await connection.texts(
      """
      SELECT database, table, name, type FROM system.columns \
      WHERE database IN (\(databases.joined(separator: ", "))) \
      AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL') \
      ORDER BY database, table, position
      """)
    let columns = Dictionary(grouping: rows) { TableReference(database: $0[0], table: $0[1]) }
    let wanted = entries.flatMap { columns[$0.name] ?? [] }.map { $0[3] }
    let fields = try await fields(ofTypes: Set(wanted).sorted(), on: connection)
    for index in entries.indices {
      let own = columns[entries[index].name] ?? []
      let found = own.compactMap { row in
        fields[row[3]].map { field in
          Field(
            name: row[2], type: field.type, isNullable: field.isNullable, metadata: field.metadata)
        }
      }
      guard found.count == own.count else { continue }
      entries[index].columns = Schema(fields: found)
      entries[index].columnTypes = own.map { $0[3] }
    }
  }

  /// The Arrow form of each type that has one.
  private func fields(
    ofTypes types: [String], on connection: any EngineConnection
  ) async throws -> [String: Field] {
    if types.isEmpty { return [:] }
    let values = types.enumerated().map { "defaultValueOfTypeName(\(quotedString($1))) AS _\($0)" }
    do {
      let schema = try await connection.columns("SELECT \(values.joined(separator: ", ")) WHERE 0")
      return Dictionary(uniqueKeysWithValues: zip(types, schema.fields))
    } catch let error as EngineError {
      if types.count == 1 { return [:] }
      if error.code == EngineError.cancelledCode { throw error }
      // One of them has none; halving finds it.
      let middle = types.count / 2
      let first = try await fields(ofTypes: Array(types[..<middle]), on: connection)
      let second = try await fields(ofTypes: Array(types[middle...]), on: connection)
      return first.merging(second) { $1 }
    }
  }
}

extension TableShape {
  /// The names of the columns that the key's expressions use, in the order of the key.
  fileprivate var keyColumns: [String] {
    let names = Set(columns.filter(\.isInKey).map(\.name))
    var seen: Set<String> = []
    return key.flatMap { expression in
      let text = SQLText(expression)
      return text.tokens.indices.compactMap(text.identifier)
    }.filter { names.contains($0) && seen.insert($0).inserted }
  }
}
