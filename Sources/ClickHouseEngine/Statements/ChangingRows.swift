import MagicCore

/// INSERT, UPSERT, IMPORT, UPDATE and DELETE: the rows are set aside first, and published in one
/// step when all of them are there.
extension MutableStatements {
  /// Rows in a statement's text are set aside in memory when the text is not longer than this.
  private static let memoryStageByteCount = 1 << 20
  /// An UPDATE or DELETE of more rows sets them aside in a table on disk.
  private static let memoryStageRowCount = 50_000
  private static let memoryStage = "_magic_stage"
  /// IMPORT takes no higher versions, so that there are always some left.
  private static let versionLimit = UInt64(1) << 62

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
    for _ in 0..<10 {
      try await table.waitForRoom()
      if let rows = try await add(insert, to: table) { return .done(rows: rows) }
    }
    throw EngineError(
      message: "\(reference(insert.name)) was altered whenever the statement ran: run it again")
  }

  /// - Returns: the number of rows; nil when the table was altered meanwhile.
  private func add(_ insert: InsertStatement, to table: MutableTable) async throws -> Int? {
    try await withSession { session in
      let connection = session.connection
      let shape = await table.shape
      let columns = try await columns(of: insert, in: shape, on: connection)
      var isLarge = insert.dataByteCount > Self.memoryStageByteCount
      if case .select = insert.source { isLarge = true }
      return try await withStage(of: table, onDisk: isLarge, on: connection) { place in
        var rows = StagedRows(place: place, count: 0)
        let statement = insert.rewritten(into: rows.source, columns: columns)
        try await connection.allowLength(of: statement)
        // Rows keep the order in which the query gives them.
        try await connection.execute("SET max_insert_threads = 1")
        try await naming(insert.name, place) { _ = try await connection.execute(statement) }
        // What comes reads nothing any more, and may have to wait for who waits for readers.
        session.leave()
        rows.count = try await connection.count(rows.source)
        if insert.verb == .importing { rows.versions = .given }
        return try await publish(rows, into: table, named: insert.name, shape, on: connection)
          ? rows.count : nil
      }
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
    if named.contains(HiddenColumn.commit) {
      throw TableDeclaration.hiddenColumn(HiddenColumn.commit)
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
            try await table.publishImport(rows, upTo: Self.versionLimit, on: connection)
          }
          return true
        }
      }
    }
  }

  private func requireTable(_ table: MutableTable, _ name: WrittenName) async throws {
    if await table.isRemoved {
      throw EngineError(code: 60, message: "there is no table \(reference(name))")
    }
  }

  /// Runs `body` with a stage, which is gone afterwards.
  private func withStage<Result: Sendable>(
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
  private func naming(
    _ name: WrittenName, _ place: StagedRows.Place, _ body: () async throws -> Void
  ) async throws {
    do {
      try await body()
    } catch let error as EngineError {
      let stage = StagedRows(place: place, count: 0).source
      throw error.naming(reference(name), for: [stage, stage.replacing("_magic.", with: "")])
    }
  }

  // MARK: Updating

  func run(_ update: UpdateStatement) async throws -> Outcome {
    guard let table = try ownTable(update.name) else { return .untouched }
    let condition = try condition(
      update.condition, "UPDATE", update.name, isInPartition: update.isInPartition,
      isOnCluster: update.isOnCluster)
    return .done(
      rows: try await change(table, update.name, hasConstraints: true) {
        shape, stage, before, limit in
        let changes = try assignments(update, in: shape)
        let values = shape.columns.enumerated().map { index, column in
          changes[column.name].map { "(\($0)\n) AS _magic_new_\(index)" }
            ?? quotedIdentifier(column.name)
        }.joined(separator: ", ")
        let matching =
          "FROM \(reference(update.name).quoted) WHERE (\(condition)\n)\(limit)"
          + (update.settings.map { " SETTINGS \($0)" } ?? "")
        let rows = "INSERT INTO \(stage) (\(shape.columnList)) SELECT \(values) "
        guard shape.columns.contains(where: { $0.isInKey && changes[$0.name] != nil }) else {
          return [rows + matching]
        }
        // The rows that match are found once. The old keys go before the new ones come, because a
        // new one may be another row's old one.
        return [
          "INSERT INTO \(before) (\(shape.columnList)) SELECT \(shape.columnList) " + matching,
          "INSERT INTO \(stage) (\(shape.columnList), \(HiddenColumn.deleteMark)) "
            + "SELECT \(shape.columnList), 1 FROM \(before)",
          rows + "FROM \(before) AS \(quotedIdentifier(update.name.table))",
        ]
      })
  }

  private func assignments(
    _ update: UpdateStatement, in shape: TableShape
  ) throws -> [String: String] {
    var changes: [String: String] = [:]
    for (column, expression) in update.assignments {
      if HiddenColumn.all.contains(column) { throw TableDeclaration.hiddenColumn(column) }
      guard shape.columns.contains(where: { $0.name == column }) else {
        throw EngineError(
          code: 16, message: "there is no column \(column) in \(reference(update.name))")
      }
      try requireBrackets(expression)
      guard changes.updateValue(expression, forKey: column) == nil else {
        throw EngineError(message: "UPDATE sets the column \(column) twice")
      }
    }
    return changes
  }

  func run(_ delete: DeleteStatement) async throws -> Outcome {
    guard let table = try ownTable(delete.name) else { return .untouched }
    let condition = try condition(
      delete.condition, "DELETE", delete.name, isInPartition: delete.isInPartition,
      isOnCluster: delete.isOnCluster)
    return .done(
      rows: try await change(table, delete.name, hasConstraints: false) { shape, stage, _, limit in
        [
          "INSERT INTO \(stage) (\(shape.keyColumnList), \(HiddenColumn.deleteMark)) "
            + "SELECT \(shape.keyColumnList), 1 FROM \(reference(delete.name).quoted) "
            + "WHERE (\(condition)\n)\(limit)" + (delete.settings.map { " SETTINGS \($0)" } ?? "")
        ]
      })
  }

  private func condition(
    _ condition: String?, _ verb: String, _ name: WrittenName, isInPartition: Bool,
    isOnCluster: Bool
  ) throws -> String {
    if isInPartition || isOnCluster {
      throw EngineError(
        message: "\(verb) of a MutableMergeTree table takes no "
          + (isInPartition ? "IN PARTITION" : "ON CLUSTER"))
    }
    guard let condition else {
      throw EngineError(
        message: "\(verb) of \(reference(name)) needs a WHERE; WHERE 1 means all rows")
    }
    try requireBrackets(condition)
    return condition
  }

  /// An expression goes into a statement between brackets, which its own must not close.
  private func requireBrackets(_ expression: String) throws {
    let text = SQLText(expression)
    var open = 0
    for index in text.tokens.indices {
      if ["(", "[", "{"].contains(where: { text.isSymbol(index, $0) }) { open += 1 }
      if [")", "]", "}"].contains(where: { text.isSymbol(index, $0) }) { open -= 1 }
      if open < 0 { break }
    }
    guard open == 0 else {
      throw EngineError(code: 62, message: "Syntax error: the brackets do not match: \(expression)")
    }
  }

  /// Makes the statements that set changed rows aside in `stage`; `before` is another stage for rows
  /// as they were. Only the first statement looks for rows, with `limit` at its end.
  private typealias Changes = (
    _ shape: TableShape, _ stage: String, _ before: String, _ limit: String
  ) throws -> [String]

  /// Reads the rows to change at the last commit point and publishes their new versions. Nobody
  /// else writes the table meanwhile, so no change in between is lost.
  private func change(
    _ table: MutableTable, _ name: WrittenName, hasConstraints: Bool, _ make: Changes
  ) async throws -> Int {
    try await table.waitForRoom()
    // Most statements change few rows, which need no table on disk.
    let few = try await table.latch.withLatch {
      try await change(table, name, hasConstraints, onDisk: false, make)
    }
    if let few { return few }
    let many = try await table.settling.withLatch {
      try await table.latch.withLatch {
        try await change(table, name, hasConstraints, onDisk: true, make)
      }
    }
    return many ?? 0
  }

  /// - Returns: the number of rows that were changed; nil when they are too many for memory.
  private func change(
    _ table: MutableTable, _ name: WrittenName, _ hasConstraints: Bool, onDisk: Bool,
    _ make: Changes
  ) async throws -> Int? {
    try await requireTable(table, name)
    try await table.waitForCommits()
    return try await withSession { session in
      let connection = session.connection
      let needsBefore = try make(await table.shape, "", "", "").count > 1
      return try await withStage(
        of: table, onDisk: onDisk, hasConstraints: hasConstraints, on: connection
      ) { place in
        guard needsBefore else {
          return try await change(table, name, place, before: place, make, on: connection)
        }
        return try await withStage(
          of: table, onDisk: onDisk, hasConstraints: false, suffix: "_before", on: connection
        ) { before in
          try await change(table, name, place, before: before, make, on: connection)
        }
      }
    }
  }

  private func change(
    _ table: MutableTable, _ name: WrittenName, _ place: StagedRows.Place,
    before: StagedRows.Place, _ make: Changes, on connection: any EngineConnection
  ) async throws -> Int? {
    var rows = StagedRows(place: place, count: 0)
    let limit = rows.isInMemory ? " LIMIT \(Self.memoryStageRowCount + 1)" : ""
    let statements = try make(
      await table.shape, rows.source, StagedRows(place: before, count: 0).source, limit)
    try await connection.execute("SET insert_null_as_default = 0, max_insert_threads = 1")
    try await naming(name, place) {
      for statement in statements {
        try await connection.allowLength(of: statement)
        try await connection.execute(statement)
      }
    }
    rows.count = try await connection.count(rows.source)
    // Rows whose key changes are there twice: as a mark and anew.
    let changed = statements.count > 1 ? rows.count / 2 : rows.count
    if rows.isInMemory, changed > Self.memoryStageRowCount { return nil }
    try await tables.storage.withConnection { internalConnection in
      try await table.publish(rows, on: rows.isInMemory ? connection : internalConnection)
    }
    return changed
  }
}

extension EngineConnection {
  /// The number of rows of a table.
  func count(_ table: String) async throws -> Int {
    let rows = try await texts("SELECT toString(count()) FROM \(table)")
    return rows.first?.first.flatMap { Int($0) } ?? 0
  }
}

extension MutableTable {
  /// Publishes rows that have versions of their own. The caller holds both latches.
  ///
  /// - Throws: ``EngineError`` when a version cannot be told from another, is too high, or so low
  ///   that a deleted row might reappear.
  func publishImport(
    _ rows: StagedRows, upTo limit: UInt64, on connection: any EngineConnection
  ) async throws {
    if rows.count == 0 { return }
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
    if facts[1] > limit {
      throw EngineError(message: "IMPORT: version \(facts[1]) is above \(limit)")
    }
    if facts[2] > 1 {
      throw EngineError(message: "IMPORT: a delete mark is 0 or 1, not \(facts[2])")
    }
    if facts[3] > 0 {
      throw EngineError(message: "IMPORT: two rows have the same key and the same version")
    }
    if markFloor > 0, facts[0] <= markFloor {
      throw EngineError(
        message: "IMPORT: version \(facts[0]) is too old: rows deleted up to version \(markFloor) "
          + "are forgotten, so an older version of them would reappear")
    }
    var remaining = rows
    remaining.condition = isNewest(rows)
    remaining.count = try await connection.count(remaining.source)
    await storage.sequencer.raiseVersions(above: facts[1])
    try await publish(remaining, on: connection)
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
