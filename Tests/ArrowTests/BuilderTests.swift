import Arrow
import Testing

/// The bytes of every value, `nil` where it is null.
func texts(_ array: ArrayData) -> [String?] {
  (0..<array.length).map { index in
    array.isNull(at: index)
      ? nil : array.withBinaryValue(at: index) { String(decoding: $0, as: UTF8.self) }
  }
}

/// Every value of a fixed-width array, `nil` where it is null.
func values<T: BitwiseCopyable>(_ array: ArrayData, of type: T.Type) -> [T?] {
  array.withValues(of: type) { values in
    (0..<array.length).map { array.isNull(at: $0) ? nil : values[$0] }
  }
}

/// The sign and the limbs of a decimal.
func limbs(_ array: ArrayData, _ index: Int) -> [String] {
  let (magnitude, isNegative) = array.decimal(at: index)
  let limbs = [magnitude.0, magnitude.1, magnitude.2, magnitude.3].map { String($0) }
  return [isNegative ? "-" : "+"] + limbs
}

extension BinaryBuilder {
  func append(_ text: String) { Array(text.utf8).withUnsafeBytes { append($0) } }
}

@Suite struct BuilderTests {
  @Test func buildsNumbersWithAndWithoutNulls() {
    let builder = PrimitiveBuilder<Int32>(type: .date32)
    for value in Int32(0)..<20 { builder.append(value) }
    #expect(builder.byteCount == 80)
    let plain = builder.finish()
    #expect(plain.validity == nil)
    #expect(values(plain, of: Int32.self) == (0..<20).map { $0 })
    for value in Int32(0)..<20 {
      if value % 3 == 2 { builder.appendNull() } else { builder.append(value) }
    }
    let sparse = builder.finish()
    #expect(sparse.nullCount == 6)
    #expect(values(sparse, of: Int32.self) == (0..<20).map { $0 % 3 == 2 ? nil : $0 })
    #expect(builder.count == 0 && builder.byteCount == 0)
    let slice = sparse.slice(7..<12)
    #expect(values(slice, of: Int32.self) == [7, nil, 9, 10, nil])
    #expect(slice.nullCount == 2)
    #expect(slice.slice(2..<4).validity == nil)
  }

  @Test func buildsBooleans() {
    let builder = BooleanBuilder()
    let input: [Bool?] = [true, false, nil, true, true, false, false, true, nil, true]
    for value in input {
      if let value { builder.append(value) } else { builder.appendNull() }
    }
    let array = builder.finish().slice(1..<10)
    #expect((0..<9).map { array.isNull(at: $0) ? nil : array.bool(at: $0) } == Array(input[1...]))
  }

  @Test func buildsTextWholeAndInPieces() {
    let builder = BinaryBuilder(type: .utf8)
    builder.append("first")
    builder.appendNull()
    builder.write(UInt8(ascii: "a"))
    Array("bc".utf8).withUnsafeBytes { builder.write($0) }
    builder.write(Array("de".utf8).span.bytes)
    builder.endValue()
    builder.endValue()
    builder.write(UInt8(ascii: "x"))
    builder.appendNull()
    builder.append(Array("last".utf8).span.bytes)
    let array = builder.finish()
    #expect(texts(array) == ["first", nil, "abcde", "", nil, "last"])
    #expect(texts(array.slice(2..<4)) == ["abcde", ""])
    #expect(texts(builder.finish()) == [])
  }

  @Test func buildsFixedSizeBinaryAndRejectsOtherWidths() throws {
    let builder = FixedSizeBinaryBuilder(width: 4)
    builder.append(Array("abcd".utf8).span.bytes)
    builder.appendNull()
    #expect(texts(builder.finish()) == ["abcd", nil])
    builder.append(Array("abc".utf8).span.bytes)
    #expect(builder.hasRejectedValue)
    #expect(builder.count == 1)
    let array = builder.finish()
    #expect(array.length == 0)
    #expect(!builder.hasRejectedValue)
    let schema = Schema(fields: [Field(name: "a", type: .fixedSizeBinary(4))])
    #expect(throws: ArrowError.self) {
      try RecordBatch(schema: schema, columns: [array], rowCount: 1)
    }
  }

  @Test func buildsDecimalsUpToTheirPrecision() {
    let narrow = DecimalBuilder(precision: 3, scale: 1)
    narrow.append(magnitude: (999, 0, 0, 0), isNegative: true)
    narrow.appendNull()
    narrow.append(magnitude: (0, 0, 0, 0), isNegative: true)
    let array = narrow.finish()
    #expect(array.type == .decimal128(precision: 3, scale: 1))
    #expect(limbs(array, 0) == ["-", "999", "0", "0", "0"])
    #expect(array.isNull(at: 1))
    #expect(limbs(array, 2) == ["+", "0", "0", "0", "0"])
    narrow.append(magnitude: (1000, 0, 0, 0), isNegative: false)
    #expect(narrow.hasRejectedValue)

    let wide = DecimalBuilder(precision: 65, scale: 30)
    wide.append(magnitude: (1, 2, 3, 4), isNegative: true)
    wide.append(magnitude: (1, 2, 3, 4), isNegative: false)
    let decimals = wide.finish()
    #expect(decimals.type == .decimal256(precision: 65, scale: 30))
    #expect(limbs(decimals, 0) == ["-", "1", "2", "3", "4"])
    #expect(limbs(decimals, 1) == ["+", "1", "2", "3", "4"])
    wide.append(magnitude: (0, 0, 0, .max), isNegative: false)
    #expect(wide.hasRejectedValue)
  }

  @Test func buildsListsOfDictionaryValues() {
    let words = DictionaryBuilder(values: [Array("red".utf8), Array("green".utf8), []])
    let lists = ListBuilder(item: Field(name: "item", type: words.type), child: words)
    words.append(index: 1)
    words.append(index: 0)
    lists.endList()
    lists.appendNull()
    lists.endList()
    words.append(index: 2)
    lists.endList()
    let array = lists.finish()
    #expect(array.nullCount == 1)
    #expect((0..<4).map { array.listRange(at: $0) } == [0..<2, 2..<2, 2..<2, 2..<3])
    #expect(texts(array.children[0]) == ["green", "red", ""])
    words.append(index: 3)
    lists.endList()
    #expect(lists.hasRejectedValue)
    #expect(lists.finish().length == 0)
    words.append(index: 0)
    lists.endList()
    let again = lists.finish()
    #expect(texts(again.children[0]) == ["red"])
    #expect(again.children[0].dictionary?.buffers[1] === array.children[0].dictionary?.buffers[1])
  }

  @Test func usesWideIndicesForManyValues() {
    let few = DictionaryBuilder(values: .init(repeating: [], count: 32767))
    #expect(few.type == .dictionary(index: .int16, values: .utf8))
    let many = DictionaryBuilder(values: (0..<40000).map { Array(String($0).utf8) })
    #expect(many.type == .dictionary(index: .int32, values: .utf8))
    many.append(index: 39999)
    many.appendNull()
    #expect(texts(many.finish()) == ["39999", nil])
  }
}
