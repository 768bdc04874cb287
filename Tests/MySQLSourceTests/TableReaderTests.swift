import Binlog
import MySQLSchema
import RowEncoding
import TestSupport
import Testing

@testable import MySQLSource

@Suite(.enabled(if: MariaDBServer.isAvailable), .serialized, .timeLimit(.minutes(4)))
struct TableReaderTests {
  private func name(_ table: String) -> TableName { TableName(database: "d", table: table) }

  private func schema(of keyCase: KeyCase, _ server: MariaDBServer) async throws -> TableSchema {
    var schema = try await server.schema(of: name("t_" + keyCase.name))
    // Which key serves in place of a primary key is the caller's choice.
    schema.primaryKey = keyCase.keyColumns.compactMap { schema.columnIndex($0) }
    return schema
  }

  /// The ranges between boundaries of so many rows each.
  private func ranges(_ source: SourceConnection, _ table: TableSchema, rowCount: Int) async throws
    -> [SourceKeyRange]
  {
    var result: [SourceKeyRange] = []
    var after: [String]?
    while let next = try await source.nextBoundary(of: table, after: after, rowCount: rowCount) {
      result.append(SourceKeyRange(after: after, through: next))
      after = next
    }
    return result + [SourceKeyRange(after: after)]
  }

  /// Ranges of any size give each row once, in the order of the key, and are found in the key's index.
  @Test func everyKindOfKey() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql("CREATE DATABASE d")
    let url = try sourceURL(server.url())
    let source = try await SourceConnection.connect(to: url)
    let reader = try await TableReader.connect(to: url)
    for keyCase in keyCases {
      try await server.sql(
        """
        SET NAMES utf8mb4; SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES';
        \(keyCase.statements)
        """)
      let schema = try await schema(of: keyCase, server)
      #expect(schema.primaryKey.map { schema.columns[$0].name } == keyCase.keyColumns)
      let order = keyCase.keyColumns.map { "`\($0)`" }.joined(separator: ", ")
      let expected = try await server.rows(
        "SELECT v FROM d.`t_\(keyCase.name)` ORDER BY \(order)"
      ).map { $0[0] }
      #expect(expected.count == keyCase.values.reduce(1) { $0 * $1.count })
      let logged = try await server.rows("SELECT @@gtid_binlog_pos")
      #expect(logged != [[""]])
      for rowCount in [1, 2, expected.count] {
        let ranges = try await ranges(source, schema, rowCount: rowCount)
        #expect(ranges.count == expected.count / rowCount + 1, "\(keyCase.name)")
        var found: [String] = []
        for (index, range) in ranges.enumerated() {
          // The copy has no place for a key without a date, so that such rows are not encoded.
          let rows =
            keyCase.hasImpossibleDates || keyCase.key != nil
            ? try await text(source.query(source.rangeStatement(schema, range)))
              .map { row in row.map { $0 ?? "NULL" } }
            : try await allRows(try await reader.rows(of: schema, in: range, version: 1))
          #expect(rows.count == (index < ranges.count - 1 ? rowCount : expected.count % rowCount))
          // Inside of a range the order is not told.
          found += rows.map { $0[0] }.sorted {
            expected.firstIndex(of: $0) ?? 0 < expected.firstIndex(of: $1) ?? 0
          }
        }
        #expect(found == expected, "\(keyCase.name), \(rowCount) rows")
      }
      // Reading leaves nothing in the source's binlog.
      #expect(try await server.rows("SELECT @@gtid_binlog_pos") == logged)
    }
    await reader.close()
    await source.close()
    await server.stop()
  }

  @Test func rangesAreReadInTheIndex() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql("CREATE DATABASE d")
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    for keyCase in keyCases where keyCase.name != "set" {
      try await server.sql(
        """
        SET NAMES utf8mb4; SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES';
        \(keyCase.statements)
        """)
      let schema = try await schema(of: keyCase, server)
      let ranges = try await ranges(source, schema, rowCount: 2)
      let key = keyCase.key == nil ? "PRIMARY" : "the`key"
      for range in ranges {
        let statement = try await source.rangeStatement(schema, range)
        let plan = text(try await source.query("EXPLAIN " + statement))
        #expect(plan.count == 1)
        #expect(["range", "const"].contains(plan[0][3] ?? ""), "\(statement): \(plan)")
        #expect(plan[0][5] == key, "\(statement): \(plan)")
        #expect(plan[0][9]?.contains("filesort") == false)
        let next = try await source.boundaryStatement(
          of: schema, after: range.after, rowCount: 2)
        let planOfNext = text(try await source.query("EXPLAIN " + next))
        let kinds = range.after == nil ? ["index"] : ["range", "const"]
        #expect(kinds.contains(planOfNext[0][3] ?? ""), "\(next): \(planOfNext)")
        #expect(planOfNext[0][9]?.contains("filesort") == false, "\(next): \(planOfNext)")
      }
    }
    await source.close()
    await server.stop()
  }

  @Test func integersAreCutByArithmetic() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE d; USE d;
      CREATE TABLE even (id BIGINT PRIMARY KEY, v INT);
      INSERT INTO even SELECT CAST(seq AS SIGNED) * 3 - 30000, seq FROM seq_1_to_20000;
      CREATE TABLE skewed (id BIGINT UNSIGNED PRIMARY KEY, v INT);
      INSERT INTO skewed SELECT seq, 1 FROM seq_1_to_9000;
      INSERT INTO skewed SELECT 9223372036854775807 + seq * 1000, 1 FROM seq_1_to_9000;
      INSERT INTO skewed VALUES (18446744073709551615, 1);
      CREATE TABLE none (id INT, b INT, PRIMARY KEY (id, b));
      CREATE TABLE pair (a INT, b INT, PRIMARY KEY (a, b));
      INSERT INTO pair SELECT seq % 10, seq FROM seq_1_to_5000;
      CREATE TABLE words (w VARCHAR(9) PRIMARY KEY);
      CREATE TABLE prefix (w VARCHAR(99), PRIMARY KEY (w(3)));
      CREATE TABLE loose (a INT);
      ANALYZE TABLE even, skewed, pair;
      """)
    let url = try sourceURL(server.url())
    let source = try await SourceConnection.connect(to: url)
    let reader = try await TableReader.connect(to: url)
    for (table, count, expected) in [
      ("even", 20000, 10...40), ("skewed", 18001, 9...40), ("none", 0, 1...1),
      ("pair", 5000, 3...10),
    ] {
      let schema = try await server.schema(of: name(table))
      let ranges = try #require(
        try await source.ranges(of: schema, estimatedRows: UInt64(count), rowsPerRange: 1000))
      #expect(expected.contains(ranges.count), "\(table): \(ranges.count)")
      #expect(ranges.first?.after == nil && ranges.last?.through == nil)
      for (left, right) in zip(ranges, ranges.dropFirst()) { #expect(left.through == right.after) }
      var rows: [[String]] = []
      for range in ranges {
        let part = try await allRows(try await reader.rows(of: schema, in: range, version: 1))
        #expect(part.count <= 4000, "\(table): \(range)")
        rows += part
      }
      let all = try await server.rows("SELECT * FROM d.\(table)")
      #expect(Set(rows) == Set(all))
      #expect(rows.count == all.count)
    }
    let words = try await server.schema(of: name("words"))
    #expect(try await source.ranges(of: words, estimatedRows: 0, rowsPerRange: 1) == nil)
    for table in ["prefix", "loose"] {
      let schema = try await server.schema(of: name(table))
      let error = await #expect(throws: SourceError.self) {
        try await source.ranges(of: schema, estimatedRows: 0, rowsPerRange: 1)
      }
      #expect(error?.code == .schema)
      let refused = await #expect(throws: SourceError.self) {
        try await reader.rows(of: schema, in: SourceKeyRange(after: ["1"]), version: 1)
      }
      #expect(refused?.code == .schema)
      // As a whole it can be read.
      let rows = try await reader.rows(of: schema, in: SourceKeyRange(), version: 1)
      #expect(try await allRows(rows).isEmpty)
    }
    await reader.close()
    await source.close()
    await server.stop()
  }

  /// While rows come and go, the ranges of a table hold each row that stays exactly once.
  @Test(arguments: [
    "BIGINT", "BIGINT UNSIGNED", "DECIMAL(30,10)", "VARCHAR(20)",
    "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", "VARBINARY(12)", "UUID",
    "DATETIME(6)", "BIT(48)",
  ])
  func rowsThatStayAreReadOnce(type: String) async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE d; USE d; SET sql_mode = '', time_zone = '+00:00';
      CREATE TABLE t (k \(type) NOT NULL, n INT NOT NULL, stays BOOL, PRIMARY KEY (k, n));
      INSERT INTO t SELECT \(randomKey(type)), seq % 3, TRUE FROM seq_1_to_3000
        ON DUPLICATE KEY UPDATE stays = TRUE;
      ANALYZE TABLE t;
      """)
    let staying = try await server.rows("SELECT HEX(k), n FROM d.t WHERE stays")
    let writing = Task {
      repeat {
        try await server.sql(
          """
          USE d; SET sql_mode = '', time_zone = '+00:00';
          INSERT IGNORE INTO t SELECT \(randomKey(type)), seq % 5, FALSE FROM seq_1_to_100;
          DELETE FROM t WHERE NOT stays ORDER BY RAND() LIMIT 50;
          """)
      } while !Task.isCancelled
    }
    let url = try sourceURL(server.url())
    let schema = try await server.schema(of: name("t"))
    let source = try await SourceConnection.connect(to: url)
    var plans: [[SourceKeyRange]] = []
    for rowCount in [97, 1000] {
      plans.append(try await ranges(source, schema, rowCount: rowCount))
    }
    if let plan = try await source.ranges(of: schema, estimatedRows: 3000, rowsPerRange: 100) {
      #expect(plan.count > 10)
      plans.append(plan)
    }
    for plan in plans {
      #expect(plan.count >= 3)
      var read: [[String]] = []
      for range in plan {
        let condition = try range.condition(key: schema.rangeKey()) ?? "TRUE"
        read += text(
          try await source.query("SELECT HEX(k), n FROM d.t WHERE stays AND \(condition)")
        ).map { row in row.map { $0 ?? "NULL" } }
      }
      #expect(read.sorted(by: isBefore) == staying.sorted(by: isBefore))
    }
    let reader = try await TableReader.connect(to: url)
    var count = 0
    for range in plans[0] {
      let rows = try await allRows(try await reader.rows(of: schema, in: range, version: 1))
      count += rows.filter { $0[2] == "1" }.count
    }
    #expect(count == staying.count)
    writing.cancel()
    try await writing.value
    await reader.close()
    await source.close()
    await server.stop()
  }

  private func isBefore(_ left: [String], _ right: [String]) -> Bool {
    left.lexicographicallyPrecedes(right)
  }

  /// An expression that gives random values of a type, among them many with the same beginning.
  private func randomKey(_ type: String) -> String {
    switch type {
    case "BIGINT": "CAST((RAND() - 0.5) * 1e18 AS SIGNED)"
    case "BIGINT UNSIGNED": "FLOOR(POW(2, RAND() * 63))"
    case "DECIMAL(30,10)": "(RAND() - 0.5) * POW(10, FLOOR(RAND() * 18))"
    case "VARBINARY(12)": "SUBSTR(UNHEX(MD5(RAND())), 1, FLOOR(RAND() * 12))"
    case "UUID": "UUID()"
    case "DATETIME(6)": "FROM_UNIXTIME(RAND() * 2e9)"
    case "BIT(48)": "FLOOR(RAND() * 281474976710655)"
    default:
      "CONCAT(ELT(1 + FLOOR(RAND() * 8), 'a', 'ä', 'ss', 'ß', 'O''', '\\\\', ' ', 'Z'), "
        + "SUBSTR(MD5(RAND()), 1, 2 + FLOOR(RAND() * 4)))"
    }
  }

  @Test func aChangedTableIsNotRead() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE d; USE d;
      CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9)); INSERT INTO t VALUES (1, 'x'), (2, 'y');
      CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;
      """)
    let old = try await server.schema(of: name("t"))
    let reader = try await TableReader.connect(to: try sourceURL(server.url()))
    for change in [
      "ALTER TABLE d.t ADD COLUMN b INT",
      "ALTER TABLE d.t DROP COLUMN b, MODIFY a VARCHAR(9) CHARACTER SET latin1",
      "ALTER TABLE d.t MODIFY a VARCHAR(9) CHARACTER SET utf8mb4, DROP PRIMARY KEY",
      "ALTER TABLE d.t ADD PRIMARY KEY (id), RENAME TO d.u",
    ] {
      try await server.sql(change)
      let error = await #expect(throws: SourceError.self) {
        try await reader.rows(of: old, in: SourceKeyRange(after: ["1"]), version: 1)
      }
      #expect(error?.code == .schemaChanged, "\(change): \(String(describing: error))")
    }
    try await server.sql("ALTER TABLE d.u RENAME TO d.t, COMMENT 'again'")
    // The reader goes on.
    let rows = try await reader.rows(of: old, in: SourceKeyRange(after: ["1"]), version: 5)
    #expect(try await allRows(rows) == [["2", "y"]])
    #expect(rows.byteCount == 2)
    #expect(rows.readPosition?.from == rows.readPosition?.through)
    // The server may have noted something of its own since.
    let position = try #require(rows.readPosition?.from.binlog)
    #expect(try await position <= server.position())

    let schemaOfM = try await server.schema(of: name("m"))
    let refused = await #expect(throws: SourceError.self) {
      try await reader.rows(of: schemaOfM, in: SourceKeyRange(), version: 1)
    }
    #expect(refused?.code == .schema)
    await reader.close()
    await server.stop()
  }

  /// While a range is being read its table cannot be altered, and its declaration stays the one that was checked.
  @Test func alterationsWaitForTheEndOfARange() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE d; USE d; CREATE TABLE d.t (id INT PRIMARY KEY, a VARCHAR(1000));
      INSERT INTO d.t SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000;
      """)
    let schema = try await server.schema(of: name("t"))
    let reader = try await TableReader.connect(to: try sourceURL(server.url()))
    let rows = try await reader.rows(
      of: schema, in: SourceKeyRange(), version: 1, limits: BatchLimits(rowCount: 100))
    _ = try await rows.next()
    let altering = Task { try await server.sql("ALTER TABLE d.t DROP COLUMN a") }
    try await Task.sleep(for: .milliseconds(500))
    #expect(
      try await server.rows("SHOW PROCESSLIST").contains {
        $0.contains("Waiting for table metadata lock")
      })
    var count = 100
    while let batch = try await rows.next() { count += batch.rows.rowCount }
    #expect(count == 20000)
    #expect(rows.byteCount > 20_000_000)
    try await altering.value
    let error = await #expect(throws: SourceError.self) {
      try await reader.rows(of: schema, in: SourceKeyRange(), version: 1)
    }
    #expect(error?.code == .schemaChanged)
    await reader.close()
    await server.stop()
  }

  @Test func aLockedTableIsBusy() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)")
    let schema = try await server.schema(of: name("t"))
    let locking = Task { try await server.sql("LOCK TABLES d.t WRITE; SELECT SLEEP(3)") }
    while try await server.rows("SHOW PROCESSLIST").allSatisfy({ !$0.contains("User sleep") }) {}
    let reader = try await TableReader.connect(
      to: try sourceURL(server.url()), lockLimitSeconds: 1)
    let error = await #expect(throws: SourceError.self) {
      try await reader.rows(of: schema, in: SourceKeyRange(), version: 1)
    }
    #expect(error?.code == .busy)
    #expect(error?.isTransient == true)
    try await locking.value
    let rows = try await reader.rows(of: schema, in: SourceKeyRange(), version: 1)
    #expect(try await allRows(rows).isEmpty)
    await reader.close()
    await server.stop()
  }

  /// With others writing, every range's rows are the table's at its read position: rows and the stream from
  /// there give the table.
  @Test(arguments: [false, true])
  func readPositionIsTrueWhileWriting(locking: Bool) async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE d; USE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, fixed BOOL DEFAULT 0);
      INSERT INTO d.t SELECT seq * 10, 1 FROM seq_1_to_3000; ALTER TABLE d.t AUTO_INCREMENT = 50000;
      """)
    let schema = try await server.schema(of: name("t"))
    let url = try sourceURL(server.url())
    let source = try await SourceConnection.connect(to: url)
    let writers = (0..<3).map { number in
      Task {
        var round = number
        repeat {
          let ids = (0..<100).map { round * 97 + $0 * 283 }.filter { $0 % 10 != 0 }
          let statements = ids.flatMap {
            [
              "INSERT IGNORE INTO d.t VALUES (\($0), 0);", "INSERT INTO d.t () VALUES ();",
              "DELETE FROM d.t WHERE id = \($0 * 7 % 28300) AND NOT fixed;",
            ]
          }
          try await server.sql(statements.joined())
          round += 3
        } while !Task.isCancelled
        try await server.sql("INSERT INTO d.t () VALUES ();")
      }
    }
    while try await server.rows("SELECT id FROM d.t WHERE id >= 50100").isEmpty {}

    if locking {
      // As on a server that does not tell the place of a view.
      for _ in 0..<20 {
        let connection = try await SourceConnection.connect(to: url)
        try await connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        let position = try await connection.beginAfterLocking(name("t"))
        #expect(position.from.binlog <= position.through.binlog)
        let seen = text(try await connection.query("SELECT id FROM d.t WHERE id >= 50000"))
        await connection.close()
        let missing = try await missingInserts(
          server, url, schema, from: position.from.binlog, Set(seen.compactMap { $0[0] }))
        #expect(missing.isEmpty)
      }
    } else {
      let reader = try await TableReader.connect(to: url)
      var fixed: [String] = []
      for range in try await ranges(source, schema, rowCount: 400) {
        let rows = try await reader.rows(of: schema, in: range, version: 1)
        let read = try await allRows(rows)
        fixed += read.filter { $0[1] == "1" }.map { $0[0] }
        #expect(Set(read).count == read.count)
        guard range.through == nil, let position = rows.readPosition else { continue }
        let seen = Set(read.map { $0[0] }.filter { Int($0) ?? 0 >= 50000 })
        let missing = try await missingInserts(
          server, url, schema, from: position.from.binlog, seen)
        let first = range.after.flatMap { Int($0[0]) } ?? 0
        #expect(missing.allSatisfy { Int($0) ?? 0 <= first })
        // Nothing of what follows is there already.
        let stream = try await BinlogStream.open(url, from: position.through.binlog)
        let next = try await insertedRows(stream, from: position.through.binlog, schema) {
          $0.contains { Int($0[0]) ?? 0 >= 50000 }
        }
        stream.close()
        #expect(next.allSatisfy { !seen.contains($0[0]) })
      }
      #expect(fixed.sorted() == (1...3000).map { "\($0 * 10)" }.sorted())
      await reader.close()
    }
    for writer in writers { writer.cancel() }
    for writer in writers { try await writer.value }
    await source.close()
    await server.stop()
  }

  /// The rows with numbers given by the server, which are never deleted, that are neither in `seen` nor streamed
  /// from a position on.
  private func missingInserts(
    _ server: MariaDBServer, _ url: SourceURL, _ schema: TableSchema, from position: BinlogPosition,
    _ seen: Set<String>
  ) async throws -> Set<String> {
    let all = Set(try await server.rows("SELECT id FROM d.t WHERE id >= 50000").map { $0[0] })
    let last = all.compactMap { Int($0) }.max() ?? 0
    let stream = try await BinlogStream.open(url, from: position)
    let streamed = try await insertedRows(stream, from: position, schema) {
      $0.contains { Int($0[0]) ?? 0 > last + 20 }
    }
    stream.close()
    return all.subtracting(seen).subtracting(streamed.map { $0[0] })
  }
}
