import Arrow
import Foundation
import MagicCore
import Testing

@testable import ClickHouseEngine

/// What a column becomes: its values, the new column, and `toString` of what is in it then.
private struct Widening {
  var field: Field
  var values: ArrayData
  var new: Field
  var texts: [String]
}

private func list(_ name: String, _ item: DataType, isNullable: Bool) -> Field {
  Field(
    name: name, type: .list(Field(name: "item", type: item, isNullable: false)),
    isNullable: isNullable)
}

private func widenings() -> [Widening] {
  func field(_ type: DataType, _ isNullable: Bool = false, _ precision: String? = nil) -> Field {
    Field(
      name: "", type: type, isNullable: isNullable,
      metadata: precision.map { ["magic.precision": $0] } ?? [:])
  }
  let second = DataType.timestamp(.second, timeZone: "UTC")
  let micro = DataType.timestamp(.microsecond, timeZone: "UTC")
  let dictionary = DictionaryBuilder(values: ["b", "a"].map { Array($0.utf8) })
  dictionary.append(index: 1)
  dictionary.append(index: 0)
  let entries = dictionary.finish()
  let child = DictionaryBuilder(values: ["a", "b"].map { Array($0.utf8) })
  let sets = ListBuilder(
    item: Field(name: "item", type: child.type, isNullable: false), child: child)
  child.append(index: 0)
  child.append(index: 1)
  sets.endList()
  sets.endList()
  let fixed = FixedSizeBinaryBuilder(width: 3)
  for bytes in [[0x61, 0, 0], [0, 0x62, 0]] as [[UInt8]] {
    bytes.withUnsafeBytes { fixed.append($0) }
  }
  let wide = DecimalBuilder(precision: 38, scale: 2)
  wide.append(magnitude: (.max, 0, 0, 0), isNegative: true)
  wide.append(magnitude: (5, 0, 0, 0), isNegative: false)
  let set = sets.finish()
  return [
    Widening(
      field: field(.int8), values: values([Int8.min, .max], .int8), new: field(.int64),
      texts: ["-128", "127"]),
    Widening(
      field: field(.uint32), values: values([0, UInt32.max], .uint32), new: field(.uint64, true),
      texts: ["0", "4294967295"]),
    Widening(
      field: field(.int32), values: values([Int32.min, .max], .int32), new: field(.utf8),
      texts: ["-2147483648", "2147483647"]),
    Widening(
      field: field(.float32), values: values([Float(-0.1), 3e38], .float32),
      new: field(.float64), texts: ["-0.10000000149011612", "3.0000000054977558e38"]),
    Widening(
      field: field(.decimal128(precision: 38, scale: 2)), values: wide.finish(),
      new: field(.decimal256(precision: 65, scale: 30), true),
      texts: ["-184467440737095516.15", "0.05"]),
    Widening(
      field: field(second), values: values([-62_135_596_800, Int64(253_402_300_799)], second),
      new: field(micro, true),
      texts: ["0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.000000"]),
    Widening(
      field: field(micro, false, "4"), values: values([Int64(-1_500_100), 1_500_100], micro),
      new: field(micro), texts: ["1969-12-31 23:59:58.499900", "1970-01-01 00:00:01.500100"]),
    Widening(
      field: field(.date32), values: values([-719_162, Int32(2_932_896)], .date32),
      new: field(second), texts: ["0001-01-01 00:00:00", "9999-12-31 00:00:00"]),
    Widening(
      field: field(.utf8), values: strings(["größe", ""]),
      new: field(.dictionary(index: .int8, values: .utf8), true), texts: ["größe", ""]),
    Widening(
      field: field(entries.type), values: entries, new: field(.utf8, true), texts: ["a", "b"]),
    Widening(
      field: Field(name: "", type: set.type, isNullable: false), values: set,
      new: Field(name: "", type: set.type), texts: ["['a','b']", "[]"]),
    Widening(
      field: Field(
        name: "", type: .uint32, isNullable: false, metadata: [Field.extensionNameKey: "magic.ipv4"]
      ),
      values: values([UInt32(0x0102_0304), 0], .uint32),
      new: Field(
        name: "", type: .fixedSizeBinary(16), metadata: [Field.extensionNameKey: "magic.ipv6"]),
      texts: ["::ffff:1.2.3.4", "::ffff:0.0.0.0"]),
    Widening(
      field: field(.fixedSizeBinary(3)), values: fixed.finish(), new: field(.binary),
      texts: ["a\0\0", "\0b\0"]),
  ]
}

extension EngineTests {
  /// New columns of every type, with every sample as the value of the rows that were there.
  @Test func newColumnsHaveTheirConstantInOlderRows() async throws {
    try await withTables {
      (tables: MutableTables, path: StatementPath, engine: ClickHouseEngine) async throws -> Void in
      let connection = try await engine.connect()
      let samples = allSamples(hasWideDates: try await connection.hasWideDates)
      var table: TableDefinition = replicated(1, "t")
      try await tables.create(table)
      try await tables.show(table)
      try await tables.publish(table, named(table, [(1, "a"), (2, "b")], versions: 1...2))
      _ = try await path.text("OPTIMIZE TABLE shop.t")
      try await tables.publish(
        table, named(table, [(2, nil), (3, "c"), (1, "")], versions: 3...5, deletes: [2]))
      for row in 0..<3 {
        // The columns of the time before stay, and get others before and between them.
        var new = table
        new.id += 1
        var positions: [Int?] = Array(table.schema.fields.indices)
        var defaults: [ArrayData] = table.schema.fields.map { ArrayData(nullsOf: $0, count: 1) }
        for (index, sample) in samples.enumerated() {
          var field = sample.field
          // Lists whose names begin alike up to a dot would have to be of one length.
          field.name = "\(row) \(field.name)"
          let position = index.isMultiple(of: 2) ? 0 : new.schema.fields.count
          new.schema.fields.insert(field, at: position)
          positions.insert(nil, at: position)
          defaults.insert(sample.values.slice(row..<(row + 1)), at: position)
        }
        new.primaryKey = [try #require(new.schema.index(of: "id"))]
        let constants = try RecordBatch(
          schema: Schema(fields: new.schema.fields), columns: defaults, rowCount: 1)
        try await tables.create(new, from: table, columns: positions, defaults: constants)
        try await tables.change(showing: [new], dropping: [table])
        table = new
        let described = try await path.text("DESCRIBE TABLE shop.t")
        #expect(!described.contains("DEFAULT"))
        let names = described.split(separator: "\n").map { String($0.split(separator: "\t")[0]) }
        #expect(names == new.schema.fields.map { $0.name.replacing("\\", with: "\\\\") })
      }
      for row in 0..<3 {
        for sample in samples {
          let name = quotedIdentifier("\(row) \(sample.field.name)")
          let texts = try await connection.rows(
            "SELECT DISTINCT toString(\(name)), toTypeName(\(name)) FROM shop.t")
          #expect(texts == [[sample.texts[row], sample.type]], "\(sample.field.name) \(row)")
        }
      }
      #expect(try await path.text("SELECT id, name FROM shop.t ORDER BY id") == "2\t\\N\n3\tc\n")
      #expect(try await tables.storedTableIDs() == [4])
      // Rows that come later have values of their own.
      let columns = table.schema.fields.map { field -> ArrayData in
        if field.name == "id" { return integers([9], .int32) }
        let sample = samples.first { field.name.dropFirst(2) == $0.field.name }
        return sample?.values.slice(2..<3) ?? strings(["later"])
      }
      try await tables.publish(table, changes(table, columns, versions: [9]))
      // What is not a statement of the path sees commit points a moment later.
      while try await connection.value("SELECT count() FROM shop.t") != "3" {
        try await Task.sleep(for: .milliseconds(10))
      }
      for sample in samples {
        let name = quotedIdentifier("0 \(sample.field.name)")
        let texts = try await connection.rows(
          "SELECT toString(\(name)) FROM shop.t ORDER BY id")
        #expect(texts.map { $0[0] } == [sample.texts[0], sample.texts[0], sample.texts[2]])
      }
      await connection.close()
    }
  }

  /// Once where rows stay in their place, and once where they are written anew.
  @Test(arguments: [false, true]) func valuesStayTheSameInWiderTypes(isKeyChanged: Bool)
    async throws
  {
    try await withTables { tables, path, engine in
      let connection = try await engine.connect()
      var (old, new) = (replicated(1, "t", []), replicated(2, "t", []))
      let all = widenings()
      for (index, widening) in all.enumerated() {
        var (before, after) = (widening.field, widening.new)
        before.name = "c\(index)"
        // Each column takes another one's name.
        after.name = "c\((index + 1) % all.count)"
        old.schema.fields.append(before)
        new.schema.fields.append(after)
      }
      if isKeyChanged { new.schema.fields[0].name = "number" }
      try await tables.create(old)
      try await tables.show(old)
      let columns = [integers([1, 2], .int32)] + all.map(\.values)
      let batch = try changes(old, columns, versions: [1, 2])
      try await tables.publish(old, batch.slice(0..<1))
      _ = try await path.text("OPTIMIZE TABLE shop.t")
      try await tables.publish(old, batch.slice(1..<2))
      let defaults = try RecordBatch(
        schema: Schema(fields: new.schema.fields.map { Field(name: $0.name, type: .utf8) }),
        columns: new.schema.fields.map { _ in strings([nil]) }, rowCount: 1)
      try await tables.create(
        new, from: old, columns: new.schema.fields.indices.map { $0 }, defaults: defaults)
      // The other one is as it was until then.
      #expect(try await path.text("SELECT id, c0 FROM shop.t ORDER BY id") == "1\t-128\n2\t127\n")
      try await tables.change(showing: [new], dropping: [old])
      for (index, widening) in all.enumerated() {
        let name = "c\((index + 1) % all.count)"
        let rows = try await connection.rows(
          "SELECT toString(\(name)), toTypeName(\(name)) FROM shop.t ORDER BY 1 = 0, "
            + (isKeyChanged ? "number" : "id"))
        let type = try ColumnTypes.clickHouseType(of: widening.new)
        #expect(rows == widening.texts.map { [$0, type] }, "\(widening.field.type)")
      }
      // It is a table like others.
      try await tables.publish(
        new,
        changes(
          new,
          [integers([1], .int32)]
            + new.schema.fields.dropFirst().map { ArrayData(nullsOf: $0, count: 1) },
          versions: [7], deletes: [0]))
      #expect(try await path.text("SELECT count() FROM shop.t") == "1\n")
      _ = try await path.text("OPTIMIZE TABLE shop.t FINAL")
      #expect(try await path.text("SELECT count() FROM shop.t") == "1\n")
      await connection.close()
    }
  }

  /// A column whose older rows are computed keeps them when it gets another type or name, and when a
  /// column of its name is made again.
  @Test func computedValuesStay() async throws {
    try await withTables { tables, path, _ in
      let first = replicated(1, "t")
      try await tables.create(first)
      try await tables.show(first)
      try await tables.publish(first, named(first, [(1, "a")], versions: 1...1))
      let number = Field(name: "n", type: .int32, isNullable: false)
      var second = replicated(2, "t", [number, Field(name: "name", type: .utf8)])
      func row(_ table: TableDefinition, _ columns: [ArrayData]) throws -> RecordBatch {
        try RecordBatch(schema: table.schema, columns: columns, rowCount: 1)
      }
      try await tables.create(
        second, from: first, columns: [0, nil, 1],
        defaults: row(second, [integers([0], .int32), integers([7], .int32), strings([nil])]))
      try await tables.change(showing: [second], dropping: [first])
      try await tables.publish(
        second,
        changes(
          second, [integers([2], .int32), integers([70], .int32), strings(["b"])], versions: [2]))
      // It becomes a wider one of another name, and another one takes its own.
      let third = replicated(
        3, "t",
        [
          number, Field(name: "name", type: .utf8),
          Field(name: "m", type: .int64, isNullable: false),
        ])
      try await tables.create(
        third, from: second, columns: [0, nil, 2, 1],
        defaults: row(
          third,
          [
            integers([0], .int32), integers([8], .int32), strings([nil]),
            values([Int64?(0)], .int64),
          ]))
      try await tables.change(showing: [third], dropping: [second])
      #expect(
        try await path.text("SELECT * FROM shop.t ORDER BY id")
          == "1\t8\ta\t7\n2\t8\tb\t70\n")
      // The computed one moves away and comes back.
      second = replicated(
        4, "t",
        [Field(name: "name", type: .utf8), Field(name: "k", type: .int32, isNullable: false)])
      try await tables.create(
        second, from: third, columns: [0, 2, 1],
        defaults: row(second, [integers([0], .int32), strings([nil]), integers([9], .int32)]))
      try await tables.change(showing: [second], dropping: [third])
      #expect(try await path.text("SELECT * FROM shop.t ORDER BY id") == "1\ta\t8\n2\tb\t8\n")
    }
  }

  @Test func keysComeAndGo() async throws {
    try await withTables { tables, path, _ in
      let name = Field(name: "name", type: .utf8, isNullable: false)
      let keyed = replicated(1, "t", [name])
      try await tables.create(keyed)
      try await tables.show(keyed)
      try await tables.publish(
        keyed, named(keyed, [(1, "x"), (2, "y"), (3, "x")], versions: 1...3))
      // Another key, of which the other column is part.
      let both = replicated(2, "t", [name], key: [1, 0])
      let defaults = try RecordBatch(
        schema: both.schema, columns: [integers([0], .int32), strings([""])], rowCount: 1)
      try await tables.create(both, from: keyed, columns: [0, 1], defaults: defaults)
      try await tables.change(showing: [both], dropping: [keyed])
      try await tables.publish(
        both, named(both, [(2, "y"), (2, "z")], versions: 4...5, deletes: [0]))
      let sql = "SELECT * FROM shop.t ORDER BY id, name"
      #expect(try await path.text(sql) == "1\tx\n2\tz\n3\tx\n")
      // No key: equal rows stay.
      let bare = replicated(3, "t", [name], key: [])
      try await tables.create(bare, from: both, columns: [0, 1], defaults: defaults)
      try await tables.change(showing: [bare], dropping: [both])
      try await tables.publish(
        bare, named(bare, [(1, "x"), (1, "x"), (3, "x")], versions: 6...8, deletes: [2]))
      #expect(try await path.text(sql) == "1\tx\n1\tx\n1\tx\n2\tz\n")
      // Another column changes the values, by which deletes find them.
      let wide = replicated(4, "t", [name, Field(name: "n", type: .float64)], key: [])
      let number = try RecordBatch(
        schema: wide.schema,
        columns: [integers([0], .int32), strings([""]), values([Double?(0.5)], .float64)],
        rowCount: 1)
      try await tables.create(wide, from: bare, columns: [0, 1, nil], defaults: number)
      try await tables.change(showing: [wide], dropping: [bare])
      try await tables.publish(
        wide,
        changes(
          wide,
          [
            integers([1, 2], .int32), strings(["x", "z"]), values([0.5, Double?(0.5)], .float64),
          ],
          versions: [9, 10], deletes: [0, 1]))
      #expect(try await path.text(sql) == "1\tx\t0.5\n1\tx\t0.5\n")
      // Other names of the same columns.
      var renamed = replicated(
        5, "t",
        [Field(name: "text", type: .utf8, isNullable: false), Field(name: "name", type: .float64)],
        key: [])
      renamed.schema.fields[0].name = "number"
      try await tables.create(
        renamed, from: wide, columns: [0, 1, 2],
        defaults: try RecordBatch(schema: renamed.schema, columns: number.columns, rowCount: 1))
      try await tables.change(showing: [renamed], dropping: [wide])
      try await tables.publish(
        renamed,
        changes(
          renamed,
          number.columns.indices.map {
            $0 == 0
              ? integers([1], .int32) : $0 == 1 ? strings(["x"]) : values([Double?(0.5)], .float64)
          }, versions: [11], deletes: [0]))
      #expect(try await path.text("SELECT number, text, name FROM shop.t") == "1\tx\t0.5\n")
      // A key again.
      let last = replicated(6, "t", [Field(name: "text", type: .utf8, isNullable: false)])
      try await tables.create(
        last, from: renamed, columns: [0, 1],
        defaults: try RecordBatch(
          schema: last.schema, columns: Array(number.columns.prefix(2)), rowCount: 1))
      try await tables.change(showing: [last], dropping: [renamed])
      try await tables.publish(
        last,
        changes(last, [integers([1, 4], .int32), strings(["new", "row"])], versions: [12, 13]))
      #expect(try await path.text("SELECT * FROM shop.t ORDER BY id") == "1\tnew\n4\trow\n")
      #expect(try await path.text("SELECT count() FROM (SELRAW * FROM shop.t)") == "3\n")
    }
  }
}

extension ArrayData {
  /// Nulls, or what stands for nothing where there are none.
  init(nullsOf field: Field, count: Int) {
    switch field.type {
    case .list(let item):
      self = ArrayData(
        type: field.type, length: count,
        buffers: [[Int32](repeating: 0, count: count + 1).withUnsafeBytes { Buffer(copying: $0) }],
        children: [ArrayData(emptyOf: item.type)])
    case .utf8, .binary:
      self = bytesColumn([[UInt8]?](repeating: [], count: count), type: field.type)
    case .dictionary(_, let value):
      let builder = DictionaryBuilder(values: [[]], valueType: value)
      for _ in 0..<count { builder.append(index: 0) }
      self = builder.finish()
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      let builder = DecimalBuilder(precision: precision, scale: scale)
      for _ in 0..<count { builder.append(magnitude: (0, 0, 0, 0), isNegative: false) }
      self = builder.finish()
    case .fixedSizeBinary(let width):
      let builder = FixedSizeBinaryBuilder(width: width)
      for _ in 0..<count {
        [UInt8](repeating: 0, count: width).withUnsafeBytes { builder.append($0) }
      }
      self = builder.finish()
    case .int64, .uint64, .float64, .timestamp:
      self = values([UInt64?](repeating: 0, count: count), field.type)
    case .int8, .uint8: self = values([UInt8?](repeating: 0, count: count), field.type)
    case .int16, .uint16: self = values([UInt16?](repeating: 0, count: count), field.type)
    default: self = values([UInt32?](repeating: 0, count: count), field.type)
    }
  }
}
