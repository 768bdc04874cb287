import Arrow
import Binlog
import MySQLSchema
import Testing
import WireFormat

@testable import RowEncoding

/// id INT, name VARCHAR(20), part BINARY(2), day DATE, with a key of `part` and `id`.
private let orders = table(
  [
    column("id", .integer(.int, isUnsigned: false), isNullable: false),
    column("name", .string(charset: "utf8mb4")),
    column("part", .binary(length: 2), isNullable: false),
    column("day", .date, isNullable: false),
  ], primaryKey: [2, 0])

private let ordersMap = tableMap([
  .integer(byteCount: 4), .varchar(maximumLength: 80), .string(maximumLength: 2), .date,
])

/// A full image: 1, "ab" or NULL, a part and a day.
private func image(_ id: UInt8, _ name: String?, _ part: String, day: String = "5dd00f") -> [UInt8]
{
  let nameCell = name.map { [UInt8($0.utf8.count)] + Array($0.utf8) } ?? []
  return [name == nil ? 2 : 0, id, 0, 0, 0] + nameCell + [UInt8(part.utf8.count)] + Array(part.utf8)
    + bytes(day)
}

@Suite struct RowChangeTests {
  private func append(
    _ encoder: TableEncoder, _ kind: RowsEvent.Kind, _ images: [[UInt8]], version: inout UInt64
  ) throws {
    let all = images.flatMap { $0 }
    try encoder.append(
      event(kind, ordersMap, images: all), in: all.span.bytes, nextVersion: &version)
  }

  @Test func writesDeletesAndUpdates() throws {
    let encoder = try TableEncoder(schema: orders)
    var version: UInt64 = 100
    try append(encoder, .write, [image(1, "a", "x"), image(2, nil, "y")], version: &version)
    try append(
      encoder, .update,
      [
        // The name changes; the part; the id; nothing.
        image(1, "a", "x"), image(1, "b", "x"), image(2, nil, "y"), image(2, "c", "yz"),
        image(2, "c", "yz"), image(3, nil, "yz"), image(3, nil, "yz"), image(3, nil, "yz"),
      ], version: &version)
    try append(encoder, .delete, [image(1, "b", "x")], version: &version)
    #expect(version == 107)
    #expect(encoder.rowCount == 9)
    let batch = try encoder.finish()
    #expect(batch.schema == encoder.storageSchema)
    #expect(
      rows(batch) == [
        ["1", "a", "7800", "19782", "100", "0"],
        ["2", "NULL", "7900", "19782", "101", "0"],
        ["1", "b", "7800", "19782", "102", "0"],
        ["2", "NULL", "7900", "19782", "103", "1"],
        ["2", "c", "797a", "19782", "103", "0"],
        ["2", "c", "797a", "19782", "104", "1"],
        ["3", "NULL", "797a", "19782", "104", "0"],
        ["3", "NULL", "797a", "19782", "105", "0"],
        ["1", "b", "7800", "19782", "106", "1"],
      ])
    #expect(encoder.rowCount == 0)
    try append(encoder, .write, [image(9, nil, "")], version: &version)
    #expect(try rows(encoder.finish()) == [["9", "NULL", "0000", "19782", "107", "0"]])
  }

  @Test func describesItsColumns() throws {
    let schema = TableEncoder.arrowSchema(for: orders)
    #expect(
      schema.fields == [
        Field(name: "id", type: .int32, isNullable: false), Field(name: "name", type: .utf8),
        Field(name: "part", type: .binary, isNullable: false),
        // A date outside of the key may be zero, which becomes NULL.
        Field(name: "day", type: .date32),
      ])
    let storage = try TableEncoder(schema: orders).storageSchema
    #expect(
      storage.fields == schema.fields + [
        Field(name: "_INTERNAL_VERSION", type: .uint64, isNullable: false),
        Field(name: "_INTERNAL_DELMARK", type: .uint8, isNullable: false),
      ])
    let special = table([
      column("a", .datetime(fractionalDigits: 4)), column("b", .inet4), column("c", .inet6),
      column("d", .uuid),
    ])
    #expect(
      TableEncoder.arrowSchema(for: special).fields.map(\.metadata) == [
        ["magic.precision": "4"], ["ARROW:extension:name": "magic.ipv4"],
        ["ARROW:extension:name": "magic.ipv6"], ["ARROW:extension:name": "arrow.uuid"],
      ])
  }

  @Test func countsZeroDates() throws {
    let encoder = try TableEncoder(schema: orders)
    var version: UInt64 = 1
    try append(
      encoder, .write, [image(1, "a", "x", day: "000000"), image(2, "a", "x", day: "5fd00f")],
      version: &version)
    #expect(encoder.takeCounters().zeroDates == 2)
    #expect(encoder.counters == EncodingCounters())
    #expect(try rows(encoder.finish()).map { $0[3] } == ["NULL", "NULL"])
  }

  @Test func stopsAtZeroDatesWhenToldTo() throws {
    let encoder = try TableEncoder(schema: orders, options: EncodingOptions(zeroDates: .stop))
    var version: UInt64 = 1
    let error = #expect(throws: EncodingError.self) {
      try append(
        encoder, .write, [image(1, "a", "x"), image(2, "a", "x", day: "000000")], version: &version)
    }
    #expect(error?.column == "day")
    #expect(error?.description == "d.t.day: zero or partial date (--zero-dates=stop)")
    // Nothing can be added to columns of different lengths, but the rows before are whole.
    #expect(throws: EncodingError.self) {
      try append(encoder, .write, [image(3, "a", "x")], version: &version)
    }
    #expect(try rows(encoder.finish()) == [["1", "a", "7800", "19782", "1", "0"]])
    try append(encoder, .write, [image(3, "a", "x")], version: &version)
    #expect(try encoder.finish().rowCount == 1)
  }

  @Test func refusesZeroDatesAndInvalidTextInTheKey() throws {
    let days = table([column("day", .date, isNullable: false)])
    #expect(!TableEncoder.arrowSchema(for: days).fields[0].isNullable)
    let encoder = try TableEncoder(schema: days)
    #expect(throws: EncodingError.self) { try appendText(encoder, [Array("0000-00-00".utf8)]) }
    let names = try TableEncoder(
      schema: table([column("n", .string(charset: "utf8mb4"), isNullable: false)]))
    #expect(throws: EncodingError.self) { try appendText(names, [[0x61, 0xFF]]) }
  }

  @Test func replacesAndCountsInvalidText() throws {
    let encoder = try TableEncoder(
      schema: table(
        [column("u", .string(charset: "utf8mb4")), column("g", .string(charset: "gbk"))],
        primaryKey: []))
    try appendText(encoder, [[0x61, 0xFF, 0x62], [0x61, 0xFF]])
    try appendText(encoder, [Array("é".utf8), [0xD6, 0xD0]])
    #expect(encoder.takeCounters().invalidTexts == 2)
    #expect(
      try rows(encoder.finish()).map { Array($0[..<2]) } == [
        ["a\u{FFFD}b", "a\u{FFFD}"], ["é", "中"],
      ])
  }

  @Test func refusesImagesWithoutTheKey() throws {
    let encoder = try TableEncoder(schema: orders)
    var rows = event(.update, ordersMap, images: [])
    rows.columnsPresent = ColumnBitmap(count: 4, bytes: [0x01])
    var version: UInt64 = 1
    let error = #expect(throws: EncodingError.self) {
      try encoder.append(rows, in: [UInt8]().span.bytes, nextVersion: &version)
    }
    #expect(error?.code == .incompleteRowImage)
    #expect(error?.column == "part")
    #expect(error?.description.contains("binlog_row_image=FULL") == true)
  }

  @Test func refusesPartialImagesOfRowsWithAKeyOfFloatingPointNumbers() throws {
    var schema = table(
      [column("x", .double, isNullable: false), column("note", .string(charset: "utf8mb4"))],
      primaryKey: [])
    schema.keys = [
      TableKey(name: TableKey.primaryName, isUnique: true, parts: [TableKey.Part(column: "x")])
    ]
    let encoder = try TableEncoder(schema: schema)
    var rows = event(
      .delete, tableMap([.double, .blob(lengthBytes: 1)]), images: [])
    rows.columnsPresent = ColumnBitmap(count: 2, bytes: [0x01])
    var version: UInt64 = 1
    let error = #expect(throws: EncodingError.self) {
      try encoder.append(rows, in: [UInt8]().span.bytes, nextVersion: &version)
    }
    #expect(error?.column == "note")
    #expect(
      error?.description.contains("cannot be told by a key of floating-point numbers") == true)
  }

  @Test func refusesTruncatedImages() throws {
    let whole = image(1, "a", "x") + image(2, "b", "yy")
    for length in 1..<whole.count where length != image(1, "a", "x").count {
      let encoder = try TableEncoder(schema: orders)
      var version: UInt64 = 1
      let error = #expect(throws: EncodingError.self) {
        try append(encoder, .write, [Array(whole[..<length])], version: &version)
      }
      #expect(error?.code == .malformedImage)
      #expect(try encoder.finish().rowCount == (length < image(1, "a", "x").count ? 0 : 1))
    }
    let update = image(1, "a", "x") + image(2, "b", "yy")
    for length in 1..<update.count {
      let encoder = try TableEncoder(schema: orders)
      var version: UInt64 = 1
      #expect(throws: EncodingError.self) {
        try append(encoder, .update, [Array(update[..<length])], version: &version)
      }
      #expect(try encoder.finish().rowCount == 0)
    }
  }

  @Test func refusesNullInNotNullColumns() throws {
    let encoder = try TableEncoder(schema: orders)
    var version: UInt64 = 1
    let error = #expect(throws: EncodingError.self) {
      try append(encoder, .write, [[0x01] + image(1, "a", "x")[5...]], version: &version)
    }
    #expect(error?.column == "id")
  }

  @Test func refusesTableMapsOfOtherSchemas() throws {
    func failure(_ change: (inout TableMap) -> Void) throws -> EncodingError? {
      let encoder = try TableEncoder(schema: orders)
      var map = ordersMap
      change(&map)
      var version: UInt64 = 1
      do {
        try encoder.append(
          event(.write, map, images: []), in: [UInt8]().span.bytes, nextVersion: &version)
        return nil
      } catch {
        return error
      }
    }
    #expect(try failure { _ in } == nil)
    #expect(try failure { $0.collations = [nil, 45, 63, nil] } == nil)
    #expect(try failure { $0.columnNames = ["ID", "name", "part", "day"] } == nil)
    for change: (inout TableMap) -> Void in [
      { $0.columnTypes[0] = .integer(byteCount: 8) }, { $0.columnTypes[1] = .date },
      { $0.columnTypes[2] = .string(maximumLength: 3) }, { $0.columnTypes.swapAt(0, 1) },
      { $0.isUnsigned = [true, false, false, false] },
      { $0.columnNames = ["id", "title", "part", "day"] }, { $0.collations = [nil, 63, 63, nil] },
      { $0.collations = [nil, 45, 45, nil] },
    ] {
      let error = try failure(change)
      #expect(error?.code == .schemaMismatch)
      #expect(error?.column != nil)
    }
    #expect(try failure { $0.columnTypes.removeLast() }?.code == .schemaMismatch)
    let unknown = try failure { $0.columnTypes = Array(repeating: .unknown(code: 20), count: 5) }
    #expect(unknown?.description.hasPrefix("d.t: a column has the type code 20") == true)
    #expect(try failure { $0.collations = [nil, 5000, 63, nil] }?.code == .unknownCharset)
  }

  @Test func followsTheCollationsOfTableMaps() throws {
    let schema = table([column("n", .string(charset: nil))], primaryKey: [])
    let encoder = try TableEncoder(schema: schema)
    #expect(throws: EncodingError.self) { try appendText(encoder, [[0x61]]) }
    _ = try encoder.finish()
    var map = tableMap([.varchar(maximumLength: 20)])
    let images: [UInt8] = [0, 1, 0xE9]
    var version: UInt64 = 1
    let error = #expect(throws: EncodingError.self) {
      try encoder.append(
        event(.write, map, images: images), in: images.span.bytes, nextVersion: &version)
    }
    #expect(error?.code == .unknownCharset)
    for (collation, text) in [(8, "é"), (11, "\u{FFFD}"), (51, "й"), (8, "é")] as [(UInt64, String)]
    {
      map.collations = [collation]
      try encoder.append(
        event(.write, map, images: images), in: images.span.bytes, nextVersion: &version)
      #expect(try rows(encoder.finish())[0][0] == text)
    }
  }

  @Test func refusesSchemasThatNoServerHas() throws {
    for type: ColumnType in [
      .decimal(precision: 66, scale: 0), .decimal(precision: 5, scale: 6), .bit(width: 0),
      .bit(width: 65), .time(fractionalDigits: 7), .set((0..<65).map { "\($0)" }),
      .binary(length: -1),
    ] {
      #expect(throws: EncodingError.self) { try TableEncoder(schema: table([column("c", type)])) }
    }
    #expect(throws: EncodingError.self) { try TableEncoder(schema: table([])) }
    let error = #expect(throws: EncodingError.self) {
      try TableEncoder(schema: table([column("c", .string(charset: "klingon"))]))
    }
    #expect(error?.code == .unknownCharset)
  }

  @Test func decodesPartialImages() throws {
    let decoder = try RowImageDecoder(table: orders)
    try decoder.prepare(for: ordersMap)
    let images: [UInt8] = [0x00, 7, 0, 0, 0, 1, 0x78] + [0x01]
    var reader = ByteReader(images.span.bytes)
    try decoder.appendImage(&reader, present: ColumnBitmap(count: 4, bytes: [0x05]))
    try decoder.appendImage(&reader, present: ColumnBitmap(count: 4, bytes: [0x02]))
    let isAtEnd = reader.isAtEnd
    #expect(isAtEnd)
    #expect(
      try rows(decoder.finish()) == [
        ["7", "NULL", "7800", "NULL"], ["NULL", "NULL", "NULL", "NULL"],
      ])
  }
}
