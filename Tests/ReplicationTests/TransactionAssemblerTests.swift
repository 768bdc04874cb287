import Arrow
import Binlog
import MySQLSchema
import RowEncoding
import Testing

@testable import Replication

@Suite struct TransactionAssemblerTests {
  private let name = TableName(database: "shop", table: "t")

  private func schema(_ table: String = "t", engine: String? = nil) -> TableSchema {
    TableSchema(
      name: TableName(database: "shop", table: table),
      columns: [
        Column(name: "id", type: .integer(.int, isUnsigned: false), isNullable: false),
        Column(name: "value", type: .integer(.int, isUnsigned: false), isNullable: true),
      ], primaryKey: [0], storageEngine: engine)
  }

  private func position(_ offset: UInt32) -> BinlogPosition {
    BinlogPosition(file: "bin.000001", offset: UInt64(offset))
  }

  private func catalog(copiedAt offset: UInt32 = 4, _ tables: TableSchema...) -> Catalog {
    var catalog = Catalog()
    for schema in tables.isEmpty ? [schema()] : tables {
      catalog.add(schema, state: .live, copyPosition: position(offset))
    }
    return catalog
  }

  private func assembler(
    _ catalog: Catalog, skipping skipped: [Range<BinlogPosition>] = [],
    unknownTables: Replicator.UnknownTables = .copy
  ) throws -> TransactionAssembler {
    try TransactionAssembler(
      state: CatalogState(catalog), checkpoint: Checkpoint(position: position(4)),
      configuration: Replicator.Configuration(), unknownTables: unknownTables, skipping: skipped)
  }

  /// - Returns: the interruptions, each of which was finished.
  @discardableResult
  private func consume(_ writer: EventWriter, _ assembler: TransactionAssembler) throws
    -> [Interruption]
  {
    var interruptions: [Interruption] = []
    for event in writer.events {
      if let interruption = try assembler.consume(event.span.bytes) {
        interruptions.append(interruption)
        assembler.finish(interruption)
      }
    }
    return interruptions
  }

  /// Rows as `id value version mark`, in the order of the stream.
  private func rows(_ publication: Publication) -> [String] {
    publication.rows.flatMap { rows -> [String] in
      guard case .complete(let batch) = rows.rows else { return ["incomplete"] }
      return batch.texts.map { $0.joined(separator: " ") }
    }
  }

  /// The rows without their versions.
  private func changes(_ publication: Publication) -> [String] {
    rows(publication).map { row in
      let cells = row.split(separator: " ")
      return [cells[0], cells[1], cells[3]].joined(separator: " ")
    }
  }

  /// What is taken in when everything that was rolled back is left out.
  private func finalChanges(_ writer: EventWriter, _ catalog: Catalog) throws -> [String] {
    var skipped: [Range<BinlogPosition>] = []
    for _ in 0..<10 {
      let assembler = try assembler(catalog, skipping: skipped)
      do {
        try consume(writer, assembler)
        #expect(assembler.isBetweenTransactions)
        return changes(try assembler.takePublication())
      } catch let rewind as Rewind {
        #expect(rewind.skipped.count == skipped.count + 1)
        skipped = rewind.skipped
      }
    }
    Issue.record("no end of rewinding")
    return []
  }

  @Test func changesBecomeRowsWithMarks() throws {
    var writer = EventWriter()
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(1, 10), (2, 20)])
    writer.update([((1, 10), (1, 11)), ((2, 20), (3, 20))])
    writer.delete([(3, 20)])
    let open = try assembler(catalog())
    try consume(writer, open)
    #expect(!open.isBetweenTransactions)
    #expect(!open.isAtBarrier)
    writer.xid()
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    #expect(assembler.isBetweenTransactions)
    let publication = try assembler.takePublication()
    #expect(
      changes(publication) == ["1 10 0", "2 20 0", "1 11 0", "2 20 1", "3 20 0", "3 20 1"])
    let versions = rows(publication).compactMap { UInt64($0.split(separator: " ")[2]) }
    #expect(versions == versions.sorted())
    #expect(versions.first == Checkpoint.firstVersion)
    #expect(publication.checkpoint?.position == position(writer.offset))
    #expect(publication.checkpoint?.counters.rowChanges == 5)
    #expect((publication.checkpoint?.nextVersion ?? 0) > versions.last ?? .max)
    #expect(try assembler.takePublication().rows.isEmpty)
  }

  @Test func anOpenTransactionHasNoCheckpoint() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let end = writer.offset
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(2, 2)])
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    #expect(try assembler.takePublication().checkpoint == nil)
    #expect(assembler.checkpoint.position == position(end))
  }

  @Test func anOpenTransactionOfOtherTablesHasTheCheckpointBeforeIt() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let end = writer.offset
    writer.query("BEGIN")
    writer.tableMap("other")
    writer.insert([(2, 2)])
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    #expect(assembler.isAtBarrier)
    #expect(try assembler.takePublication().checkpoint?.position == position(end))
  }

  @Test func versionsDoNotDependOnWhichTablesAreTakenIn() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(5, 5), (6, 6)], into: "other")
    writer.transaction(inserting: [(1, 1)])
    let first = try assembler(catalog(schema(), schema("other")))
    try consume(writer, first)
    let second = try assembler(catalog())
    try consume(writer, second)
    let alone = rows(try second.takePublication())
    #expect(alone.count == 1)
    #expect(rows(try first.takePublication()).contains(alone[0]))
  }

  @Test func whatTheCopyContainsIsNotRepeated() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let copied = writer.offset
    writer.transaction(inserting: [(2, 2)])
    let assembler = try assembler(catalog(copiedAt: copied))
    try consume(writer, assembler)
    #expect(changes(try assembler.takePublication()) == ["2 2 0"])
  }

  @Test func aTableAndItsNewCopyBothFollow() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let copied = writer.offset
    writer.transaction(inserting: [(2, 2)])
    var catalog = catalog()
    catalog.add(schema(), state: .copying, copyPosition: position(copied))
    let assembler = try assembler(catalog)
    try consume(writer, assembler)
    let publication = try assembler.takePublication()
    let sorted = publication.rows.sorted { $0.table.id < $1.table.id }
    #expect(sorted.map(\.table.id) == [1, 2])
    #expect(sorted.map(\.isPartial) == [false, true])
    var old = publication
    old.rows = [sorted[0]]
    var new = publication
    new.rows = [sorted[1]]
    #expect(changes(old) == ["1 1 0", "2 2 0"])
    #expect(changes(new) == ["2 2 0"])
    // A row has the same version in both.
    #expect(rows(old).last == rows(new).last)
    #expect(publication.checkpoint?.counters.rowChanges == 2)
  }

  @Test func aRolledBackTransactionIsReadAgainWithoutItsRows() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let start = writer.offset
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(2, 2)])
    let end = writer.offset
    writer.query("ROLLBACK")
    writer.transaction(inserting: [(3, 3)])
    let first = try assembler(catalog())
    let rewind = #expect(throws: Rewind.self) { try consume(writer, first) }
    #expect(rewind?.skipped == [position(start)..<position(end)])
    #expect(try finalChanges(writer, catalog()) == ["1 1 0", "3 3 0"])
  }

  @Test func tablesWithoutTransactionsKeepWhatIsRolledBack() throws {
    var writer = EventWriter()
    writer.query("BEGIN")
    writer.tableMap("t", id: 1)
    writer.insert([(1, 1)], id: 1)
    writer.tableMap("m", id: 2)
    writer.insert([(2, 2)], id: 2)
    writer.query("ROLLBACK")
    let tables = catalog(schema(), schema("m", engine: "MyISAM"))
    #expect(try finalChanges(writer, tables) == ["2 2 0"])
  }

  @Test func savepointsAreRolledBack() throws {
    var writer = EventWriter()
    writer.query("BEGIN")
    writer.tableMap("t", id: 1)
    writer.insert([(1, 1)], id: 1)
    writer.query("SAVEPOINT `A b`")
    writer.tableMap("t", id: 1)
    writer.insert([(2, 2)], id: 1)
    writer.query("SAVEPOINT c")
    writer.tableMap("t", id: 1)
    writer.insert([(3, 3)], id: 1)
    writer.query("ROLLBACK TO C")
    writer.tableMap("m", id: 2)
    writer.insert([(4, 4)], id: 2)
    writer.query("ROLLBACK TO `a B`")
    writer.tableMap("t", id: 1)
    writer.insert([(5, 5)], id: 1)
    let transactional = catalog(schema(), schema("m"))
    let mixed = catalog(schema(), schema("m", engine: "Aria"))
    var committed = writer
    committed.xid()
    #expect(try finalChanges(committed, transactional).sorted() == ["1 1 0", "5 5 0"])
    #expect(try finalChanges(committed, mixed).sorted() == ["1 1 0", "4 4 0", "5 5 0"])
    writer.query("ROLLBACK")
    #expect(try finalChanges(writer, transactional).isEmpty)
    #expect(try finalChanges(writer, mixed) == ["4 4 0"])
  }

  @Test func aSavepointOfOtherTablesChangesNothing() throws {
    var writer = EventWriter()
    writer.query("BEGIN")
    writer.query("SAVEPOINT a")
    writer.tableMap("excluded")
    writer.insert([(1, 1)])
    writer.query("ROLLBACK TO a")
    writer.xid()
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    #expect(assembler.isBetweenTransactions)
    #expect(assembler.checkpoint.position == position(writer.offset))
  }

  @Test func aStatementInterrupts() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let start = writer.offset
    writer.query("ALTER TABLE t ADD COLUMN c INT")
    let end = writer.offset
    writer.query("CREATE INDEX i ON t (value)")
    writer.query("DROP TEMPORARY TABLE x")
    writer.query("GRANT SELECT ON *.* TO x")
    let assembler = try assembler(catalog())
    let interruptions = try consume(writer, assembler)
    #expect(interruptions.map(\.start) == [position(start), position(end)])
    #expect(interruptions.map(\.end).first == position(end))
    #expect(interruptions.map(\.endsTransaction) == [true, true])
    #expect(assembler.checkpoint.position == position(writer.offset))
    #expect(assembler.checkpoint.counters.transactions == 5)
  }

  @Test func aTableThatIsCreatedFromRowsIsOneTransaction() throws {
    var writer = EventWriter()
    writer.query("BEGIN")
    writer.query("CREATE TABLE n (id INT PRIMARY KEY, value INT)")
    let assembler = try assembler(catalog())
    let interruptions = try consume(writer, assembler)
    #expect(interruptions.map(\.endsTransaction) == [false])
    #expect(!assembler.isBetweenTransactions)
    #expect(assembler.isAtBarrier)
    #expect(assembler.checkpoint.position < position(writer.offset))
  }

  @Test(arguments: [
    "INSERT INTO t VALUES (1, 2)", "UPDATE t SET value = 1", "FROBNICATE TABLE t",
  ])
  func whatCannotBeAppliedIsAnError(statement: String) throws {
    var writer = EventWriter()
    writer.query(statement)
    let assembler = try assembler(catalog())
    #expect(throws: ReplicationError.self) { try consume(writer, assembler) }
  }

  @Test func rowsOfATableThatWasNeverSeenAreNotDroppedInSilence() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)], into: "surprise")
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    let surprise = assembler.state.catalog[TableName(database: "shop", table: "surprise")]
    #expect(surprise?.state == .copying)
    #expect(surprise?.hasStorage == false)
    let defining = try self.assembler(Catalog(), unknownTables: .define([name: schema()]))
    var known = EventWriter()
    known.transaction(inserting: [(1, 1)])
    try consume(known, defining)
    let publication = try defining.takePublication()
    #expect(publication.created.map(\.name.table) == ["t"])
    #expect(changes(publication) == ["1 1 0"])
  }

  @Test func aTransactionThatAFileCutsOffIsLeftOut() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let start = writer.offset
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(2, 2)])
    let end = writer.offset
    // The server stopped amid the transaction; its next file begins with another one.
    var next = EventWriter()
    next.transaction(inserting: [(3, 3)])
    let first = try assembler(catalog())
    try consume(writer, first)
    let rewind = #expect(throws: Rewind.self) { try first.beginFile("bin.000002", at: 4) }
    #expect(rewind?.skipped == [position(start)..<position(end)])
    let again = try assembler(catalog(), skipping: rewind?.skipped ?? [])
    try consume(writer, again)
    try again.beginFile("bin.000002", at: 4)
    try consume(next, again)
    #expect(again.isBetweenTransactions)
    #expect(changes(try again.takePublication()) == ["1 1 0", "3 3 0"])
    #expect(
      again.checkpoint.position
        == BinlogPosition(file: "bin.000002", offset: UInt64(next.offset)))
  }

  @Test func aMissingFileIsAnError() throws {
    let assembler = try assembler(catalog())
    #expect(throws: ReplicationError.self) { try assembler.beginFile("bin.000003", at: 4) }
    #expect(throws: ReplicationError.self) { try assembler.beginFile("log.000002", at: 4) }
    try assembler.beginFile("bin.000001", at: 4)
  }

  @Test func rowsThatDoNotFitStopTheirTableOnly() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let start = writer.offset
    writer.query("BEGIN")
    writer.tableMap("t", columnCount: 3)
    writer.insert([[2, 2, 2]])
    writer.xid()
    writer.transaction(inserting: [(9, 9)], into: "other")
    let first = try assembler(catalog(schema(), schema("other")))
    #expect(throws: Rewind.self) { try consume(writer, first) }
    let known = first.state.catalog
    #expect(known[name]?.isStopped == true)
    #expect(known[name]?.hasStorage == true)
    #expect(first.state.dropping.isEmpty)
    let again = try assembler(known)
    try consume(writer, again)
    #expect(changes(try again.takePublication()).sorted() == ["1 1 0", "9 9 0"])
    guard case .stopped(_, let stop)? = known[name]?.state else { return }
    #expect(stop == position(start))
    // One that was not whole yet has nothing to show.
    var hidden = catalog()
    hidden.update(
      ReplicatedTable(id: 1, schema: schema(), state: .copying, copyPosition: position(4)))
    let copying = try assembler(hidden)
    #expect(throws: Rewind.self) { try consume(writer, copying) }
    #expect(copying.state.catalog[name]?.hasStorage == false)
    #expect(copying.state.dropping.map(\.id) == [1])
  }

  /// All ranges of the table are copied, the last one of them as of a later position than the change.
  @Test func aChangeThatLacksValuesNeedsTheRowsOfItsTime() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.minimalUpdate(7, 2)
    writer.xid()
    func catalog(visibleFrom offset: UInt32) -> Catalog {
      var catalog = self.catalog()
      var table = catalog.tables[0]
      table.visibleFrom = position(offset)
      catalog.update(table)
      return catalog
    }
    let first = try assembler(catalog(visibleFrom: writer.offset))
    #expect(throws: Rewind.self) { try consume(writer, first) }
    #expect(first.state.dropping.map(\.id) == [1])
    let wanted = try #require(first.state.catalog[name])
    #expect(wanted.state == .copying && !wanted.hasStorage && wanted.isReadAtOnce == true)
    // From that position on they are those of their time.
    let second = try assembler(catalog(visibleFrom: 5))
    try consume(writer, second)
    #expect(rows(try second.takePublication()).contains("incomplete"))
  }

  @Test func aPreparedTransactionIsKeptUntilItsEnd() throws {
    var writer = EventWriter()
    writer.query("XA START X'7831',X'',1")
    writer.tableMap("t")
    writer.insert([(1, 1)])
    writer.query("XA END X'7831',X'',1")
    writer.xaPrepare("x1")
    let assembler = try assembler(catalog())
    var kept: [[UInt8]] = []
    for event in writer.events {
      guard let interruption = try assembler.consume(event.span.bytes) else { continue }
      guard case .prepare(let identifier) = interruption.cause else {
        Issue.record("\(interruption.cause)")
        continue
      }
      #expect(identifier == XAIdentifier(formatID: 1, global: Array("x1".utf8), branch: []))
      let prepared = try #require(assembler.prepared)
      #expect(assembler.isPrepared)
      kept = prepared.take().events
      assembler.finish(interruption)
    }
    #expect(assembler.isBetweenTransactions)
    #expect(assembler.prepared == nil)
    #expect(try assembler.takePublication().rows.isEmpty)
    var decoder = BinlogDecoder(file: "bin.000001")
    for event in kept {
      try assembler.consumePrepared(event.span.bytes, with: &decoder, at: position(5000))
    }
    #expect(changes(try assembler.takePublication()) == ["1 1 0"])
    // Where changes wait for the end of a copy, these do, too.
    var keyless = schema()
    keyless.primaryKey = []
    var copying = ReplicatedTable(
      id: 1, schema: keyless, state: .copying, copyPosition: position(4))
    copying.isReadAtOnce = true
    var copied = catalog()
    copied.update(copying)
    let waiting = try self.assembler(copied)
    decoder = BinlogDecoder(file: "bin.000001")
    for event in kept {
      try waiting.consumePrepared(event.span.bytes, with: &decoder, at: position(5000))
    }
    let publication = try waiting.takePublication()
    #expect(publication.rows.isEmpty)
    let relayed = try #require(publication.relayed.first)
    decoder = BinlogDecoder(file: "bin.000001")
    waiting.beginRelayed()
    for event in relayed.events {
      try waiting.consumeRelayed(event.span.bytes, of: 1, with: &decoder)
    }
    #expect(changes(try waiting.takePublication()) == ["1 1 0"])
    // In one phase.
    var next = EventWriter()
    next.query("XA START X'7831',X'',1")
    next.query("XA END X'7831',X'',1")
    next.xaPrepare("x1", isOnePhase: true)
    let interruptions = try consume(next, try self.assembler(catalog()))
    #expect(interruptions.count == 1)
    guard case .commit? = interruptions.first?.cause else {
      Issue.record("not committed")
      return
    }
  }
}
