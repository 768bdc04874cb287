import Binlog
import MagicCore
import MySQLSchema
import RowEncoding

/// The copying of existing rows, beside the stream.
///
/// A table accepts changes from the position of the snapshot on at which it was opened. Its rows are read
/// in ranges later than that, each at a moment of its own, with versions below those of all changes: what
/// was changed since the snapshot comes from the stream, whatever a range shows of it. So the table is
/// that of the source as soon as the stream has come to the position of the last range. Tables without a
/// key, and all tables when changes do not tell whole rows, are read at the snapshot itself.
extension Replicator {
  /// Begins or goes on following a server: finds the tables that are new, and makes the first checkpoint.
  public func prepare(_ source: any ReplicationSource) async throws {
    let identity = try await source.identity()
    if let known = catalog.sourceIdentity, known != identity, checkpoint != nil {
      guard source.canFailOver, checkpoint?.gtids != nil else {
        throw ReplicationError(
          .otherSource,
          "this data folder holds a copy of another server (\(known)), not of \(identity): use another "
            + "--data folder for this source, or, when both are of one topology with GTIDs, give all of "
            + "its hosts in --source")
      }
    }
    let isFirst = self.identity == nil
    let isSame = self.identity == identity
    self.source = source
    phase = .copying
    if try await source.foldsNames() {
      configuration.foldsNames = true
      configuration.filter.include = configuration.filter.include.map { $0.lowercased() }
      configuration.filter.exclude = configuration.filter.exclude.map { $0.lowercased() }
    }
    copying.hasHidden = true
    if checkpoint == nil { state.catalog.sourceIdentity = identity }
    let isElsewhere = catalog.sourceIdentity != nil && catalog.sourceIdentity != identity
    if isFirst, !isElsewhere {
      try await resumeCopies()
    } else if !isSame {
      // What was read of the one server does not go with the stream of another.
      for table in catalog.tables where table.hasStorage { try await restart(table.id) }
    }
    if isFirst { try await removeLeftovers() }
    self.identity = identity
    if isElsewhere { return }
    let snapshot = try await source.snapshot(of: configuration.filter)
    do {
      let isKept = try await open(snapshot, configuration.filter, selecting: nil)
      if checkpoint == nil {
        try await save(
          Checkpoint(position: snapshot.position, gtids: snapshot.gtid, server: identity))
      }
      if !isKept { await snapshot.close() }
    } catch {
      await snapshot.close()
      throw error
    }
    try assembler?.readCatalog()
  }

  /// Prepares the copies that were interrupted.
  private func resumeCopies() async throws {
    let stored = Set(try await sink.storedTableIDs())
    for table in catalog.tables where table.state == .copying && table.hasStorage {
      if checkpoint != nil, let copy = table.copy, stored.contains(table.id),
        table.isReadAtOnce != true
      {
        try await sink.discardCopied(table.definition, keeping: copy.finished)
      } else {
        state.catalog.remove(id: table.id)
        state.catalog.addWanted(table.name, isReadAtOnce: table.isReadAtOnce)
      }
    }
    try await saveCatalog()
  }

  /// Opens the tables that wait for being copied, while the stream stands still.
  func openWanted(_ assembler: TransactionAssembler) async throws {
    let wanted = Set(
      catalog.tables.filter {
        $0.state == .copying && !$0.hasStorage
          && ($0.visibleFrom.map { $0 <= assembler.checkpoint.position } ?? true)
      }.map(\.name))
    guard !wanted.isEmpty, let source else { return }
    var filter = configuration.filter
    filter.include = wanted.map(\.description)
    let snapshot = try await source.snapshot(of: filter)
    do {
      if try await !open(snapshot, filter, selecting: wanted) { await snapshot.close() }
    } catch {
      await snapshot.close()
      throw error
    }
    try assembler.readCatalog()
  }

  /// Adds what the source has at the snapshot to the catalog.
  ///
  /// - Parameter wanted: the tables that are meant; nil for those that the catalog does not have yet.
  /// - Returns: whether the snapshot is still needed.
  private func open(
    _ snapshot: any SourceSnapshot, _ filter: TableFilter, selecting wanted: Set<TableName>?
  ) async throws -> Bool {
    var missing = Set(catalog.tables.filter { $0.state == .copying && !$0.hasStorage }.map(\.name))
    let tellsWholeRows = try await source?.tellsWholeRows() ?? true
    var readAtOnce: [UInt64] = []
    for found in try await snapshot.tables(filter) {
      let name = found.name
      if let wanted, !wanted.contains(name) { continue }
      missing.remove(name)
      let known = catalog.tables.filter { $0.name == name }
      // What is stored goes on from there; what has stopped waits for an operator.
      if wanted == nil, known.contains(where: \.hasStorage) { continue }
      for table in known where !table.hasStorage { state.catalog.remove(id: table.id) }
      switch found {
      case .changing: state.catalog.addWanted(name)
      case .refused(_, let reason):
        refuse(TableSchema(name: name, columns: [], primaryKey: []), reason, snapshot)
      case .table(let schema, let statistics):
        if let reason = schema.reasonNotToReplicate(configuration.encodingOptions) {
          refuse(schema, reason, snapshot)
          continue
        }
        if statistics.hasCascades {
          report(
            "table \(name) is changed by foreign keys (ON DELETE or ON UPDATE), which the source does not "
              + "log: compare it now and then with magic verify")
        }
        var table = state.catalog.add(schema, state: .copying, copyPosition: snapshot.position)
        if let reason = try await sink.obstacle(to: table.definition) {
          state.catalog.remove(id: table.id)
          refuse(schema, reason, snapshot)
          continue
        }
        // Workers take it up once it says how far the copying is.
        try await sink.create(table.definition)
        table.copy = TableCopy(
          pending: [SourceKeyRange()], estimatedRows: statistics.rows,
          estimatedBytes: statistics.bytes)
        table.visibleFrom = snapshot.position
        // The source finds no ranges by whole values where its key has only their beginnings.
        if !tellsWholeRows || schema.primaryKey.isEmpty || schema.primaryKeyHasPrefix
          || schema.isSystemVersioned
          || known.contains(where: { !$0.hasStorage && $0.isReadAtOnce == true })
        {
          readAtOnce.append(table.id)
          table.copy?.pending = []
          table.isReadAtOnce = true
        }
        state.catalog.update(table)
      }
    }
    // The source no longer has them: what became of them is to come in the stream.
    for name in missing where wanted?.contains(name) ?? true {
      for var table in catalog.tables
      where table.name == name && table.state == .copying && !table.hasStorage {
        let position =
          assembler?.checkpoint.position ?? checkpoint?.position ?? snapshot.position
        if let reached = table.visibleFrom, reached <= position {
          state.catalog.remove(id: table.id)
        } else {
          table.visibleFrom = snapshot.position
          state.catalog.update(table)
        }
      }
    }
    copying.hasHidden = true
    try await saveCatalog()
    guard !readAtOnce.isEmpty else { return false }
    copying.add(snapshot, readAtOnce.compactMap { catalog[id: $0] })
    return true
  }

  private func refuse(_ schema: TableSchema, _ reason: String, _ snapshot: any SourceSnapshot) {
    state.catalog.add(schema, state: .stopped(reason: reason, at: snapshot.position))
    report("table \(schema.name) is not replicated: \(reason)")
  }

  // MARK: For the workers

  /// The next piece of copying; waits for it.
  ///
  /// - Returns: nil when the replicator stops or the task is cancelled.
  func nextCopyTask() async -> CopyTask? {
    while !isStopping, !Task.isCancelled {
      if let (task, changed) = copying.next(catalog) {
        if let changed { state.catalog.update(changed) }
        copying.begin = copying.begin ?? clock.now
        return task
      }
      if !copying.isNeeded(catalog) { copying.begin = nil }
      try? await Task.sleep(for: .milliseconds(50))
    }
    return nil
  }

  /// Notes how a table is divided; nil when its ranges are to be found one after another.
  func planned(_ table: ReplicatedTable, _ ranges: [SourceKeyRange]?) async throws {
    copying.notePlan(table.id, isWhole: ranges != nil)
    guard let ranges, !ranges.isEmpty, var current = catalog[id: table.id] else { return }
    current.copy?.pending = ranges
    state.catalog.update(current)
    try await saveCatalog()
  }

  /// Notes where an open range is divided; nil when the rest is one piece.
  func divided(_ table: ReplicatedTable, _ range: SourceKeyRange, at boundary: [String]?) {
    copying.notePlan(table.id, isWhole: boundary == nil)
    guard let boundary, var current = catalog[id: table.id], var copy = current.copy,
      let index = copy.pending.firstIndex(of: range)
    else { return }
    copy.pending[index] = SourceKeyRange(after: range.after, through: boundary)
    copy.pending.insert(SourceKeyRange(after: boundary), at: index + 1)
    current.copy = copy
    state.catalog.update(current)
  }

  /// What was read of a range.
  struct Copied: Sendable {
    var rows: UInt64 = 0
    var bytes: UInt64 = 0
    var counters = EncodingCounters()
    /// No change after it is in the rows.
    var through: BinlogPosition?

    mutating func add(_ batch: SnapshotBatch) {
      rows += UInt64(batch.rows.rowCount)
      bytes += UInt64(batch.byteCount)
      counters.zeroDates += batch.counters.zeroDates
      counters.invalidTexts += batch.counters.invalidTexts
    }
  }

  /// Notes progress within a table, which is shown only.
  func noteCopied(rows: UInt64, of table: ReplicatedTable) {
    copying.rowsSinceBegin += rows
    if table.isReadAtOnce == true { copying.rowsReadAtOnce[table.id, default: 0] += rows }
  }

  /// A range is stored, or, without one, all of the table.
  func finished(
    _ table: ReplicatedTable, _ range: SourceKeyRange?, version: UInt64, _ copied: Copied
  ) async throws {
    guard var current = catalog[id: table.id], current.state == .copying, var copy = current.copy
    else { return }
    if let range {
      copying.release(table.id, range)
      copy.pending.removeAll { $0 == range }
    }
    copying.rowsReadAtOnce[table.id] = nil
    copy.finish(version: version)
    copy.rows += copied.rows
    copy.bytes += copied.bytes
    current.copy = copy
    if let through = copied.through {
      current.visibleFrom = max(current.visibleFrom ?? through, through)
    }
    count(copied)
    if copy.pending.isEmpty, !hasRelayed(table.id) {
      endCopying(&current)
      report("table \(table.name) is copied: \(copy.rows) rows")
    }
    state.catalog.update(current)
    try await saveCatalog()
    try assembler?.readCatalog()
  }

  /// Whether changes wait for the end of the table's copying, also while no stream is followed.
  private func hasRelayed(_ id: UInt64) -> Bool {
    if let assembler { return assembler.relayed[id] != nil }
    return checkpoint?.relayed?[id] != nil
  }

  /// Applies the changes that waited for the end of their tables' copying.
  func applyRelayed(_ assembler: TransactionAssembler) async throws {
    for (id, changes) in assembler.relayed {
      guard var table = catalog[id: id], table.state == .copying,
        table.copy?.finished.isEmpty == false
      else { continue }
      try await publishAndWait(assembler)
      var decoder = BinlogDecoder(file: assembler.position.file)
      assembler.beginRelayed()
      do {
        try await store.relay.read(changes.name, to: changes.length) { events in
          for event in events {
            try assembler.consumeRelayed(event.span.bytes, of: id, with: &decoder)
            try await publishIfLarge(assembler)
          }
        }
      } catch let error as EncodingError {
        try await stopCopying(id, "\(error)")
        throw Rewind(skipped: [])
      }
      // What they lack may be in rows that later ones of them took away.
      try await publishAndWait(assembler)
      let rows = table.copy?.rows ?? 0
      endCopying(&table)
      let position = assembler.checkpoint.position
      table.visibleFrom = max(table.visibleFrom ?? position, position)
      assembler.endRelayed(of: id)
      state.catalog.update(table)
      try assembler.readCatalog()
      try await publishAndWait(assembler)
      report("table \(table.name) is copied: \(rows) rows")
    }
  }

  /// Ends the copying of tables whose waiting changes were rolled back.
  func endCopied(_ assembler: TransactionAssembler) async throws {
    let ended = catalog.tables.filter { table in
      guard table.state == .copying, let copy = table.copy else { return false }
      return copy.pending.isEmpty && !copy.finished.isEmpty && !hasRelayed(table.id)
    }
    guard !ended.isEmpty else { return }
    for var table in ended {
      let rows = table.copy?.rows ?? 0
      endCopying(&table)
      state.catalog.update(table)
      report("table \(table.name) is copied: \(rows) rows")
    }
    try await saveCatalog()
    try assembler.readCatalog()
  }

  /// All rows of the table are copied: it follows the stream.
  private func endCopying(_ table: inout ReplicatedTable) {
    table.state = .live
    table.copy = nil
    copying.forget([table.id])
    copying.finishedTables += 1
    assembler?.checkpoint.counters.copiedTables += 1
  }

  private func count(_ copied: Copied) {
    if let assembler {
      assembler.checkpoint.counters.add(copied)
    } else {
      checkpoint?.counters.add(copied)
    }
  }

  /// The copying of a piece failed for a reason that may pass.
  func released(_ task: CopyTask) async throws {
    switch task {
    case .range(let table, let range, let version):
      // What is stored of the range must not stay: it gets another version the next time.
      do {
        try await sink.discardCopied(
          table.definition, keeping: [0...version - 1, version + 1...UInt64.max])
      } catch {
        if isBeingCopied(table.id) { throw error }
      }
      copying.release(table.id, range)
    case .plan(let table), .divide(let table, _): copying.releaseDivision(table.id)
    case .snapshot(let snapshot, let tables):
      await snapshot.close()
      for table in tables { try await restart(table.id) }
    }
  }

  /// The table is copied from the beginning, with the declaration that it has at the source by now.
  func restart(_ id: UInt64) async throws {
    guard let table = catalog[id: id], table.state == .copying else { return }
    copying.forget([id])
    state.copyAnew(table)
    try await saveCatalog()
    try assembler?.readCatalog()
  }

  /// The table cannot be copied.
  func stopCopying(_ id: UInt64, _ reason: String) async throws {
    guard let table = catalog[id: id], table.state == .copying else { return }
    let position =
      assembler?.position ?? table.copyPosition ?? BinlogPosition(file: "", offset: 0)
    state.stop(id, reason, at: position, shownAt: position)
    copying.forget([id])
    report("table \(table.name) is not replicated: \(reason)")
    try await saveCatalog()
    try assembler?.readCatalog()
  }

  /// Whether the table is still being copied.
  func isBeingCopied(_ id: UInt64) -> Bool { catalog[id: id]?.state == .copying }

  var copyProgress: ReplicationStatus.CopyProgress? {
    let tables = catalog.tables.filter { $0.state == .copying }
    guard copying.hasHidden, !tables.isEmpty else { return nil }
    var progress = ReplicationStatus.CopyProgress(
      table: tables.first.map { "\($0.name)" }, tables: copying.finishedTables,
      tablesTotal: copying.finishedTables + tables.count)
    for table in tables {
      guard let copy = table.copy else { continue }
      let rows = copy.rows + (copying.rowsReadAtOnce[table.id] ?? 0)
      progress.rows += rows
      progress.bytes += copy.bytes
      progress.rowsEstimated += max(copy.estimatedRows, rows)
      progress.bytesEstimated += max(copy.estimatedBytes, copy.bytes)
    }
    if let begin = copying.begin, copying.rowsSinceBegin > 0 {
      let seconds = Double((clock.now - begin) / .seconds(1))
      let rate = Double(copying.rowsSinceBegin) / max(seconds, 0.001)
      progress.rowsPerSecond = rate
      progress.secondsLeft = Double(progress.rowsEstimated - progress.rows) / rate
    }
    return progress
  }
}

extension Counters {
  fileprivate mutating func add(_ copied: Replicator.Copied) {
    copiedRows += copied.rows
    zeroDates += UInt64(copied.counters.zeroDates)
    invalidTexts += UInt64(copied.counters.invalidTexts)
  }
}

extension SnapshotTable {
  var name: TableName {
    switch self {
    case .table(let schema, _): schema.name
    case .refused(let name, _), .changing(let name): name
    }
  }
}
