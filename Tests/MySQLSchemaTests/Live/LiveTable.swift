import MySQLSchema
import Testing

/// A table at a live server and what is known of it from its statements alone.
struct LiveTable {
  private let client: LiveClient
  private let isStrict: Bool
  private(set) var schema: TableSchema
  /// How many statements left rows that the plan knew.
  private(set) var knownCount = 0

  init(_ client: LiveClient, create: String, isStrict: Bool) throws {
    self.client = client
    self.isStrict = isStrict
    _ = try client.rows(create)
    let parsed = parseDDL(create, defaultDatabase: "d")
    guard case .createTable(let creation) = parsed, case .definition(let schema) = creation.source
    else { throw NoDefinition(parsed: parsed) }
    self.schema = schema.withDefaultCharset("utf8mb4")
    try compare(create)
  }

  /// Runs a statement at the server and compares the table with what the statement tells, and the rows
  /// with what the plan says of them. Returns false when the server refuses the statement.
  mutating func step(_ statement: String) throws -> Bool {
    let before = try rows(schema)
    guard try client.run(statement) != nil else { return false }
    let parsed = parseDDL(statement, defaultDatabase: "d")
    switch parsed {
    case .alterTable(let alteration), .createIndex(let alteration), .dropIndex(let alteration):
      let plan: TableChangePlan
      do {
        plan = try schema.plan(alteration, isStrict: isStrict)
      } catch {
        Issue.record("\(error): \(statement)")
        schema = try shown(schema.name.table)
        return true
      }
      let old = schema
      schema = plan.schema
      try compare(statement)
      try compare(plan.rows, old, before, statement)
    case .renameTables(let renames):
      for rename in renames where rename.from == schema.name { schema.rename(to: rename.to) }
      try compare(statement)
      #expect(try rows(schema) == before, "\(statement)")
    case .dataChange: break
    default: Issue.record("\(parsed): \(statement)")
    }
    return true
  }

  private func shown(_ table: String) throws -> TableSchema {
    try client.schema(of: "`\(table)`")
  }

  private func rows(_ schema: TableSchema) throws -> [[String]] {
    let columns = schema.columns.map(cellExpression).joined(separator: ", ")
    return try client.rows("SELECT \(columns) FROM `\(schema.name.table)`")
  }

  private func compare(_ statement: String) throws {
    let shown = try shown(schema.name.table)
    #expect(shown.columns.map(\.name) == schema.columns.map(\.name), "\(statement)")
    for (column, expected) in zip(schema.columns, shown.columns) {
      var (column, expected) = (column, expected)
      // The server prints bytes as text here.
      if expected.default == .expression, case .literal = column.default {
        column.default = .none
        expected.default = .none
      }
      // What it printed may be more certain than what was written.
      if column.default == .expression { expected.default = .expression }
      #expect(column == expected, "\(statement)")
    }
    #expect(uniqueKeys(shown) == uniqueKeys(schema), "\(statement)")
    #expect(shown.primaryKey == schema.primaryKey, "\(statement)")
    #expect(shown.primaryKeyIsUniqueKey == schema.primaryKeyIsUniqueKey, "\(statement)")
    #expect(shown.primaryKeyHasPrefix == schema.primaryKeyHasPrefix, "\(statement)")
    #expect(Set(shown.foreignKeys) == Set(schema.foreignKeys), "\(statement)")
    #expect(shown.defaultCharset == schema.defaultCharset, "\(statement)")
  }

  func uniqueKeys(_ schema: TableSchema) -> [String] {
    (schema.keys ?? []).filter(\.isUnique).map { key in
      let parts = key.parts.map { "\($0.column ?? "?") \($0.prefixLength ?? 0)" }
      return key.name + " " + parts.joined(separator: ",")
    }
  }

  private mutating func compare(
    _ plan: TableChangePlan.Rows, _ old: TableSchema, _ before: [[String]], _ statement: String
  ) throws {
    let sources: [TableChangePlan.ColumnSource]
    switch plan {
    case .unknown: return
    case .unchanged: sources = old.columns.indices.map { .column($0) }
    case .converted(let given): sources = given
    }
    knownCount += 1
    let expected = before.map { row in
      zip(sources, schema.columns).map { source, column in
        switch source {
        case .column(let index): widened(row[index], from: old.columns[index].type, to: column.type)
        case .value(let text): cell(text, column.type)
        }
      }.joined(separator: "|")
    }
    let seen = try rows(schema).map { row in
      zip(row, schema.columns).map { widened($0, from: $1.type, to: $1.type) }
        .joined(separator: "|")
    }
    #expect(seen.sorted() == expected.sorted(), "\(statement)")
  }
}
