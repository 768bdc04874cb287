import Binlog
import Foundation
import MagicCore
import MySQLSchema
import Replication
import Testing

@testable import Backup

struct ManifestTests {
  private func declared(
    _ table: String, _ kind: DatabaseContents.Table.Kind, columns: [String] = ["id"]
  ) -> DatabaseContents.Table {
    DatabaseContents.Table(
      name: TableReference(database: "shop", table: table), kind: kind,
      statement: "CREATE TABLE shop.\(table)",
      columns: columns.map { DatabaseContents.Column(name: $0, type: "UInt64") })
  }

  private var manifest: Manifest {
    var catalog = Catalog()
    catalog.sourceIdentity = "server 1"
    catalog.add(
      TableSchema(name: TableName(database: "shop", table: "orders"), columns: [], primaryKey: []),
      state: .live, copyPosition: BinlogPosition(file: "binlog.000001", offset: 4))
    var manifest = Manifest(
      program: "magic", created: 1_700_000_000.25,
      point: CommitPoint(commit: 42, checkpoint: Array(#"{"gtids":"0-1-5"}"#.utf8)),
      replication: Manifest.Replication(checkpoint: #"{"gtids":"0-1-5"}"#, catalog: catalog),
      contents: DatabaseContents(
        databases: [.init(name: "shop", statement: "CREATE DATABASE shop")],
        tables: [
          declared("sums", .materializedView), declared("orders", .replicated),
          declared("view", .view, columns: []), declared("stock", .mutable),
        ]),
      leftOut: [.init(name: "shop.new", reason: "it is new")])
    manifest.tables[1].rowCount = 7
    manifest.tables[1].files = [.init(name: "data/1-0-end.native.zst", byteCount: 9, sha256: "ab")]
    return manifest
  }

  @Test func whatIsEncodedIsDecoded() throws {
    let manifest = manifest
    #expect(try Manifest(decoding: manifest.encoded()) == manifest)
    #expect(manifest.gtids == "0-1-5")
    #expect(manifest.plan != manifest)
    #expect(manifest.plan.plan == manifest.plan)
    #expect(manifest.plan.tables.allSatisfy { $0.files.isEmpty && $0.rowCount == nil })
  }

  @Test func rowsOfMaterializedViewsComeLast() {
    #expect(manifest.loadOrder == [[1, 3], [0]])
  }

  @Test func aNewerFormIsRefusedWhateverItIs() {
    let newer = Array(#"{"formatVersion": 2, "tables": "otherwise"}"#.utf8)
    #expect {
      try Manifest(decoding: newer)
    } throws: {
      "\($0)".contains("format version 2") && "\($0)".contains("newer")
    }
  }

  @Test func aNewerCatalogIsRefused() throws {
    var manifest = manifest
    manifest.replication?.catalog.formatVersion = 99
    let bytes = try manifest.encoded()
    #expect {
      try Manifest(decoding: bytes)
    } throws: {
      "\($0)".contains("catalog in the backup has format version 99")
    }
  }

  @Test(arguments: ["", "{", "[]", "{\"formatVersion\": 1}", "\u{0}"])
  func damageIsRefused(text: String) {
    #expect {
      try Manifest(decoding: Array(text.utf8), from: "plan.json")
    } throws: {
      "\($0)".contains("plan.json is damaged")
    }
  }

  @Test func partsHaveOneNameEach() {
    let names = ["data/0-0-end.native.zst", "data/12-3.native.zst"]
    #expect(names.map { PartName($0)?.description } == names)
    #expect(PartName(names[0]) == PartName(table: 0, number: 0, isLast: true))
    for other in [
      "", "data/", "data/1.native.zst", "data/1-2-3.native.zst", "data/01-2.native.zst",
      "data/../1-2.native.zst", "/data/1-2.native.zst", "data/1-2-end", "data/-1-2.native.zst",
      "data/+1-2.native.zst",
    ] {
      #expect(PartName(other) == nil, "\(other)")
    }
  }
}
