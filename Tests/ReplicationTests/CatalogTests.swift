import Binlog
import Foundation
import MySQLSchema
import Testing

@testable import Replication

@Suite struct CatalogTests {
  private let name = TableName(database: "shop", table: "orders")
  private func position(_ offset: UInt64, file: String = "bin.000002") -> BinlogPosition {
    BinlogPosition(file: file, offset: offset)
  }
  private var schema: TableSchema {
    TableSchema(
      name: name,
      columns: [Column(name: "id", type: .integer(.int, isUnsigned: false), isNullable: false)],
      primaryKey: [0])
  }

  @Test func acceptsChangesFromTheCopyUntilTheStop() {
    var table = ReplicatedTable(
      id: 1, schema: schema, state: .live, copyPosition: position(100))
    #expect(!table.accepts(changeAt: position(99)))
    #expect(table.accepts(changeAt: position(100)))
    #expect(table.accepts(changeAt: position(4, file: "bin.000010")))
    table.state = .stopped(reason: "ALTER TABLE", at: position(200))
    #expect(table.accepts(changeAt: position(199)))
    #expect(!table.accepts(changeAt: position(200)))
    table.copyPosition = nil
    #expect(!table.accepts(changeAt: position(150)))
  }

  @Test func neverReusesAnIdentifier() {
    var catalog = Catalog()
    let first = catalog.add(schema, state: .live)
    catalog.remove(id: first.id)
    let second = catalog.add(schema, state: .copying)
    #expect(first.id != second.id)
    #expect(catalog[name]?.id == second.id)
  }

  @Test func aTableIsWantedOnce() {
    var catalog = Catalog()
    catalog.add(schema, state: .live, copyPosition: position(100))
    catalog.addWanted(name)
    catalog.addWanted(name)
    #expect(catalog.tables.map(\.state) == [.live, .copying])
    #expect(catalog.visible(at: position(100)).map(\.id) == [1])
  }

  @Test func isVisibleOnceItIsWhole() {
    var table = ReplicatedTable(id: 1, schema: schema, state: .live, copyPosition: position(100))
    #expect(!table.isVisible(at: position(99)))
    #expect(table.isVisible(at: position(100)))
    table.visibleFrom = position(300)
    #expect(!table.isVisible(at: position(299)))
    #expect(table.isVisible(at: position(300)))
    table.state = .copying
    #expect(!table.isVisible(at: position(300)))
    // Nothing is stored of it.
    table.state = .stopped(reason: "why", at: position(200))
    table.copyPosition = nil
    #expect(!table.isVisible(at: position(300)))
  }

  @Test func aTableThatFollowsIsSeenBeforeOneThatHasStopped() {
    var catalog = Catalog()
    let stopped = TableState.stopped(reason: "why", at: position(150))
    catalog.add(schema, state: stopped, copyPosition: position(100))
    catalog.add(schema, state: .live, copyPosition: position(200))
    catalog.add(schema, state: stopped, copyPosition: position(100))
    #expect(catalog.visible(at: position(199)).map(\.id) == [3])
    #expect(catalog.visible(at: position(200)).map(\.id) == [2])
  }

  @Test func finishedVersionsAreKeptAsRanges() {
    var copy = TableCopy(pending: [], estimatedRows: 0, estimatedBytes: 0)
    for version: UInt64 in [2, 5, 1, 4, 7] { copy.finish(version: version) }
    #expect(copy.finished == [1...2, 4...5, 7...7])
    copy.finish(version: 3)
    #expect(copy.finished == [1...5, 7...7])
  }

  @Test func storesStateAndReadsItBack() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "magic-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = StateStore(folder: folder)
    #expect(try store.loadCatalog() == nil)
    var catalog = Catalog()
    catalog.add(schema, state: .stopped(reason: "why", at: position(7)), copyPosition: position(5))
    try await store.save(catalog)
    #expect(try store.loadCatalog() == catalog)
    var checkpoint = Checkpoint(position: position(9), gtid: "0-1-2", nextVersion: .max)
    checkpoint.counters.zeroDates = 3
    #expect(try Checkpoint(decoding: checkpoint.encoded()) == checkpoint)
    catalog.formatVersion = Catalog.currentFormatVersion + 1
    try await store.save(catalog)
    #expect(throws: ReplicationError.self) { try store.loadCatalog() }
    #expect(throws: ReplicationError.self) { try Checkpoint(decoding: Array("{\"x\":".utf8)) }
  }

  @Test func aCopyOfACheckpointHasOnlyWhatBelongsToIt() {
    var catalog = Catalog()
    let before = catalog.add(schema, state: .live, copyPosition: position(100))
    let at = catalog.add(schema, state: .live, copyPosition: position(200))
    let stoppedLater = catalog.add(
      schema, state: .stopped(reason: "later", at: position(300)), copyPosition: position(100))
    let refused = catalog.add(schema, state: .stopped(reason: "no key", at: position(150)))
    let refusedLater = catalog.add(schema, state: .stopped(reason: "no key", at: position(250)))
    let later = catalog.add(schema, state: .live, copyPosition: position(201))
    let hidden = catalog.add(schema, state: .live, copyPosition: position(100))
    catalog.add(schema, state: .copying)
    let stored = Set([before, at, stoppedLater, refused, refusedLater, later].map(\.id))
    let kept = catalog.asOf(position(200), holding: stored)
    #expect(kept.tables.map(\.id) == [before, at, stoppedLater, refused].map(\.id))
    #expect(!kept.tables.contains { $0.id == hidden.id })
    // Numbers are not given again.
    var next = kept
    #expect(next.add(schema, state: .live).id > hidden.id)
  }

  @Test func knowsTheCatalogOfEachPublishedCheckpoint() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "magic-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = StateStore(folder: folder)
    #expect(try store.catalog(publishedAt: position(1)) == Catalog())
    var first = Catalog()
    first.add(schema, state: .live, copyPosition: position(100))
    try await store.save(first)
    #expect(try store.catalog(publishedAt: position(1)) == first)
    store.noteFirst(first)
    store.note(first, publishedAt: position(150))
    var second = first
    second.add(schema, state: .live, copyPosition: position(200))
    try await store.save(second)
    store.note(second, publishedAt: position(210))
    store.note(second, publishedAt: position(220))
    var third = second
    third.add(schema, state: .live, copyPosition: position(300))
    store.note(third, publishedAt: position(310))
    for (offset, catalog) in [
      (100, first), (209, first), (210, second), (300, second), (310, third), (900, third),
    ] {
      #expect(try store.catalog(publishedAt: position(UInt64(offset))) == catalog)
    }
    // That publication failed; the stream is read again, and publishes before and after it.
    store.note(second, publishedAt: position(305))
    #expect(try store.catalog(publishedAt: position(310)) == second)
    store.note(third, publishedAt: position(320))
    #expect(try store.catalog(publishedAt: position(310)) == second)
    #expect(try store.catalog(publishedAt: position(320)) == third)
    // A replicator that begins anew in the same process does not forget it.
    store.noteFirst(third)
    #expect(try store.catalog(publishedAt: position(100)) == first)
  }
}
