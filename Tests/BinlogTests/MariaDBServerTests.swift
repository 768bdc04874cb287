import Binlog
import Foundation
import TestSupport
import Testing
import WireFormat

/// What a live MariaDB server writes and no public file has: compression, XA, two-phase ALTER, and
/// the column types and metadata of its own.
@Suite(.enabled(if: MariaDBServer.isAvailable && MariaDBBinlogDump.isInstalled))
struct MariaDBServerTests {
  private static let everyType = """
    CREATE TABLE d.every (
      y YEAR, i INT UNSIGNED, f FLOAT UNSIGNED, d DOUBLE, e ENUM('a','ü') CHARACTER SET utf8mb4,
      s SET('x','y') COLLATE latin1_bin, c CHAR(10), v VARCHAR(300) CHARACTER SET utf8mb4,
      b BINARY(4), vb VARBINARY(10), t TEXT CHARACTER SET gbk, bl BLOB, u UUID, i6 INET6, i4 INET4,
      g GEOMETRY, p POINT, bi BIT(11), dt DATETIME(3), ts TIMESTAMP(6) NULL, ti TIME(2),
      de DECIMAL(30,10), js JSON, inv INT INVISIBLE, vc VARCHAR(500) COMPRESSED,
      tc TEXT COMPRESSED, PRIMARY KEY (i, v(5))
    ) CHARSET latin1
    """

  private static let statements = """
    CREATE DATABASE d;
    \(everyType);
    INSERT INTO d.every (y, i, d, e, s, c, v, u, g, p, vc, tc) VALUES
      (2024, 1, -2, 'ü', 'x,y', 'abc', REPEAT('é', 40), UUID(), POINT(1, 2), POINT(3, 4),
      REPEAT('vc', 100), REPEAT('tc', 200)),
      (NULL, 2, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, '', 'k');
    UPDATE d.every SET f = 1.5, bi = b'101', tc = NULL;
    DELETE FROM d.every WHERE i = 1;
    XA START 'gl', 'br', 5; INSERT INTO d.every (i, v) VALUES (9, 'z'); XA END 'gl', 'br', 5;
    XA PREPARE 'gl', 'br', 5; XA COMMIT 'gl', 'br', 5;
    XA START 'back'; INSERT INTO d.every (i, v) VALUES (10, 'z'); XA END 'back';
    XA PREPARE 'back'; XA ROLLBACK 'back';
    XA START 'once'; INSERT INTO d.every (i, v) VALUES (11, 'z'); XA END 'once';
    XA COMMIT 'once' ONE PHASE;
    SET SESSION binlog_alter_two_phase = 1;
    ALTER TABLE d.every ADD COLUMN z INT, ALGORITHM = COPY;
    FLUSH BINARY LOGS;
    """

  /// The events of a server's first binlog after the statements, and the tool's reading of it.
  private func run(_ options: [String]) async throws -> (events: [Visited], dump: MariaDBBinlogDump)
  {
    let server = try await MariaDBServer.start(options: options)
    do {
      try await server.sql(Self.statements)
      let file = server.folder.appending(path: "data/mysql-bin.000001")
      let events = try visitFile([UInt8](Data(contentsOf: file)), chunkSize: 1000)
      let dump = try #require(try MariaDBBinlogDump(of: file))
      await server.stop()
      return (events, dump)
    } catch {
      await server.stop()
      throw error
    }
  }

  @Test(arguments: [
    ["--binlog-checksum=NONE"], ["--log-bin-compress=1", "--log-bin-compress-min-len=10"],
  ]) func equalsMariaDBBinlog(_ options: [String]) async throws {
    let (events, dump) = try await run(options)
    try compare(events, with: dump, "\(options)")
    let isCompressed = events.contains { $0.event.header.type == .compressedWriteRowsV1 }
    #expect(isCompressed == options.contains("--log-bin-compress=1"))
    try checkColumns(events)
    try checkTransactions(events.map(\.event))
  }

  private func checkColumns(_ events: [Visited]) throws {
    let maps = events.compactMap { visited in
      if case .tableMap(let map) = visited.event.body { map } else { nil }
    }
    let map = try #require(maps.first { $0.table == "every" })
    let names = try #require(map.columnNames)
    #expect(names.count == 26)
    func column<T>(_ name: String, _ values: [T]?) throws -> T {
      try #require(values)[try #require(names.firstIndex(of: name))]
    }
    for (name, isUnsigned) in [("y", true), ("i", true), ("f", true), ("d", false), ("de", false)] {
      #expect(try column(name, map.isUnsigned) == isUnsigned, "\(name)")
    }
    let collations: [(String, UInt64?)] = [
      ("c", 8), ("v", 45), ("b", 63), ("vb", 63), ("t", 28), ("bl", 63), ("u", 63), ("i6", 63),
      ("g", 63), ("js", 46), ("vc", 8), ("tc", 8), ("e", 45), ("s", 47), ("i", nil),
    ]
    for (name, collation) in collations {
      #expect(try column(name, map.collations) == collation, "\(name)")
    }
    let types: [(String, WireColumnType)] = [
      ("u", .string(maximumLength: 16)), ("i4", .string(maximumLength: 4)),
      ("g", .geometry(lengthBytes: 4)), ("js", .blob(lengthBytes: 4)), ("bi", .bit(width: 11)),
      ("vc", .compressedVarchar(maximumLength: 501)), ("tc", .compressedBlob(lengthBytes: 2)),
    ]
    for (name, type) in types { #expect(try column(name, map.columnTypes) == type, "\(name)") }
    #expect(try column("e", map.members) == [bytes("a"), bytes("ü")])
    #expect(try column("s", map.members) == [bytes("x"), bytes("y")])
    #expect(try column("p", map.geometryTypes) == 1)
    #expect(map.primaryKey == [1, 7])
    #expect(map.primaryKeyPrefixes == [0, 5])
    #expect(try column("v", map.nullability) == false)
    try checkCompressedCells(events)
  }

  /// The last two cells of the first inserted row are compressed; they lie before the second row.
  private func checkCompressedCells(_ events: [Visited]) throws {
    let inserted = try #require(
      events.first { if case .rows = $0.event.body { true } else { false } })
    guard case .rows(let rows) = inserted.event.body else { return }
    let image = inserted.bytes[rows.images]
    // A cell begins with its length and with a head that says how it is compressed.
    for (text, lengthBytes, head) in [("vc", 2, 0x89), ("tc", 2, 0x8A)] as [(String, Int, UInt8)] {
      let expected = String(repeating: text, count: text == "vc" ? 100 : 200)
      let values = image.indices.dropFirst(lengthBytes).compactMap { start -> String? in
        guard image[start] == head else { return nil }
        let length = Int(image[start - 2]) | Int(image[start - 1]) << 8
        guard length > 0, start + length <= image.endIndex else { return nil }
        let cell = Array(image[start..<(start + length)])
        return (try? decompressColumnValue(cell.span.bytes)).map {
          String(decoding: $0, as: UTF8.self)
        }
      }
      #expect(values == [expected])
    }
    #expect(try decompressColumnValue([UInt8]().span.bytes) == [])
    #expect(try decompressColumnValue(([0, 0x6B] as [UInt8]).span.bytes) == [0x6B])
    for bad: [UInt8] in [
      [0x89], [0x88, 1], [0x89, 200, 1, 2], [0x90, 1], [0x84, 1, 1, 1, 1, 1],
    ] {
      #expect(throws: DecodeError.self) { try decompressColumnValue(bad.span.bytes) }
    }
  }

  private func checkTransactions(_ events: [Event]) throws {
    let gtids = events.compactMap { event in
      if case .mariadbGTID(let gtid) = event.body { gtid } else { nil }
    }
    #expect(gtids.map(\.gtid.sequence) == Array(1...UInt64(gtids.count)))
    let name = XAIdentifier(formatID: 5, global: bytes("gl"), branch: bytes("br"))
    let other = XAIdentifier(formatID: 1, global: bytes("back"), branch: [])
    #expect(gtids.filter { $0.flags.contains(.preparedXA) }.map(\.xa) == [name, other])
    #expect(gtids.filter { $0.flags.contains(.completedXA) }.map(\.xa) == [name, other])
    let statements = events.compactMap { event in
      if case .query(let query) = event.body { query.xaStatement } else { nil }
    }
    // The GTID event is the start. A transaction of one phase is logged as an ordinary one.
    #expect(
      statements == [
        .end(name), .commit(name, isOnePhase: false), .end(other), .rollback(other),
      ])
    let prepared = events.compactMap { event in
      if case .xaPrepare(let prepare) = event.body { prepare } else { nil }
    }
    #expect(
      prepared == [name, other].map { XAPrepareEvent(isOnePhase: false, identifier: $0) })
    let start = try #require(gtids.first { $0.alterPhase == .start })
    #expect(gtids.last?.alterPhase == .commit(start: start.gtid.sequence))
    #expect(start.flags.contains(.ddl))
    guard case .rotate(let position) = events.last?.body else {
      Issue.record("no rotate event at the end")
      return
    }
    #expect(position == BinlogPosition(file: "mysql-bin.000002", offset: 4))
  }
}
