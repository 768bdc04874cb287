import MySQLSchema
import TestSupport
import Testing

/// Types with values that they take.
private let types: [(declaration: String, values: [String])] = [
  ("tinyint", ["1", "-7"]), ("int", ["1", "2147483647"]), ("bigint unsigned", ["3", "0"]),
  ("float", ["0.5", "0.1"]), ("double", ["0.1"]), ("decimal(6,2)", ["1.25", "-3"]),
  ("decimal(10,4)", ["1.2345"]), ("bit(7)", ["b'101'"]), ("date", ["'2024-01-31'"]),
  ("datetime(2)", ["'2024-01-31 12:00:00.25'"]), ("datetime(6)", ["'2024-01-31 12:00:00.000001'"]),
  ("timestamp(3) null", ["'2024-01-31 12:00:00.5'"]), ("time(1)", ["'-10:11:12.5'"]),
  ("year", ["2024"]), ("char(8)", ["'a '", "'é'"]), ("varchar(9)", ["'b '", "'ö'"]),
  ("varchar(30)", ["'thirty'"]), ("varchar(9) character set latin1", ["'é'"]), ("text", ["'t'"]),
  ("mediumtext character set utf16", ["'€'"]), ("binary(3)", ["'ab'"]),
  ("varbinary(8)", ["x'00ff'"]),
  ("blob", ["'blob'"]), ("enum('a','b')", ["'a'"]), ("enum('a','b','c')", ["'c'"]),
  ("set('x','y')", ["'x,y'"]), ("json", ["'[1]'"]), ("uuid", ["uuid()"]), ("inet6", ["'::1'"]),
]

/// Makes statements about a table whose columns it knows.
private struct StatementMaker {
  var generator: SeededGenerator
  var schema: TableSchema
  private var number = 0

  init(seed: UInt64, schema: TableSchema) {
    generator = SeededGenerator(state: seed)
    self.schema = schema
  }

  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int.random(in: elements.indices, using: &generator)]
  }

  private mutating func chance(_ percent: Int) -> Bool {
    Int.random(in: 0..<100, using: &generator) < percent
  }

  private mutating func oldColumn() -> String { pick(schema.columns).name }

  private mutating func newColumn() -> String {
    number += 1
    return chance(10) ? oldColumn() : "n\(number)"
  }

  private mutating func definition() -> String {
    let type = pick(types)
    var text = type.declaration
    if chance(30) { text += " not null" }
    if chance(40) { text += " default \(pick(type.values))" }
    if chance(5) { text += " unique" }
    if chance(5) { text += " invisible default \(pick(type.values))" }
    return text
  }

  private mutating func position() -> String {
    chance(60) ? "" : chance(50) ? " first" : " after \(oldColumn())"
  }

  private mutating func keyColumns() -> String {
    var parts: [String] = []
    for _ in 0...Int.random(in: 0...1, using: &generator) {
      parts.append(oldColumn() + (chance(15) ? "(2)" : ""))
    }
    return "(" + parts.joined(separator: ", ") + ")"
  }

  private mutating func change() -> String {
    let keyNames = (schema.keys ?? []).map(\.name).filter { $0 != "PRIMARY" } + ["nothing"]
    switch Int.random(in: 0..<20, using: &generator) {
    case 0...3: return "add \(newColumn()) \(definition())\(position())"
    case 4...5: return "drop \(oldColumn())"
    case 6...9: return "modify \(oldColumn()) \(definition())\(position())"
    case 10: return "change \(oldColumn()) \(newColumn()) \(definition())\(position())"
    case 11: return "rename column \(oldColumn()) to \(newColumn())"
    case 12...13: return "add unique \(keyColumns())"
    case 14: return "add key \(keyColumns())"
    case 15: return "drop key `\(pick(keyNames))`"
    case 16: return "drop constraint `\(pick(keyNames))`"
    case 17: return "drop primary key"
    case 18: return "rename key `\(pick(keyNames))` to r\(number)"
    default: return "alter \(oldColumn()) drop default"
    }
  }

  mutating func statement() -> String {
    // In one statement with other changes it would decide on the order of the unique keys by the place
    // at which it stands.
    if chance(5) { return "ALTER TABLE t add primary key \(keyColumns())" }
    let changes = (0...Int.random(in: 0...2, using: &generator)).map { _ in change() }
    return "ALTER TABLE t " + changes.joined(separator: ", ")
  }
}

@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveRandomTests {
  /// Random changes of random tables; a failure names the statement, and its seed makes it again.
  @Test(arguments: ["", "STRICT_TRANS_TABLES"])
  func followsRandomChanges(mode: String) async throws {
    try await withLiveClient { client in
      _ = try client.rows("SET sql_mode = '\(mode)', time_zone = '+00:00'")
      var (accepted, known) = (0, 0)
      for seed in 1...8 as ClosedRange<UInt64> {
        let result = try follow(seed: seed, isStrict: !mode.isEmpty, client)
        accepted += result.accepted
        known += result.known
      }
      #expect(accepted > 40 && known > 30, "\(accepted) \(known)")
    }
  }
}

private func follow(seed: UInt64, isStrict: Bool, _ client: LiveClient) throws
  -> (accepted: Int, known: Int)
{
  var generator = SeededGenerator(state: seed)
  let chosen = (0..<5).map { _ in types.randomElement(using: &generator)! }
  let columns = chosen.enumerated().map { "c\($0) \($1.declaration)" }.joined(separator: ", ")
  var table = try LiveTable(
    client, create: "CREATE TABLE t (id int not null, \(columns), unique (id))", isStrict: isStrict)
  for row in 1...3 {
    let values = chosen.map { type in
      row == 2 && type.declaration.count % 2 == 0
        ? "NULL" : type.values.randomElement(using: &generator)!
    }
    _ = try client.rows("INSERT INTO t VALUES (\(row), \(values.joined(separator: ", ")))")
  }
  var maker = StatementMaker(seed: seed &* 7919, schema: table.schema)
  var accepted = 0
  for _ in 0..<24 {
    maker.schema = table.schema
    if try table.step(maker.statement()) { accepted += 1 }
  }
  _ = try client.rows("DROP TABLE t")
  return (accepted, table.knownCount)
}
