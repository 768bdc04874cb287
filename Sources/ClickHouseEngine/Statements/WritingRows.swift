import Arrow
import MagicCore

/// Writes rows of record batches into tables.
struct RowWriter {
  let engine: any Engine
  let tables: MutableTables
  let request: WriteRequest
  let rows: any RecordBatchReader

  private var name: TableReference { request.table }
  private var token: String? { request.token.map { WriteTokens.key($0, of: name) } }

  /// What there is under the table's name.
  private enum Existing {
    case nothing
    case mutable(MutableTable)
    /// Another table, of that engine.
    case other(engine: String)
  }

  private func existing() async throws -> Existing {
    if let table = tables.table(name) {
      if table.owner.kind == .replicated {
        throw EngineError(message: "\(name) belongs to replication, which alone may change it")
      }
      return .mutable(table)
    }
    let engines = try await tables.storage.withConnection {
      try await $0.texts(
        """
        SELECT engine FROM system.tables WHERE database = \(quotedString(name.database)) \
        AND name = \(quotedString(name.table))
        """)
    }
    return engines.first.map { .other(engine: $0[0]) } ?? .nothing
  }

  /// Writes the rows.
  ///
  /// - Returns: their number.
  func write() async throws -> Int {
    if let token, let count = try await tables.tokens.find([token])[token] {
      await rows.cancel()
      return count
    }
    if let outer = request.transaction {
      let transaction = try EngineTransaction.of(outer, tables)
      return try await transaction.collecting { try await write(in: transaction) }
    }
    if case .other(let engine) = try await existing(), request.whenExisting == .append {
      return try await writePlain(engine: engine)
    }
    if request.whenExisting == .append, case .create = request.whenMissing {
      // Of several that would make the table one does; the others add their rows to it.
      return try await tables.creations.withLatches(["\(name)"]) { try await writeAlone() }
    }
    return try await writeAlone()
  }

  private func writeAlone() async throws -> Int {
    try await EngineTransaction.alone(engine, tables) { transaction in
      _ = try await write(in: transaction)
    }
  }

  private func write(in transaction: EngineTransaction) async throws -> Int {
    if request.whenExisting == .append, let new = await transaction.newTable(name) {
      // Others may write into that of the whole transaction at the same time.
      return try await new.isOwn
        ? fill(new.table, in: transaction) : append(to: new.table, in: transaction)
    }
    switch try await existing() {
    case .nothing:
      guard case .create(let key) = request.whenMissing else {
        throw EngineError(code: 60, message: "there is no table \(name)")
      }
      return try await create(declaration(key: key), in: transaction)
    case .mutable(let table):
      switch request.whenExisting {
      case .fail: throw alreadyExists
      case .append: return try await append(to: table, in: transaction)
      case .replace:
        if case .create(let key) = request.whenMissing {
          return try await create(declaration(key: key), in: transaction)
        }
        return try await create(nil, in: transaction, like: table)
      }
    case .other:
      switch request.whenExisting {
      case .fail: throw alreadyExists
      case .append: throw notMutable
      case .replace:
        guard case .create(let key) = request.whenMissing else {
          throw EngineError(
            message: "\(name) is no MutableMergeTree table: say how the one that takes its place "
              + "is made")
        }
        return try await create(declaration(key: key), in: transaction)
      }
    }
  }

  private var alreadyExists: EngineError {
    EngineError(code: 57, message: "the table \(name) already exists")
  }

  private var notMutable: EngineError {
    EngineError(
      message: "\(name) is no MutableMergeTree table: transactions, write tokens and "
        + "\(request.action.rawValue) are for those only")
  }

  // MARK: Mutable tables

  private func append(to table: MutableTable, in transaction: EngineTransaction) async throws -> Int
  {
    let shape = await table.shape
    let staged = try await stage(for: table, shape, in: transaction)
    if request.action == .importing, staged.count > 0 {
      _ = try await tables.storage.withConnection { try await table.checkImported(staged, on: $0) }
    }
    try await transaction.add(
      TableChange(
        table: table, name: name, shape: shape, source: .staged(staged), token: token))
    return staged.count
  }

  /// Sets the rows aside.
  private func stage(
    for table: MutableTable, _ shape: TableShape, in transaction: EngineTransaction
  ) async throws -> StagedRows {
    let plan = try WritePlan(rows.schema, into: try targets(shape), of: name)
    let isDeletion = request.action == .delete
    var staged = StagedRows(
      place: try await transaction.makeStage(of: table, hasConstraints: !isDeletion), count: 0)
    staged.versions = request.action == .importing ? .given : .allotted
    let (names, values) =
      isDeletion
      ? ("\(plan.names), \(HiddenColumn.deleteMark)", "\(plan.values), 1")
      : (plan.names, plan.values)
    try await insert(plan, names, values, into: staged.source)
    staged.count = try await tables.storage.withConnection { try await $0.count(staged.source) }
    return staged
  }

  /// The columns that rows can have.
  ///
  /// - Throws: ``EngineError`` when they lack some that they must have.
  private func targets(_ shape: TableShape) throws -> [TableColumn] {
    let columns = shape.columns.map { TableColumn(name: $0.name, type: $0.type) }
    if request.action == .insert { return columns }
    let action = request.action.rawValue
    if shape.isKeyless {
      throw EngineError(message: "\(name) has no key, which \(action) needs; insert adds rows")
    }
    let key = shape.columns.filter(\.isInKey).map(\.name)
    let missing = key.filter { rows.schema.index(of: $0) == nil }
    guard missing.isEmpty else {
      throw EngineError(
        message: "\(action) into \(name) needs the columns of the key; "
          + "\(missing.joined(separator: ", ")) is missing")
    }
    switch request.action {
    case .insert, .upsert: return columns
    case .delete: return columns.filter { key.contains($0.name) }
    case .importing:
      for hidden in [HiddenColumn.version, HiddenColumn.deleteMark]
      where rows.schema.index(of: hidden) == nil {
        throw EngineError(message: "import gives each row's \(hidden): it is missing")
      }
      return columns + [
        TableColumn(name: HiddenColumn.version, type: "UInt64"),
        TableColumn(name: HiddenColumn.deleteMark, type: "UInt8"),
      ]
    }
  }

  /// Streams the rows into a table of the layer.
  private func insert(
    _ plan: WritePlan, _ names: String, _ values: String, into stage: String
  ) async throws {
    do {
      try await tables.storage.withConnection { connection in
        // Rows keep the order of their coming.
        try await connection.execute(
          "SET max_insert_threads = 1, parallelize_output_from_storages = 0, "
            + "input_format_null_as_default = 0")
        try await connection.stream(rows, plan) { path in
          "INSERT INTO \(stage) (\(names)) SELECT \(values) "
            + "FROM file('\(path)', 'ArrowStream', \(quotedString(plan.structure)), "
            + "'\(RowPipe.compression)')"
        }
      }
    } catch let error as EngineError {
      throw error.naming(name, for: [stage, stage.replacing("_magic.", with: "")])
    }
  }

  // MARK: New tables

  /// The statement that declares a table of the rows' columns.
  private func declaration(key: [String]) throws -> String {
    let fields = rows.schema.fields
    if let missing = key.first(where: { rows.schema.index(of: $0) == nil }) {
      throw EngineError(
        message: "the key of \(name) has the column \(missing), which the data does not have")
    }
    let columns = try fields.map { field in
      "\(quotedIdentifier(field.name)) "
        + (try DeclaredType.of(field, isInKey: key.contains(field.name)))
    }
    let order = key.map(quotedIdentifier).joined(separator: ", ")
    return "CREATE TABLE \(name.quoted) (\(columns.joined(separator: ", "))) "
      + "ENGINE = MutableMergeTree ORDER BY " + (key.isEmpty ? "tuple()" : "(\(order))")
  }

  /// Makes and fills a table that is seen once the transaction is committed.
  ///
  /// - Parameters:
  ///   - declaration: the statement; nil for a table like `other`.
  private func create(
    _ declaration: String?, in transaction: EngineTransaction, like other: MutableTable? = nil
  ) async throws -> Int {
    let owner = tables.newOwner()
    let settled = StorageName(owner, .settled(generation: 1, from: 0))
    do {
      let shape = await other?.shape
      let table = try await make(settled, declaration, like: other)
      let count = try await fill(table, in: nil)
      await transaction.add(
        NewTable(
          table: table, name: name, replaces: request.whenExisting == .replace,
          model: other.flatMap { other in shape.map { (other, $0) } },
          token: token, rowCount: count))
      return count
    } catch {
      await tables.storage.discard(settled)
      await tables.storage.discard(StorageName(owner, .young(generation: 1, number: 1)))
      throw error
    }
  }

  private func make(
    _ settled: StorageName, _ declaration: String?, like other: MutableTable?
  ) async throws -> MutableTable {
    let scope = try StatementScope(
      engine: engine, registry: tables.storage.registry, context: StatementContext())
    return try await scope.withSession { session in
      let statements = MutableStatements(tables: tables, scope: scope)
      let databases = try await session.connection.texts(
        "SELECT name FROM system.databases WHERE name = \(quotedString(name.database))")
      if databases.isEmpty {
        throw EngineError(code: 81, message: "there is no database \(name.database)")
      }
      _ = try await statements.isTaken(name, on: session.connection)
      if let other {
        return try await tables.storage.withConnection { connection in
          try await connection.execute("CREATE TABLE \(settled) AS \(await other.current.settled)")
          try await connection.execute("ALTER TABLE \(settled) MODIFY COMMENT ''")
          return try await MutableTable.make(
            settled.owner, settled, comment: await other.comment, storage: tables.storage,
            on: connection)
        }
      }
      let text = SQLText(declaration ?? "")
      guard let head = CreateHead(text), let create = try CreateMutableTable(text, head) else {
        throw EngineError(message: "\(name) cannot be declared with the columns of the data")
      }
      try await session.set([
        "allow_suspicious_low_cardinality_types": "1", "allow_suspicious_fixed_string_types": "1",
      ])
      return try await statements.make(create, settled, name, on: session)
    }
  }

  /// Writes rows into a table that nobody sees yet.
  ///
  /// - Parameter transaction: the one that has made the table; nil when it is yet to know it.
  private func fill(_ table: MutableTable, in transaction: EngineTransaction?) async throws -> Int {
    let shape = await table.shape
    guard request.action == .insert || request.action == .upsert else {
      throw EngineError(
        message: "\(request.action.rawValue) into \(name), which is made anew: there is nothing "
          + "to change")
    }
    let staging = EngineTransaction(engine: engine, tables: tables)
    do {
      let staged = try await stage(for: table, shape, in: staging)
      try await table.fill(with: staged)
      await staging.rollback()
      await transaction?.noteRows(staged.count, of: name)
      return staged.count
    } catch {
      await staging.rollback()
      throw error
    }
  }

  // MARK: Other tables

  /// Writes into a table of the engine: all rows or none.
  private func writePlain(engine: String) async throws -> Int {
    guard token == nil, request.action == .insert else { throw notMutable }
    if ["View", "Dictionary"].contains(engine) || StorageName.isStorage(name.database) {
      throw EngineError(message: "\(name) is a \(engine), which takes no rows")
    }
    let storage = tables.storage
    let stage = storage.stageName(of: StorageOwner(kind: .user, number: 0))
    do {
      let count = try await storage.withConnection { connection in
        let columns = try await connection.texts(
          """
          SELECT name, type FROM system.columns WHERE database = \(quotedString(name.database)) \
          AND table = \(quotedString(name.table)) \
          AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL') ORDER BY position
          """
        ).map { TableColumn(name: $0[0], type: $0[1]) }
        let plan = try WritePlan(rows.schema, into: columns, of: name)
        let takesParts = try await takesParts(engine: engine, on: connection)
        let ownClauses =
          " ENGINE = MergeTree ORDER BY tuple() SETTINGS \(StorageName.stageSettings)"
        let clauses = takesParts ? "" : ownClauses
        try await connection.execute("CREATE TABLE \(stage) AS \(name.quoted)\(clauses)")
        try await insert(plan, plan.names, plan.values, into: "\(stage)")
        let statement =
          takesParts
          ? "ALTER TABLE \(name.quoted) ATTACH PARTITION ALL FROM \(stage)"
          : "INSERT INTO \(name.quoted) (\(plan.names)) SELECT \(plan.names) FROM \(stage)"
        if let fencing = request.fencing {
          try await fencing.entered { _ = try await connection.execute(statement) }
        } else {
          try await connection.execute(statement)
        }
        return try await connection.count("\(stage)")
      }
      storage.retire([stage])
      return count
    } catch {
      await storage.discard(stage)
      throw error
    }
  }

  /// Whether the table can take the parts of another one as they are: no view must see the rows.
  private func takesParts(
    engine: String, on connection: any EngineConnection
  ) async throws -> Bool {
    guard engine.hasSuffix("MergeTree"), !engine.hasPrefix("Replicated") else { return false }
    let dependencies = try await connection.texts(
      """
      SELECT toString(length(dependencies_table)) FROM system.tables \
      WHERE database = \(quotedString(name.database)) AND name = \(quotedString(name.table))
      """)
    return dependencies == [["0"]]
  }
}
