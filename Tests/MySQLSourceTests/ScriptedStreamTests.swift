import Binlog
import Foundation
import MySQLSchema
import Testing

@testable import MySQLSource

/// What MySQL servers are asked for, byte for byte, and what is made of their answers.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ScriptedStreamTests {
  private static let folder = URL(filePath: #filePath).appending(
    path: "../../../../shared/fixtures/binlog"
  ).standardizedFileURL
  private static let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
  private static let options = BinlogStreamOptions(
    serverID: 0x0102_0304, heartbeatMilliseconds: 1500,
    uuid: "00000000-0000-0000-0000-00000000000a")

  private func sourceSet(_ text: String) throws -> BinlogStart { .mysqlGTIDs(try GTIDSet(text)) }

  @Test func commands() throws {
    func payload(_ start: BinlogStart) throws -> (UInt32, [UInt8]) {
      let command = try start.command(serverID: 0x0102_0304)
      return (command.code, command.payload)
    }
    let position = BinlogPosition(file: "b.000007", offset: 0x0A0B0C)
    let (code, bytes) = try payload(.position(position))
    #expect(code == 0x12)
    #expect(bytes == [0x0C, 0x0B, 0x0A, 0, 0, 0, 4, 3, 2, 1] + Array("b.000007".utf8))
    #expect(try payload(.mariadbGTID("0-1-2")).1 == [4, 0, 0, 0, 0, 0, 4, 3, 2, 1])

    let head: [UInt8] = [0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]
    let (codeOfSet, empty) = try payload(sourceSet(""))
    #expect(codeOfSet == 0x1E)
    #expect(empty == head + [8, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
    let id: [UInt8] = [
      0x3E, 0x11, 0xFA, 0x47, 0x71, 0xCA, 0x11, 0xE1, 0x9E, 0x33, 0xC8, 0x0A, 0xA9, 0x42, 0x95,
      0x62,
    ]
    func number(_ value: UInt8) -> [UInt8] { [value] + [UInt8](repeating: 0, count: 7) }
    #expect(
      try payload(sourceSet("\(Self.uuid):1-5:7")).1
        == head + [64, 0, 0, 0] + number(1) + id + number(2) + number(1) + number(6) + number(7)
        + number(8))
    // The form with tags, of MySQL 8.3.
    #expect(
      try payload(sourceSet("\(Self.uuid):1-5:ab:2")).1
        == head + [92, 0, 0, 0] + [1, 2, 0, 0, 0, 0, 0, 1]
        + id + [0] + number(1) + number(1) + number(6)
        + id + [4] + Array("ab".utf8) + number(1) + number(2) + number(3))
  }

  @Test func statementsOfTheSession() async throws {
    let server = try ScriptedMySQL()
    let stream = try await BinlogStream.open(
      try sourceURL(server.url), from: try sourceSet("\(Self.uuid):1-5"), options: Self.options)
    while server.commands.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    #expect(
      server.statements == [
        "SET NAMES utf8mb4",
        "SET SESSION autocommit = 1, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', "
          + "sql_quote_show_create = 1, net_write_timeout = 86400, net_read_timeout = 86400, "
          + "wait_timeout = 604800",
        "SET SESSION max_execution_time = 0", "SET SESSION TRANSACTION READ ONLY",
        "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, "
          + "@master_heartbeat_period = 1500000000",
        "SET @source_binlog_checksum = @@GLOBAL.binlog_checksum, "
          + "@source_heartbeat_period = 1500000000",
        "SET @slave_uuid = '00000000-0000-0000-0000-00000000000a', "
          + "@replica_uuid = '00000000-0000-0000-0000-00000000000a'",
      ])
    let command = try sourceSet("\(Self.uuid):1-5").command(serverID: 0x0102_0304)
    #expect(server.commands == [.init(code: 0x1E, payload: command.payload)])
    stream.close()
    server.stop()
  }

  @Test func statementsForMariaDB() throws {
    let start = BinlogStart.mariadbGTID("1-2-7, 0-1-42")
    #expect(
      try start.announcement(isMariaDB: true, Self.options).suffix(2) == [
        "SET @mariadb_slave_capability = 4",
        "SET @slave_connect_state = '0-1-42,1-2-7', @slave_gtid_strict_mode = 1, "
          + "@slave_gtid_ignore_duplicates = 0",
      ])
    for (start, isMariaDB) in [
      (start, false), (.mariadbGTID("'; DROP"), true), (try sourceSet("\(Self.uuid):1"), true),
    ] {
      let error = #expect(throws: SourceError.self) {
        try start.announcement(isMariaDB: isMariaDB, Self.options)
      }
      #expect(error?.code == .configuration)
    }
  }

  /// The events of real servers' files, as a server sends them.
  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: folder.path), "the fixtures are absent"),
    arguments: [
      ("blackbeam/binlog_transaction_with_GTID_TAG.000001", "mysql_native_password"),
      ("osheroff/mysql-bin.checksum-crc32", "caching_sha2_password"),
      ("osheroff/mysql-bin.compressed", "caching_sha2_password"),
    ])
  func eventsOfFiles(path: String, plugin: String) async throws {
    let file = [UInt8](try Data(contentsOf: Self.folder.appending(path: path)))
    var events = [artificialRotation(to: "mysql-bin.000001", offset: 4)]
    var framer = EventFramer()
    try framer.push(file.span.bytes) { event, _ in
      events.append(event.withUnsafeBytes { [UInt8]($0) })
    }
    let server = try ScriptedMySQL(
      plugin: plugin, dump: .init(events: events, error: (1236, "the end")))
    let stream = try await BinlogStream.open(
      try sourceURL(server.url), from: try sourceSet(""), options: Self.options)
    var received: [[UInt8]] = []
    let error = await #expect(throws: SourceError.self) {
      while true { received += try await stream.next() }
    }
    #expect(error?.serverMessage == "the end")
    #expect(received == events)
    var decoder = BinlogDecoder(file: "mysql-bin.000001")
    var end: BinlogPosition?
    for event in received {
      try decoder.decode(event.span.bytes, at: 0) { event, _ in
        // The last event of a file names the next one.
        if case .rotate(let next) = event.body, event.header.flags.contains(.artificial) {
          end = next
        }
        if event.header.nextPosition > 0 { end?.offset = UInt64(event.header.nextPosition) }
      }
    }
    #expect(end == BinlogPosition(file: "mysql-bin.000001", offset: UInt64(file.count)))
    server.stop()
  }

  @Test(arguments: [
    (
      1236, "Cannot replicate because the source purged required binary logs. Replicate the …",
      SourceError.Code.purged
    ),
    (
      1236,
      "The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master "
        + "has purged binary logs containing GTIDs that the slave requires.", .purged
    ),
    (
      1236, "Slave has more GTIDs than the master has, using the master's SERVER_UUID. This may …",
      .diverged
    ),
    (
      1236, "Replica has more GTIDs than the source has, using the source's SERVER_UUID. This …",
      .diverged
    ),
    (
      1236,
      "The replication sender thread cannot start in AUTO_POSITION mode: this server has "
        + "GTID_MODE = OFF instead of ON.", .settings
    ),
    (
      1236, "A replica with the same server_uuid/server_id as this replica has connected to the …",
      .configuration
    ),
    (4052, "A slave with the same server_uuid/server_id is already connected", .configuration),
    (1227, "Access denied; you need REPLICATION SLAVE", .permission),
    (1053, "Server shutdown in progress", .lostConnection),
  ])
  func refusals(number: Int, message: String, code: SourceError.Code) async throws {
    let server = try ScriptedMySQL(dump: .init(events: [], error: (number, message)))
    let stream = try await BinlogStream.open(
      try sourceURL(server.url), from: try sourceSet("\(Self.uuid):1-5"), options: Self.options)
    let error = await #expect(throws: SourceError.self) { try await stream.next() }
    #expect(error?.code == code)
    #expect(error?.serverMessage == message)
    server.stop()
  }

  @Test func statementsAreAnswered() async throws {
    let server = try ScriptedMySQL { statement in
      switch statement {
      case "SHOW MASTER STATUS": .error(1064, "You have an error in your SQL syntax")
      case "SHOW BINARY LOG STATUS":
        .rows(
          columns: ["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"],
          [["binlog.000002", "158", "", "", "\(Self.uuid):1-5,\n\(Self.uuid):x:1"]])
      default: .ok
      }
    }
    let source = try await SourceConnection.connect(to: try sourceURL(server.url))
    #expect(await source.serverVersion == "8.4.3")
    #expect(await source.isMariaDB == false)
    #expect(
      try await source.position()
        == SourcePosition(
          binlog: BinlogPosition(file: "binlog.000002", offset: 158),
          gtid: "\(Self.uuid):1-5,\(Self.uuid):x:1"))
    await source.close()
    server.stop()
  }

  /// MySQL does not tell the place of a view: one with GTIDs, and one that locks the table for a moment.
  @Test(arguments: ["\(uuid):1-5", ""])
  func rangesOfMySQL(gtid: String) async throws {
    let create =
      "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `a` varchar(9) DEFAULT NULL,\n"
      + "  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    let server = try ScriptedMySQL(version: "8.0.36") { statement in
      switch statement {
      case "SHOW MASTER STATUS":
        .rows(
          columns: ["File", "Position", "Do", "Ignore", "Executed_Gtid_Set"],
          [["binlog.000002", "158", "", "", gtid]])
      case "SHOW CREATE TABLE `d`.`t`": .rows(columns: ["Table", "Create Table"], [["t", create]])
      case "SHOW INDEX FROM `d`.`t`":
        .rows(
          columns: (0..<15).map { "c\($0)" },
          [
            [
              "t", "0", "PRIMARY", "1", "id", "A", "2", nil, nil, "", "BTREE", "", "", "YES", nil,
            ]
          ])
      case _ where statement.contains("FORCE INDEX"):
        .rows(columns: ["id", "a"], [["7", "x"], ["8", nil]])
      default: .ok
      }
    }
    let id = Column(name: "id", type: .integer(.int, isUnsigned: false), isNullable: false)
    let text = Column(name: "a", type: .string(charset: "utf8mb4"), isNullable: true)
    let table = TableSchema(
      name: TableName(database: "d", table: "t"), columns: [id, text], primaryKey: [0])
    let reader = try await TableReader.connect(to: try sourceURL(server.url))
    let rows = try await reader.rows(
      of: table, in: SourceKeyRange(after: ["6"], through: ["9"]), version: 1)
    #expect(try await allRows(rows) == [["7", "x"], ["8", "NULL"]])
    #expect(rows.byteCount == 3)
    let place = BinlogPosition(file: "binlog.000002", offset: 158)
    #expect(
      rows.readPosition
        == ReadPosition(
          from: SourcePosition(binlog: place, gtid: gtid),
          through: SourcePosition(binlog: place, gtid: nil)))
    let locking = [
      "LOCK TABLES `d`.`t` READ", "SHOW MASTER STATUS",
    ]
    let before = [
      "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
      "SET SESSION lock_wait_timeout = 30", "SHOW MASTER STATUS",
    ]
    let after = [
      "START TRANSACTION WITH CONSISTENT SNAPSHOT", "SHOW MASTER STATUS",
      "SELECT 1 FROM `d`.`t` LIMIT 0", "SHOW CREATE TABLE `d`.`t`", "SHOW INDEX FROM `d`.`t`",
      "SET SESSION character_set_results = NULL",
      "SELECT /*!40001 SQL_NO_CACHE */ `id`, `a` FROM `d`.`t` FORCE INDEX (`PRIMARY`) "
        + "WHERE (`id` > 6) AND (`id` <= 9)",
      "ROLLBACK", "SET SESSION character_set_results = utf8mb4",
    ]
    #expect(
      Array(server.statements.dropFirst(4)) == before + (gtid.isEmpty ? locking : []) + after)
    await reader.close()
    server.stop()
  }

  private func artificialRotation(to file: String, offset: UInt8) -> [UInt8] {
    let length = UInt8(19 + 8 + file.utf8.count)
    return [0, 0, 0, 0, 4, 1, 0, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]
      + [offset, 0, 0, 0, 0, 0, 0, 0] + Array(file.utf8)
  }
}
