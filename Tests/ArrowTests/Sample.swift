import Arrow

/// The values of an array as text, whatever its type; what two arrays are compared by.
func describe(_ array: ArrayData) -> [String] {
  (0..<array.length).map { describe(array, at: $0) }
}

func describe(_ array: ArrayData, at index: Int) -> String {
  if array.isNull(at: index) { return "null" }
  func number<T: BitwiseCopyable>(_: T.Type) -> String {
    array.withValues(of: T.self) { "\($0[index])" }
  }
  func items(_ child: ArrayData, _ range: Range<Int>) -> String {
    "[" + range.map { describe(child, at: $0) }.joined(separator: ",") + "]"
  }
  switch array.type {
  case .null: return "null"
  case .bool: return "\(array.bool(at: index))"
  case .int8: return number(Int8.self)
  case .int16: return number(Int16.self)
  case .int32, .date32, .time32: return number(Int32.self)
  case .int64, .time64, .timestamp, .duration: return number(Int64.self)
  case .uint8: return number(UInt8.self)
  case .uint16: return number(UInt16.self)
  case .uint32: return number(UInt32.self)
  case .uint64: return number(UInt64.self)
  case .float32: return number(Float.self)
  case .float64: return number(Double.self)
  case .decimal128, .decimal256: return limbs(array, index).joined(separator: " ")
  case .utf8, .largeUtf8, .binary, .largeBinary, .fixedSizeBinary, .dictionary:
    return array.withBinaryValue(at: index) { bytes in
      bytes.map { String($0, radix: 16) }.joined(separator: " ")
    }
  case .list, .largeList, .fixedSizeList, .map:
    return items(array.children[0], array.listRange(at: index))
  case .denseUnion:
    let (field, position) = array.unionPosition(at: index)
    return describe(array.children[field], at: position)
  case .structure(let fields):
    return "{"
      + fields.indices.map { describe(array.structField($0), at: index) }.joined(separator: ",")
      + "}"
  }
}

func describe(_ batch: RecordBatch) -> [[String]] { batch.columns.map(describe) }

/// A column from values, `nil` for null.
func column<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(_ type: DataType, _ values: [T?])
  -> ArrayData
{
  let builder = PrimitiveBuilder<T>(type: type)
  for value in values {
    if let value { builder.append(value) } else { builder.appendNull() }
  }
  return builder.finish()
}

func textColumn(_ type: DataType, _ values: [[UInt8]?]) -> ArrayData {
  let builder = BinaryBuilder(type: type)
  for value in values {
    if let value { builder.append(value.span.bytes) } else { builder.appendNull() }
  }
  return builder.finish()
}

func textColumn(_ values: [String?]) -> ArrayData {
  textColumn(.utf8, values.map { $0.map { Array($0.utf8) } })
}

func buffer<T: BitwiseCopyable>(of values: [T]) -> Buffer {
  values.withUnsafeBytes { Buffer(copying: $0) }
}

/// Columns of every type, five rows each, the second one null where there can be nulls. The
/// Python script next to this file holds the same rows.
enum Sample {
  static func batch() throws -> RecordBatch {
    var fields: [Field] = []
    var columns: [ArrayData] = []
    func add(_ name: String, _ array: ArrayData, metadata: [String: String] = [:]) {
      fields.append(Field(name: name, type: array.type, metadata: metadata))
      columns.append(array)
    }
    add("bool", booleans())
    add("int8", column(.int8, [Int8.min, nil, 0, 1, Int8.max]))
    add("int16", column(.int16, [Int16.min, nil, 0, 1, Int16.max]))
    add("int32", column(.int32, [Int32.min, nil, 0, 1, Int32.max]))
    add("int64", column(.int64, [Int64.min, nil, 0, 1, Int64.max]))
    add("uint8", column(.uint8, [0, nil, 1, 2, UInt8.max]))
    add("uint16", column(.uint16, [0, nil, 1, 2, UInt16.max]))
    add("uint32", column(.uint32, [0, nil, 1, 2, UInt32.max]))
    add("uint64", column(.uint64, [0, nil, 1, 2, UInt64.max]))
    add("float32", column(.float32, [Float(-1.5), nil, 0, 0.25, 1e30]))
    add("float64", column(.float64, [-1.5, nil, 0, 0.1, 1e300]))
    add("decimal", decimals(precision: 20, scale: 3))
    add("wide_decimal", decimals(precision: 65, scale: 30))
    add("date", column(.date32, [Int32(-719_162), nil, 0, 1, 2_932_896]))
    add("time32", column(.time32(.second), [Int32(0), nil, 1, 2, 86_399]))
    add("time", column(.time64(.microsecond), [Int64(0), nil, 1, 2, 86_399_999_999]))
    add("timestamp", column(.timestamp(.microsecond, timeZone: "UTC"), [Int64(-1), nil, 0, 1, 2]))
    add("wall_clock", column(.timestamp(.millisecond, timeZone: nil), [Int64(-1), nil, 0, 1, 2]))
    add("duration", column(.duration(.nanosecond), [Int64(-1), nil, 0, 1, 2]))
    add("text", textColumn(["", nil, "a", "größer", "🪄"]))
    add("bytes", textColumn(.binary, [[], nil, [0], [255, 254], [1, 2, 3]]))
    add("large_text", large(.largeUtf8, textColumn(["", nil, "b", "cc", "ddd"])))
    add("large_bytes", large(.largeBinary, textColumn(.binary, [[], nil, [0], [255], [1, 2, 3]])))
    add(
      "uuid", fixedSize(),
      metadata: [Field.extensionNameKey: "arrow.uuid", Field.extensionMetadataKey: ""])
    add("address", fixedSize(), metadata: [Field.extensionNameKey: "magic.ipv6"])
    add("list", lists())
    add("set", sets())
    add("nested", nestedLists())
    add("large_list", largeLists())
    add("pair", pairs())
    add("struct", structs())
    add("map", maps())
    add("enum", words())
    add("union", union())
    add("nothing", ArrayData(type: .null, length: 5, nullCount: 5))
    let schema = Schema(fields: fields, metadata: ["origin": "sample"])
    return try RecordBatch(schema: schema, columns: columns, rowCount: 5)
  }

  static func booleans() -> ArrayData {
    let builder = BooleanBuilder()
    builder.append(true)
    builder.appendNull()
    for value in [false, true, true] { builder.append(value) }
    return builder.finish()
  }

  static func decimals(precision: Int, scale: Int) -> ArrayData {
    let builder = DecimalBuilder(precision: precision, scale: scale)
    builder.append(magnitude: (12345, 0, 0, 0), isNegative: true)
    builder.appendNull()
    builder.append(magnitude: (0, 0, 0, 0), isNegative: false)
    builder.append(magnitude: (1, 0, 0, 0), isNegative: false)
    builder.append(magnitude: (0, 5, 0, 0), isNegative: true)
    return builder.finish()
  }

  /// 7, null text, "a", "b", 8
  static func union() -> ArrayData {
    let children = [column(.int64, [Int64(7), 8]), textColumn([nil, "a", "b"])]
    let fields = [Field(name: "number", type: .int64), Field(name: "text", type: .utf8)]
    return ArrayData(
      type: .denseUnion(fields), length: 5,
      buffers: [buffer(of: [Int8(0), 1, 1, 1, 0]), buffer(of: [Int32(0), 0, 1, 2, 1])],
      children: children)
  }

  static func large(_ type: DataType, _ array: ArrayData) -> ArrayData {
    let offsets = array.buffers[0].withUnsafeBytes { bytes in
      bytes.bindMemory(to: Int32.self).map { Int64($0) }
    }
    return ArrayData(
      type: type, length: array.length, nullCount: array.nullCount, validity: array.validity,
      buffers: [buffer(of: offsets), array.buffers[1]])
  }

  static func fixedSize() -> ArrayData {
    let builder = FixedSizeBinaryBuilder(width: 16)
    for row in UInt8(0)..<5 {
      if row == 1 {
        builder.appendNull()
      } else {
        builder.append([UInt8](repeating: row, count: 16).span.bytes)
      }
    }
    return builder.finish()
  }

  /// [[1], null, [], [2, null], [3, 4, 5]]
  static func lists() -> ArrayData {
    let items = PrimitiveBuilder<Int32>(type: .int32)
    let lists = ListBuilder(item: Field(name: "item", type: .int32), child: items)
    items.append(1)
    lists.endList()
    lists.appendNull()
    lists.endList()
    items.append(2)
    items.appendNull()
    lists.endList()
    for value in Int32(3)...5 { items.append(value) }
    lists.endList()
    return lists.finish()
  }

  /// [["x"], null, [], ["y", "x"], ["z"]]
  static func sets() -> ArrayData {
    let words = DictionaryBuilder(values: ["x", "y", "z"].map { Array($0.utf8) })
    let sets = ListBuilder(item: Field(name: "item", type: words.type), child: words)
    let rows: [[Int]?] = [[0], nil, [], [1, 0], [2]]
    for row in rows {
      guard let row else {
        sets.appendNull()
        continue
      }
      for index in row { words.append(index: index) }
      sets.endList()
    }
    return sets.finish()
  }

  /// [[[1], null], null, [], [[]], [[2, 3], [4]]]
  static func nestedLists() -> ArrayData {
    let numbers = PrimitiveBuilder<Int64>(type: .int64)
    let inner = ListBuilder(item: Field(name: "item", type: .int64), child: numbers)
    let outer = ListBuilder(item: Field(name: "item", type: inner.type), child: inner)
    numbers.append(1)
    inner.endList()
    inner.appendNull()
    outer.endList()
    outer.appendNull()
    outer.endList()
    inner.endList()
    outer.endList()
    numbers.append(2)
    numbers.append(3)
    inner.endList()
    numbers.append(4)
    inner.endList()
    outer.endList()
    return outer.finish()
  }

  /// [["a"], null, [], ["b", "c"], ["d"]]
  static func largeLists() -> ArrayData {
    ArrayData(
      type: .largeList(Field(name: "item", type: .utf8)), length: 5, nullCount: 1,
      validity: Buffer(copying: [0b11101]), buffers: [buffer(of: [Int64(0), 1, 1, 1, 3, 4])],
      children: [textColumn(["a", "b", "c", "d"])])
  }

  /// [[0, 1], null, [4, 5], [6, 7], [8, 9]]
  static func pairs() -> ArrayData {
    ArrayData(
      type: .fixedSizeList(Field(name: "item", type: .float32), 2), length: 5, nullCount: 1,
      validity: Buffer(copying: [0b11101]),
      children: [column(.float32, (0..<10).map { Float($0) })])
  }

  /// [{1, "a"}, null, {3, null}, {null, "d"}, {5, "e"}]
  static func structs() -> ArrayData {
    let fields = [Field(name: "number", type: .int32), Field(name: "text", type: .utf8)]
    return ArrayData(
      type: .structure(fields), length: 5, nullCount: 1, validity: Buffer(copying: [0b11101]),
      children: [
        column(.int32, [Int32(1), nil, 3, nil, 5]), textColumn(["a", nil, nil, "d", "e"]),
      ])
  }

  /// [{"a": 1}, null, {}, {"b": 2, "c": null}, {"d": 4}]
  static func maps() -> ArrayData {
    let fields = [
      Field(name: "key", type: .utf8, isNullable: false), Field(name: "value", type: .int32),
    ]
    let entries = ArrayData(
      type: .structure(fields), length: 4,
      children: [textColumn(["a", "b", "c", "d"]), column(.int32, [Int32(1), 2, nil, 4])])
    return ArrayData(
      type: .map(
        Field(name: "entries", type: entries.type, isNullable: false), keysSorted: false),
      length: 5, nullCount: 1, validity: Buffer(copying: [0b11101]),
      buffers: [buffer(of: [Int32(0), 1, 1, 1, 3, 4])], children: [entries])
  }

  static func words() -> ArrayData {
    let builder = DictionaryBuilder(values: ["small", "large"].map { Array($0.utf8) })
    builder.append(index: 1)
    builder.appendNull()
    for index in [0, 1, 0] { builder.append(index: index) }
    return builder.finish()
  }
}
