import MagicCore

/// INSERT, UPSERT and IMPORT: the rows are set aside first, and published in one step when all of
/// them are there.
extension MutableStatements {
  /// Rows in a statement's text are set aside in memory when the text is not longer than this.
  private static let memoryStageByteCount = 1 << 20
  /// More rows than this are better set aside in a table of their own on disk.
  static let memoryStageRowCount = 50_000
  private static let memoryStage = "_magic_stage"

  // MARK: Inserting

  func run(_ insert: InsertStatement) async throws -> Outcome {
    guard let table = try ownTable(insert.name) else {
      if insert.verb == .insert { return .untouched }
      throw EngineError(
        message: "\(reference(insert.name)) is not a MutableMergeTree table: "
          + "\(insert.verb == .upsert ? "UPSERT" : "IMPORT") is for those only")
    }
    guard insert.waitsForRows else {
      throw EngineError(
        message: "an insert into a mutable table ends when its rows are there: leave "
          + "wait_for_async_insert = 0 out")
    }
    if insert.verb != .insert, await table.shape.isKeyless {
      throw EngineError(
        message: "\(reference(insert.name)) has no key, so no row takes another's place: "
          + "\(insert.verb == .upsert ? "UPSERT" : "IMPORT") needs one; INSERT adds rows")
    }
    let collected = try await collect(for: reference(insert.name), token: token(of: insert)) {
      try await stage(insert, of: table, in: $0, token: $1)
    }
    if let collected { return collected }
    for _ in 0..<10 {
      try await table.waitForRoom()
      let rows = try await setAside(insert, for: table) { rows, shape, connection in
        try await publish(rows, into: table, named: insert.name, shape, on: connection)
          ? rows.count : nil
      }
      if let rows { return .done(rows: rows) }
    }
    throw EngineError(
      message: "\(reference(insert.name)) was altered whenever the statement ran: run it again")
  }

  /// Sets the statement's rows aside for `body`, and then forgets them.
  private func setAside<Result: Sendable>(
    _ insert: InsertStatement, for table: MutableTable,
    _ body: (StagedRows, TableShape, any EngineConnection) async throws -> Result
  ) async throws -> Result {
    try await scope.withSession { session in
      let connection = session.connection
      let shape = await table.shape
      let columns = try await columns(of: insert, in: shape, on: connection)
      try scope.input?.take()
      var isLarge =
        insert.dataByteCount > Self.memoryStageByteCount || scope.input?.isSmall == false
      if case .select = insert.source { isLarge = true }
      // A kept connection is not the layer's own to run statements on.
      let onDisk = isLarge || session.isKept
      return try await withStage(of: table, onDisk: onDisk, on: connection) { place in
        var rows = StagedRows(place: place, count: 0)
        let statement = insert.rewritten(into: rows.source, columns: columns)
        try await session.allowLength(of: statement)
        // Rows keep the order in which the query gives them.
        try await session.set(["async_insert": "0", "max_insert_threads": "1"])
        try await naming(insert.name, place) { _ = try await connection.execute(statement) }
        // What comes reads nothing any more, and may have to wait for who waits for readers.
        session.leave()
        try await session.forgetSettings()
        rows.count = try await connection.count(rows.source)
        if insert.verb == .importing { rows.versions = .given }
        return try await body(rows, shape, connection)
      }
    }
  }

  /// Sets the statement's rows aside for a transaction.
  private func stage(
    _ insert: InsertStatement, of table: MutableTable, in transaction: EngineTransaction,
    token: String?
  ) async throws -> Int {
    try await setAside(insert, for: table) { rows, shape, connection in
      if rows.versions == .given, rows.count > 0 {
        _ = try await table.checkImported(rows, on: connection)
      }
      try await transaction.add(
        rows, of: table, called: reference(insert.name), shape, token: token, on: connection)
      return rows.count
    }
  }

  /// The columns that the statement's rows have.
  private func columns(
    of insert: InsertStatement, in shape: TableShape, on connection: any EngineConnection
  ) async throws -> String {
    let all = shape.columns.map(\.name)
    let hidden = [HiddenColumn.version, HiddenColumn.deleteMark]
    var named = insert.columns ?? all + (insert.verb == .importing ? hidden : [])
    if insert.hasColumnMatcher {
      let list = insert.columnRange.map { range in
        String(decoding: insert.text.bytes[range].dropFirst().dropLast(), as: UTF8.self)
      }
      let reader = try await connection.query(
        "SELECT \(list ?? "*") FROM \(reference(insert.name).quoted) LIMIT 0")
      named = reader.schema.fields.map(\.name)
      await reader.cancel()
    }
    let missing = hidden.filter { !named.contains($0) }
    if insert.verb == .importing, let name = missing.first {
      throw EngineError(message: "IMPORT gives each row's \(name): name it in the column list")
    }
    if insert.verb != .importing, missing.count < hidden.count {
      throw EngineError(
        message: "versions and delete marks are given by IMPORT only; leave out "
          + "\(hidden.filter(named.contains).joined(separator: ", "))")
    }
    for name in [HiddenColumn.commit, HiddenColumn.row] where named.contains(name) {
      throw TableDeclaration.hiddenColumn(name)
    }
    return named.map(quotedIdentifier).joined(separator: ", ")
  }

  /// - Returns: whether the table still has the shape of the rows.
  private func publish(
    _ rows: StagedRows, into table: MutableTable, named name: WrittenName, _ shape: TableShape,
    on connection: any EngineConnection
  ) async throws -> Bool {
    try await tables.storage.withConnection { internalConnection in
      // A stage in memory is seen by its own connection only.
      let connection = rows.isInMemory ? connection : internalConnection
      guard rows.versions == .given || rows.isBulk else {
        if rows.count == 0 { return true }
        let append = try await table.latch.withLatch { () -> MutableTable.Append? in
          try await requireTable(table, name)
          guard await table.shape == shape else { return nil }
          return try await table.begin(rows, on: internalConnection)
        }
        guard let append else { return false }
        try await table.finish(append, of: rows, on: connection)
        return true
      }
      return try await table.settling.withLatch {
        try await table.latch.withLatch {
          try await requireTable(table, name)
          guard await table.shape == shape else { return false }
          if rows.isBulk {
            try await table.publish(rows, on: connection)
          } else {
            try await table.publishImport(rows, on: connection)
          }
          return true
        }
      }
    }
  }

  func requireTable(_ table: MutableTable, _ name: WrittenName) async throws {
    if await table.isRemoved {
      throw EngineError(code: 60, message: "there is no table \(reference(name))")
    }
  }

  /// Runs `body` with a stage, which is gone afterwards.
  func withStage<Result: Sendable>(
    of table: MutableTable, onDisk: Bool, hasConstraints: Bool = true, suffix: String = "",
    on connection: any EngineConnection, _ body: (StagedRows.Place) async throws -> Result
  ) async throws -> Result {
    guard onDisk else {
      let name = Self.memoryStage + suffix
      try await table.makeTemporaryStage(name, hasConstraints: hasConstraints, on: connection)
      return try await body(.memory(name))
    }
    let name = tables.storage.stageName(of: table.owner)
    do {
      try await tables.storage.withConnection {
        try await table.makeStage(name, hasConstraints: hasConstraints, on: $0)
      }
      let result = try await body(.table(name))
      // The statement need not wait for the files to go.
      tables.storage.retire([name])
      return result
    } catch {
      await tables.storage.discard(name)
      throw error
    }
  }

  /// Lets errors name the table instead of its stage.
  func naming(
    _ name: WrittenName, _ place: StagedRows.Place, _ body: () async throws -> Void
  ) async throws {
    do {
      try await body()
    } catch let error as EngineError {
      let stage = StagedRows(place: place, count: 0).source
      throw error.naming(reference(name), for: [stage, stage.replacing("_magic.", with: "")])
    }
  }
}
