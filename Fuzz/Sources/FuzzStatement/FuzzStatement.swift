@testable import ClickHouseEngine

/// The input is one SQL statement.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzStatement(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let statement = String(decoding: UnsafeBufferPointer(start: input, count: count), as: UTF8.self)
  let text = SQLText(statement)
  var end = 0
  for token in text.tokens {
    precondition(token.range.lowerBound >= end && !token.range.isEmpty)
    end = token.range.upperBound
  }
  precondition(end <= text.bytes.count)
  precondition(text.replacing([]) == statement)
  // Whatever takes a name's place, nothing else changes.
  if text.hasSelraw {
    precondition(text.replacingSelraw { _ in nil }.utf8.count == text.bytes.count)
  }
  _ = text.replacingSelraw { _ in "(SELECT 1)" }
  if let recognised = try? Statement.recognise(text) { check(recognised) }
  return 0
}

private func check(_ statement: Statement) {
  switch statement {
  case .createMutableTable(let create): _ = create.storageStatement(name: "s", like: "l")
  case .insert(let insert):
    _ = insert.rewritten(into: "s", columns: "a, b")
    _ = insert.rewritten(into: "s", columns: nil)
  case .update(let update): precondition(!update.assignments.isEmpty)
  case .alter(let alter):
    precondition(!alter.commands.isEmpty)
    _ = alter.rewritten(name: "s")
  case .optimize(let table), .describe(let table), .showCreate(let table), .check(let table),
    .attach(let table):
    _ = table.rewritten(name: "s")
  case .drop(let drop), .detach(let drop), .truncate(let drop): precondition(!drop.names.isEmpty)
  case .delete, .truncateAll, .rename, .renameDatabases, .exchange, .createMaterializedView,
    .createOther, .other:
    break
  }
}
