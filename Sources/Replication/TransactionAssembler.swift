import Arrow
import Binlog
import MagicCore
import MySQLSchema
import RowEncoding
import WireFormat

/// Turns binlog events into versioned columns, table by table, and knows where transactions end.
///
/// It performs no I/O: what has to be stored comes out as a ``Publication``, and what has to be done
/// before the next event as an ``Interruption``. The same events from the same checkpoint always give
/// the same rows and versions.
final class TransactionAssembler {
  /// How far a group of events, which is a transaction or one statement, has been read.
  private enum EventGroup {
    case none
    /// Its GTID was read: a BEGIN or a single statement follows.
    case announced
    /// It lasts until its XID, COMMIT or ROLLBACK.
    case begun
  }

  /// The end of the last event that was consumed.
  private(set) var position: BinlogPosition
  /// Whether everything consumed so far belongs to whole transactions.
  var isBetweenTransactions: Bool { group == .none }
  /// Whether nothing of the transaction that is being read was taken in yet.
  var isAtBarrier: Bool { group == .none || !transactionTouchesCopy }

  let state: CatalogState
  private let configuration: Replicator.Configuration
  private let unknownTables: Replicator.UnknownTables
  private var decoder: BinlogDecoder
  /// The event that tells how the file's other events are read.
  private var formatDescription: [UInt8] = []
  /// That of the stream, while the events of a prepared transaction are taken in.
  private var streamFormatDescription: [UInt8]?
  var checkpoint: Checkpoint
  /// Where the transaction that is being read starts.
  private(set) var transactionStart: BinlogPosition
  private var transactionGTID: SourceGTID?
  /// All transactions of the source up to the checkpoint.
  var gtids: SourceGTIDs
  /// Parts of the stream that were rolled back.
  private(set) var skipped: [Range<BinlogPosition>]
  /// The savepoints of the transaction that is being read.
  private var savepoints: [String: BinlogPosition] = [:]
  /// Whether rows of the transaction that is being read were taken in.
  private(set) var transactionTouchesCopy = false
  /// The statement is a phase of an ALTER TABLE that has not taken effect.
  private var isStartOfAlter = false

  /// By number, and for each name those that the stream's changes are for.
  private(set) var assemblies: [UInt64: TableAssembly] = [:]
  private var assembliesByName: [TableName: [TableAssembly]] = [:]
  /// Whether one of them is being copied.
  private var isCopying = false
  private var group = EventGroup.none
  /// The distributed transaction that is being read until its XA PREPARE.
  private(set) var prepared: RelayFile?
  /// Whether its XA PREPARE was read.
  private(set) var isPrepared = false
  /// The changes of tables that are being copied which wait for that.
  private(set) var relayed: [UInt64: RelayFile] = [:]
  /// The last table map of each table that is being copied, as the source wrote it.
  private var relayedMaps: [TableName: [UInt8]] = [:]
  /// Tables whose changes in the event that is being read are to wait.
  private var relaying: Set<UInt64> = []
  /// The files of changes that were applied since the last publication.
  var endedFiles: [String] = []
  /// Rows that wait for publication and what they take in memory.
  var pendingBytes = 0
  var hasPendingChanges = false

  init(
    state: CatalogState, checkpoint: Checkpoint, configuration: Replicator.Configuration,
    unknownTables: Replicator.UnknownTables, skipping skipped: [Range<BinlogPosition>] = []
  ) throws {
    self.state = state
    self.checkpoint = checkpoint
    gtids = try SourceGTIDs(checkpoint.gtids ?? checkpoint.gtid ?? "")
    self.configuration = configuration
    self.unknownTables = unknownTables
    self.skipped = skipped
    position = checkpoint.position
    transactionStart = checkpoint.position
    decoder = BinlogDecoder(file: checkpoint.position.file)
    for (id, length) in checkpoint.relayed ?? [:] {
      relayed[id] = RelayFile(RelayFile.name(ofTable: id), length: length)
    }
    try readCatalog()
  }

  /// Takes the tables over that the catalog has by now. Rows of those that it no longer has are dropped.
  ///
  /// - Throws: `EncodingError` when a column cannot be encoded.
  func readCatalog() throws {
    var current: [UInt64: TableAssembly] = [:]
    for table in state.catalog.tables where table.hasStorage {
      if let known = assemblies[table.id], known.table.schema.columns == table.schema.columns,
        known.table.schema.primaryKey == table.schema.primaryKey,
        known.table.schema.hashColumnCount == table.schema.hashColumnCount
      {
        known.table = table
        current[table.id] = known
      } else {
        current[table.id] = try TableAssembly(table, configuration.encodingOptions)
      }
    }
    assemblies = current
    assembliesByName = Dictionary(grouping: current.values, by: \.table.name)
    isCopying = current.values.contains { $0.table.state == .copying }
    for (id, changes) in relayed where assemblies[id]?.table.state != .copying {
      relayed[id] = nil
      endedFiles.append(changes.name)
      checkpoint.relayed?[id] = nil
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
  /// - Returns: what has to be done before the event counts as consumed; then ``finish(_:)`` follows.
  /// - Throws: `DecodeError`, ``ReplicationError``, or ``Rewind`` when the caller has to begin again at
  ///   the checkpoint.
  func consume(_ event: RawSpan) throws -> Interruption? {
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
    var isFormatDescription = false
    var rotation: BinlogPosition?
    var mapped: TableName?
    var interruption: Interruption?
    relaying = []
    try decoder.decode(event, at: start.offset) { event, bytes in
      switch event.body {
      case .heartbeat(let reached):
        isHeartbeat = true
        // It tells how far the server is with leaving out what is stored.
        if checkpoint.isByGTID == true, isBetweenTransactions, let reached, reached > position {
          position = reached
        }
      case .rotate(let target): rotation = target
      case .formatDescription: isFormatDescription = true
      case .tableMap(let map): mapped = copiedTable(map)
      default: break
      }
      guard interruption == nil else {
        throw ReplicationError(
          .unsupportedEvent, "a statement stands amid a compressed transaction at \(start)")
      }
      interruption = try apply(event, bytes, from: start, to: end)
    }
    if isFormatDescription { use(formatDescription: event.withUnsafeBytes { Array($0) }) }
    keepForRelay(event, mapped)
    // What is spooled is decoded again later.
    if let prepared, !isPrepared { prepared.add(event.withUnsafeBytes { Array($0) }) }
    if let interruption { return interruption }
    if let rotation {
      position = rotation
    } else if !isArtificial && !isHeartbeat {
      position.offset = end
    }
    if isBetweenTransactions { advance() }
    return nil
  }

  /// The event that caused the interruption is consumed.
  func finish(_ interruption: Interruption) {
    position = interruption.end
    if interruption.endsTransaction { endTransaction(header: interruption.header) }
    if isBetweenTransactions { advance() }
  }

  private func advance() {
    // A stream by GTID begins before what is stored, and leaves that out.
    if checkpoint.isByGTID != true || position > checkpoint.position {
      checkpoint.position = position
    }
    transactionStart = position
    skipped.removeAll { $0.upperBound <= position }
  }

  /// End positions have 32 bits in the header; files can be longer.
  private func widened(_ nextPosition: UInt32) -> UInt64 {
    let candidate = position.offset & ~0xFFFF_FFFF | UInt64(nextPosition)
    return candidate < position.offset && position.offset - candidate > 1 << 31
      ? candidate + 1 << 32 : candidate
  }

  private func apply(
    _ event: Event, _ bytes: RawSpan, from start: BinlogPosition, to end: UInt64
  ) throws -> Interruption? {
    switch event.body {
    case .rows(let rows):
      if prepared == nil { try append(rows, bytes, from: start) }
    case .query(let query):
      return try apply(query, header: event.header, from: start, to: end)
    case .xid:
      endTransaction(header: event.header)
    case .xaPrepare(let prepare):
      return try finishPreparing(prepare, header: event.header, from: start, to: end)
    case .gtid(let gtid):
      try refuseBeforeCheckpoint(start)
      begin(.announced, at: start, gtid: gtid.gtid.map(SourceGTID.mysql))
    case .mariadbGTID(let gtid):
      try refuseBeforeCheckpoint(start)
      begin(
        gtid.flags.contains(.standalone) ? .announced : .begun, at: start,
        gtid: .mariadb(gtid.gtid))
      // What an ALTER TABLE does, it does when it is committed.
      switch gtid.alterPhase {
      case .start, .rollback: isStartOfAlter = true
      case .commit, nil: isStartOfAlter = false
      }
      if gtid.flags.contains(.preparedXA) { beginPreparing() }
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
    return nil
  }

  /// A stream by GTID has nothing new before what is stored, unless the server's binlog was begun anew.
  private func refuseBeforeCheckpoint(_ start: BinlogPosition) throws {
    guard checkpoint.isByGTID == true, start < checkpoint.position else { return }
    throw ReplicationError(
      .otherSource,
      "the source has new transactions at \(start), though the copy has its binlog up to "
        + "\(checkpoint.position): it was reset; make a new copy in an empty data folder")
  }

  /// Leaves out a transaction whose end was never written: the file ends, because the server
  /// stopped amid writing it or because the file was copied meanwhile.
  ///
  /// - Throws: ``Rewind`` when rows of it were taken in.
  func abandonGroup() throws {
    guard group != .none else { return }
    try leaveOut(transactionStart..<position)
    group = .none
    prepared = nil
  }

  /// Asks to begin again without a part of the transaction that is being read, if rows of it were
  /// taken in. Tables without transactions keep their rows.
  private func leaveOut(_ part: Range<BinlogPosition>) throws {
    guard transactionTouchesCopy, !part.isEmpty, !skipped.contains(part) else { return }
    throw Rewind(skipped: skipped + [part])
  }

  private func begin(_ state: EventGroup, at start: BinlogPosition, gtid: SourceGTID? = nil) {
    if group == .none {
      transactionStart = start
      transactionTouchesCopy = false
      transactionGTID = gtid
      isStartOfAlter = false
      savepoints = [:]
    }
    group = state
  }

  private func endTransaction(header: EventHeader) {
    group = .none
    prepared = nil
    if let transactionGTID {
      checkpoint.gtid = transactionGTID.description
      gtids.insert(transactionGTID)
    }
    checkpoint.timestamp = header.timestamp
    checkpoint.counters.transactions += 1
    transactionGTID = nil
  }
}

/// The copy has to begin again at the checkpoint, because rows were taken in that it must not have.
struct Rewind: Error {
  /// Parts of the stream that were rolled back.
  var skipped: [Range<BinlogPosition>]
}

/// What has to be done before the stream is read on.
struct Interruption {
  enum Cause {
    /// The statement changes tables: what came before it has to be published first.
    case statement(DDLStatement, text: String, isStrict: Bool)
    /// The distributed transaction is to be remembered until its end.
    case prepare(XAIdentifier)
    /// The rows of a prepared transaction take effect.
    case commit(XAIdentifier)
    case rollback(XAIdentifier)
  }

  var cause: Cause
  /// The header of the event, for the time of the commit.
  var header: EventHeader
  var start: BinlogPosition
  var end: BinlogPosition
  var endsTransaction: Bool
}

// MARK: - Rows

extension TransactionAssembler {
  private static let enginesWithoutTransactions: Set<String> = [
    "myisam", "aria", "memory", "heap", "csv", "archive", "mrg_myisam", "mrg_isam", "merge", "s3",
  ]

  private func append(_ rows: RowsEvent, _ bytes: RawSpan, from start: BinlogPosition) throws {
    // A version for every byte of the images: unique for each row, and the same in a replay
    // whatever tables are selected or stopped by then.
    let firstVersion = checkpoint.nextVersion
    checkpoint.nextVersion += UInt64(rows.images.count)
    begin(.begun, at: start)
    let name = TableName(database: rows.tableMap.database, table: rows.tableMap.table)
    guard let tables = try assembliesByName[name] ?? define(name, rows.tableMap, at: start) else {
      return
    }
    let isSkipped = skipped.contains { $0.contains(start) }
    var changeCount: UInt64 = 0
    for assembly in tables where assembly.table.accepts(changeAt: start) {
      if isSkipped, !Self.isWithoutTransactions(assembly.table.schema) { continue }
      transactionTouchesCopy = true
      if try hasToWait(rows, assembly, at: start) { continue }
      do {
        changeCount = try take(rows, bytes, into: assembly, from: firstVersion)
      } catch {
        stop(assembly.table, "\(error)")
        throw Rewind(skipped: skipped)
      }
    }
    checkpoint.counters.rowChanges += changeCount
  }

  /// Takes rows into a table; they wait for publication.
  ///
  /// - Returns: how many changes they are.
  /// - Throws: `EncodingError`.
  private func take(
    _ rows: RowsEvent, _ bytes: RawSpan, into assembly: TableAssembly, from firstVersion: UInt64
  ) throws -> UInt64 {
    var nextVersion = firstVersion
    try assembly.encoder.append(rows, in: bytes, nextVersion: &nextVersion)
    let byteCount = assembly.encoder.byteCount
    pendingBytes += byteCount - assembly.byteCount
    assembly.byteCount = byteCount
    hasPendingChanges = true
    return nextVersion - firstVersion
  }

  /// The table that a table map tells of, if it is being copied.
  private func copiedTable(_ map: TableMap) -> TableName? {
    guard isCopying else { return nil }
    let name = TableName(database: map.database, table: map.table)
    return assembliesByName[name]?.contains { $0.table.state == .copying } == true ? name : nil
  }

  /// Whether the changes are kept until all rows of their table are copied.
  ///
  /// - Throws: ``Rewind`` when the table has to be copied in another way.
  private func hasToWait(
    _ rows: RowsEvent, _ assembly: TableAssembly, at start: BinlogPosition
  ) throws -> Bool {
    // Until the stream has come to where the last rows were read, some are of later than this change.
    guard !assembly.table.isVisible(at: start) else { return false }
    let isWhole =
      rows.kind != .update
      || (rows.columnsPresent.isFull && rows.columnsPresentAfter.isFull && !rows.hasValueOptions)
    // A row without a key cannot be taken away before it is copied.
    let isKeyless = assembly.table.schema.primaryKey.isEmpty
    guard relayed[assembly.table.id] != nil || !isWhole || isKeyless else { return false }
    guard assembly.table.isReadAtOnce == true else { throw beginAnew(assembly.table) }
    relaying.insert(assembly.table.id)
    return true
  }

  /// Lets a table be copied anew, as of one moment.
  private func beginAnew(_ table: ReplicatedTable) -> Rewind {
    state.copyAnew(table, isReadAtOnce: true)
    return Rewind(skipped: skipped)
  }

  /// The events that follow are read as this one tells.
  private func use(formatDescription event: [UInt8]) {
    guard event != formatDescription else { return }
    formatDescription = event
    for changes in relayed.values { changes.add(event) }
  }

  /// Keeps an event whose changes have to wait, and one that tells what table they are of.
  private func keepForRelay(_ event: RawSpan, _ mapped: TableName?) {
    if let mapped { relayedMaps[mapped] = event.withUnsafeBytes { Array($0) } }
    if !relaying.isEmpty { relay(event.withUnsafeBytes { Array($0) }) }
  }

  private func relay(_ event: [UInt8]) {
    for id in relaying {
      guard let assembly = assemblies[id] else { continue }
      let changes =
        relayed[id]
        ?? RelayFile(RelayFile.name(ofTable: id), formatDescription: formatDescription)
      relayed[id] = changes
      let before = changes.byteCount
      if let map = relayedMaps.removeValue(forKey: assembly.table.name) { changes.add(map) }
      changes.add(event)
      pendingBytes += changes.byteCount - before
      hasPendingChanges = true
    }
  }

  /// Takes in changes that were kept, when all rows of their table are copied.
  ///
  /// - Parameter event: one of those that its ``RelayFile`` kept.
  func consumeRelayed(
    _ event: RawSpan, of id: UInt64, with decoder: inout BinlogDecoder
  ) throws {
    try decoder.decode(event, at: 0) { event, bytes in
      guard case .rows(let rows) = event.body, let assembly = assemblies[id],
        assembly.table.name
          == TableName(database: rows.tableMap.database, table: rows.tableMap.table)
      else { return }
      let firstVersion = checkpoint.nextVersion
      checkpoint.nextVersion += UInt64(rows.images.count)
      transactionTouchesCopy = true
      checkpoint.counters.rowChanges += try take(rows, bytes, into: assembly, from: firstVersion)
    }
  }

  /// Begins to apply the changes of a table that were kept; what is published until
  /// ``endRelayed(of:)`` is set aside only.
  func beginRelayed() { group = .begun }

  /// All changes of the table that were kept are applied.
  func endRelayed(of id: UInt64) {
    group = .none
    transactionTouchesCopy = false
    if let changes = relayed.removeValue(forKey: id) { endedFiles.append(changes.name) }
    checkpoint.relayed?[id] = nil
  }

  private static func isWithoutTransactions(_ schema: TableSchema) -> Bool {
    schema.storageEngine.map { enginesWithoutTransactions.contains($0.lowercased()) } ?? false
  }

  /// A table that the catalog does not know appeared in the stream.
  private func define(_ name: TableName, _ tableMap: TableMap, at start: BinlogPosition) throws
    -> [TableAssembly]?
  {
    guard configuration.filter.selects(name), state.catalog[name] == nil, !tableMap.isOfSequence
    else { return nil }
    switch unknownTables {
    case .copy:
      // The source has made it by other means than a statement in its binlog.
      state.catalog.addWanted(name)
      return nil
    case .define(let declared):
      let schema: TableSchema
      do {
        schema = try declared[name] ?? TableSchema(tableMap: tableMap)
      } catch {
        throw ReplicationError(.unsupportedEvent, "\(error)")
      }
      let table = state.catalog.add(schema, state: .live, copyPosition: start)
      do {
        let assembly = try TableAssembly(table, configuration.encodingOptions)
        state.created.append(table.definition)
        assemblies[table.id] = assembly
        assembliesByName[name] = [assembly]
        hasPendingChanges = true
        return [assembly]
      } catch {
        stop(table, "\(error)")
        return nil
      }
    }
  }

  /// Stops the table before the transaction that is being read.
  private func stop(_ table: ReplicatedTable, _ reason: String) {
    state.stop(table.id, reason, at: transactionStart, shownAt: checkpoint.position)
  }
}

// MARK: - Statements

extension TransactionAssembler {
  private func apply(
    _ query: QueryEvent, header: EventHeader, from start: BinlogPosition, to end: UInt64
  ) throws -> Interruption? {
    let end = BinlogPosition(file: start.file, offset: end)
    switch TransactionControl(query.statement) {
    case .begin:
      begin(.begun, at: start)
      return nil
    case .commit:
      endTransaction(header: header)
      return nil
    case .rollback:
      try leaveOut(transactionStart..<start)
      endTransaction(header: header)
      return nil
    case .savepoint(let name):
      savepoints[name] = start
      return nil
    case .rollbackToSavepoint(let name):
      if let savepoint = savepoints[name] { try leaveOut(savepoint..<start) }
      return nil
    case nil:
      break
    }
    if let statement = query.xaStatement {
      return apply(statement, header: header, from: start, to: end)
    }
    let isWhole = group != .begun && !query.statement.hasSuffix("START TRANSACTION")
    var statement: DDLStatement =
      isStartOfAlter
      ? .noEffect
      : parseDDL(query.statement, defaultDatabase: query.database, mode: query.textMode)
    if query.errorCode != 0 { statement = statement.whenFailed }
    switch statement {
    case .noEffect, .alterDatabase: break
    case .dropTables(_, isTemporary: true): break
    case .createTable(let create) where create.isTemporary: break
    case .createTable, .alterTable, .createIndex, .dropIndex, .renameTables, .truncateTable,
      .dropTables, .createDatabase, .dropDatabase, .unrecognized(_, .some):
      begin(isWhole ? .announced : .begun, at: start)
      return Interruption(
        cause: .statement(
          configuration.foldsNames
            ? statement.inDatabase(of: query).foldingNames() : statement.inDatabase(of: query),
          text: query.statement, isStrict: query.isStrict),
        header: header,
        start: start, end: end, endsTransaction: isWhole)
    case .dataChange:
      throw ReplicationError(
        .settings,
        "the source logged a row change as a statement at \(start): set binlog_format=ROW at the "
          + "source for every session, and copy the tables anew into an empty data folder")
    case .unrecognized(let reason, nil):
      throw ReplicationError(
        .unsupportedEvent,
        "the statement at \(start) is not understood (\(reason)), so whether it changes a table "
          + "is unknown: \(query.statement.prefix(80))")
    }
    // A statement outside BEGIN … COMMIT is a transaction of its own. CREATE TABLE … SELECT is
    // logged inside of one, which MySQL announces at the end of the statement.
    if isWhole {
      endTransaction(header: header)
    } else if group != .begun {
      begin(.begun, at: start)
    }
    return nil
  }

  private func apply(
    _ statement: XAStatement, header: EventHeader, from start: BinlogPosition,
    to end: BinlogPosition
  ) -> Interruption? {
    let cause: Interruption.Cause
    switch statement {
    case .start:
      begin(.begun, at: start)
      if prepared == nil { beginPreparing() }
      return nil
    case .end, .prepare: return nil
    case .commit(let identifier, _): cause = .commit(identifier)
    case .rollback(let identifier): cause = .rollback(identifier)
    }
    begin(.announced, at: start)
    return Interruption(
      cause: cause, header: header, start: start, end: end, endsTransaction: true)
  }

  private func beginPreparing() {
    // Positions of several servers can be equal, and so can versions, but hardly both.
    let fileNumber = String(transactionStart.file.split(separator: ".").last ?? "").filter(
      \.isNumber)
    prepared = RelayFile(
      "\(checkpoint.nextVersion)-\(fileNumber)-\(transactionStart.offset)",
      formatDescription: formatDescription)
    isPrepared = false
  }

  /// Notes where a transaction is kept until its end.
  func remember(_ transaction: RelayFile, _ identifier: XAIdentifier) {
    checkpoint.prepared = checkpoint.prepared ?? [:]
    checkpoint.prepared?["\(identifier)"] = transaction.name
  }

  /// A prepared transaction has been committed or rolled back.
  func endPrepared(_ identifier: XAIdentifier) {
    if let name = checkpoint.prepared?.removeValue(forKey: "\(identifier)") {
      endedFiles.append(name)
    }
    if let streamFormatDescription { use(formatDescription: streamFormatDescription) }
    streamFormatDescription = nil
  }

  private func finishPreparing(
    _ prepare: XAPrepareEvent, header: EventHeader, from start: BinlogPosition, to end: UInt64
  ) throws -> Interruption? {
    guard prepared != nil else {
      throw ReplicationError(
        .unsupportedEvent, "XA PREPARE at \(start) ends a transaction whose beginning is missing")
    }
    isPrepared = true
    return Interruption(
      cause: prepare.isOnePhase ? .commit(prepare.identifier) : .prepare(prepare.identifier),
      header: header, start: start, end: BinlogPosition(file: start.file, offset: end),
      endsTransaction: true)
  }

  /// Takes in the rows of a prepared transaction, which takes effect here.
  ///
  /// - Parameter event: one of those that its ``RelayFile`` kept.
  func consumePrepared(
    _ event: RawSpan, with decoder: inout BinlogDecoder, at start: BinlogPosition
  ) throws {
    relaying = []
    var isFormatDescription = false
    var mapped: TableName?
    try decoder.decode(event, at: 0) { event, bytes in
      switch event.body {
      case .formatDescription: isFormatDescription = true
      case .tableMap(let map): mapped = copiedTable(map)
      case .rows(let rows): try append(rows, bytes, from: start)
      default: break
      }
    }
    if isFormatDescription {
      streamFormatDescription = formatDescription
      use(formatDescription: event.withUnsafeBytes { Array($0) })
    }
    keepForRelay(event, mapped)
  }
}

extension DDLStatement {
  /// What a statement has done that the source logged although it failed.
  fileprivate var whenFailed: DDLStatement {
    switch self {
    // The old table went before the new one could not be made.
    case .createTable(let create) where create.orReplace:
      .dropTables([create.name], isTemporary: create.isTemporary)
    case .dropTables: self
    case .createTable, .alterTable, .createIndex, .dropIndex, .renameTables, .truncateTable,
      .createDatabase, .dropDatabase, .alterDatabase, .noEffect, .dataChange, .unrecognized:
      .noEffect
    }
  }

  /// The statement with the charset that its database gives to columns which leave theirs open.
  fileprivate func inDatabase(of query: QueryEvent) -> DDLStatement {
    guard case .createTable(var create) = self, case .definition(let schema) = create.source,
      let collation = query.status.databaseCollation,
      create.name.database == query.database,
      let charset = Charset.name(collation: UInt64(collation))
    else { return self }
    create.source = .definition(schema.withDefaultCharset(charset))
    return .createTable(create)
  }
}

extension TableMap {
  /// Whether it is of a sequence of MariaDB, whose state the source logs as the row of a table.
  fileprivate var isOfSequence: Bool {
    let big = WireColumnType.integer(byteCount: 8)
    let types = [big, big, big, big, big, big, .integer(byteCount: 1), big]
    return columnTypes == types
      && columnNames.map { $0.first == "next_not_cached_value" && $0.last == "cycle_count" } ?? true
  }
}
