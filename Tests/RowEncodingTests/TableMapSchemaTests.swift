import Binlog
import MySQLSchema
import Testing

@testable import RowEncoding

@Suite struct TableMapSchemaTests {
  private func described() -> TableMap {
    var map = tableMap(
      [
        .integer(byteCount: 3), .varchar(maximumLength: 40), .blob(lengthBytes: 2),
        .string(maximumLength: 8), .enumeration(byteCount: 1), .set(byteCount: 1),
        .vector(lengthBytes: 4), .json(lengthBytes: 4),
      ], nullability: [false, true, true, true, true, true, true, true])
    map.columnNames = ["id", "name", "data", "code", "kind", "tags", "place", "doc"]
    map.isUnsigned = [true, false, false, false, false, false, false, false]
    map.collations = [nil, 8, 63, 63, 8, 45, nil, nil]
    map.members = [[], [], [], [], [[0x61], [0xE9]], [Array("ü".utf8)], [], []]
    map.vectorDimensions = [nil, nil, nil, nil, nil, nil, 3, nil]
    map.isInvisible = [false, false, false, true, false, false, false, false]
    map.primaryKey = [0]
    map.primaryKeyPrefixes = [0]
    return map
  }

  @Test func describesATable() throws {
    let schema = try TableSchema(tableMap: described())
    #expect(schema.name == TableName(database: "d", table: "t"))
    #expect(schema.primaryKey == [0])
    #expect(!schema.primaryKeyHasPrefix)
    #expect(
      schema.columns == [
        column("id", .integer(.medium, isUnsigned: true), isNullable: false),
        column("name", .string(charset: "latin1")), column("data", .bytes),
        Column(name: "code", type: .binary(length: 8), isNullable: true, isInvisible: true),
        column("kind", .enumeration(["a", "é"])), column("tags", .set(["ü"])),
        column("place", .vector(dimensions: 3)), column("doc", .json),
      ])
    // What the map describes, it also fits.
    try RowImageDecoder(table: schema).prepare(for: described())
  }

  @Test func namesTheSettingWhenMetadataIsMissing() throws {
    for change: (inout TableMap) -> Void in [
      { $0.columnNames = nil }, { $0.isUnsigned = nil }, { $0.collations = nil },
      { $0.members = nil },
    ] {
      var map = described()
      change(&map)
      let error = #expect(throws: EncodingError.self) { try TableSchema(tableMap: map) }
      #expect(error?.code == .missingMetadata)
      #expect(error?.description.contains("binlog_row_metadata=FULL") == true)
    }
    var map = described()
    map.collations?[1] = 9999
    let error = #expect(throws: EncodingError.self) { try TableSchema(tableMap: map) }
    #expect(error?.code == .unknownCharset)
  }

  @Test func describesATableByPositions() throws {
    var map = described()
    map.columnNames = nil
    map.isUnsigned = nil
    map.collations = nil
    map.members = nil
    let schema = try TableSchema(positional: map)
    #expect(schema.columns.map(\.name) == ["@1", "@2", "@3", "@4", "@5", "@6", "@7", "@8"])
    #expect(
      schema.columns.map(\.type) == [
        .integer(.medium, isUnsigned: false), .bytes, .bytes, .bytes,
        .integer(.tiny, isUnsigned: true), .integer(.big, isUnsigned: true), .vector(dimensions: 3),
        .json,
      ])
    try RowImageDecoder(table: schema).prepare(for: map)
    try RowImageDecoder(table: TableSchema(positional: described())).prepare(for: described())
  }
}
