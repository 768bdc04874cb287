import Binlog
import Testing
import WireFormat

@Suite struct RowsEventTests {
  /// Decodes a table map event of a server of some version.
  private func tableMap(_ body: [UInt8], version: String = "8.0.36") throws -> TableMap {
    let events = try decodeEvents([
      Make.formatDescription(version: version), Make.event(19, body),
    ])
    let last = try #require(events.last).event.body
    guard case .tableMap(let map) = last else { throw UnexpectedBody(last) }
    return map
  }

  private func columnType(_ code: UInt8, _ metadata: [UInt8]) throws -> WireColumnType {
    let body = Make.tableMap(types: [code], metadata: metadata, nullBits: [0])
    return try #require(try tableMap(body).columnTypes.first)
  }

  @Test func table() throws {
    let body = Make.tableMap(
      id: 0x0102_0304_0506, types: [3, 15], metadata: [4, 1], nullBits: [2])
    let map = try tableMap(body)
    var expected = TableMap(
      tableID: 0x0102_0304_0506, flags: 1, database: "db", table: "t",
      columnTypes: [.integer(byteCount: 4), .varchar(maximumLength: 260)],
      nullability: [false, true])
    #expect(map == expected)
    expected.isUnsigned = [true, false]
    let known = Make.tableMap(
      id: 0x0102_0304_0506, types: [3, 15], metadata: [4, 1], nullBits: [2], optional: [1, 1, 0x80])
    #expect(try tableMap(known) == expected)
  }

  @Test(
    arguments: [
      (0, [], .oldDecimal), (1, [], .integer(byteCount: 1)), (2, [], .integer(byteCount: 2)),
      (3, [], .integer(byteCount: 4)), (4, [4], .float), (5, [8], .double), (6, [], .null),
      (7, [], .oldTimestamp), (8, [], .integer(byteCount: 8)), (9, [], .integer(byteCount: 3)),
      (10, [], .date), (11, [], .oldTime), (12, [], .oldDatetime), (13, [], .year), (14, [], .date),
      (15, [0xFF, 0xFF], .varchar(maximumLength: 65535)), (16, [3, 1], .bit(width: 11)),
      (16, [0, 8], .bit(width: 64)), (17, [6], .timestamp(fractionalDigits: 6)),
      (18, [0], .datetime(fractionalDigits: 0)), (19, [3], .time(fractionalDigits: 3)),
      (140, [2], .compressedBlob(lengthBytes: 2)),
      (141, [9, 0], .compressedVarchar(maximumLength: 9)),
      (242, [4], .vector(lengthBytes: 4)), (245, [4], .json(lengthBytes: 4)),
      (246, [65, 30], .decimal(precision: 65, scale: 30)), (252, [1], .blob(lengthBytes: 1)),
      (255, [4], .geometry(lengthBytes: 4)), (254, [254, 255], .string(maximumLength: 255)),
      // CHAR(255) of four bytes each: two bits of the length are in the first byte, inverted.
      (254, [0xCE, 0xFC], .string(maximumLength: 1020)),
      (254, [247, 2], .enumeration(byteCount: 2)), (254, [248, 8], .set(byteCount: 8)),
    ] as [(UInt8, [UInt8], WireColumnType)])
  func columnTypes(_ code: UInt8, _ metadata: [UInt8], _ type: WireColumnType) throws {
    #expect(try columnType(code, metadata) == type)
  }

  @Test(
    arguments: [
      (16, [0, 9]), (16, [8, 1]), (16, [0, 0]), (17, [7]), (245, [0]), (245, [5]), (246, [66, 0]),
      (246, [5, 6]), (254, [247, 3]), (254, [248, 9]), (254, [248, 0]), (254, [200, 1]),
    ] as [(UInt8, [UInt8])])
  func malformedMetadata(_ code: UInt8, _ metadata: [UInt8]) throws {
    #expect(try decodeErrorCode { _ = try columnType(code, metadata) } == .malformed)
  }

  @Test func metadataMustBeUsedUp() throws {
    #expect(try decodeErrorCode { _ = try columnType(3, [1]) } == .trailingBytes)
    #expect(try decodeErrorCode { _ = try columnType(15, [1]) } == .truncated)
    #expect(try columnType(244, [1, 2]) == .unknown(code: 244))
  }

  /// INT, YEAR, CHAR, GEOMETRY, ENUM, SET, VECTOR, TEXT.
  private func everyKind(_ optional: [UInt8]) -> [UInt8] {
    Make.tableMap(
      types: [3, 13, 254, 255, 254, 254, 242, 252],
      metadata: [254, 20, 4, 247, 1, 248, 1, 4, 2], nullBits: [0], optional: optional)
  }

  @Test func optionalMetadata() throws {
    let members =
      [5, 5, 2, 1] + bytes("x") + [1] + bytes("y") + [6, 3, 1, 1] + bytes("é").prefix(1)
    let names: [UInt8] = (UInt8(ascii: "a")...UInt8(ascii: "h")).flatMap { [1, $0] }
    let fields: [[UInt8]] = [
      [1, 1, 0x80], [3, 3, 45, 63, 8], [11, 2, 33, 47], members, [4, 16], names, [7, 1, 2],
      [9, 4, 2, 5, 0, 0], [12, 1, 0b1011_1111], [13, 1, 3], [99, 2, 1, 2],
    ]
    let map = try tableMap(everyKind(Array(fields.joined())))
    #expect(map.isUnsigned == [true] + Array(repeating: false, count: 7))
    #expect(map.collations == [nil, nil, 45, nil, 33, 47, 63, 8])
    #expect(map.members?[4] == [[0xC3]])
    #expect(map.members?[5] == [bytes("x"), bytes("y")])
    #expect(map.members?[2] == [])
    #expect(map.columnNames == ["a", "b", "c", "d", "e", "f", "g", "h"])
    #expect(map.geometryTypes == [nil, nil, nil, 2, nil, nil, nil, nil])
    #expect(map.primaryKey == [2, 0])
    #expect(map.primaryKeyPrefixes == [5, 0])
    #expect(map.isInvisible == [false, true] + Array(repeating: false, count: 6))
    #expect(map.vectorDimensions == [nil, nil, nil, nil, nil, nil, 3, nil])
  }

  /// A hidden column of a multi-valued index between others: only this table cannot be read.
  @Test func columnsOfUnknownTypes() throws {
    let body = Make.tableMap(
      types: [3, 20, 15], metadata: [15, 9, 0, 0, 80, 0], nullBits: [4], optional: [1, 1, 0x80])
    let map = try tableMap(body)
    #expect(map.columnTypes == Array(repeating: .unknown(code: 20), count: 3))
    #expect(map.nullability == [false, false, true])
    #expect(map.isUnsigned == nil)
    let events = try decodeEvents([
      Make.formatDescription(), Make.event(19, body), Make.event(23, head(1) + [3, 7, 0xAA]),
    ])
    guard case .rows(let rows) = try #require(events.last).event.body else { return }
    #expect(rows.tableMap == map)
  }

  @Test func defaultCharsets() throws {
    // The second of the character columns differs: the VECTOR in MySQL, the GEOMETRY in MariaDB.
    let optional: [UInt8] = [2, 3, 45, 1, 63] + [10, 3, 33, 0, 47] + [8, 1, 1]
    let mysql = try tableMap(everyKind(optional))
    #expect(mysql.collations == [nil, nil, 45, nil, 47, 33, 63, 45])
    #expect(mysql.primaryKey == [1])
    #expect(mysql.primaryKeyPrefixes == [0])
    let mariadb = try tableMap(everyKind(optional), version: "10.11.6-MariaDB")
    #expect(mariadb.collations == [nil, nil, 45, 63, 47, 33, nil, 45])
  }

  @Test func mariadbGivesYearASign() throws {
    let optional: [UInt8] = [1, 1, 0b0100_0000]
    let mariadb = try tableMap(everyKind(optional), version: "10.11.6-MariaDB")
    #expect(mariadb.isUnsigned?.prefix(2) == [false, true])
    #expect(try tableMap(everyKind(optional)).isUnsigned?.prefix(2) == [false, false])
  }

  @Test(
    arguments: [
      [1, 2, 0, 0], [2, 2, 45, 9], [4, 1, 5], [8, 1, 8], [12, 0], [6, 1, 0xFB],
      [5, 4, 0xFD, 0xFF, 0xFF, 0xFF],
    ] as [[UInt8]]) func malformedOptionalMetadata(_ optional: [UInt8]) throws
  {
    #expect(throws: DecodeError.self) { try tableMap(everyKind(optional)) }
  }

  // MARK: Rows

  private let map = Make.tableMap(types: [3, 3, 3], metadata: [], nullBits: [7])

  private func rows(_ type: UInt8, _ body: [UInt8]) throws -> Visited {
    let events = [Make.formatDescription(), Make.event(19, map), Make.event(type, body)]
    return try #require(try decodeEvents(events).last)
  }

  private func head(_ flags: UInt16, id: UInt64 = 18) -> [UInt8] {
    littleEndian(id)[..<6] + littleEndian(flags)
  }

  @Test(
    arguments: [
      (23, RowsEvent.Kind.write), (24, .update), (25, .delete), (30, .write), (31, .update),
      (32, .delete), (39, .update),
    ] as [(UInt8, RowsEvent.Kind)]) func rowsEvents(_ type: UInt8, _ kind: RowsEvent.Kind) throws
  {
    // Version 2 has extra data, here of one byte.
    let extra: [UInt8] = type >= 30 ? [3, 0, 9] : []
    let after: [UInt8] = kind == .update ? [2] : []
    let visited = try rows(type, head(1) + extra + [3, 5] + after + [0xAA, 0xBB])
    guard case .rows(let rows) = visited.event.body else {
      throw UnexpectedBody(visited.event.body)
    }
    #expect(rows.kind == kind)
    #expect(rows.isStatementEnd)
    #expect(rows.hasValueOptions == (type == 39))
    #expect(rows.tableMap.table == "t")
    #expect((0..<3).map { rows.columnsPresent[$0] } == [true, false, true])
    let expectedAfter = kind == .update ? [false, true, false] : [true, false, true]
    #expect((0..<3).map { rows.columnsPresentAfter[$0] } == expectedAfter)
    #expect(visited.bytes[rows.images] == [0xAA, 0xBB])
  }

  @Test func tableIDOfFourBytes() throws {
    // The first releases of 5.1 wrote four bytes, and say so in the format description.
    var format = Make.formatDescription(version: "5.1.5")
    format[19 + 57 + 18] = 6
    format[19 + 57 + 22] = 6
    let events = try decodeEvents([
      format, Make.event(19, Array(map[..<4] + map[6...])),
      Make.event(23, Array(head(0)[..<4]) + [0, 0, 3, 7, 0xAA]),
    ])
    let last = try #require(events.last).event.body
    guard case .rows(let rows) = last else { throw UnexpectedBody(last) }
    #expect(rows.tableMap.tableID == 18)
    #expect(!rows.isStatementEnd)
  }

  @Test func rowsNeedTheirTableMap() throws {
    #expect(try decodeErrorCode { _ = try rows(23, head(1, id: 19) + [3, 7]) } == .malformed)
    #expect(try decodeErrorCode { _ = try rows(23, head(1) + [2, 3]) } == .malformed)
    #expect(try decodeErrorCode { _ = try rows(30, head(1) + [1, 0, 3, 7]) } == .malformed)
    #expect(
      try decodeErrorCode { _ = try rows(23, head(1) + [0xFD, 1, 0x10, 0]) } == .limitExceeded)
    #expect(try decodeErrorCode { _ = try rows(23, head(1) + [3, 0, 0xAA]) } == .malformed)
    // Servers end a statement without rows with an event of no table.
    #expect(try rows(23, head(1, id: 0xFF_FFFF) + [1, 1]).event.body == .ignorable)
  }

  @Test func tableMapsAreForgottenOnlyLongAfterTheyWereUsed() throws {
    var decoder = BinlogDecoder()
    try decoder.decode(Make.formatDescription().span.bytes, at: 4) { _, _ in }
    var tables: [String?] = []
    for id in 0..<UInt64(100_000) {
      let body = Make.tableMap(id: id, types: [3, 3, 3], metadata: [], nullBits: [7])
      try decoder.decode(Make.event(19, body).span.bytes, at: 4) { _, _ in }
    }
    for id in [99_999, 70_000] as [UInt64] {
      let event = Make.event(23, head(1, id: id) + [3, 7])
      try decoder.decode(event.span.bytes, at: 4) { event, _ in
        if case .rows(let rows) = event.body { tables.append(rows.tableMap.table) }
      }
    }
    #expect(tables == ["t", "t"])
    let forgotten = Make.event(23, head(1, id: 0) + [3, 7])
    #expect(
      try decodeErrorCode { try decoder.decode(forgotten.span.bytes, at: 4) { _, _ in } }
        == .malformed)
  }
}
