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
    try Self.check(definition)
    let owner = Self.owner(definition.id)
    try await dropStorage(of: owner)
    let settled = StorageName(
      owner, .settled(generation: firstGeneration(of: owner), from: 0))
    let table = try await storage.withConnection { connection in
      try await connection.execute(
        try Self.settledStatement(settled, definition) + ", \(MutableTable.filling)")
      return try await MutableTable.make(
        owner, settled, storage: storage, on: connection)
    }
    await add(table)
  }

  /// Declares the settled table of a replicated one.
  static func settledStatement(
    _ name: StorageName, _ definition: TableDefinition
  ) throws -> String {
    let columns = try ColumnTypes.columnList(of: definition.schema)
    var key = definition.primaryKey.map { quotedIdentifier(definition.schema.fields[$0].name) }
    var hidden = MutableTable.hiddenColumns
    if key.isEmpty {
      key = HiddenColumn.identifying
      hidden += ", \(HiddenColumn.contents) UInt128, \(MutableTable.rowColumn)"
    }
    return """
      CREATE TABLE \(name) (\(columns), \(hidden)) ENGINE = MergeTree \
      ORDER BY (\(key.joined(separator: ", "))) \
      SETTINGS allow_nullable_key = 1, \(MutableTable.settledSettings)
      """
  }

  public func stage(_ batches: [(table: TableDefinition, batch: RecordBatch)]) async throws {
    for (definition, batch) in batches {
      let table = try replicated(definition)
      try await storage.withConnection { connection in
        let stage = try await staged.stage(of: table.owner) { owner in
          let stage = storage.stageName(of: owner)
          if await table.shape.hasContents {
            try await table.makeContentsStage(stage, on: connection)
          } else {
            try await table.makeStage(stage, on: connection)
          }
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
    var stages = await self.staged.take()
    var resolved: [StorageOwner: ResolvedRows] = [:]
    do {
      for table in tables where await table.shape.hasContents {
        stages[table.owner] = try await table.setAside(
          rows.removeValue(forKey: table.owner) ?? [], in: stages[table.owner])
      }
      // Always in the same order, and nobody else takes more than one.
      try await withLatches(tables.map(\.latch)) {
        for table in tables where await table.shape.hasContents {
          guard let stage = stages[table.owner] else { continue }
          resolved[table.owner] = try await table.resolve(stage)
        }
        try await publish(rows, stages, resolved, tables, checkpoint)
      }
    } catch {
      await discard(stages, resolved)
      throw error
    }
    await discard(stages, resolved)
  }

  private func discard(
    _ stages: [StorageOwner: StorageName], _ resolved: [StorageOwner: ResolvedRows]
  ) async {
    for stage in stages.values { await storage.discard(stage) }
    for rows in resolved.values { await rows.discard(from: storage) }
  }

  private func publish(
    _ rows: [StorageOwner: [RecordBatch]], _ stages: [StorageOwner: StorageName],
    _ resolved: [StorageOwner: ResolvedRows], _ tables: [MutableTable], _ checkpoint: [UInt8]
  ) async throws {
    let commit = try await storage.beginCommit()
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, table) in tables.enumerated() {
          // As many side by side as are worth it; stages may be large.
          if index >= (stages.isEmpty ? 4 : 1) { try await group.next() }
          group.addTask { [storage] in
            try await storage.withConnection { connection in
              if let resolved = resolved[table.owner] {
                try await table.write(resolved, commit: commit, on: connection)
              } else {
                try await table.write(
                  rows[table.owner] ?? [], and: stages[table.owner], commit: commit,
                  on: connection)
              }
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

  static func owner(_ id: UInt64) -> StorageOwner {
    StorageOwner(kind: .replicated, number: id)
  }

  /// - Throws: ``EngineError`` when there is no such table.
  func replicated(_ definition: TableDefinition) throws -> MutableTable {
    guard let table = table(Self.owner(definition.id)) else {
      throw EngineError(message: "\(definition.name) has no storage")
    }
    return table
  }

  func dropStorage(of owner: StorageOwner) async throws {
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
    let staged = if let stage { try await connection.count("\(stage)") } else { 0 }
    let count = batches.reduce(staged) { $0 + $1.rowCount }
    try await noteYoungRows(count, commit: commit, on: connection)
    let young = openYoung.name
    if let stage {
      let columns = "\(shape.columnList), \(HiddenColumn.version), \(HiddenColumn.deleteMark)"
      // Of a stage of any size a little is in memory at a time.
      try await connection.execute(
        """
        INSERT INTO \(young) (\(columns), \(HiddenColumn.commit)) \
        SELECT \(columns), \(commit) FROM \(stage) SETTINGS max_threads = 1, \
        max_insert_threads = 1, min_insert_block_size_bytes = 16777216
        """)
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
