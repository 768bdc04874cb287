import Arrow
import Binlog
import MagicCore
import MySQLSchema
import RowEncoding
import WireFormat

/// Turns binlog events into versioned columns, table by table, and knows where transactions end.
///
/// It performs no I/O: what has to be stored comes out as a ``Publication``. The same events from
/// the same checkpoint always give the same rows and versions.
final class TransactionAssembler {
  /// How far a group of events, which is a transaction or one statement, has been read.
  private enum EventGroup {
    case none
    /// Its GTID was read: a BEGIN or a single statement follows.
    case announced
    /// It lasts until its XID, COMMIT or ROLLBACK.
    case begun
  }

  private(set) var catalog: Catalog
  /// The catalog as it was last taken for storing.
  var storedCatalog: Catalog
  /// The end of the last event that was consumed.
  private(set) var position: BinlogPosition
  /// Whether everything consumed so far belongs to whole transactions.
  var isBetweenTransactions: Bool { group == .none }

  private let filter: TableFilter
  private let unknownTables: Replicator.UnknownTables
  private let encodingOptions: EncodingOptions
  private var decoder: BinlogDecoder
  var checkpoint: Checkpoint
  /// Where the transaction that is being read starts.
  private var transactionStart: BinlogPosition
  private var transactionGTID: SourceGTID?
  /// All transactions of the source up to the checkpoint.
  var gtids: SourceGTIDs
  /// Transactions that turned out to be rolled back, by their start.
  private var skippedTransactions: Set<BinlogPosition>
  /// Tables that have to stop, though the stream is yet to create them.
  private var plannedStops: [TableName: PlannedStop]
  /// Whether rows of the transaction that is being read were taken in.
  private(set) var transactionTouchesCopy = false

  private(set) var tables: [TableName: TableAssembly] = [:]
  private var group = EventGroup.none
  var catalogChanged = false
  var created: [TableDefinition] = []
  var removed: [TableDefinition] = []
  /// Rows that wait for publication and what they take in memory.
  var pendingBytes = 0
  var hasPendingChanges = false

  init(
    catalog: Catalog, checkpoint: Checkpoint, filter: TableFilter,
    unknownTables: Replicator.UnknownTables,
    encodingOptions: EncodingOptions, rewind: Rewind? = nil
  ) throws {
    self.catalog = catalog
    storedCatalog = catalog
    self.checkpoint = checkpoint
    gtids = try SourceGTIDs(checkpoint.gtids ?? checkpoint.gtid ?? "")
    self.filter = filter
    self.unknownTables = unknownTables
    self.encodingOptions = encodingOptions
    skippedTransactions = rewind?.skippedTransactions ?? []
    plannedStops = rewind?.plannedStops ?? [:]
    position = checkpoint.position
    transactionStart = checkpoint.position
    decoder = BinlogDecoder(file: checkpoint.position.file)
    // A table that the source dropped still gets the changes before that, unless its name is
    // another table's by now.
    for table in catalog.tables
    where table.hasStorage && (!table.isDropped || catalog[table.schema.name] == nil) {
      tables[table.schema.name] = try TableAssembly(table, encodingOptions)
    }
  }

  /// Starts reading `file`, whose first event lies `offset` bytes into it.
  ///
  /// - Throws: ``ReplicationError`` when it does not follow the file before; ``Rewind``.
  func beginFile(_ file: String, at offset: UInt64) throws {
    guard BinlogPosition(file: file, offset: offset).follows(position) else {
      throw ReplicationError(
        .unsupportedEvent,
        "\(file) does not follow \(position): a binlog file is missing between them")
    }
    try abandonGroup()
    position = BinlogPosition(file: file, offset: offset)
    decoder = BinlogDecoder(file: file)
    if isBetweenTransactions { transactionStart = position }
  }

  /// Consumes one event as the source wrote it, header included.
  ///
  /// - Throws: `DecodeError`, ``ReplicationError``, or ``Rewind`` when the caller has to store the
  ///   catalog and begin again at the checkpoint.
  func consume(_ event: RawSpan) throws {
    var header = ByteReader(event)
    try header.skip(9)
    let length = UInt64(try header.read(UInt32.self))
    let nextPosition = try header.read(UInt32.self)
    let flags = try header.read(UInt16.self)
    // Artificial events have no place in the file. The format description that a reader is given
    // before it goes on in the middle of a file lies before that place.
    let widened = widened(nextPosition)
    let isArtificial = nextPosition == 0 || flags & 0x20 != 0 || widened < position.offset
    let end = isArtificial ? position.offset : widened
    let start = BinlogPosition(
      file: position.file,
      offset: isArtificial ? position.offset : end >= length ? end - length : 0)
    var isHeartbeat = false
    var rotation: BinlogPosition?
    try decoder.decode(event, at: start.offset) { event, bytes in
      switch event.body {
      case .heartbeat: isHeartbeat = true
      case .rotate(let target): rotation = target
      default: break
      }
      try apply(event, bytes, from: start, to: end)
    }
    if let rotation {
      position = rotation
    } else if !isArtificial && !isHeartbeat {
      position.offset = end
    }
    if isBetweenTransactions {
      checkpoint.position = position
      transactionStart = position
    }
  }

  /// End positions have 32 bits in the header; files can be longer.
  private func widened(_ nextPosition: UInt32) -> UInt64 {
    let candidate = position.offset & ~0xFFFF_FFFF | UInt64(nextPosition)
    return candidate < position.offset && position.offset - candidate > 1 << 31
      ? candidate + 1 << 32 : candidate
  }

  private func apply(
    _ event: Event, _ bytes: RawSpan, from start: BinlogPosition, to end: UInt64
  ) throws {
    switch event.body {
    case .rows(let rows):
      try append(rows, bytes, from: start)
    case .query(let query):
      try apply(query, header: event.header, from: start, to: end)
    case .xid:
      endTransaction(header: event.header)
    case .xaPrepare(let prepare):
      guard prepare.isOnePhase || !transactionTouchesCopy else {
        throw ReplicationError(
          .unsupportedEvent,
          "the source prepared a distributed transaction (XA PREPARE) at \(start), which this version does not apply"
        )
      }
      endTransaction(header: event.header)
    case .gtid(let gtid):
      begin(.announced, at: start, gtid: gtid.gtid.map(SourceGTID.mysql))
    case .mariadbGTID(let gtid):
      begin(
        gtid.flags.contains(.standalone) ? .announced : .begun, at: start,
        gtid: .mariadb(gtid.gtid))
    case .incident(let incident):
      throw ReplicationError(
        .incident,
        "the source reports a gap in its binlog at \(start) (\(incident.message)): copy the tables anew into an "
          + "empty data folder")
    case .formatDescription:
      // A new file: no transaction goes on over its beginning.
      try abandonGroup()
    case .rotate, .tableMap, .previousGTIDs, .gtidList, .heartbeat, .rowsQuery,
      .stop, .statementContext, .transactionPayload, .ignorable:
      break
    }
  }

  /// Leaves out a transaction whose end was never written: the file ends, because the server
  /// stopped amid writing it or because the file was copied meanwhile.
  ///
  /// - Throws: ``Rewind`` when rows of it were taken in.
  func abandonGroup() throws {
    guard group != .none else { return }
    try leaveOutTransaction()
    group = .none
  }

  /// Asks to begin again without the transaction that is being read, if rows of it were taken in.
  private func leaveOutTransaction() throws {
    guard transactionTouchesCopy, !skippedTransactions.contains(transactionStart) else { return }
    throw rewind(skipping: transactionStart)
  }

  private func begin(_ state: EventGroup, at start: BinlogPosition, gtid: SourceGTID? = nil) {
    if group == .none {
      transactionStart = start
      transactionTouchesCopy = false
      transactionGTID = gtid
    }
    group = state
  }

  private func endTransaction(header: EventHeader) {
    group = .none
    if let transactionGTID {
      checkpoint.gtid = transactionGTID.description
      gtids.insert(transactionGTID)
    }
    checkpoint.timestamp = header.timestamp
    checkpoint.counters.transactions += 1
    transactionGTID = nil
  }
}

/// The copy has to begin again at the checkpoint: a table was stopped, or a transaction turned out
/// to be rolled back, after rows of it were taken in.
struct Rewind: Error {
  /// The catalog as of the checkpoint, with the tables that have to stop.
  var catalog: Catalog
  var skippedTransactions: Set<BinlogPosition>
  var plannedStops: [TableName: PlannedStop]
}

/// Where a table has to stop, and why.
struct PlannedStop: Hashable, Sendable {
  var reason: String
  var position: BinlogPosition
}

// MARK: - Rows

extension TransactionAssembler {
  private func append(_ rows: RowsEvent, _ bytes: RawSpan, from start: BinlogPosition) throws {
    // A version for every byte of the images: unique for each row, and the same in a replay
    // whatever tables are selected or stopped by then.
    let firstVersion = checkpoint.nextVersion
    checkpoint.nextVersion += UInt64(rows.images.count)
    begin(.begun, at: start)
    guard !skippedTransactions.contains(transactionStart) else { return }
    let name = TableName(database: rows.tableMap.database, table: rows.tableMap.table)
    guard let table = try tables[name] ?? define(name, rows.tableMap, at: start) else { return }
    guard table.accepts(changeAt: start) else { return }
    transactionTouchesCopy = true
    let before = table.encoder.byteCount
    do {
      var nextVersion = firstVersion
      try table.encoder.append(rows, in: bytes, nextVersion: &nextVersion)
      checkpoint.counters.rowChanges += nextVersion - firstVersion
    } catch {
      throw stopped(table.table, "\(error)")
    }
    pendingBytes += table.encoder.byteCount - before
    hasPendingChanges = true
  }

  /// A table that the catalog does not know appeared in the stream.
  private func define(_ name: TableName, _ tableMap: TableMap, at start: BinlogPosition) throws
    -> TableAssembly?
  {
    guard filter.selects(name), catalog[name] == nil else { return nil }
    switch unknownTables {
    case .stop:
      let empty = TableSchema(name: name, columns: [], primaryKey: [])
      catalog.add(
        empty,
        state: .stopped(
          reason: "its rows appear in the binlog, but it was neither copied nor created there",
          at: start))
      catalogChanged = true
      return nil
    case .define(let declared):
      let schema: TableSchema
      do {
        schema = try declared[name] ?? TableSchema(tableMap: tableMap)
      } catch {
        throw ReplicationError(.unsupportedEvent, "\(error)")
      }
      return try add(schema, copyPosition: start)
    }
  }

  /// Stops the table before the transaction that is being read, and asks to begin again.
  private func stopped(_ table: ReplicatedTable, _ reason: String) -> Rewind {
    var rewind = rewind()
    let stop = PlannedStop(reason: reason, position: transactionStart)
    if var known = rewind.catalog.tables.first(where: { $0.id == table.id }) {
      known.state = .stopped(reason: reason, at: stop.position)
      rewind.catalog.update(known)
    } else {
      // The replay creates the table, and stops it at the same place.
      rewind.plannedStops[table.schema.name] = stop
    }
    return rewind
  }

  private func rewind(skipping transaction: BinlogPosition? = nil) -> Rewind {
    var rewind = Rewind(
      catalog: storedCatalog, skippedTransactions: skippedTransactions, plannedStops: plannedStops)
    if let transaction { rewind.skippedTransactions.insert(transaction) }
    return rewind
  }

  /// Adds a table that begins empty at `copyPosition`, or records why it cannot be replicated.
  private func add(_ schema: TableSchema, copyPosition: BinlogPosition) throws -> TableAssembly? {
    for id in catalog.removeDropped(schema.name) {
      removed.append(
        TableDefinition(id: id, name: schema.reference, schema: Schema(fields: []), primaryKey: []))
    }
    var table = catalog.add(schema, state: .live, copyPosition: copyPosition)
    catalogChanged = true
    hasPendingChanges = true
    if let stop = plannedStops[schema.name], stop.position >= copyPosition {
      table.state = .stopped(reason: stop.reason, at: stop.position)
      catalog.update(table)
    }
    do {
      let assembly = try TableAssembly(table, encodingOptions)
      created.append(assembly.definition)
      tables[schema.name] = assembly
      return assembly
    } catch {
      table.state = .stopped(reason: "\(error)", at: copyPosition)
      table.copyPosition = nil
      catalog.update(table)
      return nil
    }
  }
}

// MARK: - Statements

extension TransactionAssembler {
  private func apply(
    _ query: QueryEvent, header: EventHeader, from start: BinlogPosition, to end: UInt64
  ) throws {
    switch TransactionControl(query.statement) {
    case .begin:
      begin(.begun, at: start)
      return
    case .commit:
      endTransaction(header: header)
      return
    case .rollback:
      try leaveOutTransaction()
      endTransaction(header: header)
      return
    case .savepoint:
      return
    case .rollbackToSavepoint:
      guard transactionTouchesCopy else { return }
      throw ReplicationError(
        .unsupportedEvent,
        "a transaction at \(start) was rolled back in part (ROLLBACK TO SAVEPOINT in the binlog), "
          + "which this version does not apply")
    case nil:
      break
    }
    try applyDDL(query, from: start, after: BinlogPosition(file: start.file, offset: end))
    // A statement outside BEGIN … COMMIT is a transaction of its own. CREATE TABLE … SELECT is
    // logged inside of one, which MySQL announces at the end of the statement.
    if group != .begun {
      if query.statement.hasSuffix("START TRANSACTION") {
        begin(.begun, at: start)
      } else {
        endTransaction(header: header)
      }
    }
  }

  private func applyDDL(
    _ query: QueryEvent, from start: BinlogPosition, after end: BinlogPosition
  ) throws {
    let statement = parseDDL(
      query.statement, defaultDatabase: query.database, mode: query.textMode)
    switch statement {
    case .createTable(let create) where create.isTemporary:
      break
    case .createTable(let create):
      try createTable(create, from: start, after: end)
    case .alterTable(let alter):
      stop(alter.name, "ALTER TABLE", at: start)
    case .createIndex, .dropIndex, .noEffect, .createDatabase, .alterDatabase:
      break
    case .renameTables(let pairs):
      for pair in pairs { stop(pair.from, "RENAME TABLE to \(pair.to)", at: start) }
    case .truncateTable(let name):
      stop(name, "TRUNCATE TABLE", at: start)
    case .dropTables(_, isTemporary: true):
      break
    case .dropTables(let names, isTemporary: false):
      for name in names { drop(name, at: start) }
    case .dropDatabase(let database):
      for table in catalog.tables where table.schema.name.database == database {
        drop(table.schema.name, at: start)
      }
    case .dataChange:
      throw ReplicationError(
        .settings,
        "the source logged a row change as a statement at \(start): set binlog_format=ROW at the "
          + "source for every session, and copy the tables anew into an empty data folder")
    case .unrecognized(let reason):
      throw ReplicationError(
        .unsupportedEvent,
        "the statement at \(start) is not understood (\(reason)), so whether it changes a table "
          + "is unknown: \(query.statement.prefix(80))")
    }
  }

  private func createTable(
    _ create: CreateTable, from start: BinlogPosition, after end: BinlogPosition
  ) throws {
    guard filter.selects(create.name) else { return }
    if let known = catalog[create.name] {
      // A replay, or a table that was copied after it was created.
      if let copyPosition = known.copyPosition, copyPosition >= end { return }
      if create.ifNotExists { return }
      if create.orReplace {
        drop(create.name, at: start)
      } else {
        stop(create.name, "a second CREATE TABLE", at: start)
        return
      }
    }
    switch create.source {
    case .definition(let schema):
      try addCreated(schema, after: end)
    case .like(let other):
      if var schema = catalog[other]?.schema, !schema.columns.isEmpty {
        schema.name = create.name
        try addCreated(schema, after: end)
      } else {
        addStopped(create.name, "created LIKE \(other), which is not replicated", at: end)
      }
    case .select:
      addStopped(create.name, "created from a SELECT without a full definition", at: end)
    }
  }

  private func addCreated(_ schema: TableSchema, after end: BinlogPosition) throws {
    if let reason = schema.reasonNotToReplicate {
      addStopped(schema.name, reason, at: end)
    } else {
      _ = try add(schema, copyPosition: end)
    }
  }

  private func addStopped(_ name: TableName, _ reason: String, at end: BinlogPosition) {
    catalog.add(
      TableSchema(name: name, columns: [], primaryKey: []),
      state: .stopped(reason: reason, at: end))
    catalogChanged = true
    hasPendingChanges = true
  }

  private func stop(_ name: TableName, _ statement: String, at start: BinlogPosition) {
    guard var table = catalog[name], table.accepts(changeAt: start) else { return }
    table.state = .stopped(
      reason:
        "\(statement) at \(start) is not applied by this version; the copy shows the table as it was before",
      at: start)
    update(table)
  }

  private func drop(_ name: TableName, at start: BinlogPosition) {
    guard var table = catalog[name], table.copyPosition.map({ $0 <= start }) ?? true else { return }
    table.isDropped = true
    if case .stopped = table.state {
    } else {
      table.state = .stopped(
        reason: "DROP TABLE at \(start); the copy keeps the rows that it had", at: start)
    }
    update(table)
  }

  private func update(_ table: ReplicatedTable) {
    catalog.update(table)
    tables[table.schema.name]?.table = table
    catalogChanged = true
    hasPendingChanges = true
  }
}
