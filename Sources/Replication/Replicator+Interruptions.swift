import Arrow
import Binlog
import MagicCore
import MySQLSchema
import RowEncoding

/// What is done amid the stream, while nothing else of it is read.
extension Replicator {
  func perform(_ interruption: Interruption, _ assembler: TransactionAssembler) async throws {
    switch interruption.cause {
    case .statement(let statement, let text, let isStrict):
      try await apply(statement, text, isStrict, interruption, assembler)
    case .prepare(let identifier):
      try await storePrepared(assembler, isWhole: true)
      if let prepared = assembler.prepared {
        assembler.remember(prepared, identifier)
      }
      assembler.finish(interruption)
    case .commit(let identifier):
      try await commitPrepared(identifier, interruption, assembler)
    case .rollback(let identifier):
      assembler.endPrepared(identifier)
      assembler.finish(interruption)
    }
  }

  // MARK: Statements

  private func apply(
    _ statement: DDLStatement, _ text: String, _ isStrict: Bool, _ interruption: Interruption,
    _ assembler: TransactionAssembler
  ) async throws {
    if !change(by: statement, isStrict, interruption).isNeeded(instead: catalog) {
      return assembler.finish(interruption)
    }
    guard assembler.isAtBarrier else {
      throw ReplicationError(
        .unsupportedEvent,
        "a statement changes tables amid a transaction at \(interruption.start): "
          + "\(text.prefix(80))")
    }
    try await publishAndWait(assembler)
    // Tables may have been copied whole meanwhile.
    var change = change(by: statement, isStrict, interruption)
    change.catalog.begin(catalog, until: interruption.end)
    intentEnd = interruption.end
    state.catalog = change.catalog
    state.dropping += change.dropped
    droppingDatabases += change.droppedDatabases
    copying.hasHidden = true
    copying.forget(change.dropped.map(\.id))
    try await saveCatalog()
    for step in change.steps { try await perform(step, at: interruption.end) }
    assembler.checkpoint.counters.schemaChanges += 1
    assembler.finish(interruption)
    try assembler.readCatalog()
    if interruption.endsTransaction { try await publishAndWait(assembler) }
    report("applied at \(interruption.start): \(text.prefix(120))")
    reportStopped()
  }

  private func change(
    by statement: DDLStatement, _ isStrict: Bool, _ interruption: Interruption
  ) -> SchemaChange {
    var change = SchemaChange(
      catalog, filter: configuration.filter, encodingOptions: configuration.encodingOptions,
      canCopy: source != nil, isStrict: isStrict, from: interruption.start, to: interruption.end)
    change.apply(statement)
    return change
  }

  private func perform(_ step: SchemaChange.Step, at position: BinlogPosition) async throws {
    switch step {
    case .create(let table):
      if try await !stopIfHindered(table, at: position) { try await sink.create(table.definition) }
    case .createDatabase(let name): try await sink.createDatabase(name)
    case .convert(let table, let old, let columns):
      if try await stopIfHindered(table, at: position) { return }
      try await sink.create(
        table.definition, from: old.definition,
        columns: columns.map { source in
          if case .column(let index) = source { index } else { nil }
        },
        defaults: try Self.defaults(of: table.schema, columns))
    }
  }

  /// A row with the values of the new columns; what the others have in it does not matter.
  private static func defaults(
    of schema: TableSchema, _ columns: [TableChangePlan.ColumnSource]
  ) throws -> RecordBatch {
    var schema = schema
    schema.primaryKey = []
    var row: [[UInt8]?] = []
    for (index, source) in columns.enumerated() {
      switch source {
      case .value(let text): row.append(text)
      case .column:
        schema.columns[index].isNullable = true
        // A list is never null.
        if case .set = schema.columns[index].type {
          row.append(Array("0".utf8))
        } else {
          row.append(nil)
        }
      }
    }
    return try TableEncoder.batch(of: schema, utf8Row: row)
  }

  // MARK: Distributed transactions

  /// Writes down what was read of a transaction that is being prepared, so that it takes little memory.
  func storePrepared(_ assembler: TransactionAssembler, isWhole: Bool = false) async throws {
    guard let prepared = assembler.prepared, isWhole || prepared.byteCount >= 8 << 20 else {
      return
    }
    let (events, offset) = prepared.take()
    try await store.relay.append(events, to: prepared.name, at: offset)
  }

  private func commitPrepared(
    _ identifier: XAIdentifier, _ interruption: Interruption, _ assembler: TransactionAssembler
  ) async throws {
    let name: String
    if let prepared = assembler.prepared, assembler.isPrepared {
      // It is prepared and committed in one phase.
      try await storePrepared(assembler, isWhole: true)
      name = prepared.name
      assembler.remember(prepared, identifier)
    } else if let known = assembler.checkpoint.prepared?["\(identifier)"] {
      name = known
    } else {
      try await copyAfterUnknown(identifier, interruption, assembler)
      return assembler.finish(interruption)
    }
    var decoder = BinlogDecoder(file: interruption.start.file)
    try await store.relay.read(name) { events in
      for event in events {
        try assembler.consumePrepared(
          event.span.bytes, with: &decoder, at: interruption.start)
        try await publishIfLarge(assembler)
      }
    }
    assembler.endPrepared(identifier)
    assembler.finish(interruption)
  }

  /// A transaction takes effect that was prepared before the copy was begun, so that its rows are not
  /// known: every table that it may have changed is copied anew.
  private func copyAfterUnknown(
    _ identifier: XAIdentifier, _ interruption: Interruption, _ assembler: TransactionAssembler
  ) async throws {
    let concerned = catalog.tables.filter { $0.accepts(changeAt: interruption.start) }
    guard !concerned.isEmpty else { return }
    guard source != nil else {
      throw ReplicationError(
        .unsupportedEvent,
        "the transaction \(identifier), which is committed at \(interruption.start), was prepared "
          + "before the files that were loaded: begin with an earlier file")
    }
    report(
      "the transaction \(identifier) was prepared before the copy was begun: "
        + "\(concerned.count) tables are copied anew")
    try await publishAndWait(assembler)
    for var table in concerned {
      if !table.isVisible(at: interruption.start) {
        state.catalog.remove(id: table.id)
        state.dropping.append(table)
      } else {
        table.state = .stopped(
          reason: "a transaction was prepared before it was copied; it is copied anew",
          at: interruption.start)
        state.catalog.update(table)
      }
      state.catalog.addWanted(table.name)
    }
    copying.forget(concerned.map(\.id))
    copying.hasHidden = true
    try await saveCatalog()
    try assembler.readCatalog()
  }
}

extension SchemaChange {
  /// Whether it changes anything.
  fileprivate func isNeeded(instead before: Catalog) -> Bool {
    catalog != before || !steps.isEmpty || !droppedDatabases.isEmpty
  }
}
