import Arrow
import ClickHouseEngine
import MagicCore
import Testing

extension EngineTests {
  /// What a statement really gives.
  private func columns(
    _ statement: String, _ context: StatementContext, _ path: StatementPath
  ) async throws -> Schema {
    let reader = try await path.query(statement, context: context).reader
    await reader.cancel()
    return reader.schema
  }

  @Test func theColumnsOfAResultAreKnownBefore() async throws {
    try await withTables { _, path, _ in
      let values = [
        "1 :: Int8", "1 :: UInt16", "1 :: Int32", "1 :: UInt64", "1 :: Int128", "1 :: UInt256",
        "1.5 :: Float32", "1.5", "true", "1 :: Decimal32(2)", "1 :: Decimal(18, 3)",
        "1 :: Decimal(38, 10)", "1 :: Decimal(65, 30)", "'x'", "toFixedString('ab', 3)",
        "'2020-01-01' :: Date", "'2020-01-01' :: Date32", "'2020-01-01 00:00:00' :: DateTime",
        "toDateTime('2020-01-01 00:00:00', 'Europe/Berlin')",
        "toDateTime64('2020-01-01', 0, 'UTC')",
        "toDateTime64('2020-01-01', 2, 'UTC')", "toDateTime64('2020-01-01', 6, 'Asia/Tokyo')",
        "toDateTime64('2020-01-01', 9)", "generateUUIDv4()", "toIPv4('1.2.3.4')", "toIPv6('::1')",
        "CAST('a', 'Enum8(\\'a\\' = 1)')", "CAST('a', 'Enum16(\\'it\\\\\\'s\\' = 1, \\'a\\' = 2)')",
        "toLowCardinality('x')", "toLowCardinality(toNullable('x'))",
        "CAST(['a'], 'Array(LowCardinality(String))')", "NULL", "[]", "[NULL]", "toNullable(1)",
        "[1, NULL]", "[[1]]", "map('a', 1)", "map('a', map('b', [1]))", "(1, 'x')",
        "CAST((1, 'x'), 'Tuple(a Int8, `b c` Nullable(String))')", "toIntervalDay(1)",
        "(1, 2) :: Point", "CAST(1, 'SimpleAggregateFunction(sum, UInt64)')", "now()",
        "CAST('12:34:56.5', 'Time64(6)')", "nan", "CAST('{}', 'JSON')",
      ]
      for value in values {
        let statement = "SELECT \(value) AS x"
        let context = StatementContext()
        let told = try await path.schema(of: statement, context: context)
        let given = try await columns(statement, context, path)
        #expect(told == given, "\(value)")
      }
      for value in ["uniqState(1)", "CAST(1, 'BFloat16')"] {
        let error = await engineError {
          _ = try await path.schema(of: "SELECT \(value) AS x", context: StatementContext())
        }
        #expect(error?.message.contains("'x'") == true, "\(value)")
      }
    }
  }

  @Test func everyStatementThatGivesRowsIsDescribed() async throws {
    try await withTables { _, path, _ in
      _ = try await path.text("CREATE DATABASE d")
      _ = try await path.text(
        "CREATE TABLE d.m (id UInt32, s Nullable(String), e LowCardinality(String), "
          + "t DateTime64(3, 'UTC')) ENGINE = MutableMergeTree ORDER BY id")
      _ = try await path.text("INSERT INTO d.m VALUES (1, 'a', 'b', 0)")
      _ = try await path.text("CREATE VIEW d.v AS SELECT id + 1 AS n, s FROM d.m")
      let inside = context {
        $0.database = "d"
        $0.parameters = ["x": "1"]
        $0.settings = ["describe_compact_output": "1", "describe_include_subcolumns": "1"]
      }
      let statements = [
        "SELECT * FROM m", "SELECT * FROM d.v;", "SELECT id, id, s FROM m -- end",
        "SELECT *, * FROM m FORMAT JSON", "SELECT id AS ` `, 1 FROM m",
        "WITH 1 AS a SELECT a, {x:Int8}",
        "FROM m SELECT s", "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT * FROM m AS a JOIN m AS b USING id",
        "SELECT count() FROM m GROUP BY id WITH TOTALS", "SELECT 1 SETTINGS max_threads = 1",
        "SELECT (SELECT max(id) FROM m)", "SELRAW * FROM m", "1 + 1", "SHOW TABLES",
        "SHOW CREATE m",
        "SHOW CREATE VIEW v", "DESCRIBE m", "DESCRIBE v", "EXISTS TABLE m",
        "EXPLAIN SELECT * FROM m",
        "EXPLAIN ANALYZE SELECT 1", "EXPLAIN ESTIMATE SELECT * FROM m", "CHECK TABLE m",
        "SHOW COLUMNS FROM m",
        "SHOW SETTINGS LIKE 'max_threads'", "SELECT * FROM system.tables",
        "SELECT [NULL] AS a, NULL AS b", "SELECT 1 AS `it's \\`\\\\`",
      ]
      for statement in statements {
        #expect(
          try await path.schema(of: statement, context: inside) == columns(statement, inside, path),
          "\(statement)")
        var reading = inside
        reading.isReadOnly = true
        if !statement.contains("SETTINGS max") {
          #expect(
            try await path.schema(of: statement, context: reading)
              == columns(statement, inside, path), "reading: \(statement)")
        }
      }
      for statement in [
        "INSERT INTO m VALUES (1, 'a', 'b', 0)", "UPDATE m SET s = '' WHERE 1",
        "DELETE FROM m WHERE 1",
        "CREATE TABLE x AS m", "DROP TABLE m", "SET max_threads = 1", "USE d",
        "UPSERT INTO m SELECT 1",
        "KILL QUERY WHERE 1", "TRUNCATE TABLE m", "OPTIMIZE TABLE m", "SYSTEM FLUSH LOGS",
      ] {
        #expect(try await path.schema(of: statement, context: inside) == nil, "\(statement)")
      }
      #expect(try await path.text("SELECT count() FROM d.m") == "1\n")
      await expectError(47) {
        _ = try await path.schema(of: "SELECT nosuch", context: StatementContext())
      }
      await expectError(62) {
        _ = try await path.schema(of: "SELEC 1", context: StatementContext())
      }
      // Nothing is read.
      let start = ContinuousClock.now
      _ = try await path.schema(
        of: "SELECT uniq(number) FROM numbers(100000000000)", context: StatementContext())
      #expect(ContinuousClock.now - start < .seconds(1))
      let places = try await path.schema(
        of: "SELECT id, s FROM d.m WHERE id = ? AND s LIKE ? LIMIT ?", context: StatementContext())
      #expect(places?.fields.map(\.type) == [.uint32, .utf8])
    }
  }

  @Test func tablesAreListedWithTheirColumns() async throws {
    try await withTables { _, path, _ in
      _ = try await path.text("CREATE DATABASE d")
      _ = try await path.text(
        "CREATE TABLE d.m (v String, b UInt8, a Nullable(Decimal(10, 2))) ENGINE = MutableMergeTree "
          + "ORDER BY (b, length(v)) COMMENT 'mine'")
      _ = try await path.text(
        "CREATE TABLE d.p (a Int8, g Int8 MATERIALIZED 1, u UUID) ENGINE = MergeTree ORDER BY a")
      _ = try await path.text("INSERT INTO d.p (a) VALUES (1), (2)")
      _ = try await path.text(
        "CREATE TABLE d.state (a AggregateFunction(uniq, UInt8)) ENGINE = Memory")
      _ = try await path.text("CREATE VIEW d.v AS SELECT 1 AS x")
      _ = try await path.text("CREATE VIEW w AS SELECT 1 AS x")
      var all = TableSelection()
      all.database = "d"
      all.includesColumns = true
      let entries = try await path.tables(matching: all)
      #expect(entries.map(\.name.table) == ["m", "p", "state", "v"])
      #expect(entries.map(\.kind) == [.table, .table, .table, .view])
      #expect(entries.map(\.engine) == ["MutableMergeTree", "MergeTree", "Memory", "View"])
      #expect(entries.map(\.primaryKey) == [["b", "v"], [], [], []])
      #expect(entries[0].comment == "mine")
      #expect(entries.map(\.rowCount) == [nil, 2, 0, nil])
      #expect(entries[0].columnTypes == ["String", "UInt8", "Nullable(Decimal(10, 2))"])
      #expect(entries[2].columns == nil)
      for index in [0, 1, 3] {
        let name = entries[index].name
        let real = try await columns("SELECT * FROM \(name)", StatementContext(), path)
        #expect(entries[index].columns == real)
      }
      var some = TableSelection()
      some.table = "_"
      some.kinds = [.view]
      #expect(
        try await path.tables(matching: some).map(\.name.description) == ["d.v", "default.w"])
      some.kinds = [.systemTable]
      some.table = "tables"
      #expect(try await path.tables(matching: some).contains { $0.name.database == "system" })
      let databases = Set(try await path.tables(matching: TableSelection()).map(\.name.database))
      #expect(databases.contains("system") && !databases.contains("_magic"))
    }
  }
}
