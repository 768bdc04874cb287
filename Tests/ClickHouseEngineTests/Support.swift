import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Testing

/// All tests of the engine, one after another: it takes 250 MB, and its folders are on one disk.
@Suite(.serialized) struct EngineTests {}

/// Whether the engine library is here; says so when it is not.
let engineIsInstalled: Bool = {
  if let path = ProcessInfo.processInfo.environment["MAGIC_ENGINE_LIBRARY"] {
    if FileManager.default.isReadableFile(atPath: path) { return true }
  } else {
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let library = folder.appendingPathComponent(".deps/engine/chdb/_chdb.abi3.so")
      if FileManager.default.isReadableFile(atPath: library.path) { return true }
    }
  }
  print("skipped: the engine library is absent; run scripts/setup or set MAGIC_ENGINE_LIBRARY")
  return false
}()

/// Runs `body` with an engine over a folder of its own, which is removed afterwards.
func withEngine(_ body: (ClickHouseEngine) async throws -> Void) async throws {
  guard engineIsInstalled else { return }
  let folder = temporaryFolder()
  defer { try? FileManager.default.removeItem(atPath: folder) }
  let engine = try await ClickHouseEngine.open(dataFolder: folder)
  do {
    try await body(engine)
  } catch {
    await engine.shutdown()
    throw error
  }
  await engine.shutdown()
}

/// Runs `body` with one connection to an engine over a folder of its own.
func withConnection(
  _ body: (any EngineConnection, ClickHouseEngine) async throws -> Void
) async throws {
  try await withEngine { engine in
    let connection = try await engine.connect()
    do {
      try await body(connection, engine)
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }
}

/// Runs `body` with the mutable tables of an engine over a folder of its own, and with the path that
/// statements take.
func withTables(
  _ body: (MutableTables, StatementPath, ClickHouseEngine) async throws -> Void
) async throws {
  try await withEngine { engine in
    let tables = try await openTables(engine)
    do {
      try await body(tables, StatementPath(engine: engine, tables: tables), engine)
    } catch {
      await tables.shutdown()
      throw error
    }
    await tables.shutdown()
  }
}

/// Opens the mutable tables of an engine, as a process does when it starts.
func openTables(_ engine: ClickHouseEngine) async throws -> MutableTables {
  try await MutableTables.open(
    engine: engine, commitLog: engine.dataFolder + "/commits",
    report: { Issue.record("in the background: \($0)") })
}

extension MutableTables {
  /// Lets readers see a table under its name.
  func show(_ table: TableDefinition) async throws {
    try await change(showing: [table], dropping: [])
  }

  /// Removes a table.
  func drop(_ table: TableDefinition) async throws {
    try await change(showing: [], dropping: [table])
  }
}

extension StatementPath {
  /// A statement's whole result as TSV.
  func text(_ statement: String) async throws -> String {
    let result = try await run(statement, format: "TSV")
    var bytes: [UInt8] = []
    while let chunk = try await result.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// How many rows a statement changed.
  @discardableResult func changed(_ statement: String) async throws -> Int? {
    try await run(statement, format: "TSV").changedRows
  }
}

/// A path in the temporary folder where nothing is yet.
func temporaryFolder() -> String {
  FileManager.default.temporaryDirectory.appendingPathComponent("magic-test-\(UUID())").path
}

/// The engine's error that `body` ends with; a test fails when there is none.
func engineError(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async -> EngineError? {
  do {
    try await body()
    Issue.record("no error", sourceLocation: sourceLocation)
    return nil
  } catch {
    if error is EngineError { return error as? EngineError }
    Issue.record("another error: \(error)", sourceLocation: sourceLocation)
    return nil
  }
}

/// Expects an engine's error of that code.
func expectError(
  _ code: Int, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
  let error = await engineError(sourceLocation: sourceLocation, body)
  #expect(error?.code == code, "\(error?.message ?? "")", sourceLocation: sourceLocation)
}

extension EngineConnection {
  /// All rows of a statement, each value as text and null as `∅`.
  func rows(_ sql: String) async throws -> [[String]] {
    let reader = try await query(sql)
    var rows: [[String]] = []
    while let batch = try await reader.next() {
      for row in 0..<batch.rowCount { rows.append(batch.columns.map { textValue($0, row) }) }
    }
    return rows
  }

  /// The one value of a statement's one row.
  func value(_ sql: String) async throws -> String {
    let rows = try await rows(sql)
    return try #require(rows.first?.first)
  }

  /// The number of the user's statements that run, besides the one that asks.
  func runningStatements() async throws -> Int {
    let count = try await value(
      "SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'")
    return try #require(Int(count))
  }
}

/// A value as text, for comparing.
func textValue(_ column: ArrayData, _ row: Int) -> String {
  if column.isNull(at: row) { return "∅" }
  switch column.type {
  case .bool: return "\(column.bool(at: row))"
  case .int8: return "\(column.withValues(of: Int8.self) { $0[row] })"
  case .int16: return "\(column.withValues(of: Int16.self) { $0[row] })"
  case .int32, .date32: return "\(column.withValues(of: Int32.self) { $0[row] })"
  case .int64, .timestamp: return "\(column.withValues(of: Int64.self) { $0[row] })"
  case .uint8: return "\(column.withValues(of: UInt8.self) { $0[row] })"
  case .uint16: return "\(column.withValues(of: UInt16.self) { $0[row] })"
  case .uint32: return "\(column.withValues(of: UInt32.self) { $0[row] })"
  case .uint64: return "\(column.withValues(of: UInt64.self) { $0[row] })"
  case .float32: return "\(column.withValues(of: Float.self) { $0[row] })"
  case .float64: return "\(column.withValues(of: Double.self) { $0[row] })"
  case .utf8, .dictionary:
    return column.withBinaryValue(at: row) { String(decoding: $0, as: UTF8.self) }
  case .list:
    let items = column.listRange(at: row).map { textValue(column.children[0], $0) }
    return "[\(items.joined(separator: ","))]"
  default:
    return column.withBinaryValue(at: row) { bytes in
      bytes.map { String(format: "%02x", $0) }.joined()
    }
  }
}
