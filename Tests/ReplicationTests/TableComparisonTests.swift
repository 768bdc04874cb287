import Arrow
import Testing

@testable import Replication

@Suite struct TableComparisonTests {
  private let schema = Schema(fields: [
    Field(name: "id", type: .int32, isNullable: false),
    Field(name: "name", type: .utf8, isNullable: true),
  ])

  private func batch(_ rows: [(Int32, String?)]) throws -> RecordBatch {
    let ids = PrimitiveBuilder<Int32>(type: .int32)
    let names = BinaryBuilder(type: .utf8)
    for (id, name) in rows {
      ids.append(id)
      if let name {
        Array(name.utf8).withUnsafeBytes { names.append($0) }
      } else {
        names.appendNull()
      }
    }
    return try RecordBatch(
      schema: schema, columns: [ids.finish(), names.finish()], rowCount: rows.count)
  }

  private func compare(
    _ source: [[(Int32, String?)]], _ copy: [[(Int32, String?)]]
  ) async throws -> TableComparison {
    var comparison = try TableComparison(schema: schema, key: [0])
    var sources = try source.map(batch)[...]
    var copies = try copy.map(batch)[...]
    try await comparison.run(
      source: { sources.popFirst() }, copy: { copies.popFirst() })
    return comparison
  }

  @Test func equalRowsInDifferentBatchesAreEqual() async throws {
    let result = try await compare(
      [[(1, "a"), (2, nil)], [], [(3, "")]], [[(1, "a")], [(2, nil), (3, "")]])
    #expect(result.differences.isEmpty)
    #expect(result.rowsCompared == 3)
  }

  @Test func namesMissingExtraAndDifferentRows() async throws {
    let result = try await compare(
      [[(1, "a"), (2, "b"), (4, nil)]], [[(2, "B"), (3, "c"), (4, ""), (5, "e")]])
    #expect(result.differenceCount == 5)
    #expect(
      result.differences.map { "\($0.kind.rawValue) \($0.key) \($0.columns)" } == [
        "missing id=1 []", "different id=2 [\"name\"]", "extra id=3 []",
        "different id=4 [\"name\"]", "extra id=5 []",
      ])
  }

  @Test func aDifferenceLastsOnlyWhileTheSourceRowStaysTheSame() async throws {
    let first = try await compare([[(1, "a"), (2, "b")]], [[(1, "x"), (2, "x")]])
    let second = try await compare([[(1, "a"), (2, "c")]], [[(1, "x"), (2, "b")]])
    let lasting = TableComparison.lasting(first.differences, second.differences)
    #expect(lasting.map(\.key) == ["id=1"])
  }
}
