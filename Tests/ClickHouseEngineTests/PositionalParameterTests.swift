import Arrow
import MagicCore
import Testing

@testable import ClickHouseEngine

@Suite struct PlaceholderTests {
  @Test(arguments: [
    ("SELECT ?", [0]), ("SELECT ?, '?', \"?\", `?` -- ?\n /* ? */, ?", [0, 1]),
    ("SELECT a = ? ? 1 : 2", [0]), ("SELECT a ? b : c", []), ("SELECT a ? ? : ?", [0, 1]),
    ("SELECT ? ? ? : ?", [0, 1, 2]), ("SELECT (a) ? 'x' : f(?)", [0]),
    ("SELECT a[1] ? {x:Int8} : 2", []), ("SELECT f(a ? 1 : 2, ?)", [0]),
    ("SELECT x ? y :: Int8 : z", []), ("SELECT ?::Int8, ? :: Int8", [0, 1]),
    ("SELECT a LIMIT ? OFFSET ?", [0, 1]), ("SELECT DATE ?", [0]), ("a BETWEEN ? AND ?", [0, 1]),
    ("INSERT INTO t VALUES (?, ?)", [0, 1]), ("SELECT a ? b : c ? d : e, ?", [0]),
    ("SELECT $1, $2, $1", [0, 1, 0]), ("SELECT $2", [1]), ("SELECT $a, '$1', $0", []),
    ("SELECT $$?$$, $t$ $1 $t$", []), ("WHERE a IN (?) AND b > ?", [0, 1]),
    ("SELECT CASE WHEN ? THEN ? ELSE ? END", [0, 1, 2]), ("SELECT INTERVAL ? DAY", [0]),
    ("UPDATE t SET a = ?, b = b ? 1 : ? WHERE c LIKE ?", [0, 1, 2]),
  ])
  func placesOfValuesAreFound(statement: String, numbers: [Int]) throws {
    #expect(try SQLText(statement).placeholders().map(\.number) == numbers)
  }

  @Test func placesAreWrittenInOneWay() {
    #expect(throws: EngineError.self) { try SQLText("SELECT ?, $1").placeholders() }
  }
}

extension EngineTests {
  /// One row of values.
  private func row(_ columns: [(Field, ArrayData)]) throws -> RecordBatch {
    try RecordBatch(
      schema: Schema(fields: columns.map(\.0)), columns: columns.map(\.1), rowCount: 1)
  }

  private func value(_ type: DataType, _ column: ArrayData, extension name: String? = nil) -> (
    Field, ArrayData
  ) {
    let metadata = name.map { [Field.extensionNameKey: $0] } ?? [:]
    return (Field(name: "", type: type, metadata: metadata), column)
  }

  private func number<T: FixedWidthInteger & BitwiseCopyable>(_ value: T?, _ type: DataType) -> (
    Field, ArrayData
  ) { self.value(type, numberColumn([value], type: type)) }

  @Test func valuesArriveExactly() async throws {
    try await withTables { _, path, _ in
      let decimal = DecimalBuilder(precision: 38, scale: 4)
      decimal.append(magnitude: (1_234_567, 0, 0, 0), isNegative: true)
      let wide = DecimalBuilder(precision: 76, scale: 0)
      wide.append(magnitude: (.max, .max, 1, 0), isNegative: false)
      let item = Field(name: "item", type: .int32)
      let bytes: [UInt8] = [0, 1, 39, 92, 255, 10]
      let address: [UInt8] = [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1]
      func fixed(_ bytes: [UInt8]) -> ArrayData {
        let builder = FixedSizeBinaryBuilder(width: bytes.count)
        bytes.withUnsafeBytes { builder.append($0) }
        return builder.finish()
      }
      let largeText = ArrayData(
        type: .largeUtf8, length: 1,
        buffers: [
          [Int64(0), 1].withUnsafeBytes { Buffer(copying: $0) }, Buffer(copying: Array("x".utf8)),
        ])
      let cases: [((Field, ArrayData), String, String)] = [
        (number(Int8.min, .int8), "Int8", "-128"),
        (number(Int64.min, .int64), "Int64", "\(Int64.min)"),
        (number(UInt64.max, .uint64), "UInt64", "\(UInt64.max)"),
        (number(Int16(-5), .int16), "Int16", "-5"), (number(UInt8(5), .uint8), "UInt8", "5"),
        (value(.float64, numberColumn([0.1], type: .float64)), "Float64", "0.1"),
        (
          value(.float64, numberColumn([Double.leastNonzeroMagnitude], type: .float64)), "Float64",
          "5e-324"
        ),
        (value(.float64, numberColumn([-Double.infinity], type: .float64)), "Float64", "-inf"),
        (value(.float64, numberColumn([Double.nan], type: .float64)), "Float64", "nan"),
        (value(.float32, numberColumn([Float(0.1)], type: .float32)), "Float32", "0.1"),
        (value(.bool, booleanColumn([true])), "Bool", "true"),
        (value(.utf8, textColumn(["it's \\ \n ü ?"])), "String", "it\\'s \\\\ \\n ü ?"),
        (value(.largeUtf8, largeText), "String", "x"),
        (value(.date32, numberColumn([Int32(-719_162)], type: .date32)), "Date32", "0001-01-01"),
        (value(.date32, numberColumn([Int32(2_932_896)], type: .date32)), "Date32", "9999-12-31"),
        (
          number(Int64(-1), .timestamp(.microsecond, timeZone: nil)), "DateTime64(6, 'UTC')",
          "1969-12-31 23:59:59.999999"
        ),
        (
          number(Int64(5), .timestamp(.nanosecond, timeZone: "Europe/Berlin")),
          "DateTime64(9, 'Europe/Berlin')", "1970-01-01 01:00:00.000000005"
        ),
        (
          number(Int64(60), .timestamp(.second, timeZone: "+02:00")), "DateTime64(0, 'UTC')",
          "1970-01-01 00:01:00"
        ),
        (number(Int64(45_296_000_007), .time64(.microsecond)), "Time64(6)", "12:34:56.000007"),
        (number(Int64(7), .duration(.second)), "Int64", "7"),
        (
          value(.decimal128(precision: 38, scale: 4), decimal.finish()), "Decimal(38, 4)",
          "-123.4567"
        ),
        (
          value(.decimal256(precision: 76, scale: 0), wide.finish()), "Decimal(76, 0)",
          "680564733841876926926749214863536422911"
        ),
        (value(.fixedSizeBinary(3), fixed([97, 0, 98])), "FixedString(3)", "a\\0b"),
        (
          value(.fixedSizeBinary(16), fixed(address), extension: "arrow.uuid"), "UUID",
          "20010db8-0000-0000-0000-000000000001"
        ),
        (
          value(.fixedSizeBinary(16), fixed(address), extension: "magic.ipv6"), "IPv6",
          "2001:db8::1"
        ),
        (
          value(
            .uint32, numberColumn([UInt32(16_909_060)], type: .uint32), extension: "magic.ipv4"),
          "IPv4", "1.2.3.4"
        ),
        (number(Int32?.none, .int32), "Nullable(Int32)", "\\N"),
        (value(.null, ArrayData(type: .null, length: 1, nullCount: 1)), "Nullable(Nothing)", "\\N"),
        (
          value(
            .list(item),
            listColumn([[Int32(1), nil, 3]], item: item) { numberColumn($0, type: .int32) }),
          "Array(Nullable(Int32))", "[1,NULL,3]"
        ),
      ]
      for (column, type, text) in cases {
        let values = context { $0.positionalParameters = try? row([column]) }
        let result = try await path.text(
          "SELECT toTypeName(?), $1".replacing("$1", with: "?"),
          context {
            $0.positionalParameters = try? row([column, column])
          })
        #expect(result == "\(type.replacing("'", with: "\\'"))\t\(text)\n")
        #expect(
          try await path.schema(of: "SELECT $1 AS x", context: values)
            == path.query("SELECT $1 AS x", context: values).reader.schema, "\(type)")
      }
      let binary = context {
        $0.positionalParameters = try? row([value(.binary, bytesColumn([bytes]))])
      }
      #expect(try await path.text("SELECT hex(?)", binary) == "0001275CFF0A\n")
      for (count, message) in [(0, "takes 1"), (2, "takes 1")] {
        let wrong = context {
          $0.positionalParameters = try? row(Array(repeating: number(Int8(1), .int8), count: count))
        }
        let error = await engineError { _ = try await path.text("SELECT ?", wrong) }
        #expect(error?.message.contains(message) == true)
      }
      _ = await engineError { _ = try await path.text("SELECT ?") }
    }
  }

  @Test func rowsOfValuesRunAStatement() async throws {
    try await withTables { _, path, _ in
      let columns = "(id Int64, s String DEFAULT 'none', d Nullable(Decimal(10, 2)))"
      _ = try await path.text("CREATE TABLE m \(columns) ENGINE = MutableMergeTree ORDER BY id")
      _ = try await path.text("CREATE TABLE p \(columns) ENGINE = MergeTree ORDER BY id")
      func batch(_ ids: Range<Int64>) throws -> RecordBatch {
        try RecordBatch(
          schema: Schema(fields: [
            Field(name: "x", type: .utf8), Field(name: "y", type: .int64),
          ]),
          columns: [
            textColumn(ids.map { "t\($0)" }), numberColumn(ids.map { $0 }, type: .int64),
          ], rowCount: ids.count)
      }
      func run(_ statement: String, _ batches: [RecordBatch]) async throws -> Int? {
        try await path.execute(
          statement, parameterRows: BatchReader(batches), context: StatementContext())
      }
      for table in ["m", "p"] {
        let before = path.published.commit
        let batches = [try batch(0..<1000), try batch(1000..<100_000)]
        #expect(
          try await run("INSERT INTO \(table) (s, id) VALUES (?, ?)", batches) == 100_000)
        // All of them are one commit.
        if table == "m" { #expect(path.published.commit == before + 1) }
        #expect(
          try await path.text(
            "SELECT count(), sum(id), countIf(s = concat('t', toString(id))), count(d) FROM \(table)"
          )
            == "100000\t4999950000\t100000\t0\n")
        #expect(
          try await run(
            "INSERT INTO \(table) (id, s) VALUES ($2, $1);", [try batch(200_000..<200_003)]) == 3)
        #expect(try await path.text("SELECT s FROM \(table) WHERE id = 200002") == "t200002\n")
        let narrow =
          "CREATE TABLE narrow_\(table) (s String, id Int8) ENGINE = \(table == "m" ? "Mutable" : "")MergeTree ORDER BY id"
        _ = try await path.text(narrow)
        #expect(
          try await run("INSERT INTO narrow_\(table) VALUES (?, ?)", [try batch(-5..<5)]) == 10)
        let error = await engineError {
          _ = try await run("INSERT INTO narrow_\(table) VALUES (?, ?)", [try batch(120..<130)])
        }
        #expect(error?.code == 70)
        #expect(try await path.text("SELECT count(), sum(id) FROM narrow_\(table)") == "10\t-5\n")
        let count = await engineError {
          _ = try await run("INSERT INTO \(table) VALUES (?, ?, ?)", [try batch(0..<1)])
        }
        #expect(count != nil)
      }
      // Other statements run row by row.
      #expect(
        try await run(
          "UPDATE m SET s = concat(?, '!') WHERE id = ?", [try batch(1..<3), try batch(5..<6)])
          == 3)
      #expect(
        try await path.text("SELECT s FROM m WHERE s LIKE '%!' ORDER BY id") == "t1!\nt2!\nt5!\n")
      #expect(try await run("DELETE FROM m WHERE s != $1 AND id = $2", [try batch(1..<4)]) == 2)
      #expect(
        try await run("INSERT INTO m (s, id, d) VALUES (?, ?, 1.5)", [try batch(300_000..<300_002)])
          == 2)
      #expect(try await path.text("SELECT sum(d) FROM m") == "3\n")
      #expect(try await run("SELECT ?, ?", [try batch(0..<3)]) == nil)
    }
  }
}

/// Batches that are there already.
private actor BatchReader: RecordBatchReader {
  nonisolated let schema: Schema
  private var batches: [RecordBatch]

  init(_ batches: [RecordBatch]) {
    schema = batches.first?.schema ?? Schema(fields: [])
    self.batches = batches
  }

  func next() async throws -> RecordBatch? { batches.isEmpty ? nil : batches.removeFirst() }

  func cancel() async {}
}
