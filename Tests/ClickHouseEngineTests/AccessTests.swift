import Foundation
import Logging
import Synchronization
import MagicAPI
import MagicCore
import Testing

@testable import ClickHouseEngine

/// What people of each role try to do through the service, in a real engine.
extension EngineTests {
  /// In the hidden tables; nobody who may not see them ever gets it.
  private static let secret = "S3CRET"

  private struct People {
    let database: StatementPath
    let api: MagicAPI

    func service(_ role: Caller.Role, _ databases: [String]? = nil) -> any MagicService {
      api.service(for: Caller(user: "mallory", role: role, databases: databases, interface: "test"))
    }

    var reader: any MagicService { service(.reader) }
    var writer: any MagicService { service(.writer) }
    /// They see `shop` and what begins with `sales_`.
    var guest: any MagicService { service(.reader, ["shop", "sales_*"]) }
    var guestWriter: any MagicService { service(.writer, ["shop", "sales_*"]) }

    func text(
      _ service: any MagicService, _ sql: String,
      _ change: (inout StatementRequest) -> Void = { _ in }
    ) async throws -> String {
      var request = StatementRequest(sql)
      request.database = "shop"
      change(&request)
      let result = try await service.run(request, format: "TSV", input: nil)
      var bytes: [UInt8] = []
      while let chunk = try await result.next() { bytes += chunk }
      return String(decoding: bytes, as: UTF8.self)
    }

    /// Checks that statements are refused, and tell nothing.
    func expectRefused(
      _ service: any MagicService, _ statements: [String], kind: APIError.Kind? = .forbidden,
      _ change: (inout StatementRequest) -> Void = { _ in },
      location: SourceLocation = #_sourceLocation
    ) async {
      for statement in statements {
        do {
          let answer = try await text(service, statement, change)
          Issue.record("\(statement) was answered: \(answer.prefix(200))", sourceLocation: location)
        } catch let error as APIError {
          #expect(!error.message.contains(EngineTests.secret), sourceLocation: location)
          if let kind {
            #expect(
              error.kind == kind, "\(statement): \(error.message.prefix(300))",
              sourceLocation: location)
          }
        } catch {
          Issue.record("\(statement) threw \(error)", sourceLocation: location)
        }
      }
    }
  }

  private func withPeople(_ body: (People) async throws -> Void) async throws {
    try await withTables { _, path, engine in
      for statement in [
        "CREATE DATABASE shop", "CREATE DATABASE sales_north", "CREATE DATABASE secret",
        "CREATE DATABASE `2024_secret`",
        "CREATE TABLE shop.t (a Int32, s String) ENGINE = MutableMergeTree ORDER BY a",
        "INSERT INTO shop.t VALUES (1, 'seen')",
        "CREATE TABLE sales_north.t (a Int32) ENGINE = MergeTree ORDER BY a",
        "CREATE TABLE secret.t (a Int32, s String) ENGINE = MutableMergeTree ORDER BY a",
        "INSERT INTO secret.t VALUES (42, '\(Self.secret)')",
        "CREATE TABLE secret.numbers (a Int32) ENGINE = MergeTree ORDER BY a",
        "INSERT INTO secret.numbers VALUES (42)",
        "CREATE TABLE secret.j (a Int32, s String) ENGINE = Join(ANY, LEFT, a)",
        "INSERT INTO secret.j VALUES (42, '\(Self.secret)')",
        "CREATE TABLE `2024_secret`.t (s String) ENGINE = Memory",
        "INSERT INTO `2024_secret`.t VALUES ('\(Self.secret)')",
        "CREATE VIEW shop.allowed AS SELECT a FROM secret.t",
      ] {
        _ = try await path.text(statement)
      }
      let api = MagicAPI(
        database: path, limits: .init(), disk: DiskReserve(path: engine.dataFolder, byteCount: 0),
        keepsQueryLog: false, logger: Logger(label: "test"))
      try await body(People(database: path, api: api))
      #expect(try await path.text("SELECT * FROM shop.t") == "1\tseen\n")
      #expect(try await path.text("SELECT * FROM secret.t") == "42\t\(Self.secret)\n")
      #expect(try await path.text("SELECT * FROM secret.numbers") == "42\n")
      #expect(
        try await path.text("SHOW DATABASES")
          == """
          2024_secret\nINFORMATION_SCHEMA\n_magic\ndefault\ninformation_schema\nsales_north\nsecret
          shop\nsystem\n
          """)
    }
  }

  private static let doors = [
    "SELECT * FROM file('/etc/hostname', 'LineAsString')", "SELECT file('/etc/hostname')",
    "SELECT `file` ('/etc/hostname')", "SELECT arrayMap(file, ['/etc/hostname'])",
    "SELECT * APPLY(file) FROM (SELECT '/etc/hostname')",
    "SELECT * APPLY file FROM (SELECT '/etc/hostname')",
    "SELECT COLUMNS('a') APPLY (x -> file(x)) FROM (SELECT '/etc/hostname' AS a)",
    "SELECT 1 // '\n, file('/etc/hostname') // '", "WITH file('/etc/hostname') AS x SELECT x",
    "SELECT (SELECT count() FROM file('/etc/hostname', 'LineAsString'))",
    "SELECT 1 IN (SELECT * FROM file('/etc/hostname', 'LineAsString'))",
    "SELECT * FROM view(SELECT * FROM file('/etc/hostname', 'LineAsString'))",
    "DESCRIBE file('/etc/hostname')", "DESCRIBE TABLE file('/etc/hostname', 'LineAsString')",
    "EXPLAIN SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/b/x', 'CSV')",
    "SELECT * FROM executable('ls', 'TSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)", "SELECT * FROM sqlite('/tmp/x', 't')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')", "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM icebergLocal('/tmp')", "SELECT * FROM deltaLakeLocal('/tmp')",
    "SELECT * FROM python('x')", "SELECT * FROM input('a Int8')",
    "SELECT * FROM loop(shop.t) LIMIT 1",
    "SELECT * FROM merge('shop', '.*')", "SELECT * FROM cluster('default', shop.t)",
    "SELECT * FROM mergeTreeIndex('shop', 't')", "SELECT * FROM dictionary('x')",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
    "SELECT * FROM redis('x', 'a', 'a String')",
    "SELECT getServerSetting('path')", "SELECT getMacro('x')", "SELECT aiGenerate('x')",
    "SELECT 1 INTO OUTFILE '/tmp/magic-outfile'", "SHOW TABLES INTO OUTFILE '/tmp/magic-outfile'",
    "SELECT * FROM system.processes", "SELECT * FROM system . `processes`", "SHOW PROCESSLIST",
    "SELECT count() IN system.users", "SELECT * FROM system.server_settings",
    "SELECT * FROM system.user_query_log", "SELECT * FROM system.query_cache",
    "SELECT * FROM _magic.u1_s1_1", "SELECT * FROM `_magic`.`u1_s1_1`", "SHOW TABLES FROM _magic",
    "SELECT * FROM magic.query_log", "USE _magic", "SHOW GRANTS", "SHOW ACCESS",
    "SELECT 1 SETTINGS readonly = 0", "SELECT 1 SETTINGS allow_introspection_functions = 1",
    "SELECT 1 SETTINGS dialect = 'prql'", "SELECT 1 SETTINGS hdfs_replication = 1",
    "SELECT * FROM shop.t SETTINGS additional_table_filters = {'shop.t': '1 IN secret.numbers'}",
    "SET dialect = 'kusto'", "SET compatibility = '20.1'", "SET readonly = 0", "SET ROLE x",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS join_use_nulls, max_memory_usage = 0",
    "SET join_use_nulls, additional_result_filter = 'toUInt8(file(\\'/etc/hostname\\'))=1'",
    "SET max_threads = 1, join_use_nulls, additional_result_filter = '1'",
    "SELECT 1 SETTINGS join_use_nulls, format_schema = '/etc/passwd'",
    "WITH 1 AS from SELECT from SETTINGS max_memory_usage = 0",
    "SELECT join FROM (SELECT 1 AS join) ORDER BY join SETTINGS allow_introspection_functions",
    "SELECT * FROM format('Values', 'a String', '((SELECT s FROM secret.t))')",
    "SELECT * FROM format(Values, 'a String', '(file(\\'/etc/hostname\\'))')",
    "SELECT a FROM values('x Int8, a String ALIAS file(\\'/etc/hostname\\')', 1)",
    "SELECT a FROM generateRandom('x Int8, a String ALIAS file(\\'/etc/hostname\\')') LIMIT 1",
    "INSERT INTO shop.t SETTINGS input_format_values_interpret_expressions = 1 FORMAT Values",
    "SET input_format_values_deduce_templates_of_expressions = 1",
    "SELECT hostName()", "SELECT fqdn()", "SELECT fullHostName()", "SELECT displayName()",
    "SELECT uptime()", "SELECT serverUUID()", "SELECT tcpPort()", "SELECT buildId()",
    "SELECT filesystemAvailable()", "SELECT getServerPort('tcp_port')",
    "SELECT * FROM system.disks", "SELECT * FROM system.clusters", "SELECT * FROM system.macros",
    "SELECT 1 SETTINGS format_schema = '/etc/passwd'",
    "SELECT 1 SETTINGS output_format_schema = '/tmp/magic-outfile'",
  ]

  private static let administration = [
    "SYSTEM SHUTDOWN", "SYSTEM KILL", "SYSTEM STOP MERGES", "SYSTEM FLUSH LOGS",
    "KILL QUERY WHERE 1", "KILL QUERY WHERE query_id != 'x'", "KILL MUTATION WHERE 1",
    "CREATE FUNCTION f AS x -> x", "CREATE USER eve", "GRANT ALL ON *.* TO eve", "CREATE ROLE r",
    "CREATE NAMED COLLECTION n AS a = 'b'", "BACKUP DATABASE shop TO File('/tmp/magic-backup')",
    "RESTORE DATABASE shop FROM File('/tmp/magic-backup')", "DETACH TABLE shop.t",
    "ATTACH TABLE shop.x FROM '/tmp' (a Int8) ENGINE = Memory", "UNDROP TABLE shop.t",
    "CREATE DICTIONARY shop.d (a UInt64) PRIMARY KEY a SOURCE(FILE(path '/etc/hostname' format 'CSV')) "
      + "LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DATABASE x PARALLEL WITH CREATE DATABASE y", "SELECT 1 PARALLEL WITH SYSTEM SHUTDOWN",
    "EXECUTE AS eve SELECT 1", "DROP USER eve", "CREATE WORKLOAD w",
  ]

  private static let writes = [
    "INSERT INTO shop.t VALUES (9, 'x')", "INSERT INTO shop.t SELECT 9, 'x'",
    "WITH 9 AS x INSERT INTO shop.t SELECT x, 'x'", "UPSERT INTO shop.t VALUES (9, 'x')",
    "/* */ insert into shop.t values (9, 'x')", "UPDATE shop.t SET s = 'x' WHERE 1",
    "DELETE FROM shop.t WHERE 1", "TRUNCATE TABLE shop.t", "DROP TABLE shop.t",
    "DROP DATABASE shop",
    "CREATE TABLE shop.x (a Int8) ENGINE = Memory", "CREATE TEMPORARY TABLE x (a Int8)",
    "CREATE DATABASE x", "CREATE VIEW shop.x AS SELECT 1", "ALTER TABLE shop.t ADD COLUMN x Int8",
    "RENAME TABLE shop.t TO shop.u", "OPTIMIZE TABLE shop.t",
    "EXPLAIN INSERT INTO shop.t SELECT 9, 'x'",
    "IMPORT INTO shop.t (a, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (9, 'x', 1, 0)",
    "INSERT INTO FUNCTION file('/tmp/magic-outfile', 'CSV', 'a Int8') SELECT 1",
  ]

  /// Ways to read another database.
  private static let elsewhere = [
    "SELECT * FROM secret.t", "SELECT * FROM `secret`.`t`", "SELECT * FROM \"secret\".t",
    "SELECT * FROM `\\x73ecret`.t", "SELECT * FROM secret /* */ . -- x\n t",
    "SELRAW * FROM secret.t",
    "SELECT * FROM `2024_secret`.t", "SELECT * FROM 2024_secret.t", "SELECT 1, .5FROM secret.t",
    "SELECT * FROM shop.t, secret.t", "SELECT * FROM shop.t AS a JOIN secret.t AS b USING (a)",
    "SELECT * FROM shop.t NATURAL JOIN secret.t", "SELECT * FROM shop.t PASTE JOIN secret.t",
    "SELECT * FROM (shop.t AS a JOIN secret.t AS b ON 1)", "SELECT * FROM (shop.t, secret.t)",
    "SELECT (SELECT any(s) FROM secret.t)", "SELECT 42 IN secret.numbers", "FROM secret.t",
    "SELECT 42 IN (secret.numbers)", "SELECT 42 IN ((secret.numbers AS z))",
    "SELECT in(42, secret.numbers)", "SELECT `in`(42, secret.numbers)",
    "SELECT globalIn(42, secret.numbers)", "SELECT nullIn(42, secret.numbers)",
    "SELECT 42 GLOBAL NOT IN secret.numbers", "SELECT [42 IN secret.numbers]",
    "SELECT arrayMap(x -> x IN secret.numbers, [42])",
    "SELECT CASE WHEN 42 IN secret.numbers THEN 1 END",
    "SELECT joinGet('secret.j', 's', 42)", "SELECT joinGet(secret.j, 's', 42)",
    "SELECT joinGetOrNull('secret' || '.j', 's', 42)", "SELECT dictGet('secret.d', 's', 1)",
    "SELECT dictGet(secret.d, 's', 1)", "SELECT dictHas(concat('secret', '.d'), 1)",
    "SELECT hasColumnInTable('secret', 't', 's')",
    "SELECT hasColumnInTable('sec' || 'ret', 't', 's')",
    "WITH x AS (SELECT * FROM secret.t) SELECT * FROM x",
    "SELECT * FROM view(SELECT * FROM secret.t)",
    "WITH where AS (SELECT 1) SELECT * FROM where, secret.t",
    "WITH 1 AS is SELECT is DISTINCT FROM secret.t",
    "WITH 1 AS group SELECT 1 FROM shop.t AS a JOIN shop.t AS b ON group = 1, secret.t",
    "WITH 'x' AS limit SELECT 1 FROM shop.t AS a JOIN shop.t AS b ON 'x' REGEXP limit, secret.t",
    "WITH 1 AS array SELECT 1 FROM shop.t AS a JOIN shop.t AS b ON array JOIN secret.t AS c ON 1",
    "SELECT * FROM {d:Identifier}.t", "SELECT 42 IN {d:Identifier}.numbers",
    "SELECT 1 UNION ALL SELECT a FROM secret.t", "SELECT 1 EXCEPT SELECT a FROM secret.t",
    "DESCRIBE secret.t", "DESCRIBE (SELECT * FROM secret.t)", "SHOW CREATE TABLE secret.t",
    "SHOW CREATE DATABASE secret", "SHOW TABLES FROM secret", "SHOW TABLES IN secret", "USE secret",
    "SHOW COLUMNS FROM t FROM secret", "SHOW COLUMNS FROM secret.t",
    "SHOW INDEX FROM t FROM secret",
    "SHOW DICTIONARIES FROM secret", "EXISTS secret.t", "EXISTS TABLE secret.t",
    "EXISTS DATABASE secret",
    "EXISTS DATABASE nonexistent", "CHECK TABLE secret.t", "EXPLAIN SELECT * FROM secret.t",
    "EXPLAIN AST SELECT * FROM secret.t", "SHOW TABLES WHERE throwIf(name = 't')",
    "SELECT 'secret' IN system.databases", "SELECT getMaxTableNameLengthForDatabase('secret')",
    "SELECT * FROM default.t",
    // Words that the engine's parser takes for something else than they seem.
    "EXPLAIN, [(SELECT any(s) FROM secret.t)] FROM (SELECT 1 AS EXPLAIN)",
    "EXPLAIN x, [file('/etc/hostname')] FROM (SELECT 1 AS EXPLAIN)",
    "SET max_threads, limit = [toString(['1'] AS limit), toString((SELECT toUInt8(any(s)) FROM secret.t)) "
      + "AS SET]",
    "SELECT * FROM shop.t t JOIN (SELECT 1 AS limit) u ON t.a = 1 * limit, secret.t",
    "SELECT * FROM shop.t t JOIN (SELECT 1 AS where) u ON t.a = 1 * where, secret.t",
    "SELECT * FROM shop.t t JOIN (SELECT 1 AS array) u ON t.a = 1 * array JOIN secret.t ON 1",
    "SELECT s, 1*AS FROM secret.t, (SELECT 1 AS AS) z", "SELECT 42 AS AS, 1*AS IN secret.numbers",
    "SELECT 1*in((42), secret.numbers)", "SELECT TOP 5 in(42, secret.numbers)",
    "SELECT DISTINCT ON (1) in(42, secret.numbers)", "SELECT 1 QUALIFY in(42, secret.numbers)",
    "SELECT TOP 5 AS FROM secret.t, (SELECT 1 AS AS) z",
    "SELECT any(s) FROM shop.t AS x SAMPLE 1 OFFSET 0, secret.t AS y",
    "SELECT * FROM \"\\x6gmagic\".t", "USE \"\\x6gmagic\"",
    "SELECT naiveBayesClassifier('secret.nb', 'a')",
    "SELECT naiveBayesClassifierWithAllProbs('secret.nb', 'a')",
    "SELECT dictGet('00000000-0000-0000-0000-000000000001', 's', 1)",
    "DESCRIBE shop.t UUID '00000000-0000-0000-0000-000000000001'",
    "SELECT COLUMNS('s') APPLY groupConcat((SELECT any(s) FROM secret.t)) FROM shop.t",
    "SELECT COLUMNS('s') APPLY groupConcat(file('/etc/hostname')) FROM shop.t",
    "SELECT * APPLY x -> file('/etc/hostname') FROM (SELECT a AS apply FROM shop.t)",
    "SELECT * APPLY x -> (SELECT any(s) FROM secret.t) FROM (SELECT a AS apply FROM shop.t)",
    "SELECT joinGet({j:String}, 's', 42)", "SELECT dictGet({j:String}, 's', 42)",
    "SELECT hasColumnInTable({d:String}, 't', 's')",
    "SHOW TABLES FROM shop LIMIT (SELECT a FROM secret.t)",
    "SHOW DATABASES LIMIT toUInt8(file('/etc/hostname') != '')",
    "SHOW TABLES FROM shop WHERE throwIf(1, file('/etc/hostname'))",
    "SHOW COLUMNS FROM shop.t WHERE throwIf(1, (SELECT any(s) FROM secret.t))",
    "SELECT * FROM secret.`\u{301}t`", "SELECT * FROM `x (alias z`.t",
    "SELECT 1 AS `x\n  y`", "SELECT 1 AS `x (children 4)`",
    "CHECK TABLE sales_north.t PARTITION tuple(file('/etc/hostname'))",
    "CHECK TABLE sales_north.t PARTITION tuple((SELECT any(s) FROM secret.t))",
    "WITH 1 AS \"$a$\" SELECT $a$, {v:String}, (SELECT any(s) FROM secret.t)",
    "SELECT 1 AS a$b, {v:String}", "USE {d:Identifier}",
    "SELECT * FROM `\(String(repeating: ".", count: 2000))`",
    "SELECT * \(String(repeating: "APPLY( ", count: 3000))\(String(repeating: ")", count: 3000)) FROM shop.t",
    "SELECT flameGraphIf([1::UInt64], 1)", "SELECT arrayReduce('flameGraph', [[1::UInt64]])",
    "SELECT count(DISTINCT 1) SETTINGS count_distinct_implementation = 'flameGraph'",
  ]

  @Test func aReaderOnlyReads() async throws {
    try await withPeople { people in
      for who in [people.reader, people.guest] {
        await people.expectRefused(who, Self.doors + Self.administration + Self.writes)
      }
      await people.expectRefused(people.reader, ["SELECT 1"], { $0.settings = ["readonly": "0"] })
      await people.expectRefused(
        people.reader, ["SELECT 1"], { $0.settings = ["additional_table_filters": "{}"] })
      await people.expectRefused(people.reader, ["SELECT * FROM one"], { $0.database = "system" })
      await people.expectRefused(
        people.reader, ["SELECT {x:Identifier} FROM {y:Identifier}"], kind: .invalid)
    }
    #expect(!FileManager.default.fileExists(atPath: "/tmp/magic-outfile"))
  }

  @Test func aGuestSeesNoOtherDatabase() async throws {
    try await withPeople { people in
      await people.expectRefused(
        people.guest, Self.elsewhere, kind: nil,
        { $0.parameters = ["d": "secret", "j": "secret.j", "v": "$a$ --"] })
      await people.expectRefused(people.guest, ["SELECT * FROM t"], { $0.database = "secret" })
      // Nothing that can be asked tells that there is another database.
      for statement in [
        "SHOW DATABASES", "SELECT name FROM system.databases", "SELECT database FROM system.tables",
        "SELECT c.database FROM system.columns AS c", "SELECT database, name FROM `system`.parts",
        "SELECT schema_name FROM information_schema.schemata",
        "SELECT table_schema FROM information_schema.tables",
        "SELECT TABLE_SCHEMA FROM INFORMATION_SCHEMA.COLUMNS x",
        "SELECT * FROM information_schema.statistics",
        "SELECT * FROM (SELECT (SELECT groupArray(name) FROM system.databases))",
        "SELECT count() FROM system.databases WHERE throwIf(name = 'secret')",
        "SELECT count() FROM system.databases d WHERE throwIf(name LIKE 'sec%')",
        "SELECT count() FROM shop.t JOIN system.tables AS x ON x.name = if(throwIf(x.database = "
          + "'secret') = 0, 'a', 'b')",
        "SELECT count() FROM information_schema.tables WHERE throwIf(table_schema = 'secret')",
        "SHOW TABLES", "SHOW TABLES FROM shop", "SHOW FULL TABLES FROM sales_north LIKE '%'",
        "SELECT currentDatabase()", "DESCRIBE shop.t", "SHOW CREATE TABLE shop.t",
      ] {
        let answer = try await people.text(people.guest, statement)
        #expect(!answer.contains("secret") && !answer.contains(Self.secret), "\(statement)")
        #expect(!answer.contains("_magic") && !answer.contains("default\n"), "\(statement)")
      }
      #expect(
        try await people.text(people.guest, "SELECT name FROM system.databases ORDER BY name")
          == "INFORMATION_SCHEMA\ninformation_schema\nsales_north\nshop\nsystem\n")
      // Neither do the engine's suggestions.
      for statement in ["SELECT * FROM secre", "SELECT * FROM shop.tt", "SELECT * FROM tt"] {
        let error = await #expect(throws: APIError.self) {
          try await people.text(people.guest, statement)
        }
        #expect(error?.message.contains("secret") == false)
      }
      // What was made for others to see is seen, and a database's name may be used for other things.
      for (statement, answer) in [
        ("SELECT * FROM shop.allowed", "42\n"), ("SELECT count() FROM sales_north.t", "0\n"),
        ("SELECT secret.a FROM shop.t AS secret", "1\n"), ("SELECT s FROM t", "seen\n"),
        ("SELECT a, o.s FROM shop.t AS o WHERE o.a IN (o.a, 2)", "1\tseen\n"),
      ] {
        #expect(try await people.text(people.guest, statement) == answer, "\(statement)")
      }
      // Who may not see `default` works in the first database that was granted.
      #expect(
        try await people.text(people.guest, "SELECT currentDatabase()", { $0.database = "default" })
          == "shop\n")
      #expect(
        try await people.guest.databases() == [
          "INFORMATION_SCHEMA", "information_schema", "sales_north", "shop", "system",
        ])
      var scan = TableScan(TableReference(database: "secret", table: "t"))
      await #expect(throws: APIError.self) { try await people.guest.scan(scan) }
      scan.table.database = "shop"
      scan.filter = "a IN secret.numbers"
      await #expect(throws: APIError.self) { try await people.guest.scan(scan) }
      await #expect(throws: APIError.self) {
        try await people.guest.split(
          TableReference(database: "secret", table: "t"), into: 2, snapshot: nil)
      }
    }
  }

  @Test func aWriterStaysInside() async throws {
    try await withPeople { people in
      let doors = Self.doors.filter { !$0.hasPrefix("SELECT 1 SETTINGS hdfs") }
      for who in [people.writer, people.guestWriter] {
        await people.expectRefused(who, doors + Self.administration)
        await people.expectRefused(
          who,
          [
            "INSERT INTO FUNCTION file('/tmp/magic-outfile', 'CSV', 'a Int8') SELECT 1",
            "INSERT INTO shop.t SELECT 1, file('/etc/hostname')",
            "INSERT INTO shop.t VALUES (1, file('/etc/hostname'))",
            "INSERT INTO shop.t FROM INFILE '/etc/hostname' FORMAT CSV",
            "CREATE TABLE shop.x ENGINE = File(CSV, '/tmp/magic-outfile') AS SELECT 1",
            "CREATE TABLE shop.x (a String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
            "CREATE TABLE shop.x (a String) ENGINE Merge('secret', '.*')",
            "CREATE TABLE shop.x (a Int32) ENGINE = Buffer(secret, t, 1, 1, 1, 1, 1, 1, 1)",
            "CREATE TABLE shop.x (a Int32) ENGINE = Alias('secret', 't')",
            "CREATE TABLE shop.x (a Int32) ENGINE = Distributed('default', 'secret', 't')",
            "CREATE TABLE shop.x AS file('/etc/hostname', 'LineAsString')",
            "CREATE TABLE shop.x (a String DEFAULT file('/etc/hostname')) ENGINE = Memory",
            "CREATE TABLE shop.x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = 'x'",
            "CREATE TABLE shop.x (a Int8) ENGINE = MergeTree ORDER BY a "
              + "SETTINGS ttl_only_drop_parts, disk = disk(type = local, path = '/tmp/magic-disk/')",
            "ALTER TABLE sales_north.t MODIFY SETTING ttl_only_drop_parts, disk = 'x'",
            "INSERT INTO shop.t SELECT 1, path FROM system.parts",
            "CREATE VIEW shop.x AS SELECT file('/etc/hostname')",
            "CREATE DATABASE x ENGINE = MySQL('', '', '', '')",
            "CREATE DATABASE x ENGINE = Filesystem('/etc')", "ALTER TABLE sales_north.t FREEZE",
            "ALTER TABLE sales_north.t FETCH PARTITION 1 FROM '/x'",
            "CREATE TABLE _magic.x (a Int8) ENGINE = Memory",
            "CREATE TABLE system.x (a Int8) ENGINE = Memory", "DROP DATABASE system",
            "DROP DATABASE _magic",
            "DROP TABLE _magic.u1_s1_1", "CREATE VIEW shop.x AS SELECT * FROM system.processes",
            "CREATE VIEW shop.x AS SELECT * FROM {d:Identifier}.t",
            "CREATE TABLE \"\\x6gmagic\".x (a Int8) ENGINE = Memory",
            "DROP TABLE \"\\x6gmagic\".u1_s1_1",
            "CREATE TABLE shop.x (a Int32, y UInt8 ALIAS in(a, _magic.t)) ENGINE = Memory",
            "ALTER TABLE sales_north.t ADD COLUMN e String DEFAULT joinGet('j', 's', a)",
            "ALTER TABLE sales_north.t MOVE PARTITION 1 TO DISK 'x'",
            "CREATE TABLE shop.x (k UInt64, d DateTime, s String) ENGINE = MergeTree ORDER BY k "
              + "TTL d GROUP BY k SET s = concat(any(s), file('/etc/hostname'))",
            "CREATE TABLE shop.x (k UInt64, d DateTime) ENGINE = MergeTree ORDER BY k "
              + "TTL d TO DISK 'default'",
            "ALTER TABLE sales_north.t MODIFY TTL d GROUP BY a SET s = file('/etc/hostname')",
            "CREATE MATERIALIZED VIEW shop.x REFRESH EVERY 1 YEAR DEPENDS ON shop.limit "
              + "TO _magic.u1_s1_1 EMPTY AS SELECT 1 AS a",
            "CREATE MATERIALIZED VIEW shop.x REFRESH EVERY 1 YEAR DEPENDS ON shop.limit "
              + "TO system.processes (query String) EMPTY AS SELECT '' AS query",
            "CREATE TABLE shop.x (`c (children 4)\n    Identifier q\u{600}` String) ENGINE = Memory",
            "ALTER TABLE sales_north.t REWRITE PARTS",
            "EXPLAIN, [(SELECT any(line) FROM file('/etc/hostname', LineAsString, 'line String'))] "
              + "FROM (SELECT 1 AS EXPLAIN)",
          ], kind: nil)
      }
      await people.expectRefused(
        people.guestWriter, Self.elsewhere, kind: nil,
        { $0.parameters = ["d": "secret", "j": "secret.j", "v": "$a$ --"] })
      await people.expectRefused(
        people.guestWriter,
        [
          "INSERT INTO secret.t VALUES (1, 'x')", "INSERT INTO shop.t SELECT * FROM secret.t",
          "INSERT INTO shop.t SELECT 1, (SELECT s FROM secret.t)",
          "INSERT INTO shop.t VALUES (1, (SELECT s FROM secret.t))",
          "UPDATE secret.t SET s = 'x' WHERE 1", "DELETE FROM secret.t WHERE 1",
          "CREATE MATERIALIZED VIEW shop.x REFRESH EVERY 1 YEAR DEPENDS ON shop.limit TO secret.t "
            + "EMPTY AS SELECT 1 AS a, '' AS s",
          "CREATE MATERIALIZED VIEW shop.x TO secret.t AS SELECT 1 AS a, '' AS s",
          "UPDATE shop.t SET s = (SELECT s FROM secret.t) WHERE 1",
          "DELETE FROM shop.t WHERE a IN secret.numbers", "TRUNCATE TABLE secret.t",
          "DROP TABLE shop.none, secret.t", "DROP TABLE secret.t", "DROP DATABASE secret",
          "TRUNCATE ALL TABLES FROM secret", "TRUNCATE DATABASE secret",
          "RENAME TABLE secret.t TO shop.u",
          "RENAME DATABASE secret TO sales_x", "EXCHANGE TABLES shop.t AND secret.t",
          "CREATE DATABASE other", "CREATE TABLE secret.x (a Int8) ENGINE = Memory",
          "CREATE TABLE shop.x AS secret.t", "CREATE TABLE shop.x CLONE AS secret.numbers",
          "CREATE TABLE shop.x ENGINE = Memory AS SELECT * FROM secret.t",
          "CREATE VIEW shop.x AS SELECT * FROM secret.t", "OPTIMIZE TABLE secret.t",
          "CREATE MATERIALIZED VIEW shop.x TO secret.numbers AS SELECT 1 AS a FROM sales_north.t",
          "ALTER TABLE secret.t ADD COLUMN x Int8",
          "ALTER TABLE sales_north.t REPLACE PARTITION 1 FROM secret.numbers",
          "ALTER TABLE sales_north.t MOVE PARTITION 1 TO TABLE secret.numbers",
          "CREATE VIEW shop.x AS SELECT * FROM system.tables",
          "CREATE INDEX i ON secret.numbers (a) TYPE minmax",
          "INSERT INTO shop.t SELECT 1, name FROM system.databases",
          "UPDATE shop.t SET s = 'x' WHERE s IN (SELECT name FROM system.databases)",
          "INSERT INTO shop.t SELECT 1, 'x' SETTINGS additional_table_filters = {}",
        ], kind: .forbidden)
      // Rows that are not in the text are not taken for expressions.
      for (statement, rows) in [
        ("INSERT INTO shop.t VALUES", "(1, (SELECT s FROM secret.t))"),
        ("INSERT INTO shop.t FORMAT Values", "(1, file('/etc/hostname'))"),
        ("INSERT INTO shop.t VALUES (1, 'x'),", "(2, file('/etc/hostname'))"),
        ("INSERT INTO shop.t FORMAT Values", "(1, upper('x')), (2, upper('y'))"),
        (
          "INSERT INTO shop.t SETTINGS input_format_values_interpret_expressions = 1 FORMAT Values",
          "(1, upper('x'))"
        ),
        (
          "INSERT INTO shop.t SETTINGS join_use_nulls, "
            + "input_format_values_deduce_templates_of_expressions = 1 FORMAT Values",
          "(1, upper('x'))"
        ),
      ] {
        var request = StatementRequest(statement)
        request.database = "shop"
        let chunk = Mutex([Array(rows.utf8)])
        await #expect(throws: APIError.self, "\(statement)") {
          try await people.guestWriter.run(
            request, format: "TSV", input: StatementInput { chunk.withLock { $0.popLast() } })
        }
      }
      await #expect(throws: APIError.self) {
        try await people.guestWriter.write(
          TableWrite(TableReference(database: "secret", table: "t")), rows: EmptyReader())
      }
      // What a writer may do.
      for statement in [
        "CREATE DATABASE sales_x",
        "CREATE TABLE sales_x.a (a Int32) ENGINE = MutableMergeTree ORDER BY a",
        "INSERT INTO sales_x.a VALUES (1), (1 + 1)",
        "INSERT INTO sales_x.a SELECT number FROM numbers(5)",
        "UPDATE sales_x.a SET a = 7 WHERE a = 1", "DELETE FROM sales_x.a WHERE a = 2",
        "CREATE TABLE sales_x.b (engine String, n Nested(a Int8)) ENGINE = MergeTree ORDER BY engine "
          + "SETTINGS index_granularity = 1024",
        "CREATE VIEW sales_x.v AS SELECT o.a AS b FROM sales_x.a AS o", "OPTIMIZE TABLE sales_x.b",
        "ALTER TABLE sales_x.b ADD COLUMN c Int8", "RENAME TABLE sales_x.b TO sales_x.c",
        "DROP TABLE sales_x.c, sales_x.v", "DROP TABLE sales_x.a", "DROP DATABASE sales_x",
      ] {
        _ = try await people.text(people.guestWriter, statement)
      }
    }
    #expect(!FileManager.default.fileExists(atPath: "/tmp/magic-outfile"))
  }

  /// What programs send when they connect and look around.
  @Test func programsFeelAtHome() async throws {
    try await withPeople { people in
      for who in [people.reader, people.guest] {
        for statement in [
          // clickhouse-connect
          "SELECT version(), timezone()",
          "SELECT name, value, readonly FROM system.settings LIMIT 10000",
          "SELECT 1 AS check", "SELECT name, value, readonly as readonly FROM system.settings",
          "DESCRIBE TABLE `shop`.`t`", "SELECT * FROM shop.t LIMIT 0 FORMAT Native",
          "SELECT name FROM system.databases", "SHOW TABLES FROM `shop`",
          "EXISTS TABLE shop.t",
          "SELECT engine FROM system.tables WHERE database = 'shop' AND name = 't'",
          // JDBC: DBeaver, Metabase
          "SELECT currentUser() AS user, timezone() AS timezone, version() AS version, "
            + "getSetting('readonly') AS readonly FORMAT RowBinaryWithNamesAndTypes",
          "SELECT 'TABLE' AS TABLE_TYPE UNION ALL SELECT 'VIEW'",
          "SELECT t.database AS TABLE_SCHEM, t.name AS TABLE_NAME, CASE WHEN t.engine LIKE '%View' THEN "
            + "'VIEW' ELSE 'TABLE' END AS TABLE_TYPE, t.comment AS REMARKS FROM system.tables t "
            + "WHERE t.database LIKE '%' ORDER BY t.database, t.name",
          "SELECT database, table, name, type, default_kind, position FROM system.columns "
            + "WHERE database = 'shop' ORDER BY position",
          "SELECT name, comment FROM system.databases ORDER BY name",
          "SELECT * FROM information_schema.tables WHERE table_schema = 'shop'",
          "SELECT name, is_aggregate FROM system.functions",
          "SELECT alias_to, name FROM system.data_type_families",
          "SELECT schema_name FROM information_schema.schemata",
          "SELECT * FROM information_schema.key_column_usage",
          "SELECT name FROM system.table_engines", "SELECT name FROM system.formats",
          "SELECT partition, name, rows, bytes_on_disk FROM system.parts WHERE database = 'shop' AND active",
          "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()",
          "SELECT * FROM system.data_skipping_indices", "SELECT * FROM system.dictionaries",
          // Grafana, Superset, SQLAlchemy
          "SELECT 1", "SELECT DATABASE()", "SHOW DATABASES", "SHOW TABLES",
          "SHOW CREATE TABLE shop.t",
          "SELECT name FROM system.tables WHERE database = 'shop'",
          "SELECT * FROM system.time_zones LIMIT 1",
          "SHOW FULL COLUMNS FROM t FROM shop", "SHOW SETTINGS LIKE 'max_threads'",
          "SHOW FUNCTIONS",
          "SELECT toStartOfInterval(now(), INTERVAL 60 second) AS time, count() FROM shop.t AS o "
            + "WHERE o.a >= 0 AND o.s IN ('seen', 'x') GROUP BY time ORDER BY time LIMIT 1000",
          "EXPLAIN SYNTAX SELECT 1", "SELECT * FROM numbers(3)",
          "SELECT number FROM system.numbers LIMIT 3",
          "SELECT * FROM generateSeries(1, 3)",
          "SELECT @@version",
          "SELECT 1 SETTINGS max_threads = 1, max_execution_time = 10",
          "SELECT format('{}', 1), sum(bytes) FROM system.parts",
          "SELECT * FROM system.tables", "SELECT t.table, data_paths FROM system.tables AS t",
          "SELECT * FROM system.databases", "SELECT * FROM system.parts_columns",
          "SELECT 1 SETTINGS join_use_nulls, max_threads = 1",
          "SELECT extract(year FROM now()), trim(BOTH ' ' FROM o.s) FROM shop.t AS o",
          "SET max_threads = 2", "USE shop",
        ] {
          do {
            _ = try await people.text(who, statement)
          } catch {
            Issue.record("\(statement): \(String(describing: error).prefix(300))")
          }
        }
      }
      #expect(
        try await people.text(
          people.reader, "SELECT getSetting('max_threads') SETTINGS max_threads = 3")
          == "3\n")
      var settings = ""
      settings = try await people.text(
        people.reader, "SELECT getSetting('max_memory_usage')",
        { $0.settings["max_memory_usage"] = "0" })
      #expect(settings != "0\n")
      let mine = try await people.text(
        people.guest,
        "SELECT database, name FROM system.tables WHERE database = 'shop' ORDER BY name")
      #expect(mine == "shop\tallowed\nshop\tt\n")
      #expect(try await people.text(people.reader, "DESCRIBE shop.t").hasPrefix("a\tInt32"))
    }
  }

  /// Whatever says where files are, or what depends on tables in other databases, is empty.
  @Test func tablesTellNoPathsAndNoDependencies() async throws {
    try await withPeople { people in
      for statement in [
        "INSERT INTO sales_north.t VALUES (1)",
        "CREATE VIEW secret.v AS SELECT * FROM sales_north.t",
        "CREATE MATERIALIZED VIEW sales_north.m TO secret.numbers AS SELECT a FROM sales_north.t",
        "CREATE MATERIALIZED VIEW secret.m ENGINE = Memory AS SELECT a FROM sales_north.t",
      ] {
        _ = try await people.database.text(statement)
      }
      for who in [people.reader, people.writer, people.guest, people.guestWriter] {
        for statement in [
          "SELECT data_paths, metadata_path, dependencies_database, dependencies_table, "
            + "loading_dependencies_database, loading_dependencies_table, "
            + "loading_dependent_database, loading_dependent_table, target_database "
            + "FROM system.tables WHERE database = 'sales_north'",
          "SELECT data_path, metadata_path FROM system.databases", "SELECT path FROM system.parts",
          "SELECT path FROM system.parts_columns", "SELECT source FROM system.dictionaries",
        ] {
          let answer = try await people.text(who, statement)
          #expect(
            !answer.contains("/") && !answer.contains("secret") && !answer.contains("_magic"),
            "\(statement): \(answer.prefix(300))")
        }
      }
    }
  }

  /// Settings that every program may send, and that do nothing.
  @Test func someSettingsAreIgnored() async throws {
    try await withPeople { people in
      let ignored = ["log_comment": "x", "send_logs_level": "trace", "extremes": "1"]
      for who in [people.service(.admin), people.reader, people.guestWriter] {
        for name in ignored.keys {
          await people.expectRefused(
            who,
            ["SELECT 1 SETTINGS \(name) = 'x'", "SET \(name) = 1", "SET max_threads = 1, \(name)"],
            kind: .unsupported)
        }
        var answer = ""
        answer = try await people.text(
          who,
          "SELECT getSetting('log_comment') != 'x', getSetting('send_logs_level'), "
            + "getSetting('extremes')", { $0.settings = ignored })
        #expect(answer == "1\tfatal\tfalse\n")
        for _ in 0..<2 {
          answer = try await people.text(
            who, "SELECT 1",
            {
              $0.session = SessionRequest(name: "s")
              $0.settings = ignored
            })
          #expect(answer == "1\n")
        }
      }
    }
  }

  /// A limit of the service is an error, also for who would rather have less.
  @Test func limitsAreErrors() async throws {
    try await withPeople { people in
      var limits = MagicAPI.Limits()
      limits.resultRowCount = 10
      let api = MagicAPI(
        database: people.database, limits: limits, disk: DiskReserve(path: "/", byteCount: 0),
        keepsQueryLog: false,
        logger: Logger(label: "test"))
      let limited = People(database: people.database, api: api)
      let statement = "SELECT number FROM numbers(100)"
      await people.expectRefused(
        limited.reader, [statement], { $0.settings = ["result_overflow_mode": "break"] })
      await people.expectRefused(
        limited.writer,
        [
          "SET result_overflow_mode = 'break'",
          "\(statement) SETTINGS result_overflow_mode = 'break'",
        ])
      await people.expectRefused(limited.writer, [statement], kind: .exhausted)
      let answer = try await people.text(
        people.reader, statement,
        { $0.settings = ["result_overflow_mode": "break", "max_result_rows": "10"] })
      #expect(!answer.isEmpty)
    }
  }

  /// A value is a value, whatever else the statement has.
  @Test func valuesStayInTheirPlace() async throws {
    try await withPeople { people in
      let admin = people.service(.admin)
      let value = "$a$ AS x, (SELECT any(s) FROM secret.t) --"
      for sql in ["WITH 1 AS \"$a$\" SELECT $a$, {p:String}", "SELECT $a$ AS x, {p:String}"] {
        let answer = try? await people.text(admin, sql) { $0.parameters["p"] = value }
        #expect(answer?.contains(EngineTests.secret) != true, "\(sql)")
      }
    }
  }

  /// A session may be in a database of the engine without its statements saying so.
  @Test func aSessionStaysWhereItsUserMayBe() async throws {
    try await withPeople { people in
      let guest = people.service(.writer, ["late"])
      func text(_ sql: String) async throws -> String {
        try await people.text(guest, sql) {
          $0.database = "default"
          $0.session = SessionRequest(name: "s")
        }
      }
      #expect(try await text("SELECT currentDatabase()") == "information_schema\n")
      _ = try await text("CREATE DATABASE late")
      for sql in [
        "SELECT table_schema FROM tables", "CREATE VIEW late.v AS SELECT table_schema FROM tables",
      ] {
        await #expect(throws: APIError.self) { try await text(sql) }
      }
      _ = try await people.text(people.service(.admin), "DROP DATABASE late")
    }
  }

  /// Texts that are equal as strings, but not to the engine.
  @Test func whatIsEqualAsTextIsNotTheSame() async throws {
    try await withPeople { people in
      let answer = try await people.text(
        people.guest, "SELECT 'x' AS `A\u{1FEF}, (SELECT s FROM secret.t) AS \u{1FEF}B`")
      #expect(answer == "x\n")
      await people.expectRefused(
        people.guest, ["SELECT 'x' AS `A`, (SELECT s FROM secret.t) AS `B`"])
    }
  }

  /// Some types read brackets in their own way, in which comments, quotes and what is not are others.
  @Test func rowsOfAnyTypeAreValues() async throws {
    try await withPeople { people in
      _ = try await people.text(
        people.guestWriter,
        "CREATE TABLE sales_north.d (d Dynamic) ENGINE = MergeTree ORDER BY tuple()")
      for (open, close) in [
        ("/*", "*/"), ("\"", "\""), ("`", "`"), ("$a$", "$a$"), ("--", "\n"), ("#!", "\n"),
      ] {
        let rows = "([\(open)]), ('' || (SELECT any(s) FROM secret.t) || '\(close)')"
        _ = try? await people.text(
          people.guestWriter, "INSERT INTO sales_north.d VALUES \(rows)")
        let stored = try await people.text(
          people.service(.admin), "SELECT toString(d) FROM sales_north.d")
        #expect(!stored.contains(EngineTests.secret), "\(rows)")
      }
    }
  }

  @Test func aWriterMakesHisFirstDatabase() async throws {
    try await withPeople { people in
      let writer = people.service(.writer, ["none", "none_*"])
      for (statement, session) in [
        ("SELECT currentDatabase()", nil), ("SELECT currentDatabase()", "a"),
        ("CREATE DATABASE none", nil), ("CREATE TABLE t (a Int8) ENGINE = Memory", "b"),
        ("INSERT INTO t VALUES (1)", nil), ("DROP TABLE none.t", "b"),
      ] as [(String, String?)] {
        _ = try await people.text(
          writer, statement,
          {
            $0.database = "default"
            $0.session = session.map { SessionRequest(name: $0) }
          })
      }
      _ = try await people.text(writer, "DROP DATABASE none", { $0.database = "default" })
    }
  }

  @Test func aTypoIsASyntaxErrorForEverybody() async throws {
    try await withPeople { people in
      for who in [people.service(.admin), people.reader, people.guestWriter] {
        for statement in ["SELEC 1", "1 + 1 FROM", ")"] {
          let error = await #expect(throws: APIError.self, "\(statement)") {
            try await people.text(who, statement)
          }
          #expect(error?.engineCode == 62, "\(statement)")
        }
      }
    }
  }

  /// The engine has no table function that nobody here has thought of.
  @Test func allTableFunctionsAreKnown() async throws {
    try await withPeople { people in
      let names = try await people.database.text("SELECT name FROM system.table_functions")
      for name in names.split(separator: "\n") {
        let isKnown = AccessPolicy.knowsTableFunction(String(name))
        #expect(isKnown, "\(name) must be either harmless or a door")
      }
    }
  }

  /// Whatever table the engine says a statement reads, the inspection says so too.
  @Test func nothingThatIsReadIsOverlooked() async throws {
    let seed = ProcessInfo.processInfo.environment["MAGIC_SEED"].flatMap { UInt64($0) } ?? 7
    try await withPeople { people in
      var random = Random(seed: seed)
      var read = 0
      for _ in 0..<2000 {
        let statement = random.statement()
        let tree = try? await people.database.text("EXPLAIN QUERY TREE " + statement)
        guard let tree, tree.contains("table_name: secret.") else { continue }
        read += 1
        guard
          let inspection = try? await people.database.inspect(
            statement, parameters: [:], thoroughly: true)
        else {
          continue
        }
        #expect(
          inspection.isOpaque || inspection.kind == .administer
            || inspection.sources.contains { $0.database == "secret" }, "\(statement)")
      }
      #expect(read > 150, "\(read)")
    }
  }

  /// Makes statements in which words of the language are names.
  private struct Random {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func number(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }

    private mutating func one(_ choices: [String]) -> String { choices[number(choices.count)] }

    private static let words = [
      "order", "group", "limit", "where", "select", "with", "array", "join", "final", "sample",
      "on",
      "using", "from", "in", "as", "union", "except", "format", "settings", "window", "offset",
      "is",
      "distinct", "not", "global", "any", "left", "cross", "fetch", "having", "prewhere", "into",
      "x",
      "y", "and", "apply", "stream", "parallel", "interval", "regexp", "between", "case", "explain",
    ]

    private mutating func word() -> String { one(Self.words) }

    mutating func statement() -> String {
      let name = word()
      let scalar = word()
      var text = ""
      if number(3) > 0 { text += "WITH \(name) AS (SELECT 1 AS a), 1 AS \(scalar) " }
      let from = "FROM \(tables(name, scalar, 2))"
      let select = "SELECT \(items(scalar))"
      text += number(5) == 0 ? "\(from) \(select)" : "\(select) \(from)"
      if number(4) == 0 { text += " WHERE \(condition(scalar))" }
      if number(8) == 0 { text += " ORDER BY 1, \(scalar)" }
      if number(6) == 0 { text += " UNION ALL SELECT 1 FROM \(tables(name, scalar, 1))" }
      return text
    }

    private mutating func items(_ scalar: String) -> String {
      one([
        "1", "count()", scalar, "1 AS \(word())", "\(scalar) \(word())", "1, 2 \(word())",
        "\(scalar) \(one(["IS", "is"])) DISTINCT", condition(scalar), "DISTINCT 1",
      ])
    }

    private mutating func condition(_ scalar: String) -> String {
      one([
        "\(scalar) = 1", "1 = \(scalar)", "NOT \(scalar)", "1 \(one(["AND", "OR"])) \(scalar)",
        scalar,
        "1 IN secret.numbers", "42 IN (secret.numbers)", "in(1, secret.numbers)",
        "1 IN \(scalar)", "1 NOT IN secret.numbers", "\(scalar) IN (SELECT a FROM secret.t)",
        "extract(year FROM now()) > \(scalar)", "'a' REGEXP toString(\(scalar))",
        "1 BETWEEN \(scalar) AND \(scalar)", "CASE WHEN \(scalar) THEN 1 ELSE \(scalar) END",
        "1 IS DISTINCT FROM \(scalar)", "arrayExists(x -> x IN secret.numbers, [1])",
      ])
    }

    private mutating func tables(_ name: String, _ scalar: String, _ depth: Int) -> String {
      var text = table(name, scalar, depth)
      for _ in 0..<number(3) {
        switch number(6) {
        case 0, 1: text += ", " + table(name, scalar, depth)
        case 2: text += " CROSS JOIN " + table(name, scalar, depth)
        case 3: text += " ARRAY JOIN [1] AS \(word())"
        case 4: text += " PASTE JOIN " + table(name, scalar, depth)
        default: text += " JOIN \(table(name, scalar, depth)) ON \(condition(scalar))"
        }
      }
      return text
    }

    private mutating func table(_ name: String, _ scalar: String, _ depth: Int) -> String {
      var text = one([
        "secret.t", "secret.numbers", "shop.t", name, name, "secret . t", "numbers(1)",
      ])
      if depth > 0 {
        switch number(6) {
        case 0: text = "(\(tables(name, scalar, depth - 1)))"
        case 1: text = "(SELECT \(items(scalar)) FROM \(tables(name, scalar, depth - 1)))"
        case 2: text = "((SELECT 1 AS a) UNION ALL (SELECT \(scalar)))"
        default: break
        }
      }
      switch number(5) {
      case 0: text += " AS \(word())\(number(100))"
      case 1: text += " AS \(word())"
      case 2: text += " \(word())"
      case 3: text += " AS t\(number(1000))"
      default: break
      }
      if number(20) == 0 { text += " FINAL" }
      return text
    }
  }
}
