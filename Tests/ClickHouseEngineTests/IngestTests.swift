import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Testing

/// A column to write: its field, its values, and what the engine must say of it.
struct Sample {
  var field: Field
  var values: ArrayData
  /// The column's type in the engine.
  var type: String
  /// `toString` of each value in the engine.
  var texts: [String]
}

extension EngineTests {
  @Test func everyTypeKeepsItsValues() async throws {
    try await withConnection { connection, _ in
      try await connection.execute("CREATE DATABASE d")
      let samples = allSamples(hasWideDates: try await connection.hasWideDates)
      let schema = Schema(fields: samples.map(\.field))
      let columns = try ColumnTypes.columnList(of: schema)
      try await connection.execute(
        "CREATE TABLE d.t (\(columns)) ENGINE = MergeTree ORDER BY tuple() "
          + "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1")
      let types = try await connection.rows(
        "SELECT type FROM system.columns WHERE database = 'd' AND table = 't' ORDER BY position")
      #expect(types.map { $0[0] } == samples.map(\.type))
      let batch = try RecordBatch(schema: schema, columns: samples.map(\.values), rowCount: 3)
      try await connection.ingest(batch, into: TableReference(database: "d", table: "t"))
      for sample in samples {
        let name = quotedIdentifier(sample.field.name)
        let texts = try await connection.rows("SELECT toString(\(name)) FROM d.t")
        #expect(texts.map { $0[0] } == sample.texts, "\(sample.field.name)")
      }
    }
  }

  @Test func resultsHaveArrowsOwnTypes() async throws {
    try await withConnection { connection, _ in
      let lastDay = try await connection.hasWideDates ? "2932896" : "120529"
      let reader = try await connection.query(
        """
        SELECT toUUID('00112233-4455-6677-8899-aabbccddeeff') AS u, toIPv6('2001:db8::1') AS a, \
        toDecimal256('-1.5', 30) AS d, toDateTime64('2000-01-02 03:04:05.678901', 6, 'UTC') AS t, \
        toDate32('9999-12-31') AS e, CAST(['x', NULL], 'Array(Nullable(String))') AS l, \
        CAST(NULL, 'Nullable(Int8)') AS n, unhex('FF00') AS b
        """)
      let fields = reader.schema.fields
      #expect(fields[0].extensionName == "arrow.uuid")
      #expect(fields[0].type == .fixedSizeBinary(16) && fields[1].type == .fixedSizeBinary(16))
      #expect(fields[2].type == .decimal256(precision: 76, scale: 30))
      #expect(fields[3].type == .timestamp(.microsecond, timeZone: "UTC"))
      #expect(fields[4].type == .date32 && fields[6].type == .int8 && fields[7].type == .utf8)
      let batch = try #require(try await reader.next())
      #expect(textValue(batch.columns[0], 0) == "00112233445566778899aabbccddeeff")
      #expect(textValue(batch.columns[1], 0) == "20010db8000000000000000000000001")
      #expect(textValue(batch.columns[3], 0) == "946782245678901")
      #expect(textValue(batch.columns[4], 0) == lastDay)
      #expect(textValue(batch.columns[5], 0) == "[x,∅]")
      #expect(textValue(batch.columns[6], 0) == "∅")
      #expect(batch.columns[7].withBinaryValue(at: 0) { Array($0) } == [0xFF, 0])
    }
  }

  @Test func dataThatATableCannotHoldIsRefused() async throws {
    try await withConnection { connection, _ in
      try await connection.execute("CREATE DATABASE d")
      try await connection.execute("CREATE TABLE d.t (a Int8, b Nullable(String)) ENGINE = Memory")
      let table = TableReference(database: "d", table: "t")
      let text = Field(name: "b", type: .utf8)
      let texts = strings(["x"])
      func refusal(_ fields: [Field], _ columns: [ArrayData]) async throws -> String? {
        let batch = try RecordBatch(
          schema: Schema(fields: fields), columns: columns, rowCount: 1)
        return await engineError { try await connection.ingest(batch, into: table) }?.message
      }
      let wide = Field(name: "a", type: .int32, isNullable: false)
      #expect(
        try await refusal([wide, text], [integers([300], .int32), texts])
          == "d.t: column a is Int8 and the data Int32")
      let nullable = Field(name: "a", type: .int8)
      let null = PrimitiveBuilder<Int8>(type: .int8)
      null.appendNull()
      #expect(
        try await refusal([nullable, text], [null.finish(), texts])
          == "d.t: column a is Int8 and the data Nullable(Int8)")
      let narrow = Field(name: "a", type: .int8, isNullable: false)
      null.appendNull()
      #expect(
        try await refusal([narrow, text], [null.finish(), texts])
          == "column a has nulls in a, declared non-null")
      let number = PrimitiveBuilder<Int8>(type: .int8)
      number.append(1)
      let one = number.finish()
      #expect(try await refusal([narrow], [one]) == "d.t has 2 columns and the data 1")
      #expect(
        try await refusal([text, narrow], [texts, one])
          == "d.t: the data has column b where a belongs")
      let batch = try RecordBatch(
        schema: Schema(fields: [narrow, text]), columns: [one, texts], rowCount: 1)
      let missing = await engineError {
        try await connection.ingest(batch, into: TableReference(database: "d", table: "u"))
      }
      #expect(missing?.code == 60)
      #expect(try await connection.value("SELECT count() FROM d.t") == "0")
      try await connection.ingest(batch, into: table)
      #expect(try await connection.rows("SELECT * FROM d.t") == [["1", "x"]])
    }
  }

  @Test func typesWithoutACounterpartAreRefused() {
    let item = Field(name: "item", type: .int8)
    for field in [
      Field(name: "c", type: .null), Field(name: "c", type: .time64(.microsecond)),
      Field(name: "c", type: .list(item)), Field(name: "c", type: .structure([item])),
      Field(name: "c", type: .decimal256(precision: 77, scale: 0)),
    ] {
      #expect(throws: EngineError.self) { try ColumnTypes.clickHouseType(of: field) }
    }
  }
}

/// Three rows of every type of the mapping; the middle one is null where the column may be.
func allSamples(hasWideDates isWide: Bool) -> [Sample] {
  numberSamples() + timeSamples(hasWideDates: isWide) + textSamples() + listSamples()
}

private func numberSamples() -> [Sample] {
  [
    Sample(
      field: Field(name: "i8", type: .int8, isNullable: false),
      values: values([Int8.min, 0, .max], .int8), type: "Int8", texts: ["-128", "0", "127"]),
    Sample(
      field: Field(name: "i16", type: .int16), values: values([Int16.min, nil, .max], .int16),
      type: "Nullable(Int16)", texts: ["-32768", "∅", "32767"]),
    Sample(
      field: Field(name: "i32", type: .int32), values: values([Int32.min, nil, .max], .int32),
      type: "Nullable(Int32)", texts: ["-2147483648", "∅", "2147483647"]),
    Sample(
      field: Field(name: "i64", type: .int64), values: values([Int64.min, nil, .max], .int64),
      type: "Nullable(Int64)", texts: ["-9223372036854775808", "∅", "9223372036854775807"]),
    Sample(
      field: Field(name: "u8", type: .uint8), values: values([0, nil, UInt8.max], .uint8),
      type: "Nullable(UInt8)", texts: ["0", "∅", "255"]),
    Sample(
      field: Field(name: "u16", type: .uint16), values: values([0, nil, UInt16.max], .uint16),
      type: "Nullable(UInt16)", texts: ["0", "∅", "65535"]),
    Sample(
      field: Field(name: "u32", type: .uint32), values: values([0, nil, UInt32.max], .uint32),
      type: "Nullable(UInt32)", texts: ["0", "∅", "4294967295"]),
    Sample(
      field: Field(name: "u64", type: .uint64), values: values([0, nil, UInt64.max], .uint64),
      type: "Nullable(UInt64)", texts: ["0", "∅", "18446744073709551615"]),
    Sample(
      field: Field(name: "f32", type: .float32),
      values: values([-0.1, nil, Float(3e38)], .float32),
      type: "Nullable(Float32)", texts: ["-0.1", "∅", "3e38"]),
    Sample(
      field: Field(name: "f64", type: .float64), values: values([-0.1, nil, 1e300], .float64),
      type: "Nullable(Float64)", texts: ["-0.1", "∅", "1e300"]),
    Sample(
      field: Field(name: "dec9", type: .decimal128(precision: 9, scale: 2)),
      values: decimals(precision: 9, scale: 2, 123), type: "Nullable(Decimal(9, 2))",
      texts: ["-1.23", "∅", "1.23"]),
    Sample(
      field: Field(name: "dec65", type: .decimal256(precision: 65, scale: 30)),
      values: decimals(precision: 65, scale: 30, .max), type: "Nullable(Decimal(65, 30))",
      texts: ["-0.000000000018446744073709551615", "∅", "0.000000000018446744073709551615"]),
  ]
}

/// Before 26.9 the engine's dates end in 1900 and 2299.
private func timeSamples(hasWideDates isWide: Bool) -> [Sample] {
  let dates = Sample(
    field: Field(name: "date", type: .date32),
    values: values(
      isWide ? [-719_162, nil, Int32(2_932_896)] : [-25_567, nil, Int32(120_529)], .date32),
    type: "Nullable(Date32)",
    texts: isWide ? ["0001-01-01", "∅", "9999-12-31"] : ["1900-01-01", "∅", "2299-12-31"])
  let seconds = Sample(
    field: Field(name: "dt0", type: .timestamp(.second, timeZone: "UTC"), isNullable: false),
    values: values(
      [-62_135_596_800, 0, Int64(253_402_300_799)], .timestamp(.second, timeZone: "UTC")),
    type: "DateTime64(0, 'UTC')",
    texts: ["0001-01-01 00:00:00", "1970-01-01 00:00:00", "9999-12-31 23:59:59"])
  let micro = DataType.timestamp(.microsecond, timeZone: "UTC")
  let micros = Sample(
    field: Field(name: "dt6", type: micro),
    values: values([-30_610_224_000_000_000, nil, Int64(253_402_300_799_999_999)], micro),
    type: "Nullable(DateTime64(6, 'UTC'))",
    texts: ["1000-01-01 00:00:00.000000", "∅", "9999-12-31 23:59:59.999999"])
  let four = Sample(
    field: Field(name: "dt4", type: micro, metadata: ["magic.precision": "4"]),
    values: values([1_500_100, nil, Int64(-1_500_100)], micro),
    type: "Nullable(DateTime64(4, 'UTC'))",
    texts: ["1970-01-01 00:00:01.5001", "∅", "1969-12-31 23:59:58.4999"])
  return [dates, seconds, micros, four]
}

private func textSamples() -> [Sample] {
  let binary = BinaryBuilder(type: .binary)
  for bytes in [[0x41, 0xFF], nil, []] as [[UInt8]?] { append(bytes, to: binary) }
  let uuids = FixedSizeBinaryBuilder(width: 16)
  let addresses = FixedSizeBinaryBuilder(width: 16)
  let bytes: [UInt8] = [
    0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
  ]
  for builder in [uuids, addresses] {
    bytes.withUnsafeBytes { builder.append($0) }
    builder.appendNull()
    [UInt8](repeating: 0, count: 16).withUnsafeBytes { builder.append($0) }
  }
  let dictionary = DictionaryBuilder(values: ["red", "größe", "unused"].map { Array($0.utf8) })
  dictionary.append(index: 1)
  dictionary.appendNull()
  dictionary.append(index: 0)
  let enumeration = dictionary.finish()
  return [
    Sample(
      field: Field(name: "s", type: .utf8), values: strings(["größe", nil, ""]),
      type: "Nullable(String)", texts: ["größe", "∅", ""]),
    Sample(
      field: Field(name: "b", type: .binary), values: binary.finish(), type: "Nullable(String)",
      texts: ["A\u{FFFD}", "∅", ""]),
    Sample(
      field: Field(name: "e", type: enumeration.type), values: enumeration,
      type: "LowCardinality(Nullable(String))", texts: ["größe", "∅", "red"]),
    Sample(
      field: Field(
        name: "u", type: .fixedSizeBinary(16), metadata: ["ARROW:extension:name": "arrow.uuid"]),
      values: uuids.finish(), type: "Nullable(UUID)",
      texts: ["00112233-4455-6677-8899-aabbccddeeff", "∅", "00000000-0000-0000-0000-000000000000"]),
    Sample(
      field: Field(
        name: "ip6", type: .fixedSizeBinary(16), metadata: ["ARROW:extension:name": "magic.ipv6"]),
      values: addresses.finish(), type: "Nullable(IPv6)",
      texts: ["11:2233:4455:6677:8899:aabb:ccdd:eeff", "∅", "::"]),
    Sample(
      field: Field(name: "ip4", type: .uint32, metadata: ["ARROW:extension:name": "magic.ipv4"]),
      values: values([UInt32(0x0102_0304), nil, 0], .uint32), type: "Nullable(IPv4)",
      texts: ["1.2.3.4", "∅", "0.0.0.0"]),
  ]
}

/// Lists: the middle row is null in the nullable ones, and empty in the others.
private func listSamples() -> [Sample] {
  func set(_ name: String, isNullable: Bool, texts: [String]) -> Sample {
    let child = DictionaryBuilder(values: ["a", "b"].map { Array($0.utf8) })
    let item = Field(name: "item", type: child.type, isNullable: false)
    let lists = ListBuilder(item: item, child: child)
    child.append(index: 0)
    child.append(index: 1)
    lists.endList()
    if isNullable { lists.appendNull() } else { lists.endList() }
    child.append(index: 1)
    lists.endList()
    let inner = isNullable ? "Nullable(String)" : "String"
    return Sample(
      field: Field(name: name, type: .list(item), isNullable: isNullable), values: lists.finish(),
      type: "Array(LowCardinality(\(inner)))", texts: texts)
  }
  let child = PrimitiveBuilder<Float>(type: .float32)
  let item = Field(name: "item", type: .float32, isNullable: false)
  let vectors = ListBuilder(item: item, child: child)
  child.append(1.5)
  child.append(-2)
  vectors.endList()
  vectors.appendNull()
  vectors.endList()
  return [
    set("set", isNullable: false, texts: ["['a','b']", "[]", "['b']"]),
    set("nset", isNullable: true, texts: ["['a','b']", "[NULL]", "['b']"]),
    Sample(
      field: Field(name: "odd `name`.\\", type: .list(item)), values: vectors.finish(),
      type: "Array(Nullable(Float32))", texts: ["[1.5,-2]", "[NULL]", "[]"]),
  ]
}

/// A column of fixed-width values.
func values<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
  _ values: [T?], _ type: DataType
) -> ArrayData {
  let builder = PrimitiveBuilder<T>(type: type)
  for value in values {
    if let value { builder.append(value) } else { builder.appendNull() }
  }
  return builder.finish()
}

/// A column of 32-bit integers.
func integers(_ values: [Int32], _ type: DataType) -> ArrayData {
  ClickHouseEngineTests.values(values.map { Optional($0) }, type)
}

/// A column of texts.
func strings(_ values: [String?]) -> ArrayData {
  let builder = BinaryBuilder(type: .utf8)
  for value in values { append(value.map { Array($0.utf8) }, to: builder) }
  return builder.finish()
}

private func append(_ bytes: [UInt8]?, to builder: BinaryBuilder) {
  if let bytes { bytes.withUnsafeBytes { builder.append($0) } } else { builder.appendNull() }
}

/// A negative number, null, and the number.
func decimals(precision: Int, scale: Int, _ magnitude: UInt64) -> ArrayData {
  let builder = DecimalBuilder(precision: precision, scale: scale)
  builder.append(magnitude: (magnitude, 0, 0, 0), isNegative: true)
  builder.appendNull()
  builder.append(magnitude: (magnitude, 0, 0, 0), isNegative: false)
  return builder.finish()
}

extension EngineConnection {
  /// Whether the engine's dates are those of the years 0 to 9999.
  var hasWideDates: Bool {
    get async throws { try await value("SELECT toString(toDate32('9999-12-31'))") == "9999-12-31" }
  }
}
