import MySQLSchema

/// The first byte chooses the text mode, the rest is statement text.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDDL(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let mode = SQLTextMode(ansiQuotes: input[0] & 1 != 0, noBackslashEscapes: input[0] & 2 != 0)
  let bytes = Array(UnsafeBufferPointer(start: input + 1, count: count - 1))
  let text = String(decoding: bytes, as: UTF8.self)
  check(parseDDL(text, defaultDatabase: "d", mode: mode))
  _ = try? parseColumnType(text, charset: "latin1")
  for table in parseSchemaDump(bytes, defaultDatabase: "d").tables { check(table) }
  return 0
}

private func check(_ statement: DDLStatement) {
  if case .createTable(let create) = statement, case .definition(let table) = create.source {
    check(table)
  }
}

/// What every reader of a schema relies on.
private func check(_ table: TableSchema) {
  precondition(!table.columns.isEmpty)
  precondition(Set(table.columns.map { $0.name.lowercased() }).count == table.columns.count)
  for index in table.primaryKey { precondition(!table.columns[index].isNullable) }
}
