import MySQLSchema
import RowEncoding
import TestSupport
import Testing

@testable import MySQLSource

@Suite(.enabled(if: MariaDBServer.isAvailable), .serialized, .timeLimit(.minutes(2)))
struct SnapshotTests {
  @Test func listsTables() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE shop CHARACTER SET latin1; CREATE DATABASE other;
      CREATE TABLE shop.`or``ders ü` (id BIGINT UNSIGNED PRIMARY KEY, `na``me` VARCHAR(9),
        state ENUM('neu','größer') CHARACTER SET latin1);
      CREATE TABLE shop.m (a INT) ENGINE=MyISAM;
      CREATE VIEW shop.v AS SELECT 1;
      CREATE SEQUENCE shop.s;
      CREATE TABLE other.t (a INT PRIMARY KEY);
      """)
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let tables = try await source.listTables(TableFilter(include: ["shop.*"]))
    #expect(tables.map(\.name.table) == ["m", "or`ders ü"])
    #expect(tables.map(\.storageEngine) == ["MyISAM", "InnoDB"])
    let schema = try tables[1].schema.get()
    #expect(schema.name == TableName(database: "shop", table: "or`ders ü"))
    #expect(
      schema.columns.map(\.type) == [
        .integer(.big, isUnsigned: true), .string(charset: "latin1"),
        .enumeration(["neu", "größer"]),
      ])
    #expect(schema.columns[1].name == "na`me")
    #expect(schema.primaryKey == [0])
    #expect(try await source.declaration(of: TableName(database: "shop", table: "no")) == nil)
    await source.close()
    await server.stop()
  }

  @Test func whatTablesAreLike() async throws {
    let server = try await MariaDBServer.start()
    let odd = "a.b/c 'd' \\\\ %_ ; -- 表 é"
    try await server.sql(
      """
      CREATE DATABASE `d-1 ü`; USE `d-1 ü`;
      CREATE TABLE parent (id INT PRIMARY KEY, u INT UNIQUE);
      CREATE TABLE plain (p INT PRIMARY KEY, FOREIGN KEY (p) REFERENCES parent (id));
      CREATE TABLE deleted (p INT PRIMARY KEY,
        FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE);
      CREATE TABLE `updated``x` (p INT PRIMARY KEY, q INT,
        FOREIGN KEY (q) REFERENCES parent (u) ON UPDATE SET NULL);
      CREATE TABLE tree (id INT PRIMARY KEY, up INT,
        FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE);
      CREATE TABLE `\(odd)` (id INT PRIMARY KEY, v VARCHAR(1000));
      INSERT INTO `\(odd)` SELECT seq, REPEAT('x', 1000) FROM seq_1_to_2000;
      CREATE TABLE past (id INT PRIMARY KEY) WITH SYSTEM VERSIONING;
      CREATE VIEW v AS SELECT 1; CREATE SEQUENCE s; CREATE TEMPORARY TABLE temp (id INT);
      ANALYZE TABLE `\(odd)`;
      """)
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    let tables = try await source.listTables(TableFilter(include: ["d-1 ü.*"]))
    #expect(
      tables.map(\.name.table)
        == [odd, "deleted", "parent", "past", "plain", "tree", "updated`x"].sorted())
    #expect(
      tables.filter(\.isChangedByCascades).map(\.name.table) == ["deleted", "tree", "updated`x"])
    let large = try #require(tables.first { $0.name.table == odd })
    #expect((1000...3000).contains(large.estimatedRows))
    #expect((2_000_000...4_000_000).contains(large.dataBytes))
    #expect((1000...3000).contains(large.averageRowBytes))
    let schema = try large.schema.get()
    #expect(schema.name.table == odd)
    // The name is good for every statement.
    let ranges = try await source.ranges(of: schema, estimatedRows: 2000, rowsPerRange: 500)
    #expect((ranges?.count ?? 0) >= 3)
    let reader = try await TableReader.connect(to: try sourceURL(server.url()))
    let rows = try await reader.rows(of: schema, in: SourceKeyRange(through: ["3"]), version: 1)
    #expect(try await allRows(rows).map { $0[0] } == ["1", "2", "3"])
    await reader.close()
    await source.close()
    await server.stop()
  }

  /// A server that stores names in lower case: they are then found and given in lower case everywhere.
  @Test func namesInLowerCase() async throws {
    let server = try await MariaDBServer.start(options: ["--lower-case-table-names=1"])
    try await server.sql(
      """
      CREATE DATABASE Shop; CREATE TABLE Shop.Orders (Id INT PRIMARY KEY);
      INSERT INTO SHOP.ORDERS VALUES (1);
      CREATE TABLE Shop.Items (Id INT PRIMARY KEY,
        FOREIGN KEY (Id) REFERENCES Shop.Orders (Id) ON DELETE CASCADE);
      """)
    let source = try await SourceConnection.connect(to: try sourceURL(server.url()))
    #expect(try await source.facts().lowerCaseTableNames == 1)
    let tables = try await source.listTables(TableFilter(include: ["shop.*"]))
    #expect(tables.map(\.name.table) == ["items", "orders"])
    #expect(tables.map(\.isChangedByCascades) == [true, false])
    let schema = try #require(
      try await source.declaration(of: TableName(database: "shop", table: "orders"))
    ).get()
    let reader = try await TableReader.connect(to: try sourceURL(server.url()))
    let rows = try await reader.rows(of: schema, in: SourceKeyRange(after: ["0"]), version: 1)
    #expect(try await allRows(rows) == [["1"]])
    await reader.close()
    await source.close()
    await server.stop()
  }

  /// Every type, in the copy and in the stream: both must give the same values.
  @Test func copyEqualsStream() async throws {
    let server = try await MariaDBServer.start()
    let members = (1...64).map { "'m\($0)'" }.joined(separator: ",")
    try await server.sql(
      """
      CREATE DATABASE d; USE d;
      CREATE TABLE t (
        id INT PRIMARY KEY, ti TINYINT, tu TINYINT UNSIGNED, si SMALLINT, mi MEDIUMINT,
        mu MEDIUMINT UNSIGNED, bi BIGINT, bu BIGINT UNSIGNED, f FLOAT, f2 FLOAT(9,2), d DOUBLE,
        d2 DOUBLE(200,2), de DECIMAL(65,30), b1 BIT(1), b64 BIT(64), da DATE, dt DATETIME(6),
        ts TIMESTAMP(3) NULL, tm TIME(6), y YEAR, c CHAR(5) CHARACTER SET latin1,
        v VARCHAR(20) CHARACTER SET gbk, u TEXT CHARACTER SET utf16, w TEXT CHARACTER SET utf8mb4,
        bn BINARY(4), vb VARBINARY(9), bl BLOB, e ENUM('x','größer') CHARACTER SET latin1,
        s SET(\(members)), j JSON, g GEOMETRY, i4 INET4, i6 INET6, uu UUID,
        gen INT AS (id * 2) STORED, inv INT INVISIBLE DEFAULT 3) CHARACTER SET latin1;
      SET sql_mode = '', time_zone = '+03:00';
      """)
    let start = try await server.position()
    try await server.sql(
      """
      USE d; SET sql_mode = '', time_zone = '+03:00';
      INSERT INTO t VALUES (1, -128, 255, -32768, -8388608, 16777215, -9223372036854775808,
        18446744073709551615, 3.4028235e38, 1234567.89, 1.7976931348623157e308, 1e100,
        -12345678901234567890123456789012345.123456789012345678901234567890, b'1',
        0xFFFFFFFFFFFFFFFF, '9999-12-31', '2024-02-29 23:59:59.999999', '2024-06-01 12:00:00.123',
        '-838:59:59.999999', 2155, 'é', '中文', 'a𝄞', 'ü𝄞', X'01', X'00FF00', X'0000', 'größer',
        18446744073709551615, '{"ä": [1, 2.50]}', ST_GeomFromText('LINESTRING(0 0,1 1)', 4326),
        '10.0.0.1', '2001:db8::1', '123e4567-e89b-12d3-a456-426655440000', DEFAULT);
      INSERT INTO t (id) VALUES (2);
      INSERT INTO t VALUES (3, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0, b'0', 0, '0000-00-00',
        '2024-00-00 00:00:00', 0, '00:00:00', 0, '', '', '', '', '', '', '', '', '', '""',
        POINT(1, 2), '0.0.0.0', '::', '00000000-0000-0000-0000-000000000000', DEFAULT);
      INSERT INTO t (id, f, d, s, tm) VALUES (4, 1e-45, 4.9e-324, 9223372036854775809, '838:59:59'),
        (5, 16777216, 9007199254740993, 2, '-00:00:00.000001'), (6, -1.1754942e-38, 1e22, 1, '1:2');
      """)
    let schema = try await server.schema(of: TableName(database: "d", table: "t"))
    let snapshot = try await Snapshot.begin(at: try sourceURL(server.url()))
    let reading = try await snapshot.rows(of: schema, version: 1, orderBy: "id")
    let copied = try await allRows(reading)
    await snapshot.close()
    let stream = try await BinlogStream.open(try sourceURL(server.url()), from: start)
    let streamed = try await insertedRows(stream, from: start, schema) { $0.count >= 6 }
    stream.close()

    #expect(copied.count == 6)
    for (copy, change) in zip(copied, streamed) {
      for (index, column) in schema.columns.enumerated() {
        #expect(copy[index] == change[index], "row \(copy[0]), column \(column.name)")
      }
    }
    func value(_ row: Int, _ column: String) -> String? {
      schema.columnIndex(column).map { copied[row - 1][$0] }
    }
    #expect(value(1, "c") == "é")
    #expect(value(1, "v") == "中文")
    #expect(value(1, "u") == "a𝄞")
    #expect(value(1, "e") == "größer")
    #expect(value(1, "bn") == "[1, 0, 0, 0]")
    #expect(value(1, "bu") == "18446744073709551615")
    #expect(value(1, "f") == "3.4028235e+38")
    #expect(value(1, "f2") == "\(Float(1234567.89))")
    #expect(value(1, "tm") == "-3020399999999")
    #expect(value(1, "gen") == "2")
    #expect(value(1, "inv") == "3")
    #expect(value(1, "s")?.hasSuffix("\"m63\", \"m64\"]") == true)
    #expect(value(4, "s") == "[\"m1\", \"m64\"]")
    #expect(value(4, "f") == "1e-45")
    #expect(value(4, "d") == "5e-324")
    await server.stop()
  }

  /// The rows at the snapshot's position and the rows inserted after it are all rows, each once.
  @Test(arguments: [false, true])
  func positionIsExactWhileWriting(locked: Bool) async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, a INT)")
    let schema = try await server.schema(of: TableName(database: "d", table: "t"))
    let insert = String(repeating: "INSERT INTO d.t (a) VALUES (1); ", count: 500)
    let writers = (1...2).map { _ in
      Task {
        repeat { try await server.sql(insert) } while !Task.isCancelled
        // What comes after the copy for certain.
        try await server.sql(insert)
      }
    }
    while try await server.rows("SELECT id FROM d.t LIMIT 1").isEmpty {}

    let snapshot: Snapshot
    if locked {
      let connection = try await SourceConnection.connect(to: try sourceURL(server.url()))
      try await connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
      snapshot = Snapshot(
        position: try await connection.beginLockedSnapshot(), connection: connection)
    } else {
      snapshot = try await Snapshot.begin(at: try sourceURL(server.url()))
      #expect(snapshot.position.gtid?.hasPrefix("0-1-") == true)
    }
    let rows = try await snapshot.rows(
      of: schema, version: 1, limits: BatchLimits(rowCount: 100))
    let copied = try await allRows(rows).map { $0[0] }
    await snapshot.close()
    for writer in writers { writer.cancel() }
    for writer in writers { try await writer.value }
    let all = try await server.rows("SELECT id FROM d.t").map { $0[0] }

    let position = snapshot.position.binlog
    let stream = try await BinlogStream.open(try sourceURL(server.url()), from: position)
    let streamed = try await insertedRows(stream, from: position, schema) {
      $0.count + copied.count >= all.count
    }.map { $0[0] }
    stream.close()
    #expect(!copied.isEmpty && !streamed.isEmpty)
    #expect((copied + streamed).sorted() == all.sorted())
    await server.stop()
  }

  @Test func batchesOrderAndConditions() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      """
      CREATE DATABASE d; USE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(100));
      INSERT INTO d.t SELECT seq, REPEAT('x', 90) FROM seq_1_to_1000;
      CREATE TABLE d.m (id INT PRIMARY KEY) ENGINE=MyISAM;
      """)
    let schema = try await server.schema(of: TableName(database: "d", table: "t"))
    let snapshot = try await Snapshot.begin(at: try sourceURL(server.url()))
    var rows = try await snapshot.rows(
      of: schema, version: 7, where: "id > 400", orderBy: "id DESC",
      limits: BatchLimits(rowCount: 256, byteCount: 1 << 30))
    // Nothing else can run on the connection in the middle of a table.
    _ = try await rows.next()
    let busy = await #expect(throws: SourceError.self) {
      try await snapshot.connection.query("SELECT 1")
    }
    #expect(busy?.code == .closed)
    var counts: [Int] = []
    while let batch = try await rows.next()?.rows {
      counts.append(batch.rowCount)
      #expect(batch.columns[2].rendered(at: 0) == "7")
      #expect(batch.columns[3].rendered(at: 0) == "0")
    }
    #expect(counts == [256, 88])
    #expect(try await rows.next()?.rows.rowCount == nil)

    rows = try await snapshot.rows(
      of: schema, version: 1, orderBy: "id", limits: BatchLimits(rowCount: 10_000, byteCount: 910))
    let batch = try await rows.next()?.rows
    #expect(batch?.rowCount == 10)
    #expect(batch?.rendered[9] == ["10", String(repeating: "x", count: 90)])
    while try await rows.next() != nil {}

    let schemaOfM = try await server.schema(of: TableName(database: "d", table: "m"))
    let refused = await #expect(throws: SourceError.self) {
      _ = try await snapshot.rows(of: schemaOfM, version: 1)
    }
    #expect(refused?.code == .schema)
    #expect(refused?.description.contains("MyISAM") == true)

    // Half of a table, then closing.
    rows = try await snapshot.rows(of: schema, version: 1, limits: BatchLimits(rowCount: 1))
    _ = try await rows.next()
    await snapshot.close()
    await server.stop()
  }

  @Test func tableChangedAfterTheSnapshot() async throws {
    let server = try await MariaDBServer.start()
    try await server.sql(
      "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)")
    let snapshot = try await Snapshot.begin(at: try sourceURL(server.url()))
    try await server.sql("ALTER TABLE d.t ADD COLUMN a INT DEFAULT 5, ALGORITHM=COPY")
    let schema = try await server.schema(of: TableName(database: "d", table: "t"))
    let error = await #expect(throws: SourceError.self) {
      _ = try await allRows(try await snapshot.rows(of: schema, version: 1))
    }
    #expect(error?.number == 1412)
    await snapshot.close()
    await server.stop()
  }
}
