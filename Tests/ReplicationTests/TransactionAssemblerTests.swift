import Arrow
import Binlog
import MySQLSchema
import RowEncoding
import Testing

@testable import Replication

@Suite struct TransactionAssemblerTests {
  private let name = TableName(database: "shop", table: "t")

  private var schema: TableSchema {
    TableSchema(
      name: name,
      columns: [
        Column(name: "id", type: .integer(.int, isUnsigned: false), isNullable: false),
        Column(name: "value", type: .integer(.int, isUnsigned: false), isNullable: true),
      ], primaryKey: [0])
  }

  private func position(_ offset: UInt32) -> BinlogPosition {
    BinlogPosition(file: "bin.000001", offset: UInt64(offset))
  }

  private func catalog(copiedAt offset: UInt32 = 4) -> Catalog {
    var catalog = Catalog()
    catalog.add(schema, state: .live, copyPosition: position(offset))
    return catalog
  }

  private func assembler(_ catalog: Catalog, after rewind: Rewind? = nil) throws
    -> TransactionAssembler
  {
    try TransactionAssembler(
      catalog: catalog, checkpoint: Checkpoint(position: position(4)), filter: TableFilter(),
      unknownTables: .stop, encodingOptions: EncodingOptions(), rewind: rewind)
  }

  private func consume(_ writer: EventWriter, _ assembler: TransactionAssembler) throws {
    for event in writer.events { try assembler.consume(event.span.bytes) }
  }

  private func consumeLast(_ writer: EventWriter, _ assembler: TransactionAssembler) throws {
    let event = try #require(writer.events.last)
    try assembler.consume(event.span.bytes)
  }

  /// Rows as `id value version mark`, in the order of the stream.
  private func rows(_ publication: Publication) -> [String] {
    publication.batches.flatMap { _, batch in
      (0..<batch.rowCount).map { row in
        batch.columns.map { $0.text(at: row) }.joined(separator: " ")
      }
    }
  }

  /// The rows without their versions.
  private func changes(_ publication: Publication) -> [String] {
    rows(publication).map { row in
      let cells = row.split(separator: " ")
      return [cells[0], cells[1], cells[3]].joined(separator: " ")
    }
  }

  @Test func changesBecomeRowsWithMarks() throws {
    var writer = EventWriter()
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(1, 10), (2, 20)])
    writer.update([((1, 10), (1, 11)), ((2, 20), (3, 20))])
    writer.delete([(3, 20)])
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    #expect(!assembler.isBetweenTransactions)
    writer.xid()
    try consumeLast(writer, assembler)
    #expect(assembler.isBetweenTransactions)
    let publication = try assembler.takePublication()
    #expect(
      changes(publication) == ["1 10 0", "2 20 0", "1 11 0", "2 20 1", "3 20 0", "3 20 1"])
    let versions = rows(publication).compactMap { UInt64($0.split(separator: " ")[2]) }
    #expect(versions == versions.sorted())
    #expect(publication.checkpoint?.position == position(writer.offset))
    #expect(publication.checkpoint?.counters.rowChanges == 5)
    #expect((publication.checkpoint?.nextVersion ?? 0) > versions.last ?? .max)
    #expect(publication.shown.map(\.name.table) == ["t"])
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

  @Test func versionsDoNotDependOnWhichTablesAreTakenIn() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(5, 5), (6, 6)], into: "other")
    writer.transaction(inserting: [(1, 1)])
    var both = catalog()
    var other = schema
    other.name.table = "other"
    both.add(other, state: .live, copyPosition: position(4))
    let first = try assembler(both)
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

  @Test func aRolledBackTransactionIsReadAgainWithoutItsRows() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let start = writer.offset
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(2, 2)])
    writer.query("ROLLBACK")
    writer.transaction(inserting: [(3, 3)])
    do {
      try consume(writer, try assembler(catalog()))
      Issue.record("no rewind")
    } catch let rewind as Rewind {
      #expect(rewind.skippedTransactions == [position(start)])
      let again = try assembler(rewind.catalog, after: rewind)
      try consume(writer, again)
      #expect(changes(try again.takePublication()) == ["1 1 0", "3 3 0"])
    }
  }

  @Test func aStatementThatIsNotAppliedStopsItsTableOnly() throws {
    var both = catalog()
    var other = schema
    other.name.table = "other"
    both.add(other, state: .live, copyPosition: position(4))
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let altered = writer.offset
    writer.query("ALTER TABLE t ADD COLUMN c INT")
    writer.transaction(inserting: [(2, 2)])
    writer.transaction(inserting: [(9, 9)], into: "other")
    let assembler = try assembler(both)
    try consume(writer, assembler)
    let publication = try assembler.takePublication()
    #expect(changes(publication).sorted() == ["1 1 0", "9 9 0"])
    guard case .stopped(let reason, let stop) = publication.catalog?[name]?.state else {
      Issue.record("not stopped")
      return
    }
    #expect(stop == position(altered))
    #expect(reason.contains("ALTER TABLE"))
  }

  @Test func createTableMakesTheTableOnce() throws {
    var writer = EventWriter()
    writer.query("CREATE TABLE t (id INT PRIMARY KEY, value INT)")
    let created = writer.offset
    writer.transaction(inserting: [(1, 1)])
    let first = try assembler(Catalog())
    try consume(writer, first)
    let publication = try first.takePublication()
    #expect(publication.created.map(\.name.table) == ["t"])
    #expect(changes(publication) == ["1 1 0"])
    let stored = try #require(publication.catalog)
    #expect(stored[name]?.copyPosition == position(created))
    // A replay of the same events does not make it again.
    let second = try assembler(stored)
    try consume(writer, second)
    let replayed = try second.takePublication()
    #expect(replayed.created.isEmpty)
    #expect(rows(replayed) == rows(publication))
  }

  @Test func aTableWithoutAKeyIsRefused() throws {
    var writer = EventWriter()
    writer.query("CREATE TABLE t (id INT, value INT)")
    writer.transaction(inserting: [(1, 1)])
    let assembler = try assembler(Catalog())
    try consume(writer, assembler)
    let publication = try assembler.takePublication()
    #expect(publication.batches.isEmpty)
    guard case .stopped(let reason, _) = publication.catalog?[name]?.state else {
      Issue.record("not stopped")
      return
    }
    #expect(reason.contains("no primary key"))
  }

  @Test func aDroppedTableKeepsItsRowsUntilTheNameIsTakenAgain() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    writer.query("DROP TABLE `t` /* generated by server */")
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    let dropped = try assembler.takePublication()
    #expect(changes(dropped) == ["1 1 0"])
    #expect(dropped.removed.isEmpty)
    writer.query("CREATE TABLE t (id INT PRIMARY KEY, value INT)")
    try consumeLast(writer, assembler)
    let created = try assembler.takePublication()
    #expect(created.removed.map(\.id) == [1])
    #expect(created.created.map(\.id) == [2])
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

  @Test func aPartialRollbackIsAnErrorOnlyWhereItMatters() throws {
    for (table, isError) in [("t", true), ("excluded", false)] {
      var writer = EventWriter()
      writer.query("BEGIN")
      writer.tableMap(table)
      writer.insert([(1, 1)])
      writer.query("ROLLBACK TO `a`")
      writer.xid()
      var catalog = catalog()
      var excluded = schema
      excluded.name.table = "excluded"
      catalog.add(excluded, state: .stopped(reason: "excluded", at: position(4)))
      let assembler = try assembler(catalog)
      if isError {
        #expect(throws: ReplicationError.self) { try consume(writer, assembler) }
      } else {
        try consume(writer, assembler)
        #expect(assembler.isBetweenTransactions)
      }
    }
  }

  @Test func rowsOfATableThatWasNeverSeenAreNotDroppedInSilence() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)], into: "surprise")
    let assembler = try assembler(catalog())
    try consume(writer, assembler)
    let state = try assembler.takePublication().catalog?[
      TableName(database: "shop", table: "surprise")]?.state
    guard case .stopped? = state else {
      Issue.record("not recorded")
      return
    }
  }

  @Test func aTransactionThatAFileCutsOffIsLeftOut() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    let start = writer.offset
    writer.query("BEGIN")
    writer.tableMap("t")
    writer.insert([(2, 2)])
    // The server stopped amid the transaction; its next file begins with another one.
    var next = EventWriter()
    next.transaction(inserting: [(3, 3)])
    let first = try assembler(catalog())
    try consume(writer, first)
    var rewind: Rewind?
    do {
      try first.beginFile("bin.000002", at: 4)
    } catch let thrown as Rewind {
      rewind = thrown
    }
    #expect(rewind?.skippedTransactions == [position(start)])
    let again = try assembler(try #require(rewind).catalog, after: rewind)
    try consume(writer, again)
    try again.beginFile("bin.000002", at: 4)
    try consume(next, again)
    #expect(again.isBetweenTransactions)
    #expect(changes(try again.takePublication()) == ["1 1 0", "3 3 0"])
  }

  @Test func aMissingFileIsAnError() throws {
    let assembler = try assembler(catalog())
    #expect(throws: ReplicationError.self) { try assembler.beginFile("bin.000003", at: 4) }
    #expect(throws: ReplicationError.self) { try assembler.beginFile("log.000002", at: 4) }
    try assembler.beginFile("bin.000001", at: 4)
  }

  @Test func aTableThatStopsInTheBatchThatCreatesItIsCreatedAgain() throws {
    var writer = EventWriter()
    writer.query("CREATE TABLE t (id INT PRIMARY KEY, value BIGINT)")
    writer.transaction(inserting: [(1, 1)])
    writer.transaction(inserting: [(9, 9)], into: "other")
    var known = Catalog()
    var other = schema
    other.name.table = "other"
    known.add(other, state: .live, copyPosition: position(4))
    // The rows do not fit the declaration.
    do {
      try consume(writer, try assembler(known))
      Issue.record("no rewind")
    } catch let rewind as Rewind {
      #expect(rewind.catalog == known)
      let again = try assembler(rewind.catalog, after: rewind)
      try consume(writer, again)
      let publication = try again.takePublication()
      #expect(changes(publication) == ["9 9 0"])
      #expect(publication.created.map(\.name.table) == ["t"])
      guard case .stopped? = publication.catalog?[name]?.state else {
        Issue.record("not stopped")
        return
      }
    }
  }

  @Test func aReplayGivesADroppedTableWhatCameBefore() throws {
    var writer = EventWriter()
    writer.transaction(inserting: [(1, 1)])
    writer.query("DROP TABLE t")
    let first = try assembler(catalog())
    try consume(writer, first)
    let stored = try #require(try first.takePublication().catalog)
    // The catalog was stored, the rows and the checkpoint were not.
    let second = try assembler(stored)
    try consume(writer, second)
    #expect(changes(try second.takePublication()) == ["1 1 0"])
  }
}
