import Testing
import WireFormat

@testable import Arrow

@Suite struct GatheringTests {
  /// Two slices of the sample's columns, and a list of positions in both.
  @Test func everyTypeOfTheSample() throws {
    let batch = try Sample.batch()
    let positions = (0..<40).map { ($0 * 7 + 3) % (2 * batch.rowCount - 2) }
    for (field, column) in zip(batch.schema.fields, batch.columns) {
      let parts = [column.slice(0..<batch.rowCount - 1), column.slice(1..<batch.rowCount)]
      let gathered = try ArrayData.gather(positions, from: parts)
      try gathered.validate()
      #expect(gathered.type == column.type)
      let expected = positions.map { position in
        describe(
          column, at: position < batch.rowCount - 1 ? position : position - batch.rowCount + 2)
      }
      #expect(describe(gathered) == expected, "\(field.name)")
      #expect(try ArrayData.gather([], from: parts).length == 0)
    }
  }

  @Test func dictionariesOfTheirOwn() throws {
    let parts = [["a", "b"], ["b", "c", "d"]].map { values in
      let builder = DictionaryBuilder(values: values.map { Array($0.utf8) })
      for index in values.indices { builder.append(index: index) }
      builder.appendNull()
      return builder.finish()
    }
    let gathered = try ArrayData.gather([5, 3, 2, 1, 6, 0], from: parts)
    try gathered.validate()
    #expect(texts(gathered) == ["d", "b", nil, "b", nil, "a"])
    // One dictionary stays as it is.
    let same = try ArrayData.gather([2, 0], from: [parts[1], parts[1]])
    #expect(same.dictionary?.length == 3)
  }

  @Test func refusesMoreThanTheIndicesCanCount() throws {
    let parts = (0..<2).map { part in
      let builder = DictionaryBuilder(
        values: (0..<30_000).map { Array("\(part)-\($0)".utf8) })
      builder.append(index: 0)
      return builder.finish()
    }
    #expect(throws: ArrowError.self) { try ArrayData.gather([0, 1], from: parts) }
  }
}
