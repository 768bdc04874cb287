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

  @Test(arguments: [
    ("binlog_format", "STATEMENT", "SET GLOBAL binlog_format = 'ROW'"),
    ("binlog_row_image", "MINIMAL", "SET GLOBAL binlog_row_image = 'FULL'"),
    ("binlog_row_metadata", "NO_LOG", "SET GLOBAL binlog_row_metadata = 'FULL'"),
  ])
  func wrongSetting(name: String, value: String, remedy: String) async throws {
    let server = try await MariaDBServer.start(options: ["--\(name)=\(value)"])
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let error = await #expect(throws: SourceError.self) { try await source.checkSettings() }
    #expect(error?.code == .settings)
    #expect(
      error?.message == "the source's \(name) is \(value), not \(remedy.split(separator: "'")[1])")
    #expect(error?.advice?.contains(remedy) == true)
    // The remedy is a remedy.
    try await server.sql(remedy)
    try await source.checkSettings()
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
