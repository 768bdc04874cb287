import Arrow
import MagicAPI
import MagicCore
import Testing

@testable import MagicADBC

/// Answers about the database, in the form of the specification.
@Suite struct MetadataTests {
  private let service = FakeService(
    databaseNames: ["empty", "shop"],
    entries: [
      TableEntry(
        name: TableReference(database: "shop", table: "items"), kind: .table,
        engine: "MutableMergeTree", primaryKey: ["id", "part"], rowCount: 5,
        columns: Schema(fields: [
          Field(name: "id", type: .uint32, isNullable: false),
          Field(name: "part", type: .utf8, isNullable: false),
          Field(name: "price", type: .decimal128(precision: 10, scale: 2)),
        ]), columnTypes: ["UInt32", "String", "Nullable(Decimal(10, 2))"]),
      TableEntry(
        name: TableReference(database: "shop", table: "sums"), kind: .view, engine: "View",
        columns: Schema(fields: [Field(name: "total", type: .int64)]), columnTypes: ["Int64"]),
    ])

  private func objects(_ query: CatalogObjects.Query) async throws -> ArrayData {
    let batch = try await CatalogObjects.batch(query, service: service)
    for column in batch.columns { try column.validate() }
    #expect(batch.schema == CatalogObjects.schema)
    #expect(texts(batch.columns[0]) == ["magic"])
    return batch.columns[1]
  }

  private func texts(_ column: ArrayData) -> [String?] {
    (0..<column.length).map { row in
      column.isNull(at: row)
        ? nil : column.withBinaryValue(at: row) { String(decoding: $0, as: UTF8.self) }
    }
  }

  @Test func depths() async throws {
    #expect(try await objects(.init(depth: .catalogs)).isNull(at: 0))
    let schemas = try await objects(.init(depth: .schemas)).children[0]
    #expect(texts(schemas.structField(0)) == ["empty", "shop"])
    #expect(schemas.structField(1).isNull(at: 0) && schemas.structField(1).isNull(at: 1))
    let lists = try await objects(.init(depth: .tables)).children[0].structField(1)
    #expect(lists.listRange(at: 0).isEmpty && lists.listRange(at: 1) == 0..<2)
    let tables = lists.children[0]
    #expect(texts(tables.structField(0)) == ["items", "sums"])
    #expect(texts(tables.structField(1)) == ["TABLE", "VIEW"])
    #expect(tables.structField(2).isNull(at: 0) && tables.structField(3).isNull(at: 0))
  }

  @Test func columnsAndKeys() async throws {
    let tables = try await objects(.init()).children[0].structField(1).children[0]
    let columns = tables.structField(2).children[0]
    #expect(texts(columns.structField(0)) == ["id", "part", "price", "total"])
    #expect(columns.structField(1).withValues(of: Int32.self) { Array($0) } == [1, 2, 3, 1])
    #expect(columns.structField(3).withValues(of: Int16.self) { Array($0) } == [-5, 12, 3, -5])
    #expect(
      texts(columns.structField(4)) == ["UInt32", "String", "Nullable(Decimal(10, 2))", "Int64"])
    #expect(texts(columns.structField(13)) == ["NO", "NO", "YES", "YES"])
    let lists = tables.structField(3)
    #expect(lists.listRange(at: 0) == 0..<1 && lists.listRange(at: 1).isEmpty)
    #expect(texts(lists.children[0].structField(1)) == ["PRIMARY KEY"])
    #expect(texts(lists.children[0].structField(2).children[0]) == ["id", "part"])
  }

  @Test func filters() async throws {
    func tables(_ query: CatalogObjects.Query) async throws -> [String?] {
      let schemas = try await objects(query).children[0]
      return texts(schemas.structField(1).children[0].structField(0))
    }
    #expect(try await tables(.init(depth: .tables, table: "it%")) == ["items"])
    #expect(try await tables(.init(depth: .tables, tableTypes: ["VIEW"])) == ["sums"])
    #expect(try await tables(.init(depth: .tables, tableTypes: ["NONE"])) == [])
    #expect(try await tables(.init(depth: .tables, schema: "empty")) == [])
    let none = try await CatalogObjects.batch(.init(catalog: "other"), service: service)
    #expect(none.rowCount == 0)
    let columns = try await objects(.init(table: "items", column: "p%"))
      .children[0].structField(1).children[0].structField(2).children[0]
    #expect(texts(columns.structField(0)) == ["part", "price"])
    #expect(columns.structField(1).withValues(of: Int32.self) { Array($0) } == [2, 3])
  }

  @Test func statistics() async throws {
    let batch = try await Statistics.batch(.init(), isApproximate: true, service: service)
    for column in batch.columns { try column.validate() }
    #expect(batch.schema == Statistics.schema)
    let schemas = batch.columns[1].children[0]
    #expect(texts(schemas.structField(0)) == ["shop"])
    let entries = schemas.structField(1).children[0]
    #expect(texts(entries.structField(0)) == ["items"])
    #expect(entries.structField(2).withValues(of: Int16.self) { Array($0) } == [6])
    #expect(entries.structField(3).children[0].withValues(of: Int64.self) { Array($0) } == [5])
  }

  @Test func information() throws {
    let all = try DriverInfo.batch(nil)
    for column in all.columns { try column.validate() }
    #expect(
      all.columns[0].withValues(of: UInt32.self) { Array($0) }
        == [0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 103])
    let some = try DriverInfo.batch([103, 0, 9999])
    #expect(some.columns[0].withValues(of: UInt32.self) { Array($0) } == [0, 103])
    #expect(texts(some.columns[1].children[0]) == ["Magic"])
    #expect(some.columns[1].children[2].withValues(of: Int64.self) { Array($0) } == [1_001_000])
    #expect(some.columns[1].unionPosition(at: 1) == (2, 0))
    #expect(try DriverInfo.batch([]).rowCount == 0)
  }
}
