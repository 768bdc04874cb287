import Arrow
import Foundation
import MagicCore
import Synchronization
import Testing

@testable import ClickHouseEngine

/// Gives batches that a test has made.
private final class Batches: RecordBatchReader {
  let schema: Schema
  private let rest: Mutex<[RecordBatch]>
  private let failure: (any Error)?

  /// - Parameter failure: what reading ends with, after the batches; nil for a proper end.
  init(_ batches: [RecordBatch], failure: (any Error)? = nil) {
    schema = batches[0].schema
    rest = Mutex(batches)
    self.failure = failure
  }

  func next() async throws -> RecordBatch? {
    let next = rest.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    if next == nil, let failure { throw failure }
    return next
  }

  func cancel() async { rest.withLock { $0 = [] } }
}

private struct Stop: Error {}

private func batch(_ columns: [(String, ArrayData)]) throws -> RecordBatch {
  try RecordBatch(
    schema: Schema(
      fields: columns.map { Field(name: $0.0, type: $0.1.type, isNullable: true) }),
    columns: columns.map(\.1), rowCount: columns[0].1.length)
}

private func numbers(_ numbers: [Int64?]) -> ArrayData { values(numbers, .int64) }

extension StatementPath {
  /// Writes columns of rows.
  @discardableResult fileprivate func write(
    _ columns: [(String, ArrayData)], into table: String, database: String = "default",
    _ change: (inout WriteRequest) -> Void = { _ in }
  ) async throws -> Int {
    var request = WriteRequest(table: TableReference(database: database, table: table))
    change(&request)
    return try await write(request, rows: Batches([try batch(columns)]))
  }
}

extension EngineTests {
  @Test func rowsAreWrittenByTheNamesOfTheirColumns() async throws {
    try await withTables { _, path, _ in
      _ = try await path.text(
        """
        CREATE TABLE t (id UInt32, s LowCardinality(Nullable(String)) DEFAULT 'none', n Int8) \
        ENGINE = MutableMergeTree ORDER BY id
        """)
      #expect(
        try await path.write([("n", numbers([1, 2, 3])), ("id", numbers([1, 2, 1]))], into: "t")
          == 3)
      #expect(try await path.text("SELECT * FROM t ORDER BY id") == "1\tnone\t3\n2\tnone\t2\n")
      #expect(
        try await path.write([("id", numbers([2, 3])), ("s", strings([nil, "x"]))], into: "t") {
          $0.action = .upsert
        } == 2)
      #expect(
        try await path.text("SELECT * FROM t ORDER BY id") == "1\tnone\t3\n2\t\\N\t0\n3\tx\t0\n")
      #expect(
        try await path.write([("id", numbers([1, 9]))], into: "t") { $0.action = .delete } == 2)
      #expect(try await path.text("SELECT * FROM t ORDER BY id") == "2\t\\N\t0\n3\tx\t0\n")
      #expect(
        try await path.write(
          [
            ("id", numbers([3, 4])), ("s", strings(["old", "new"])), ("n", numbers([5, 5])),
            (HiddenColumn.version, numbers([1, 900])), (HiddenColumn.deleteMark, numbers([0, 0])),
          ], into: "t"
        ) { $0.action = .importing } == 2)
      #expect(
        try await path.text("SELECT * FROM t ORDER BY id") == "2\t\\N\t0\n3\tx\t0\n4\tnew\t5\n")
      for (columns, action, reason) in [
        ([("id", numbers([7])), ("x", numbers([1])), ("y", numbers([1]))], .insert, "column x, y"),
        ([("n", numbers([7]))], .upsert, "id is missing"),
        ([("id", numbers([7])), ("n", numbers([7]))], .delete, "column n"),
        ([("id", numbers([7]))], .importing, "_INTERNAL_VERSION"),
        ([("id", numbers([-1]))], .insert, "cannot be safely converted"),
        ([("id", numbers([7])), ("n", numbers([128]))], .insert, "cannot be safely converted"),
        ([("id", numbers([7])), ("n", numbers([nil]))], .insert, "null in n"),
        ([("id", strings(["7"]))], .insert, "column id is UInt32"),
        ([("id", numbers([7])), (HiddenColumn.version, numbers([1]))], .insert, "no column"),
      ] as [([(String, ArrayData)], WriteRequest.Action, String)] {
        let error = await engineError {
          try await path.write(columns, into: "t") { $0.action = action }
        }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("_magic") == false)
      }
      #expect(try await path.text("SELECT count() FROM t") == "3\n")
      let missing = await engineError { try await path.write([("id", numbers([1]))], into: "no") }
      #expect(missing?.code == 60)
    }
  }

  @Test func aReaderThatFailsHalfWayStoresNothing() async throws {
    try await withTables { _, path, _ in
      for engine in ["MutableMergeTree ORDER BY id", "MergeTree ORDER BY id", "Memory"] {
        _ = try await path.text("CREATE TABLE t (id Int64) ENGINE = \(engine)")
        let many = try batch([("id", numbers(Array(0..<100_000)))])
        let request = WriteRequest(table: TableReference(database: "default", table: "t"))
        await #expect(throws: Stop.self) {
          _ = try await path.write(request, rows: Batches([many, many, many], failure: Stop()))
        }
        #expect(try await path.text("SELECT count() FROM t") == "0\n")
        #expect(try await path.write(request, rows: Batches([many, many])) == 200_000)
        #expect(
          try await path.text("SELECT count() FROM t")
            == (engine.hasPrefix("Mutable") ? "100000\n" : "200000\n"))
        _ = try await path.text("DROP TABLE t SYNC")
      }
    }
  }

  @Test func tablesAreMadeAndReplaced() async throws {
    try await withTables { tables, path, engine in
      let rows = [("id", numbers([1, 2, 1])), ("a b", strings(["x", nil, "z"]))]
      #expect(
        try await path.write(rows, into: "t") { $0.whenMissing = .create(primaryKey: ["id"]) } == 3)
      #expect(try await path.text("SELECT * FROM t ORDER BY id") == "1\tz\n2\t\\N\n")
      #expect(
        try await path.text("SELECT name, type FROM system.columns WHERE table = 't'")
          == "id\tInt64\na b\tNullable(String)\n")
      let existing = await engineError {
        try await path.write(rows, into: "t") {
          ($0.whenMissing, $0.whenExisting) = (.create(primaryKey: []), .fail)
        }
      }
      #expect(existing?.code == 57)
      #expect(try await path.write(rows, into: "t") { $0.whenExisting = .append } == 3)
      // Without key columns, and in the place of another table.
      #expect(
        try await path.write(rows, into: "t") {
          ($0.whenMissing, $0.whenExisting) = (.create(primaryKey: []), .replace)
        } == 3)
      #expect(
        try await path.text("SELECT * FROM t ORDER BY id, 2") == "1\tx\n1\tz\n2\t\\N\n")
      // As it was declared.
      _ = try await path.text("ALTER TABLE t ADD COLUMN n Int8 DEFAULT 5")
      #expect(try await path.write(rows, into: "t") { $0.whenExisting = .replace } == 3)
      #expect(try await path.text("SELECT n, count() FROM t GROUP BY n") == "5\t3\n")
      _ = try await path.text("CREATE TABLE p (x Int8) ENGINE = MergeTree ORDER BY x")
      #expect(
        try await path.write(rows, into: "p") {
          ($0.whenMissing, $0.whenExisting) = (.create(primaryKey: ["id"]), .replace)
        } == 3)
      let state = "1\tx\n1\tz\n2\t\\N\n"
      let failed = await engineError {
        try await path.write(rows, into: "p") {
          ($0.whenMissing, $0.whenExisting) = (.create(primaryKey: ["nosuch"]), .replace)
        }
      }
      #expect(failed?.message.contains("nosuch") == true)
      let database = await engineError {
        try await path.write(rows, into: "p", database: "nosuch") {
          $0.whenMissing = .create(primaryKey: [])
        }
      }
      #expect(database?.code == 81)
      await tables.shutdown()
      let reopened = try await openTables(engine)
      let fresh = StatementPath(engine: engine, tables: reopened)
      #expect(try await fresh.text("SELECT id, `a b` FROM t ORDER BY id, 2") == state)
      await reopened.shutdown()
    }
  }

  /// What the engine gives out goes into a table of the same types unchanged.
  @Test func valuesOfEveryTypeComeBackAsTheyWere() async throws {
    try await withTables { _, path, _ in
      let samples = [
        ("Bool", "true, false"), ("Int8", "-128, 127"), ("UInt16", "0, 65535"),
        ("UInt64", "0, 18446744073709551615"),
        ("Int128", "'-5', '170141183460469231731687303715884105727'"),
        ("UInt256", "'7', '99999999999999999999999999999999999999999999'"),
        ("Float32", "nan, -inf, 0.1"),
        ("Float64", "0.1, -1e300"), ("Decimal(9, 2)", "'-1234567.89', '0.01'"),
        ("Decimal(60, 5)", "'123456789012345678901234567890123456789012345.00001'"),
        ("String", "'', 'a\\0b', 'é'"), ("FixedString(4)", "'abcd', 'a'"),
        ("LowCardinality(String)", "'x', 'y', 'x'"), ("Nullable(String)", "NULL, 'x'"),
        ("LowCardinality(Nullable(String))", "NULL, 'x'"), ("Date", "'1970-01-01', '2149-06-06'"),
        ("Date32", "'1900-01-01', '2299-12-31'"), ("DateTime('Europe/Berlin')", "0, 4294967295"),
        ("DateTime64(3, 'UTC')", "'1900-01-01 00:00:00.001', '2100-01-01 00:00:00'"),
        ("DateTime64(9, 'Asia/Tokyo')", "'2020-01-01 00:00:00.123456789'"),
        ("UUID", "'00112233-4455-6677-8899-aabbccddeeff'"), ("IPv4", "'1.2.3.4'"),
        ("IPv6", "'2001:db8::1', '::'"),
        ("Array(Int32)", "[1, 2], []"), ("Array(Nullable(String))", "['a', NULL], []"),
        ("Array(Array(Float64))", "[[1], [], [2, 3]]"),
        ("Array(UUID)", "['00112233-4455-6677-8899-aabbccddeeff']"),
        ("Array(LowCardinality(String))", "['a', 'b', 'a']"),
        ("Tuple(a Int8, b Nullable(String))", "(1, NULL), (2, 'x')"),
        ("Tuple(Int8, String)", "(1, 'x')"),
        ("Map(String, Array(Int64))", "map('a', [1]), map()"),
      ]
      let columns = samples.enumerated().map { "c\($0) \($1.0)" }.joined(separator: ", ")
      let values = samples.enumerated().map { index, sample in
        "CAST(arrayElement([\(sample.1)] AS a\(index), 1 + number % length(a\(index))), "
          + "\(quotedString(sample.0)))"
      }
      for statement in [
        "CREATE TABLE s (\(columns)) ENGINE = MutableMergeTree",
        "CREATE TABLE t (\(columns)) ENGINE = MutableMergeTree",
        "INSERT INTO s SELECT \(values.joined(separator: ", ")) FROM numbers(3)",
      ] {
        _ = try await path.text(statement)
      }
      // A table that is made for the data holds it too.
      var made = WriteRequest(table: TableReference(database: "default", table: "m"))
      (made.whenMissing, made.whenExisting) = (.create(primaryKey: []), .replace)
      for request in [WriteRequest(table: TableReference(database: "default", table: "t")), made] {
        let reader = try await path.query("SELECT * FROM s", context: StatementContext()).reader
        #expect(try await path.write(request, rows: reader) == 3)
      }
      for (index, sample) in samples.enumerated() {
        let content = "SELECT toString(c\(index)) AS text FROM {} ORDER BY text"
        let expected = try await path.text(content.replacing("{}", with: "s"))
        let written = try await path.text(content.replacing("{}", with: "t"))
        #expect(written == expected, "\(sample.0)")
      }
      #expect(try await path.text("SELECT count() FROM m") == "3\n")
    }
  }

  @Test func valuesAreConvertedExactlyOrNotAtAll() async throws {
    try await withTables { _, path, _ in
      let times = values([Int64(1_500), nil], .timestamp(.millisecond, timeZone: nil))
      let whole = values(
        [Int64(1_000), -1_000], .timestamp(.millisecond, timeZone: "Europe/Berlin"))
      let days = values([Int32(1), -1], .date32)
      let builder = DictionaryBuilder(values: ["x", "y"].map { Array($0.utf8) })
      for index in [0, 1, 0] { builder.append(index: index) }
      let dictionary = builder.finish()
      for (data, type, result) in [
        (numbers([1, 2]), "Float32", "1\n2\n"), (numbers([1, 16_777_217]), "Float32", nil),
        (numbers([5, -5]), "Decimal(9, 2)", "-5\n5\n"), (numbers([123_456]), "Decimal(6, 2)", nil),
        (numbers([1, nil]), "Nullable(UInt8)", "1\n\\N\n"),
        (numbers([256, nil]), "Nullable(UInt8)", nil),
        (numbers([1]), "String", nil), (numbers([1]), "DateTime", nil), (numbers([2]), "Bool", nil),
        (times, "Nullable(DateTime64(6, 'UTC'))", "1970-01-01 00:00:01.500000\n\\N\n"),
        (times, "Nullable(DateTime('UTC'))", nil), (times, "DateTime64(3)", nil),
        (whole, "DateTime64(0, 'UTC')", "1969-12-31 23:59:59\n1970-01-01 00:00:01\n"),
        (whole, "DateTime('UTC')", nil), (days, "Date", nil),
        (days, "Date32", "1969-12-31\n1970-01-02\n"),
        (strings(["1.2.3.4", nil]), "Nullable(IPv4)", "1.2.3.4\n\\N\n"),
        (strings(["1.2.3", nil]), "Nullable(IPv4)", nil), (strings(["abc"]), "FixedString(2)", nil),
        (strings(["abc"]), "Nullable(FixedString(2))", nil),
        (strings(["b"]), "Enum8('a' = 1)", nil), (strings(["1"]), "Int8", nil),
        (strings(["2024-01-01"]), "Date", nil),
        (values([Int64(5), nil], .duration(.second)), "Nullable(Int64)", "5\n\\N\n"),
        (values([Int64(5), 7], .time64(.microsecond)), "Int64", "5\n7\n"),
        (values([Double(2), -3], .float64), "Int32", "-3\n2\n"),
        (values([Double(2.5)], .float64), "Int32", nil),
        (values([Double(0.1)], .float64), "Float32", nil),
        (ArrayData(type: .null, length: 2, nullCount: 2), "Nullable(Int8)", "\\N\n\\N\n"),
        (ArrayData(type: .null, length: 2, nullCount: 2), "Int8", nil),
        (dictionary, "LowCardinality(String)", "x\nx\ny\n"),
        (dictionary, "Enum8('x' = 1, 'y' = 2)", "x\nx\ny\n"),
      ] as [(ArrayData, String, String?)] {
        _ = try await path.text("CREATE TABLE t (c \(type)) ENGINE = MutableMergeTree")
        if let result {
          do {
            try await path.write([("c", data)], into: "t")
          } catch {
            Issue.record("\(data.type) into \(type): \(error)")
          }
          #expect(try await path.text("SELECT c FROM t ORDER BY c") == result, "\(type)")
        } else {
          let error = await engineError { try await path.write([("c", data)], into: "t") }
          #expect(error?.message.contains("_magic") == false, "\(data.type) into \(type)")
          #expect(
            try await path.text("SELECT count() FROM t") == "0\n", "\(data.type) into \(type)")
        }
        _ = try await path.text("DROP TABLE t")
      }
    }
  }

  @Test func manyBatchesStreamAndTheLaterRowOfAKeyWins() async throws {
    try await withTables { _, path, _ in
      for key in ["ORDER BY id", ""] {
        _ = try await path.text(
          "CREATE TABLE t (id Int64, n Int64) ENGINE = MutableMergeTree \(key)")
        let batches = try (0..<20).map { number in
          try batch([
            ("id", numbers((0..<100_000).map { Int64($0 % 70_000) })),
            ("n", numbers(Array(repeating: Int64(number), count: 100_000))),
          ])
        }
        let request = WriteRequest(table: TableReference(database: "default", table: "t"))
        #expect(try await path.write(request, rows: Batches(batches)) == 2_000_000)
        #expect(
          try await path.text("SELECT count(), min(n), max(n) FROM t")
            == (key.isEmpty ? "2000000\t0\t19\n" : "70000\t19\t19\n"))
        _ = try await path.text("DROP TABLE t")
      }
    }
  }

  @Test func writesOfATransactionAreSeenWithTheTablesItMakes() async throws {
    try await withTables { tables, path, engine in
      _ = try await path.text("CREATE TABLE a (id Int64) ENGINE = MutableMergeTree ORDER BY id")
      _ = try await path.text("CREATE TABLE b (x Int8) ENGINE = MutableMergeTree ORDER BY x")
      _ = try await path.text("INSERT INTO b VALUES (1)")
      func write(_ table: String, in transaction: any Transaction) async throws {
        try await path.write([("id", numbers([1, 2]))], into: table) {
          $0.transaction = transaction
          if table != "a" { $0.whenMissing = .create(primaryKey: ["id"]) }
          if table == "b" { $0.whenExisting = .replace }
        }
      }
      let rolledBack = try await path.begin()
      for name in ["a", "b", "c"] { try await write(name, in: rolledBack) }
      await rolledBack.rollback()
      #expect(
        try await path.text("SELECT name FROM system.tables WHERE database = 'default' ORDER BY 1")
          == "a\nb\n")
      let transaction = try await path.begin()
      for name in ["a", "b", "c", "c"] { try await write(name, in: transaction) }
      #expect(
        try await path.text("SELECT (SELECT count() FROM a), (SELECT sum(x) FROM b)") == "0\t1\n")
      try await transaction.commit(CommitTerms())
      for name in ["a", "b", "c"] {
        #expect(try await path.text("SELECT * FROM \(name) ORDER BY id") == "1\n2\n", "\(name)")
      }
      #expect(!FileManager.default.fileExists(atPath: tables.intentPath))
      // Of two that make one table, one does.
      let first = try await path.begin()
      let second = try await path.begin()
      try await write("d", in: first)
      try await write("d", in: second)
      try await write("a", in: second)
      try await first.commit(CommitTerms())
      let error = await engineError { try await second.commit(CommitTerms()) }
      #expect(error?.message.contains("created meanwhile") == true)
      await tables.shutdown()
      let reopened = try await openTables(engine)
      #expect(
        try await StatementPath(engine: engine, tables: reopened).text(
          "SELECT count() FROM d, b, c")
          == "8\n")
      await reopened.shutdown()
    }
  }

  @Test func partsOfATransactionThatAreNamedArePublished() async throws {
    try await withTables { _, path, _ in
      _ = try await path.text(
        "CREATE TABLE a (id Int64, n Int64) ENGINE = MutableMergeTree ORDER BY id")
      _ = try await path.text("INSERT INTO a VALUES (1, 1), (2, 2)")
      func write(
        _ ids: [Int64], _ n: Int64, into table: String = "a", in transaction: any Transaction,
        _ change: (inout WriteRequest) -> Void = { _ in }
      ) async throws {
        let n = numbers(ids.map { _ in n })
        try await path.write([("id", numbers(ids)), ("n", n)], into: table) {
          $0.transaction = transaction
          change(&$0)
        }
      }
      var terms = CommitTerms()
      let all = "SELECT groupArray((id, n)) FROM (SELECT * FROM a ORDER BY id)"

      // Side by side, in the order of the commit, without the part that is not named.
      let whole = try await path.begin()
      let parts = [
        try await whole.beginPart(), try await whole.beginPart(), try await whole.beginPart(),
      ]
      try await write([2, 3], 30, in: parts[2])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, part) in parts.prefix(2).enumerated() {
          group.addTask { try await write([3, 4], Int64(10 * (index + 1)), in: part) }
        }
        try await group.waitForAll()
      }
      try await write([1], 5, in: whole)
      try await path.write([("id", numbers([2]))], into: "a") {
        $0.action = .delete
        $0.transaction = parts[0]
      }
      terms.parts = [parts[1], parts[0]]
      try await whole.commit(terms)
      #expect(try await path.text(all) == "[(1,5),(3,10),(4,10)]\n")
      let ended = await engineError { try await write([9], 9, in: parts[0]) }
      #expect(ended?.message.contains("has ended") == true)

      // Parts fill a table that the whole transaction makes in the place of another.
      let replacing = try await path.begin()
      try await write([], 0, in: replacing) { $0.whenExisting = .replace }
      let fillers = [try await replacing.beginPart(), try await replacing.beginPart()]
      try await write([7, 8], 1, in: fillers[0])
      try await write([8, 9], 2, in: fillers[1])
      #expect(try await path.text(all) == "[(1,5),(3,10),(4,10)]\n")
      terms.parts = fillers
      terms.token = "once"
      try await replacing.commit(terms)
      #expect(try await path.text(all) == "[(7,1),(8,2),(9,2)]\n")

      // The same once more is without effect.
      let again = try await path.begin()
      try await write([1], 1, in: again)
      terms.parts = []
      try await again.commit(terms)
      #expect(try await path.text(all) == "[(7,1),(8,2),(9,2)]\n")

      let strange = try await path.begin()
      terms.parts = [try await path.begin()]
      let foreign = await engineError { [terms] in try await strange.commit(terms) }
      #expect(foreign?.message.contains("belongs to another") == true)
      let part = try await path.begin().beginPart()
      let alone = await engineError { try await part.commit(CommitTerms()) }
      #expect(alone?.message.contains("the transaction that it belongs to") == true)
      let nested = await engineError { _ = try await part.beginPart() }
      #expect(nested?.message.contains("has no parts") == true)
    }
  }

  @Test func aCommitCanRefuseWhatOthersHaveChanged() async throws {
    try await withTables { tables, path, _ in
      for name in ["a", "b"] {
        _ = try await path.text(
          "CREATE TABLE \(name) (id Int64) ENGINE = MutableMergeTree ORDER BY id")
      }
      _ = try await path.text("INSERT INTO a VALUES (1)")
      var terms = CommitTerms()
      terms.unchangedSince = path.published.commit
      func changing(_ table: String) async throws -> any Transaction {
        let transaction = try await path.begin()
        try await path.changed("INSERT INTO \(table) VALUES (2)", in: transaction)
        return transaction
      }
      _ = try await path.text("INSERT INTO b VALUES (1)")
      try await changing("a").commit(terms)
      for table in ["a", "b"] {
        let late = try await changing(table)
        let error = await engineError { [terms] in try await late.commit(terms) }
        #expect(error?.code == 650 && error?.message.contains("default.\(table) was") == true)
      }
      #expect(
        try await path.text("SELECT (SELECT count() FROM a), (SELECT count() FROM b)") == "2\t1\n")
    }
  }

  /// What a process leaves that is killed between the publication and the views, or before it.
  @Test func recoveryShowsTheTablesOfAPublishedCommitOnly() async throws {
    try await withTables { tables, path, engine in
      for name in ["old", "new", "lost"] {
        try await path.write([("\(name)", numbers([1, 2]))], into: name) {
          $0.whenMissing = .create(primaryKey: [])
        }
      }
      func owner(_ name: String) -> String {
        "\(tables.table(TableReference(database: "default", table: name))?.owner.description ?? "")"
      }
      let published = tables.storage.registry.published.commit
      let intents = ["new", "lost"].map { name in
        CommitIntent.Table(
          owner: owner(name), name: TableReference(database: "default", table: "old"), comment: "",
          replaced: owner("old"))
      }
      await tables.shutdown()
      let connection = try await engine.connect()
      try await connection.execute("DROP TABLE lost SYNC")
      await connection.close()
      try await CommitIntent(commit: published + 1, tables: [intents[1]]).write(tables.intentPath)
      let reopened = try await MutableTables.open(
        engine: engine, commitLog: engine.dataFolder + "/commits")
      let fresh = StatementPath(engine: engine, tables: reopened)
      #expect(try await fresh.text("SELECT old FROM old ORDER BY old") == "1\n2\n")
      #expect(!FileManager.default.fileExists(atPath: tables.intentPath))
      await reopened.shutdown()
      let again = try await engine.connect()
      try await again.execute("DROP TABLE new SYNC")
      await again.close()
      try await CommitIntent(commit: published, tables: [intents[0]]).write(tables.intentPath)
      let last = try await MutableTables.open(
        engine: engine, commitLog: engine.dataFolder + "/commits")
      let shown = StatementPath(engine: engine, tables: last)
      #expect(try await shown.text("SELECT new FROM old ORDER BY new") == "1\n2\n")
      try await shown.changed("INSERT INTO old VALUES (3)")
      #expect(try await shown.text("SELECT count() FROM old") == "3\n")
      #expect(
        try await shown.text(
          "SELECT count() FROM system.tables WHERE name LIKE 'u%\\_s%' AND database = '_magic'")
          == "1\n")
      await last.shutdown()
    }
  }
}
