import Binlog
import MySQLSchema
import MySQLSource
import RowEncoding
import TestSupport
import Testing

/// Streams that begin at GTIDs of MariaDB servers.
@Suite(.enabled(if: MariaDBServer.isAvailable), .serialized, .timeLimit(.minutes(1)))
struct BinlogGTIDTests {
  private static let table = TableName(database: "d", table: "t")

  private func startWithTable(_ options: [String] = []) async throws -> MariaDBServer {
    let server = try await MariaDBServer.start(options: options)
    try await server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)")
    return server
  }

  /// The first values that the stream inserts, and the place behind the last transaction's end.
  private func read(_ server: MariaDBServer, _ gtid: String, count: Int) async throws
    -> (ids: [String], end: BinlogPosition, gtids: [String])
  {
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID(gtid))
    defer { stream.close() }
    let schema = try await server.schema(of: Self.table)
    var decoder = BinlogDecoder(file: "")
    let encoder = try TableEncoder(schema: schema)
    var version: UInt64 = 1
    var ids: [String] = []
    var end = BinlogPosition(file: "", offset: 0)
    var gtids: [String] = []
    var isFirst = true
    while true {
      for event in try await stream.next() {
        var isDone = false
        try decoder.decode(event.span.bytes, at: 0) { event, bytes in
          if isFirst {
            guard case .rotate = event.body else { throw SourceError(.protocol, "no ROTATE") }
          }
          isFirst = false
          switch event.body {
          case .rotate(let next): end = next
          case .mariadbGTID(let begin): gtids.append("\(begin.gtid)")
          case .rows(let change):
            try encoder.append(change, in: bytes, nextVersion: &version)
            ids += try encoder.finish().rendered.map { $0[0] }
          case .xid: isDone = ids.count >= count
          default: break
          }
          if event.header.nextPosition > 0 { end.offset = UInt64(event.header.nextPosition) }
        }
        if isDone { return (ids, end, gtids) }
      }
    }
  }

  private func error(_ server: MariaDBServer, _ gtid: String, isStrict: Bool = true) async throws
    -> SourceError?
  {
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID(gtid),
      options: BinlogStreamOptions(isGTIDStrict: isStrict))
    defer { stream.close() }
    return await #expect(throws: SourceError.self) {
      while true { _ = try await stream.next() }
    }
  }

  @Test func startsInTheMiddle() async throws {
    let server = try await startWithTable()
    for id in 1...6 {
      try await server.sql("INSERT INTO d.t VALUES (\(id))")
      if id % 2 == 0 { try await server.sql("FLUSH BINARY LOGS") }
    }
    // Two statements made the table, so that 0-1-3 inserted 1.
    let middle = try await read(server, "0-1-5", count: 3)
    #expect(middle.ids == ["4", "5", "6"])
    #expect(middle.gtids == ["0-1-6", "0-1-7", "0-1-8"])
    let sizes = Dictionary(
      try await server.rows("SHOW BINARY LOGS").map { ($0[0], $0[1]) }, uniquingKeysWith: { $1 })
    #expect(middle.end.file == "mysql-bin.000003")
    // What follows is the rotation to the next file.
    #expect(middle.end.offset < UInt64(sizes["mysql-bin.000003"] ?? "") ?? 0)
    let (ids, _, gtids) = try await read(server, "", count: 6)
    #expect(ids == (1...6).map(String.init))
    #expect(gtids.first == "0-1-1")

    // From the place that was learned the stream goes on.
    try await server.sql("INSERT INTO d.t VALUES (7)")
    let stream = try await BinlogStream.open(try sourceURL(server.url()), from: middle.end)
    let schema = try await server.schema(of: Self.table)
    let rows = try await insertedRows(stream, from: middle.end, schema) { !$0.isEmpty }
    #expect(rows == [["7"]])
    stream.close()
    await server.stop()
  }

  @Test func severalDomains() async throws {
    let server = try await startWithTable()
    try await server.sql(
      """
      INSERT INTO d.t VALUES (1);
      SET gtid_domain_id = 5; INSERT INTO d.t VALUES (2); INSERT INTO d.t VALUES (3);
      SET gtid_domain_id = 0; INSERT INTO d.t VALUES (4);
      SET gtid_domain_id = 5; INSERT INTO d.t VALUES (5);
      FLUSH BINARY LOGS;
      SET gtid_domain_id = 0; INSERT INTO d.t VALUES (6);
      """)
    #expect(try await read(server, "0-1-4,5-1-1", count: 3).ids == ["3", "5", "6"])
    #expect(try await read(server, "0-1-3,5-1-3", count: 2).ids == ["4", "6"])
    // A domain that is not named is read from its beginning.
    #expect(try await read(server, "0-1-4", count: 4).ids == ["2", "3", "5", "6"])
    // One that the server has not heard of yet is looked at when its first transaction comes.
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID("0-1-5,5-1-3,9-1-2"))
    while stream.queuedByteCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
    try await server.sql("SET gtid_domain_id = 9; INSERT INTO d.t VALUES (10)")
    let early = await #expect(throws: SourceError.self) {
      while true { _ = try await stream.next() }
    }
    #expect(early?.code == .behind)
    stream.close()
    try await server.sql(
      "SET gtid_domain_id = 9; INSERT INTO d.t VALUES (11); INSERT INTO d.t VALUES (12)")
    #expect(try await read(server, "0-1-5,5-1-3,9-1-2", count: 1).ids == ["12"])
    await server.stop()
  }

  @Test func whatTheServerDoesNotHave() async throws {
    let server = try await startWithTable()
    for id in 1...4 { try await server.sql("INSERT INTO d.t VALUES (\(id)); FLUSH BINARY LOGS") }
    // Nothing behind it yet, which is the normal end and not an error.
    let last = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID("0-1-6"))
    try await server.sql("INSERT INTO d.t VALUES (5)")
    let schema = try await server.schema(of: Self.table)
    #expect(
      try await insertedRows(
        last, from: BinlogPosition(file: "", offset: 0), schema, until: { !$0.isEmpty })
        == [["5"]])
    last.close()

    let ahead = try await error(server, "0-1-99")
    #expect(ahead?.code == .behind, "\(String(describing: ahead))")
    #expect(ahead?.message.contains("GTID 0-1-99") == true)
    // Of another server that has gone on from there.
    let other = try await error(server, "0-7-5")
    #expect(other?.code == .diverged, "\(String(describing: other))")

    repeat {
      try await server.sql("PURGE BINARY LOGS TO 'mysql-bin.000004'")
    } while try await server.rows("SHOW BINARY LOGS").count > 2
    for gtid in ["0-1-2", ""] {
      let purged = try await error(server, gtid)
      #expect(purged?.code == .purged, "\(String(describing: purged))")
      #expect(purged?.number == 1236)
    }
    // The first file that is left knows what came before.
    #expect(try await read(server, "0-1-5", count: 2).ids == ["4", "5"])
    await server.stop()
  }

  @Test func holes() async throws {
    let server = try await startWithTable(["--gtid-strict-mode=OFF"])
    try await server.sql(
      """
      INSERT INTO d.t VALUES (1);
      SET gtid_seq_no = 10; INSERT INTO d.t VALUES (2);
      """)
    let hole = try await error(server, "0-1-7")
    #expect(hole?.code == .diverged, "\(String(describing: hole))")
    let stream = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID("0-1-7"),
      options: BinlogStreamOptions(isGTIDStrict: false))
    let schema = try await server.schema(of: Self.table)
    #expect(
      try await insertedRows(
        stream, from: BinlogPosition(file: "", offset: 0), schema, until: { !$0.isEmpty })
        == [["2"]])
    stream.close()
    await server.stop()
  }

  /// A copy of the primary goes on with its replica, and back, by the same GTIDs.
  @Test func replica() async throws {
    let primary = try await startWithTable()
    let replica = try await MariaDBServer.start(options: [
      "--server-id=2", "--log-slave-updates=ON", "--log-bin=other",
    ])
    try await primary.sql("INSERT INTO d.t VALUES (1); INSERT INTO d.t VALUES (2)")
    try await replica.sql(
      """
      CHANGE MASTER TO master_host='127.0.0.1', master_port=\(primary.port),
        master_user='\(MariaDBServer.user)', master_password='\(MariaDBServer.password)',
        master_use_gtid=slave_pos;
      START SLAVE;
      """)
    try await replica.sql("SELECT MASTER_GTID_WAIT('0-1-4', 30)")
    try await replica.sql("STOP SLAVE")
    try await primary.sql("INSERT INTO d.t VALUES (3); INSERT INTO d.t VALUES (4)")
    let first = try await read(primary, "0-1-3", count: 3)
    #expect(first.ids == ["2", "3", "4"])
    // The replica has not got so far.
    let behind = try await error(replica, "0-1-6")
    #expect(behind?.code == .behind)
    try await replica.sql("START SLAVE; SELECT MASTER_GTID_WAIT('0-1-6', 30); STOP SLAVE")
    try await replica.sql("RESET SLAVE ALL; INSERT INTO d.t VALUES (5)")
    let second = try await read(replica, "0-1-4", count: 3)
    #expect(second.ids == ["3", "4", "5"])
    #expect(second.gtids == ["0-1-5", "0-1-6", "0-2-7"])
    #expect(second.end.file == "other.000001")
    // The old primary has no part in that.
    let back = try await error(primary, "0-2-7")
    #expect(back?.code == .behind)
    try await primary.sql("INSERT INTO d.t VALUES (6); INSERT INTO d.t VALUES (7)")
    let apart = try await error(primary, "0-2-7")
    #expect(apart?.code == .diverged, "\(String(describing: apart))")
    await replica.stop()
    await primary.stop()
  }

  @Test func twoReplicasWithOneServerID() async throws {
    let server = try await startWithTable()
    let options = BinlogStreamOptions(serverID: 77, heartbeatMilliseconds: 200)
    let first = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID("0-1-2"), options: options)
    _ = try await first.next()
    let second = try await BinlogStream.open(
      try sourceURL(server.url()), from: .mariadbGTID("0-1-2"), options: options)
    _ = try await second.next()
    // MariaDB ends the earlier of the two.
    let error = await #expect(throws: SourceError.self) {
      while true { _ = try await first.next() }
    }
    #expect(error?.code == .configuration, "\(String(describing: error))")
    second.close()
    await server.stop()
  }
}
