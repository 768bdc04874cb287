import MagicCore

/// UPDATE and DELETE: the new versions or marks of the rows that match are set aside, and published in
/// one step.
extension MutableStatements {
  func run(_ update: UpdateStatement) async throws -> Outcome {
    guard let table = try ownTable(update.name) else { return .untouched }
    let condition = try condition(
      update.condition, "UPDATE", update.name, isInPartition: update.isInPartition,
      isOnCluster: update.isOnCluster)
    return try await change(
      RowChange(table: table, name: update.name, hasConstraints: true) {
        shape, source, stage, before, limit in
        let changes = try assignments(update, in: shape)
        let values = shape.columns.enumerated().map { index, column in
          changes[column.name].map { "(\($0)\n) AS _magic_new_\(index)" }
            ?? quotedIdentifier(column.name)
        }.joined(separator: ", ")
        let matching =
          "FROM \(source) WHERE (\(condition)\n)\(limit)"
          + (update.settings.map { " SETTINGS \($0)" } ?? "")
        let row = shape.isKeyless ? ", \(HiddenColumn.row)" : ""
        let rows = "INSERT INTO \(stage) (\(shape.columnList)\(row)) SELECT \(values)\(row) "
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
      if HiddenColumn.stored.contains(column) { throw TableDeclaration.hiddenColumn(column) }
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
    return try await change(
      RowChange(table: table, name: delete.name, hasConstraints: false) {
        shape, source, stage, _, limit in
        [
          "INSERT INTO \(stage) (\(shape.keyColumnList), \(HiddenColumn.deleteMark)) "
            + "SELECT \(shape.keyColumnList), 1 FROM \(source) "
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

  /// What an UPDATE or DELETE reads after FROM. The view of a table without key does not show what
  /// identifies its rows. The caller holds the latch.
  private func source(_ change: RowChange) async -> String {
    guard await change.table.shape.isKeyless else { return reference(change.name).quoted }
    return "(\(await change.table.view.identifiedRows)) AS \(quotedIdentifier(change.name.table))"
  }

  /// Reads the rows to change at the last commit point and publishes their new versions. Nobody
  /// else writes the table meanwhile, so no change in between is lost.
  private func change(_ change: RowChange) async throws -> Outcome {
    let collected = try await collect(for: reference(change.name)) {
      try await record(change, in: $0, token: $1)
    }
    if let collected { return collected }
    try await change.table.waitForRoom()
    // Most statements change few rows, which need no table on disk.
    let few = try await change.table.latch.withLatch {
      try await publish(change, areMany: false)
    }
    if let few { return .done(rows: few) }
    let many = try await change.table.settling.withLatch {
      try await change.table.latch.withLatch { try await publish(change, areMany: true) }
    }
    return .done(rows: many ?? 0)
  }

  /// - Parameter areMany: whether there may be any number of rows. The caller holds both latches then.
  /// - Returns: the number of rows that were changed; nil when they are many.
  private func publish(_ change: RowChange, areMany: Bool) async throws -> Int? {
    try await requireTable(change.table, change.name)
    try await change.table.waitForCommits()
    return try await scope.withSession { session in
      let limit = areMany ? "" : " LIMIT \(Self.memoryStageRowCount + 1)"
      return try await withStages(
        for: change, onDisk: areMany || session.isKept, on: session.connection
      ) { place, before in
        let found = try await search(change, place, before: before, limit: limit, on: session)
        if !areMany, found.changedRows > Self.memoryStageRowCount { return nil }
        try await tables.storage.withConnection { internalConnection in
          try await change.table.publish(
            found.rows, on: found.rows.isInMemory ? session.connection : internalConnection)
        }
        return found.changedRows
      }
    }
  }

  /// Runs `body` with a stage for changed rows and one for rows as they were, which may be the same.
  private func withStages<Result: Sendable>(
    for change: RowChange, onDisk: Bool, on connection: any EngineConnection,
    _ body: (StagedRows.Place, StagedRows.Place) async throws -> Result
  ) async throws -> Result {
    try await withStage(
      of: change.table, onDisk: onDisk, hasConstraints: change.hasConstraints, on: connection
    ) { place in
      guard try change.needsBefore(await change.table.shape) else {
        return try await body(place, place)
      }
      return try await withStage(
        of: change.table, onDisk: onDisk, hasConstraints: false, suffix: "_before", on: connection
      ) { try await body(place, $0) }
    }
  }

  /// Sets the changed rows aside.
  private func search(
    _ change: RowChange, _ place: StagedRows.Place, before: StagedRows.Place, limit: String,
    on session: StatementSession
  ) async throws -> TableChange.Found {
    var rows = StagedRows(place: place, count: 0)
    let statements = try change.statements(
      await change.table.shape, await source(change), rows.source,
      StagedRows(place: before, count: 0).source, limit)
    try await session.set(["insert_null_as_default": "0", "max_insert_threads": "1"])
    try await naming(change.name, place) {
      for statement in statements {
        try await session.allowLength(of: statement)
        try await session.connection.execute(statement)
      }
    }
    try await session.forgetSettings()
    rows.count = try await session.connection.count(rows.source)
    // Rows whose key changes are there twice: as a mark and anew.
    return TableChange.Found(
      rows: rows, changedRows: statements.count > 1 ? rows.count / 2 : rows.count)
  }

  // MARK: In transactions

  /// Has a transaction make the change when it is committed. What is wrong with it is found now.
  private func record(
    _ change: RowChange, in transaction: EngineTransaction, token: String?
  ) async throws -> Int? {
    let shape = await change.table.shape
    // It may run when the session is at work or gone.
    let later = MutableStatements(tables: tables, scope: try await scope.detached())
    try await later.scope.withSession { session in
      try await withStages(for: change, onDisk: false, on: session.connection) {
        _ = try await later.search(change, $0, before: $1, limit: " LIMIT 0", on: session)
      }
    }
    let change = TableChange(
      table: change.table, name: reference(change.name), shape: shape,
      source: .search { [weak transaction] in
        guard let transaction else { throw EngineError.cancelled }
        return try await later.search(change, at: $0, for: transaction)
      }, token: token)
    try await transaction.add(change)
    return nil
  }

  private func search(
    _ change: RowChange, at commitPoint: CommitPin?, for transaction: EngineTransaction
  ) async throws -> TableChange.Found {
    let place = try await transaction.makeStage(
      of: change.table, hasConstraints: change.hasConstraints)
    var before = place
    if try change.needsBefore(await change.table.shape) {
      before = try await transaction.makeStage(of: change.table, hasConstraints: false)
    }
    return try await scope.reading(at: commitPoint).withSession {
      try await search(change, place, before: before, limit: "", on: $0)
    }
  }
}

/// An UPDATE or a DELETE of a table.
private struct RowChange: Sendable {
  /// Makes the statements that set changed rows of `source` aside in `stage`; `before` is another
  /// stage for rows as they were. Only the first statement looks for rows, with `limit` at its end.
  typealias Statements =
    @Sendable (
      _ shape: TableShape, _ source: String, _ stage: String, _ before: String, _ limit: String
    ) throws -> [String]

  let table: MutableTable
  let name: WrittenName
  /// Whether the changed rows must meet the table's constraints.
  let hasConstraints: Bool
  let statements: Statements

  /// Whether the rows as they were are needed.
  func needsBefore(_ shape: TableShape) throws -> Bool {
    try statements(shape, "", "", "", "").count > 1
  }
}
