import Binlog
import Foundation
import Testing
import WireFormat

/// What is in files that `mariadb-binlog` cannot read, or does not print.
@Suite(.enabled(if: Fixtures.areAvailable)) struct FixtureValueTests {
  @Test func taggedGTID() throws {
    let path = "blackbeam/binlog_transaction_with_GTID_TAG.000001"
    let events = try decodeFile(try Fixtures.bytes(path))
    #expect(events.map(\.header.typeCode) == [15, 35, 42, 2, 19, 30, 16, 4])
    #expect(events.map(\.offset) == [4, 127, 245, 328, 405, 461, 510, 541])
    let uuid = "55778904-0299-11f1-b1b8-4ef0c4956feb"
    #expect(events[1].body == .previousGTIDs(try GTIDSet("\(uuid):1-13:mytag:1-2")))
    var gtid = GTIDEvent(
      gtid: GTID(source: GTIDSource(uuid: try ServerUUID(uuid), tag: "mytag"), number: 3),
      mayHaveStatements: false)
    gtid.lastCommitted = 0
    gtid.sequenceNumber = 1
    gtid.immediateCommitTimestamp = 1_770_368_687_207_196
    gtid.originalCommitTimestamp = 1_770_368_687_207_196
    gtid.transactionLength = 296
    gtid.immediateServerVersion = 90600
    gtid.originalServerVersion = 90600
    #expect(events[2].body == .gtid(gtid))
    #expect(events[6].body == .xid(40))
    #expect(events[7].body == .rotate(BinlogPosition(file: "binlog.000005", offset: 4)))
  }

  @Test func compressedTransaction() throws {
    let visited = try visitFile(try Fixtures.bytes("osheroff/mysql-bin.compressed"))
    let events = visited.map(\.event)
    #expect(events.map(\.header.typeCode) == [15, 35, 34, 40, 2, 19, 31, 16, 4])
    #expect(events.map(\.offset) == [4, 126, 157, 236, 236, 236, 236, 236, 724])
    // A checkpoint after an event inside is one after the payload.
    #expect(events.map(\.end) == [126, 157, 236, 724, 724, 724, 724, 724, 771])
    #expect(
      events[3].body
        == .transactionPayload(
          TransactionPayload(compression: .zstd, uncompressedByteCount: 960, content: 33..<484)))
    guard case .rows(let rows) = events[6].body else { throw UnexpectedBody(events[6].body) }
    #expect(rows.kind == .update)
    #expect(rows.tableMap.database == "demo")
    #expect(rows.tableMap.table == "movies")
    #expect(try countRows(rows, visited[6].bytes) == 1)
    let before = visited[6].bytes[rows.images].prefix(39)
    #expect(
      String(decoding: before.dropFirst(8), as: UTF8.self).hasPrefix("Once Upon a Time in the West")
    )
    #expect(events[7].body == .xid(31))
  }

  @Test func jsonOfOpaqueValues() throws {
    var texts: [String] = []
    for visited in try visitFile(try Fixtures.bytes("blackbeam/json-opaque.binlog")) {
      guard case .rows(let rows) = visited.event.body else { continue }
      #expect(rows.tableMap.columnTypes == [.json(lengthBytes: 4)])
      #expect(rows.tableMap.columnNames == ["a"])
      // A byte of null bits and a length of four bytes precede the only cell.
      let cell = rows.images.dropFirst(5)
      var text: [UInt8] = []
      try appendJSONText(of: visited.bytes.span.bytes.extracting(cell), to: &text)
      texts.append(String(decoding: text, as: UTF8.self))
    }
    #expect(
      texts == [
        #"{"a": "base64:type15:VQ=="}"#, #"{"b": "2012-03-18"}"#,
        #"{"c": "2012-03-18 11:30:45.000000"}"#, #"{"c": "87:31:46.654321"}"#,
        #"{"d": 123.456}"#, #"{"e": 9.00}"#, #"{"e": [0, 1, true, false]}"#, #"{"e": null}"#,
      ])
  }

  @Test func auroraPadding() throws {
    let events = try decodeFile(try Fixtures.bytes("osheroff/mysql-bin.aurora-padding"))
    #expect(events.map(\.header.typeCode) == [15, 35, 34, 100, 2])
    #expect(events[3].body == .ignorable)
    #expect(events[3].header.flags == .ignorable)
  }

  /// Where MySQL's own tool left a dump beside the file; one of the dumps holds nothing.
  static let dumped = Fixtures.binlogs.filter { path in
    let folder = Fixtures.folder.appending(path: path).deletingLastPathComponent()
    let dump = try? Data(contentsOf: folder.appending(path: "dump.txt"))
    return dump.map { $0.count > 1000 } ?? false
  }

  @Test(arguments: dumped) func gtidsEqualMySQLBinlog(_ path: String) throws {
    let url = Fixtures.folder.appending(path: path).deletingLastPathComponent()
    let data = try Data(contentsOf: url.appending(path: "dump.txt"))
    let encoding: String.Encoding = data.prefix(2) == Data([0xFF, 0xFE]) ? .utf16 : .utf8
    let dump = try #require(String(data: data, encoding: encoding))
    let clocks = dump.matches(of: #/GTID\tlast_committed=(\d+)\tsequence_number=(\d+)/#)
    let committed = #/original_committed_timestamp=(\d+)\timmediate_commit_timestamp=(\d+)\t/#
    let times = dump.matches(of: committed)
    let lengths = dump.matches(of: #/\ttransaction_length=(\d+)/#)
    let names = dump.matches(of: #/SESSION\.GTID_NEXT= '([^']+)'/#)
    let gtids = try decodeFile(try Fixtures.bytes(path)).compactMap { event in
      if case .gtid(let gtid) = event.body { gtid } else { nil }
    }
    #expect(gtids.map { "\($0.lastCommitted ?? -1)" } == clocks.map { String($0.1) })
    #expect(gtids.map { "\($0.sequenceNumber ?? -1)" } == clocks.map { String($0.2) })
    #expect(
      gtids.map { $0.gtid?.description ?? "ANONYMOUS" }
        == names.map { String($0.1) }.filter { $0 != "AUTOMATIC" })
    #expect(
      gtids.compactMap { $0.originalCommitTimestamp?.description } == times.map { String($0.1) })
    #expect(
      gtids.compactMap { $0.immediateCommitTimestamp?.description } == times.map { String($0.2) })
    #expect(gtids.compactMap { $0.transactionLength?.description } == lengths.map { String($0.1) })
  }
}
