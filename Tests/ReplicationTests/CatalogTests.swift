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

  @Test func aDroppedTableGivesItsNameFree() {
    var catalog = Catalog()
    var old = catalog.add(schema, state: .live)
    old.isDropped = true
    catalog.update(old)
    #expect(catalog[name] == nil)
    #expect(catalog.removeDropped(name) == [old.id])
    #expect(catalog.tables.isEmpty)
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
}
