import MySQLSchema
import Testing

@testable import MySQLSource

@Suite struct KeyRangeTests {
  private func condition(_ range: SourceKeyRange, _ key: [String]) throws -> String? {
    try range.condition(
      key: key.map {
        Column(name: $0, type: .integer(.int, isUnsigned: false), isNullable: false)
      }
    )?.replacing("`", with: "")
  }

  @Test func membersAreListed() {
    let column = Column(name: "e", type: .enumeration(["x", "y", "z"]), isNullable: false)
    #expect(column.condition(.greater, "1") == "`e` IN (2, 3)")
    #expect(column.condition(.greater, "3") == "`e` = 4")
    #expect(column.condition(.less, "0") == "`e` = 4")
    #expect(column.condition(.less, "2") == "`e` IN (0, 1)")
    #expect(column.condition(.lessOrEqual, "2") == "`e` IN (0, 1, 2)")
    #expect(column.condition(.equal, "2") == "`e` = 2")
    let many = Column(
      name: "m", type: .enumeration((0..<1000).map(String.init)), isNullable: false)
    #expect(many.condition(.greater, "1") == "`m` > 1")
  }

  @Test func conditions() throws {
    #expect(try condition(SourceKeyRange(), ["a"]) == nil)
    #expect(try condition(SourceKeyRange(after: ["1"]), ["a"]) == "(a > 1)")
    #expect(try condition(SourceKeyRange(through: ["9"]), ["a", "b"]) == "(a <= 9)")
    #expect(
      try condition(SourceKeyRange(after: ["1", "2"], through: ["3", "4", "5"]), ["a", "b", "c"])
        == "(a > 1 OR (a = 1 AND (b > 2))) AND "
        + "(a < 3 OR (a = 3 AND (b < 4 OR (b = 4 AND (c <= 5)))))")
    for range in [SourceKeyRange(after: ["1", "2"]), SourceKeyRange(through: [])] {
      let error = #expect(throws: SourceError.self) { try condition(range, ["a"]) }
      #expect(error?.code == .schemaChanged)
    }
  }

  @Test func evenRangesCoverTheInterval() {
    #expect(evenRanges(1...10, count: 3) == [1...4, 5...8, 9...10])
    #expect(evenRanges(7...7, count: 5) == [7...7])
    #expect(evenRanges(-3...3, count: 100) == (-3...3).map { $0...$0 })
    let whole = Int128(Int64.min)...Int128(UInt64.max)
    let ranges = evenRanges(whole, count: 1000)
    #expect(ranges.count == 1000)
    #expect(ranges.first?.lowerBound == whole.lowerBound)
    #expect(ranges.last?.upperBound == whole.upperBound)
    for (left, right) in zip(ranges, ranges.dropFirst()) {
      #expect(left.upperBound + 1 == right.lowerBound)
    }
  }

  @Test func differences() {
    func table(_ columns: [Column], key: [Int] = [0]) -> TableSchema {
      TableSchema(
        name: TableName(database: "d", table: "t"), columns: columns, primaryKey: key)
    }
    let id = Column(name: "id", type: .integer(.int, isUnsigned: false), isNullable: false)
    let text = Column(name: "a", type: .string(charset: "latin1"), isNullable: true)
    var strict = text
    strict.isNullable = false
    var other = text
    other.type = .string(charset: "utf8mb4")
    let plain = table([id, text])
    #expect(plain.difference(from: plain) == nil)
    #expect(plain.difference(from: table([id, strict])) == nil)
    #expect(table([id, strict]).difference(from: plain) == "a may be NULL")
    #expect(plain.difference(from: table([id, other])) == "the type of a is another")
    #expect(plain.difference(from: table([text, id])) == "it has the columns a, id")
    #expect(plain.difference(from: table([id])) == "it has the columns id")
    #expect(plain.difference(from: table([id, text], key: [])) == "its key is another")
  }
}
