import Arrow
import MagicCore

/// Row versions of replication that were set aside for its next publication, by table.
actor StagedChanges {
  private(set) var stages: [StorageOwner: StorageName] = [:]

  /// The stage of a table, made by `make` when there is none.
  func stage(
    of owner: StorageOwner, make: (StorageOwner) async throws -> StorageName
  ) async throws -> StorageName {
    if let stage = stages[owner] { return stage }
    let stage = try await make(owner)
    stages[owner] = stage
    return stage
  }

  /// All stages, which are forgotten.
  func take() -> [StorageOwner: StorageName] {
    defer { stages = [:] }
    return stages
  }
}

extension MutableTables: ChangeSink {
  public func checkpoint() async throws -> [UInt8]? {
    let checkpoint = await storage.sequencer.checkpoint
    return checkpoint.isEmpty ? nil : checkpoint
  }

  public func create(_ definition: TableDefinition) async throws {
    guard !definition.primaryKey.isEmpty,
      definition.primaryKey.allSatisfy({ definition.schema.fields.indices.contains($0) })
    else { throw EngineError(message: "\(definition.name) has no primary key") }
    let owner = Self.owner(definition.id)
    try await dropStorage(of: owner)
    let key = definition.primaryKey.map { quotedIdentifier(definition.schema.fields[$0].name) }
    let settled = StorageName(
      owner, .settled(generation: firstGeneration(of: owner), from: 0))
    let table = try await storage.withConnection { connection in
      try await connection.execute(
        """
        CREATE TABLE \(settled) (\(try ColumnTypes.columnList(of: definition.schema)), \
        \(MutableTable.hiddenColumns)) ENGINE = MergeTree \
        ORDER BY (\(key.joined(separator: ", "))) \
        SETTINGS allow_nullable_key = 1, \(MutableTable.settledSettings)
        """)
      return try await MutableTable.make(
        owner, settled, storage: storage, on: connection)
    }
    await add(table)
  }

  public func show(_ definition: TableDefinition) async throws {
    let table = try replicated(definition)
    try await declarations.withLatch {
      if let shown = await table.name, shown == definition.name { return }
      let others = self.table(definition.name)
      try await storage.withConnection { connection in
        try await connection.execute(
          "CREATE DATABASE IF NOT EXISTS \(quotedIdentifier(definition.name.database)) "
            + "ENGINE = Atomic")
        let isTaken = try await connection.texts(
          """
          SELECT name FROM system.tables \
          WHERE database = \(quotedString(definition.name.database)) \
          AND name = \(quotedString(definition.name.table))
          """)
        guard isTaken.isEmpty || others?.owner.kind == .replicated else {
          throw EngineError(
            message: "\(definition.name) exists and is not a replicated table; rename or drop it")
        }
        let changed = [others, table].compactMap(\.self)
        try await withLatches(changed.sorted { $0.owner < $1.owner }.map(\.latch)) {
          try await storage.changeMeaning(of: changed) {
            await others?.setName(nil)
            let before = await table.name
            await table.setName(definition.name)
            try await table.refreshView(on: connection)
            if let before {
              try await connection.execute("DROP VIEW IF EXISTS \(before.quoted) SYNC")
            }
          }
        }
      }
      await updateNames()
    }
  }

  public func drop(_ definition: TableDefinition) async throws {
    try await dropStorage(of: Self.owner(definition.id))
  }

  public func copy(_ batch: RecordBatch, into definition: TableDefinition) async throws {
    let settled = try await replicated(definition).current.settled
    try await storage.withConnection { try await $0.ingest(batch, into: settled.reference) }
  }

  /// Where the copied rows of a table are.
  func settledStorage(of definition: TableDefinition) async throws -> StorageName {
    try await replicated(definition).current.settled
  }

  public func stage(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws {
    for (definition, batch) in batches {
      let table = try replicated(definition)
      try await storage.withConnection { connection in
        let stage = try await staged.stage(of: table.owner) { owner in
          let stage = storage.stageName(of: owner)
          try await table.makeStage(stage, on: connection)
          return stage
        }
        try await connection.ingest(batch, into: stage.reference)
      }
    }
  }

  public func discardStaged() async throws {
    for stage in await staged.take().values { await storage.discard(stage) }
  }

  public func publish(
    _ batches: [(table: TableDefinition, batch: RecordBatch)], checkpoint: [UInt8]
  ) async throws {
    var rows: [StorageOwner: [RecordBatch]] = [:]
    for (definition, batch) in batches {
      rows[try replicated(definition).owner, default: []].append(batch)
    }
    let staged = await staged.stages.keys
    let owners = Set(rows.keys).union(staged).sorted { $0.number < $1.number }
    let tables = owners.compactMap(table)
    for table in tables { try await table.waitForRoom() }
    let stages = await self.staged.take()
    // Always in the same order, and nobody else takes more than one.
    for table in tables { try await table.latch.acquire() }
    do {
      try await publish(rows, stages, tables, checkpoint)
    } catch {
      for table in tables { table.latch.release() }
      for stage in stages.values { await storage.discard(stage) }
      throw error
    }
    for table in tables { table.latch.release() }
    for stage in stages.values { await storage.discard(stage) }
  }

  private func publish(
    _ rows: [StorageOwner: [RecordBatch]], _ stages: [StorageOwner: StorageName],
    _ tables: [MutableTable], _ checkpoint: [UInt8]
  ) async throws {
    let commit = try await storage.beginCommit()
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, table) in tables.enumerated() {
          // As many side by side as are worth it.
          if index >= 4 { try await group.next() }
          group.addTask { [storage] in
            try await storage.withConnection { connection in
              try await table.write(
                rows[table.owner] ?? [], and: stages[table.owner], commit: commit, on: connection)
            }
          }
        }
        try await group.waitForAll()
      }
    } catch {
      var youngs: [String] = []
      for table in tables { youngs.append("\(await table.openYoung.name)") }
      await storage.takeBack(commit, from: youngs, because: error)
      throw error
    }
    try await storage.publish(commit, checkpoint: checkpoint)
  }

  public func storedTableIDs() async throws -> [UInt64] {
    owners.filter { $0.kind == .replicated }.map(\.number).sorted()
  }

  private static func owner(_ id: UInt64) -> StorageOwner {
    StorageOwner(kind: .replicated, number: id)
  }

  private func replicated(_ definition: TableDefinition) throws -> MutableTable {
    guard let table = table(Self.owner(definition.id)) else {
      throw EngineError(message: "\(definition.name) has no storage")
    }
    return table
  }

  private func dropStorage(of owner: StorageOwner) async throws {
    guard let table = table(owner) else { return }
    try await declarations.withLatch {
      try await table.settling.withLatch {
        try await table.latch.withLatch {
          guard let name = await table.name else { return await remove(table) }
          try await storage.changeMeaning(of: [table]) {
            try await storage.withConnection {
              _ = try await $0.execute("DROP VIEW IF EXISTS \(name.quoted) SYNC")
            }
            await remove(table)
          }
        }
      }
    }
  }
}

extension StorageName {
  /// The name as the engine's interfaces take it.
  var reference: TableReference { TableReference(database: Self.database, table: table) }
}

extension MutableTable {
  /// Writes batches and a stage into the open young table. The caller holds the latch.
  func write(
    _ batches: [RecordBatch], and stage: StorageName?, commit: UInt64,
    on connection: any EngineConnection
  ) async throws {
    let count = batches.reduce(stage == nil ? 0 : 1) { $0 + $1.rowCount }
    try await noteYoungRows(count, commit: commit, on: connection)
    let young = openYoung.name
    if let stage {
      let columns = "\(shape.columnList), \(HiddenColumn.version), \(HiddenColumn.deleteMark)"
      try await connection.execute(
        "INSERT INTO \(young) (\(columns), \(HiddenColumn.commit)) "
          + "SELECT \(columns), \(commit) FROM \(stage)")
    }
    for batch in batches {
      try await connection.ingest(try Self.adding(commit, to: batch), into: young.reference)
    }
  }

  private static func adding(_ commit: UInt64, to batch: RecordBatch) throws -> RecordBatch {
    let builder = PrimitiveBuilder<UInt64>(type: .uint64)
    builder.append(repeating: commit, count: batch.rowCount)
    let field = Field(name: HiddenColumn.commit, type: .uint64, isNullable: false)
    do {
      return try RecordBatch(
        schema: Schema(fields: batch.schema.fields + [field], metadata: batch.schema.metadata),
        columns: batch.columns + [builder.finish()], rowCount: batch.rowCount)
    } catch {
      throw EngineError(message: error.description)
    }
  }
}
