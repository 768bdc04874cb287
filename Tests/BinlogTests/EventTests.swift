import Binlog
import Testing
import WireFormat

@Suite struct EventTests {
  /// Decodes one event after a format description.
  private func decode(
    _ type: UInt8, _ body: [UInt8], version: String = "8.0.36", flags: UInt16 = 0
  ) throws -> EventBody {
    let events = try decodeEvents([
      Make.formatDescription(version: version), Make.event(type, body, flags: flags),
    ])
    return try #require(events.last).event.body
  }

  @Test func header() throws {
    let event = Make.event(3, [], flags: 0x80, serverID: 42, nextPosition: 99)
    let header = try #require(try decodeEvents([Make.formatDescription(), event]).last).event.header
    #expect(
      header
        == EventHeader(
          timestamp: 1_700_000_000, typeCode: 3, serverID: 42, eventLength: 19, nextPosition: 99,
          flags: .ignorable))
    #expect(header.type == .stop)
  }

  @Test func endIsNotTakenFromTheHeaderThatWraps() throws {
    var decoder = BinlogDecoder()
    let offset: UInt64 = 5 << 32
    try decoder.decode(Make.formatDescription().span.bytes, at: 4) { _, _ in }
    try decoder.decode(Make.event(3, [], nextPosition: 19).span.bytes, at: offset) { event, _ in
      #expect(event.offset == offset)
      #expect(event.end == offset + 19)
    }
  }

  @Test(arguments: [
    ("5.1.73-log", false), ("5.6.0", false), ("5.6.1-m5", true), ("5.7.30-log", true),
    ("8.0.36", true), ("9.6.0", true), ("5.2.14-MariaDB", false), ("5.3.0-MariaDB", true),
    ("10.11.6-MariaDB-log", true),
  ]) func formatDescription(_ version: String, hasChecksumField: Bool) throws {
    let event = Make.formatDescription(version: version)
    let body = try #require(try decodeEvents([event]).first).event.body
    guard case .formatDescription(let format) = body else { throw UnexpectedBody(body) }
    #expect(format.serverVersion == version)
    #expect(format.isMariaDB == version.contains("MariaDB"))
    #expect(format.checksum == .none)
    // Without the field its five bytes count as lengths of further events.
    #expect(format.postHeaderLengths.count == (hasChecksumField ? 171 : 176))
    #expect(format.postHeaderLengths[1] == 13)
  }

  @Test func checksums() throws {
    let format = Make.formatDescription(checksum: true)
    let xid = Make.event(16, littleEndian(UInt64(77)), checksum: true)
    #expect(try decodeEvents([format, xid]).last?.event.body == .xid(77))
    // The server sets this flag after it computed the checksum.
    let inUse = Make.formatDescription(checksum: true, flags: 1)
    #expect(try decodeEvents([inUse, xid]).last?.event.body == .xid(77))

    var broken = xid
    broken[20] ^= 1
    #expect(
      throws: DecodeError(
        .checksumMismatch, "event checksum", at: 4 + format.count + 27, file: "bin.1")
    ) { try decodeEvents([format, broken]) }
    var brokenFormat = format
    brokenFormat[40] ^= 1
    #expect(try decodeErrorCode { _ = try decodeEvents([brokenFormat]) } == .checksumMismatch)
  }

  @Test(arguments: [true, false]) func rotateComesBeforeTheFormatOfAStream(_ checksum: Bool) throws
  {
    let body = littleEndian(UInt64(4)) + bytes("bin.000042")
    let rotate = Make.event(4, body, flags: 0x20, checksum: checksum)
    let position = BinlogPosition(file: "bin.000042", offset: 4)
    #expect(try decodeEvents([rotate]).map(\.event.body) == [.rotate(position)])
    // Between files too, whatever the file before said.
    let events = [Make.formatDescription(checksum: !checksum), rotate]
    #expect(try decodeEvents(events).last?.event.body == .rotate(position))
  }

  @Test func errorsNameTheFileOfTheStream() throws {
    let rotate = Make.event(4, littleEndian(UInt64(4)) + bytes("bin.9"), flags: 0x20)
    #expect(throws: DecodeError(.truncated, "integer", at: 1019, file: "bin.9")) {
      var decoder = BinlogDecoder()
      try decoder.decode(rotate.span.bytes, at: 0) { _, _ in }
      try decoder.decode(Make.formatDescription().span.bytes, at: 4) { _, _ in }
      try decoder.decode(Make.event(16, [1, 2]).span.bytes, at: 1000) { _, _ in }
    }
  }

  @Test func query() throws {
    let status: [UInt8] =
      [0, 0, 0, 0, 0] + [1] + littleEndian(UInt64(1_436_549_152)) + [6, 3] + bytes("std")
      + [4, 45, 0, 46, 0, 8, 0] + [5, 6] + bytes("SYSTEM") + [8, 47, 0] + [12, 2]
      + bytes("a\0bc\0") + [17] + littleEndian(UInt64(31)) + [18, 255, 0]
    let body = try decode(2, Make.query(bytes("DROP TABLE t"), status: status))
    guard case .query(let query) = body else { throw UnexpectedBody(body) }
    #expect(query.threadID == 5)
    #expect(query.executionSeconds == 6)
    #expect(query.errorCode == 7)
    #expect(query.database == "db")
    #expect(query.statement == "DROP TABLE t")
    #expect(query.status.sqlMode == 1_436_549_152)
    #expect(query.status.clientCollation == 45)
    #expect(query.status.connectionCollation == 46)
    #expect(query.status.serverCollation == 8)
    #expect(query.status.timeZone == "SYSTEM")
    #expect(query.status.databaseCollation == 47)
    #expect(query.status.transactionID == 31)
    #expect(query.status.defaultCollationForUTF8MB4 == 255)
  }

  @Test func statementInLatin1() throws {
    let statement: [UInt8] = bytes("CREATE TABLE `") + [0xFC, 0x80] + bytes("`")
    let body = try decode(2, Make.query(statement, status: [4, 8, 0, 8, 0, 8, 0]))
    guard case .query(let query) = body else { throw UnexpectedBody(body) }
    #expect(query.statement == "CREATE TABLE `ü€`")
    #expect(query.statementBytes == statement)
  }

  @Test func unknownStatusVariableEndsTheirList() throws {
    let body = try decode(2, Make.query(bytes("BEGIN"), status: [4, 1, 0, 2, 0, 3, 0, 99, 1, 2]))
    guard case .query(let query) = body else { throw UnexpectedBody(body) }
    #expect(query.status.clientCollation == 1)
    #expect(query.statement == "BEGIN")
  }

  @Test func mysqlGTID() throws {
    let uuid: [UInt8] = Array(0x10...0x1F)
    let source = GTIDSource(uuid: try ServerUUID("10111213-1415-1617-1819-1a1b1c1d1e1f"))
    // MySQL 5.6 wrote no more than this.
    let short = [1] + uuid + littleEndian(Int64(23))
    var expected = GTIDEvent(gtid: GTID(source: source, number: 23), mayHaveStatements: true)
    #expect(try decode(33, short) == .gtid(expected))
    #expect(try decode(34, short) == .gtid(GTIDEvent(gtid: nil, mayHaveStatements: true)))

    let immediate = littleEndian(UInt64(1_700_000_000_000_001) | 1 << 55)[..<7]
    let original = littleEndian(UInt64(1_600_000_000_000_001))[..<7]
    let long =
      short + [2] + littleEndian(Int64(4)) + littleEndian(Int64(5)) + immediate + original
      + [0xFC, 0x2C, 0x01] + littleEndian(UInt32(80036) | 1 << 31) + littleEndian(UInt32(50744))
    expected.lastCommitted = 4
    expected.sequenceNumber = 5
    expected.immediateCommitTimestamp = 1_700_000_000_000_001
    expected.originalCommitTimestamp = 1_600_000_000_000_001
    expected.transactionLength = 300
    expected.immediateServerVersion = 80036
    expected.originalServerVersion = 50744
    #expect(try decode(33, long) == .gtid(expected))
    expected.commitGroupTicket = 9
    #expect(try decode(33, long + littleEndian(UInt64(9))) == .gtid(expected))
    #expect(
      try decodeErrorCode { _ = try decode(33, long + littleEndian(UInt64(9)) + [0]) }
        == .trailingBytes)
  }

  @Test func mariadbGTID() throws {
    let head = littleEndian(UInt64(99)) + littleEndian(UInt32(3))
    let gtid = MariaDBGTID(domain: 3, server: 1, sequence: 99)
    let padding = [UInt8](repeating: 0, count: 6)
    var expected = MariaDBGTIDEvent(gtid: gtid, flags: [.standalone, .ddl])
    #expect(try decode(162, head + [33] + padding) == .mariadbGTID(expected))

    expected.flags = [.transactional, .groupCommitID]
    expected.commitID = 7
    let group = head + [6] + littleEndian(UInt64(7))
    #expect(try decode(162, group) == .mariadbGTID(expected))

    expected = MariaDBGTIDEvent(gtid: gtid, flags: [.standalone, .ddl])
    expected.alterPhase = .commit(start: 98)
    expected.threadID = 12
    let alter =
      head + [33] + [4 | 16] + littleEndian(UInt64(98)) + littleEndian(UInt32(12))
    #expect(try decode(162, alter) == .mariadbGTID(expected))

    expected = MariaDBGTIDEvent(gtid: gtid, flags: [.standalone, .ddl])
    expected.alterPhase = .start
    #expect(try decode(162, head + [33, 2] + padding.dropLast()) == .mariadbGTID(expected))

    expected = MariaDBGTIDEvent(gtid: gtid, flags: [.preparedXA])
    expected.xa = XAIdentifier(formatID: 1, global: bytes("gl"), branch: bytes("b"))
    let xa = head + [64] + littleEndian(UInt32(1)) + [2, 1] + bytes("glb")
    #expect(try decode(162, xa) == .mariadbGTID(expected))
  }

  @Test func gtidList() throws {
    let body =
      littleEndian(UInt32(2) | 1 << 28) + littleEndian(UInt32(0)) + littleEndian(UInt32(1))
      + littleEndian(UInt64(5)) + littleEndian(UInt32(7)) + littleEndian(UInt32(2))
      + littleEndian(UInt64(6))
    #expect(
      try decode(163, body)
        == .gtidList([
          MariaDBGTID(domain: 0, server: 1, sequence: 5),
          MariaDBGTID(domain: 7, server: 2, sequence: 6),
        ]))
    // A new server has no transaction and pads its list.
    #expect(try decode(163, [0, 0, 0, 0, 0, 0]) == .gtidList([]))
    #expect(try decodeErrorCode { _ = try decode(163, [255, 255, 255, 15]) } == .truncated)
  }

  @Test func heartbeats() throws {
    let format = Make.formatDescription()
    let position = BinlogPosition(file: "bin.7", offset: 1234)
    let first = Make.event(27, bytes("bin.7"), nextPosition: 1234)
    #expect(try decodeEvents([format, first]).last?.event.body == .heartbeat(position))
    let fields = [1, 5] + bytes("bin.7") + [9, 1, 0, 2, 3, 0xFC, 0xD2, 0x04, 0]
    #expect(try decode(41, fields) == .heartbeat(position))
    #expect(try decode(41, [0]) == .heartbeat(nil))
  }

  @Test func texts() throws {
    #expect(try decode(29, [3] + bytes("INSERT")) == .rowsQuery("INSERT"))
    #expect(try decode(160, bytes("DELETE")) == .rowsQuery("DELETE"))
    #expect(
      try decode(26, [1, 0, 4] + bytes("lost"))
        == .incident(IncidentEvent(number: 1, message: "lost")))
  }

  @Test func xaPrepare() throws {
    let body =
      [1] + littleEndian(UInt32(5)) + littleEndian(UInt32(2)) + littleEndian(UInt32(1))
      + bytes("glb")
    let identifier = XAIdentifier(formatID: 5, global: bytes("gl"), branch: bytes("b"))
    #expect(
      try decode(38, body) == .xaPrepare(XAPrepareEvent(isOnePhase: true, identifier: identifier)))
    let long = [0] + littleEndian(UInt32(5)) + littleEndian(UInt32(65)) + littleEndian(UInt32(0))
    #expect(try decodeErrorCode { _ = try decode(38, long) } == .limitExceeded)
  }

  @Test(arguments: [5, 9, 11, 13, 14, 17] as [UInt8]) func statementContext(_ type: UInt8) throws {
    #expect(try decode(type, [1, 2, 3]) == .statementContext)
  }

  @Test(arguments: [28, 36, 37, 161] as [UInt8]) func meaningless(_ type: UInt8) throws {
    #expect(try decode(type, [1, 2, 3]) == .ignorable)
  }

  @Test func unknownEventsAreSkippedOnlyWhenTheyAllowIt() throws {
    #expect(try decode(250, [1, 2], flags: 0x80) == .ignorable)
    #expect(
      throws: DecodeError(.unsupported, "event of unknown type 250", at: 260, file: "bin.1")
    ) { try decode(250, [1, 2]) }
  }

  @Test(arguments: [1, 6, 7, 8, 10, 12, 20, 21, 22, 164] as [UInt8])
  func unsupported(_ type: UInt8) throws {
    #expect(try decodeErrorCode { _ = try decode(type, [1, 2, 3], flags: 0x80) } == .unsupported)
  }

  @Test func eventLengthMustBeThatOfTheBytes() throws {
    let format = Make.formatDescription()
    let event = Make.event(3, [])
    #expect(
      throws: DecodeError(.malformed, "event length", at: 4 + format.count + 9, file: "bin.1")
    ) { try decodeEvents([format, event + [0]]) }
    #expect(try decodeErrorCode { _ = try decodeEvents([event]) } == .malformed)
    #expect(try decodeErrorCode { _ = try decodeEvents([[]]) } == .truncated)
  }

  @Test func errorsOfTheVisitorPassThrough() {
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      var decoder = BinlogDecoder()
      try decoder.decode(Make.formatDescription().span.bytes, at: 4) { _, _ in throw Stop() }
    }
  }
}

struct UnexpectedBody: Error {
  var body: EventBody
  init(_ body: EventBody) { self.body = body }
}
