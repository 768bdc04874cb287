import MagicCore

/// What a backup is made of, and what fills a restored table.
extension StatementPath {
  /// What there is at a snapshot, and how it is made again. Mutable tables are as of the snapshot;
  /// what the engine keeps by itself is as of now.
  public func contents(at snapshot: CommitPin) async throws -> DatabaseContents {
    let reader = ContentsReader(tables: tables, snapshot: snapshot)
    // Nothing is altered, renamed or dropped meanwhile.
    return try await tables.storage.pinning.withLatch {
      try await tables.storage.withConnection { try await reader.read(on: $0) }
    }
  }

  /// Adds rows, in the engine's format Native, to a replicated table that is not visible yet. Each key
  /// comes once, and before any change: the rows get version 0.
  ///
  /// - Returns: the number of rows, when the engine tells.
  public func copy(
    _ rows: StatementInput, columns: [DatabaseContents.Column], into definition: TableDefinition
  ) async throws -> Int? {
    let file = try await InputFile([], rows, format: "Native", folder: engine.dataFolder)
    return try await file.withPath { [tables] path in
      let compression = path.compression.map { "COMPRESSION \(quotedString($0)) " } ?? ""
      return try await tables.copy(
        file: quotedString(path.path), compression: compression, columns: columns.list,
        into: definition)
    }
  }
}

/// Reads what there is.
private struct ContentsReader {
  let tables: MutableTables
  let snapshot: CommitPin

  /// The databases whose tables are the engine's or the layer's own.
  private static let systemDatabases = ["system", "information_schema", "INFORMATION_SCHEMA"]
  /// Engines that keep rows on disk and give them to a SELECT.
  private static let storingEngines = ["Log", "TinyLog", "StripeLog", "Join", "EmbeddedRocksDB"]

  func read(on connection: any EngineConnection) async throws -> DatabaseContents {
    var contents = DatabaseContents()
    contents.databases = try await databases(on: connection)
    contents.functions = try await connection.texts(
      """
      SELECT name, create_query FROM system.functions WHERE origin = 'SQLUserDefined' \
      AND name NOT IN (\(CommitPointFunctions.names.map(quotedString).joined(separator: ", "))) \
      ORDER BY name
      """
    ).map { DatabaseContents.Declared(name: $0[0], statement: $0[1]) }
    let sizes = try await sizes(on: connection)
    contents.tables = try await mutableTables(sizes, on: connection)
    if snapshot.tables == nil {
      contents.tables += try await otherTables(sizes, on: connection)
    }
    contents.tables.sort { $0.name.description < $1.name.description }
    return contents
  }

  private func isOwn(_ database: String) -> Bool {
    Self.systemDatabases.contains(database) || StorageName.isStorage(database)
  }

  private func databases(
    on connection: any EngineConnection
  ) async throws -> [DatabaseContents.Declared] {
    let names = try await connection.texts("SELECT name FROM system.databases ORDER BY name")
    var databases: [DatabaseContents.Declared] = []
    for name in names.map({ $0[0] }) where !isOwn(name) {
      let statement = try await connection.texts("SHOW CREATE DATABASE \(quotedIdentifier(name))")
      databases.append(
        DatabaseContents.Declared(name: name, statement: statement.first?.first ?? ""))
    }
    return databases
  }

  /// How many bytes the rows of tables are, without compression.
  private func sizes(
    on connection: any EngineConnection
  ) async throws -> [TableReference: UInt64] {
    let rows = try await connection.texts(
      """
      SELECT database, table, toString(sum(data_uncompressed_bytes)) FROM system.parts \
      WHERE active GROUP BY database, table
      """)
    return Dictionary(
      rows.map { (TableReference(database: $0[0], table: $0[1]), UInt64($0[2]) ?? 0) }
    ) { $1 }
  }

  // MARK: Mutable tables

  /// A mutable table as of the snapshot.
  private struct Found {
    var name: TableReference
    var owner: StorageOwner
    var comment: String
    var storage: [StorageName]
  }

  private func mutableTables(
    _ sizes: [TableReference: UInt64], on connection: any EngineConnection
  ) async throws -> [DatabaseContents.Table] {
    let found = await found()
    let declared = try await connection.texts(
      """
      SELECT name, ifNull(formatQueryOrNull(create_table_query), '') FROM system.tables \
      WHERE database = \(quotedString(StorageName.database))
      """)
    let statements = Dictionary(declared.map { ($0[0], $0[1]) }) { $1 }
    let hidden = HiddenColumn.stored.map(quotedString).joined(separator: ", ")
    let rows = try await connection.texts(
      """
      SELECT table, name, type FROM system.columns WHERE database = \(quotedString(StorageName.database)) \
      AND name NOT IN (\(hidden)) ORDER BY table, position
      """)
    let columns = Dictionary(grouping: rows) { $0[0] }
    return try found.map { table in
      guard let settled = newestSettled(of: table), let statement = statements[settled.table] else {
        throw EngineError(message: "the storage of \(table.name) is missing")
      }
      let isReplicated = table.owner.kind == .replicated
      let text = TableText(
        TableText(statement).declaration(name: table.name, comment: table.comment))
      let (declaration, constraints) = text.separatingConstraints
      return DatabaseContents.Table(
        name: table.name, kind: isReplicated ? .replicated : .mutable,
        replicationID: isReplicated ? table.owner.number : nil, statement: declaration,
        constraints: constraints,
        columns: (columns[settled.table] ?? []).map {
          DatabaseContents.Column(name: $0[1], type: $0[2])
        },
        estimatedByteCount: table.storage.reduce(0) { $0 + (sizes[$1.reference] ?? 0) })
    }
  }

  /// What the names of mutable tables meant.
  private func found() async -> [Found] {
    var found: [Found] = []
    var owners: Set<StorageOwner> = []
    for (name, view) in tables.storage.past.views(at: snapshot.point.commit).views {
      guard let owner = view.owner else { continue }
      owners.insert(owner)
      found.append(
        Found(name: name, owner: owner, comment: view.comment, storage: Array(view.storage)))
    }
    for (name, table) in tables.tables() where !owners.contains(table.owner) {
      // What was made after the snapshot is not in it.
      guard await table.firstReaders <= snapshot.number else { continue }
      found.append(
        Found(
          name: name, owner: table.owner, comment: await table.comment,
          storage: await table.storageNames))
    }
    guard let known = snapshot.tables else { return found }
    return found.filter { known.contains($0.name) }
  }

  /// The generation that the snapshot reads, which has the table's shape.
  private func newestSettled(of table: Found) -> StorageName? {
    let generations = table.storage.compactMap { name -> (number: UInt64, name: StorageName)? in
      guard case .settled(let number, let from) = name.role, from <= snapshot.point.commit else {
        return nil
      }
      return (number, name)
    }
    return generations.max { $0.number < $1.number }?.name
  }

  // MARK: What the engine keeps by itself

  private func otherTables(
    _ sizes: [TableReference: UInt64], on connection: any EngineConnection
  ) async throws -> [DatabaseContents.Table] {
    let mutable = Set(tables.tables().map(\.name))
    let rows = try await connection.texts(
      """
      SELECT database, name, engine, create_table_query, toString(uuid) FROM system.tables \
      WHERE NOT is_temporary
      """
    ).filter { !isOwn($0[0]) }
    let names = Set(rows.map { TableReference(database: $0[0], table: $0[1]) })
    let columns = try await storedColumns(on: connection)
    var found: [DatabaseContents.Table] = []
    for row in rows {
      let name = TableReference(database: row[0], table: row[1])
      let inner = TableReference(database: row[0], table: ".inner_id.\(row[4])")
      guard !mutable.contains(name), !row[1].hasPrefix(".inner"), !row[1].hasPrefix(".tmp") else {
        continue
      }
      var table = DatabaseContents.Table(name: name, kind: .plain, statement: row[3])
      var stored: TableReference? = name
      switch row[2] {
      case "View": (table.kind, stored) = (.view, nil)
      case "Dictionary": (table.kind, stored) = (.dictionary, nil)
      case "MaterializedView":
        table.kind = .materializedView
        // A refresh makes the rows anew, unless it adds some.
        let text = SQLText(row[3])
        let isRefreshed = text.clause("REFRESH", in: text.tokens.indices) != nil
        let appends = text.clause("APPEND", in: text.tokens.indices) != nil
        stored = names.contains(inner) && (!isRefreshed || appends) ? inner : nil
      default:
        if row[2].hasSuffix("MergeTree") {
          (table.statement, table.constraints) = TableText(row[3]).separatingConstraints
        } else if !Self.storingEngines.contains(row[2]) {
          stored = nil
        }
      }
      if let stored {
        table.columns = columns[stored] ?? []
        table.estimatedByteCount = sizes[stored] ?? 0
      }
      found.append(table)
    }
    return found
  }

  private func storedColumns(
    on connection: any EngineConnection
  ) async throws -> [TableReference: [DatabaseContents.Column]] {
    let rows = try await connection.texts(
      """
      SELECT database, table, name, type FROM system.columns \
      WHERE default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY database, table, position
      """)
    return Dictionary(grouping: rows) { TableReference(database: $0[0], table: $0[1]) }
      .mapValues { $0.map { DatabaseContents.Column(name: $0[2], type: $0[3]) } }
  }
}
