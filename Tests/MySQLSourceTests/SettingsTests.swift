import Binlog
import MySQLSchema
import MySQLSource
import TestSupport
import Testing

@Suite(.enabled(if: MariaDBServer.isAvailable), .serialized, .timeLimit(.minutes(2)))
struct SettingsTests {
  @Test func goodServer() async throws {
    let server = try await MariaDBServer.start(options: [
      "--server-id=4711", "--gtid-domain-id=3", "--log-bin=shop",
    ])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    try await source.checkSettings()
    let facts = try await source.server()
    #expect(facts.isMariaDB)
    #expect(facts.version.contains("MariaDB"))
    #expect(facts.serverID == 4711)
    #expect(facts.gtidDomainID == 3)
    #expect(facts.lowerCaseTableNames == 0)
    #expect(!facts.hostname.isEmpty)

    try await server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT); INSERT INTO d.t VALUES (1)")
    let position = try await source.position()
    let status = try await server.rows("SHOW MASTER STATUS")
    #expect(position.binlog.file == "shop.000001")
    #expect("\(position.binlog.offset)" == status[0][1])
    #expect(position.gtid == "3-4711-3")
    await source.close()
    await server.stop()
  }

  @Test(arguments: ["STATEMENT", "MIXED"])
  func wrongFormat(value: String) async throws {
    let server = try await MariaDBServer.start(options: ["--binlog-format=\(value)"])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let error = await #expect(throws: SourceError.self) { try await source.checkSettings() }
    #expect(error?.code == .settings)
    #expect(error?.message == "the source's binlog_format is \(value), not ROW")
    let remedy = "SET GLOBAL binlog_format = 'ROW'"
    #expect(error?.advice?.contains(remedy) == true)
    // The remedy is a remedy.
    try await server.sql(remedy)
    #expect(try await source.checkSettings().isEmpty)
    await source.close()
    await server.stop()
  }

  @Test(arguments: [
    ("binlog_row_image", "MINIMAL"), ("binlog_row_image", "NOBLOB"),
    ("binlog_row_metadata", "NO_LOG"), ("binlog_row_metadata", "MINIMAL"),
  ])
  func settingsThatCouldBeBetter(name: String, value: String) async throws {
    let server = try await MariaDBServer.start(options: ["--\(name)=\(value)"])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let warnings = try await source.checkSettings()
    #expect(warnings.map(\.setting) == [name])
    #expect(warnings.map(\.value) == [value])
    #expect(warnings.first?.message.hasPrefix("the source's \(name) is \(value): ") == true)
    let remedy = "SET GLOBAL \(name) = 'FULL'"
    #expect(warnings.first?.advice.contains(remedy) == true)
    try await server.sql(remedy)
    #expect(try await source.checkSettings().isEmpty)
    await source.close()
    await server.stop()
  }

  /// What servers of MySQL say about themselves; the values are theirs by default but for what is tested.
  @Test func versionsOfMySQL() async throws {
    let cases: [(version: String, variables: [String: String], warnings: [String])] = [
      (
        "5.6.51-log",
        [
          "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL",
          "log_slave_updates": "OFF", "expire_logs_days": "10", "gtid_mode": "OFF",
        ], ["binlog_row_metadata"]
      ),
      (
        "8.0.36",
        [
          "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "MINIMAL",
          "binlog_row_metadata": "MINIMAL", "binlog_row_value_options": "PARTIAL_JSON",
          "log_slave_updates": "ON", "log_replica_updates": "ON", "expire_logs_days": "0",
          "binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "ON",
          "gtid_mode": "ON_PERMISSIVE",
        ], ["binlog_row_image", "binlog_row_metadata", "binlog_row_value_options"]
      ),
      (
        "9.4.0",
        [
          "log_bin": "1", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL",
          "binlog_row_value_options": "", "log_replica_updates": "OFF",
          "binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "OFF",
          "gtid_mode": "ON",
        ], []
      ),
    ]
    for (version, variables, expected) in cases {
      let isNew = version.hasPrefix("9")
      let server = try ScriptedMySQL(version: version) { statement in
        switch statement {
        case "SHOW MASTER STATUS" where isNew, "SHOW SLAVE STATUS" where isNew,
          "SHOW REPLICA STATUS" where version.hasPrefix("5"):
          .error(1064, "You have an error in your SQL syntax")
        case "SHOW MASTER STATUS", "SHOW BINARY LOG STATUS":
          .rows(columns: ["File", "Position", "a", "b"], [["binlog.000001", "4", "", ""]])
        case "SHOW REPLICA STATUS", "SHOW SLAVE STATUS": .rows(columns: ["Replica_IO_State"], [])
        case "SHOW GRANTS":
          .rows(columns: ["g"], [["GRANT REPLICATION SLAVE ON *.* TO `magic`@`%`"]])
        case _ where statement.hasPrefix("SHOW GLOBAL VARIABLES"):
          .rows(columns: ["Variable_name", "Value"], variables.map { [$0.key, $0.value] })
        default: .ok
        }
      }
      let source = try await SourceConnection.connect(to: try sourceURL(server.url))
      #expect(try await source.checkSettings().map(\.setting) == expected, "\(version)")
      let facts = try await source.facts()
      #expect(facts.version == version)
      #expect(!facts.isMariaDB)
      #expect(facts.gtidMode == variables["gtid_mode"])
      #expect(facts.isGTIDStrict == nil)
      #expect(facts.logsReplicaUpdates == version.hasPrefix("8"))
      #expect(
        facts.binlogExpireSeconds == ["5": 864_000, "8": 2_592_000][String(version.prefix(1))])
      #expect(facts.binlogFormat == variables["binlog_format"])
      #expect(facts.rowValueOptions == variables["binlog_row_value_options"])
      await source.close()
      server.stop()
    }
  }

  @Test func replicaWithoutBinlogOfItsOwn() async throws {
    let server = try await MariaDBServer.start(options: ["--skip-slave-start"])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    #expect(try await source.checkSettings().isEmpty)
    try await server.sql("CHANGE MASTER 'x' TO master_host='127.0.0.1', master_port=1")
    let error = await #expect(throws: SourceError.self) { try await source.checkSettings() }
    #expect(error?.code == .settings)
    #expect(error?.message.contains("log_slave_updates is OFF") == true)
    try await server.sql("RESET SLAVE 'x' ALL")
    #expect(try await source.checkSettings().isEmpty)
    await source.close()
    await server.stop()
  }

  @Test func facts() async throws {
    let server = try await MariaDBServer.start(options: [
      "--server-id=4711", "--log-slave-updates=ON", "--expire-logs-days=2.5",
      "--binlog-row-image=NOBLOB",
    ])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    var facts = try await source.facts()
    #expect(facts.isMariaDB)
    #expect(facts.version.contains("MariaDB"))
    #expect(facts.serverID == 4711)
    #expect(facts.binlogFormat == "ROW")
    #expect(facts.rowImage == "NOBLOB")
    #expect(facts.rowMetadata == "FULL")
    #expect(facts.rowValueOptions == nil)
    #expect(facts.gtidMode == nil)
    #expect(facts.isGTIDStrict == true)
    #expect(facts.logsReplicaUpdates)
    #expect(facts.binlogExpireSeconds == 216_000)
    #expect(facts.lowerCaseTableNames == 0)
    try await server.sql("SET GLOBAL binlog_expire_logs_seconds = 0")
    facts = try await source.facts()
    #expect(facts.binlogExpireSeconds == nil)
    await source.close()
    await server.stop()
  }

  @Test func bytesOfTheBinlog() async throws {
    let server = try await MariaDBServer.start()
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    try await server.sql("CREATE DATABASE d; CREATE TABLE d.t (a LONGTEXT)")
    let start = try await server.position()
    #expect(try await source.binlogBytes(from: start, to: start) == 0)
    try await server.sql("INSERT INTO d.t VALUES (REPEAT('x', 100000)); FLUSH BINARY LOGS")
    let second = try await server.position()
    #expect(second.file == "mysql-bin.000002")
    try await server.sql("FLUSH BINARY LOGS; INSERT INTO d.t VALUES ('y')")
    let end = try await server.position()
    let sizes = try await server.rows("SHOW BINARY LOGS").map { UInt64($0[1]) ?? 0 }
    #expect(sizes.count == 3)
    #expect(
      try await source.binlogBytes(from: start, to: end)
        == sizes[0] - start.offset + sizes[1] + end.offset)
    // The server may have added an event of its own meanwhile.
    let open = try await source.binlogBytes(from: start)
    #expect((0..<1000).contains(Int(open) - Int(sizes[0] - start.offset + sizes[1] + end.offset)))
    #expect(
      try await source.binlogBytes(from: start, to: second)
        == sizes[0] - start.offset + second.offset)
    #expect(
      try await source.binlogBytes(
        from: second, to: BinlogPosition(file: second.file, offset: second.offset + 7)) == 7)
    #expect(try await source.binlogBytes(from: end, to: start) == 0)
    repeat {
      try await server.sql("PURGE BINARY LOGS TO 'mysql-bin.000002'")
    } while try await server.rows("SHOW BINARY LOGS").count > 2
    for gone in [
      start, BinlogPosition(file: end.file, offset: end.offset + 10_000),
    ] {
      let error = await #expect(throws: SourceError.self) {
        try await source.binlogBytes(from: gone)
      }
      #expect(error?.code == .purged)
    }
    await source.close()
    await server.stop()
  }

  @Test func noBinlog() async throws {
    let server = try await MariaDBServer.start(options: ["--skip-log-bin"])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let error = await #expect(throws: SourceError.self) { try await source.checkSettings() }
    #expect(error?.code == .settings)
    #expect(error?.message == "the source's log_bin is OFF, not ON")
    let position = await #expect(throws: SourceError.self) { try await source.position() }
    #expect(position?.code == .settings)
    await source.close()
    await server.stop()
  }

  @Test func databasesLeftOutOfTheBinlog() async throws {
    let server = try await MariaDBServer.start(options: [
      "--binlog-ignore-db=mysql", "--binlog-ignore-db=shop",
    ])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let error = await #expect(throws: SourceError.self) { try await source.checkSettings() }
    #expect(error?.code == .settings)
    #expect(error?.message.contains("binlog_ignore_db") == true)
    await source.close()
    await server.stop()
  }

  @Test func missingPrivileges() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE USER blind@'%' IDENTIFIED BY 'b'; GRANT SELECT ON *.* TO blind@'%';
      CREATE USER half@'%' IDENTIFIED BY 'h'; GRANT SELECT, BINLOG MONITOR ON *.* TO half@'%';
      CREATE USER full@'%' IDENTIFIED BY 'f';
      GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO full@'%';
      """)
    for (user, isGood) in [("blind", false), ("half", false), ("full", true)] {
      let url = try sourceURL(server.url(user: user, password: String(user.prefix(1))))
      let source = try await SourceConnection.connect(to: url)
      do {
        try await source.checkSettings()
        #expect(isGood, "\(user)")
      } catch {
        #expect(!isGood, "\(user): \(error)")
        #expect(error.code == .permission)
        #expect(error.advice?.contains("GRANT") == true)
      }
      await source.close()
    }
    await server.stop()
  }
}
