import Arrow
import Foundation
import MagicCore

/// Runs user statements in the engine and streams their results in any of its formats.
///
/// Every statement has a session of its own, so what `SET` and `USE` change does not outlive it,
/// and sees one commit point from its beginning to its end.
public struct StatementPath: StatementService {
  private let engine: any Engine
  private let tables: MutableTables
  private let mutable: MutableStatements

  /// Runs statements in `engine`, which holds `tables`.
  public init(engine: any Engine, tables: MutableTables) {
    self.engine = engine
    self.tables = tables
    mutable = MutableStatements(engine: engine, tables: tables)
  }

  public func run(_ statement: String, format: String) async throws -> StatementResult {
    let text = try StatementText(statement)
    try refuseStorage(text)
    switch try await mutable.run(SQLText(text.text)) {
    case .untouched: return try await run(text, format: format)
    case .replaced(let other): return try await run(try StatementText(other), format: format)
    case .done(let rows): return empty(format: format, changedRows: rows)
    }
  }

  private func run(_ text: StatementText, format: String) async throws -> StatementResult {
    let format = text.format ?? format
    guard !format.isEmpty, format.utf8.allSatisfy({ $0 == 0x5F || isLetterOrDigit($0) }) else {
      throw EngineError(message: "\(format) is not the name of an output format")
    }
    do {
      return try await run(text, as: text.kind, format: format)
    } catch let error as EngineError where error.code == Self.syntaxError && text.kind == .select {
      // The engine's text is about the statement with our clause in it. Without the clause it tells
      // what is wrong with the user's own, or it was the clause that did not fit.
      return try await run(text, as: .information, format: format)
    }
  }

  /// The engine's code for a statement that it cannot parse.
  private static let syntaxError = 62

  private func run(
    _ text: StatementText, as kind: StatementText.Kind, format: String
  ) async throws -> StatementResult {
    let session = try await StatementSession(engine: engine, registry: tables.storage.registry)
    do {
      try await session.connection.allowLength(of: text.text)
      switch kind {
      case .select:
        return try await stream(on: session, format: format) { clause in
          text.replacingFormat(with: clause)
        }
      case .information:
        return try await runInformation(text.text, on: session, format: format)
      case .command:
        try await session.connection.execute(text.text)
        await session.close()
        return empty(format: format)
      }
    } catch {
      await session.close()
      throw error
    }
  }

  /// The storage of mutable tables belongs to the layer: nobody else changes it.
  private func refuseStorage(_ text: StatementText) throws {
    if text.kind == .command, text.names.contains(StorageName.database) {
      throw EngineError(
        message: "\(StorageName.database) holds the storage of mutable tables, which nobody else "
          + "may change")
    }
  }

  private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
  }

  private func empty(format: String, changedRows: Int? = nil) -> StatementResult {
    StatementResult(format: format, changedRows: changedRows, next: { nil }, cancel: {})
  }

  /// Runs a statement such as SHOW, whose rows the engine does not write to a file: they are read
  /// as Arrow data, which a SELECT then writes.
  private func runInformation(
    _ sql: String, on session: StatementSession, format: String
  ) async throws -> StatementResult {
    let reader = try await session.connection.query(sql)
    let file = try MemoryFile()
    let schema = reader.schema.withoutNullTypes
    var writer = StreamWriter(schema: schema)
    var bytes: [UInt8] = []
    writer.writeSchema(to: &bytes)
    while let batch = try await reader.next() {
      try writer.write(try batch.withoutNullTypes(schema), to: &bytes)
      try file.write(bytes)
      bytes.removeAll(keepingCapacity: true)
    }
    if reader.schema.fields.isEmpty {
      await session.close()
      return empty(format: format)
    }
    writer.writeEnd(to: &bytes)
    try file.write(bytes)
    return try await stream(on: session, format: format) { [file] clause in
      "SELECT * FROM file('\(file.path)', 'ArrowStream') \(clause) "
        + "SETTINGS schema_inference_make_columns_nullable = 0"
    }
  }

  /// Runs a statement that writes its result into a pipe.
  private func stream(
    on session: StatementSession, format: String,
    statement: @escaping @Sendable (_ clause: String) -> String
  ) async throws -> StatementResult {
    let pipe = try ResultPipe()
    let outfile = "INTO OUTFILE '\(pipe.writePath)' TRUNCATE "
    let sql = statement(outfile + "FORMAT \(format)")
    let execution = Task.detached {
      let outcome: Result<Void, any Error>
      do {
        // The closure is kept until the end, because it holds what the statement reads.
        _ = try await session.connection.execute(sql)
        outcome = .success(())
      } catch let error as EngineError {
        outcome = .failure(error.leavingOut(outfile))
      } catch {
        outcome = .failure(error)
      }
      await session.close()
      pipe.closeWriteEnd()
      withExtendedLifetime(statement) {}
      return try outcome.get()
    }
    let run = RunningStatement(pipe: pipe, execution: execution)
    try await run.readFirst()
    return StatementResult(
      format: format, next: { try await run.next() }, cancel: { await run.cancel() })
  }
}

/// A statement that writes into a pipe. Dropped half-read, it ends the statement.
private actor RunningStatement {
  private enum State { case running, ended, cancelled }

  private let pipe: ResultPipe
  private let execution: Task<Void, any Error>
  private var first: [UInt8]?
  private var state = State.running

  init(pipe: ResultPipe, execution: Task<Void, any Error>) {
    self.pipe = pipe
    self.execution = execution
  }

  deinit {
    execution.cancel()
    Task.detached { [pipe] in await pipe.drain() }
  }

  /// Waits for the first bytes or the end, so that early errors are seen before any result.
  func readFirst() async throws { first = try await read() }

  func next() async throws -> [UInt8]? {
    if let chunk = first {
      first = nil
      return chunk
    }
    return try await read()
  }

  func cancel() async {
    guard state == .running else { return }
    state = .cancelled
    first = nil
    execution.cancel()
    await pipe.drain()
    _ = await execution.result
  }

  private func read() async throws -> [UInt8]? {
    let chunk = try await withTaskCancellationHandler { () -> [UInt8]? in
      if let chunk = await pipe.read() { return chunk }
      if state == .cancelled { throw EngineError.cancelled }
      try await execution.value
      return nil
    } onCancel: {
      execution.cancel()
    }
    if chunk == nil { state = .ended }
    return chunk
  }
}

extension EngineError {
  /// The same error without the words that were put into the statement.
  fileprivate func leavingOut(_ words: String) -> EngineError {
    EngineError(code: code, message: message.replacingOccurrences(of: words, with: ""))
  }
}

// The engine does not read Arrow's null type, which columns of nothing but NULL have.
extension Schema {
  fileprivate var withoutNullTypes: Schema {
    var schema = self
    for index in schema.fields.indices where schema.fields[index].type == .null {
      schema.fields[index].type = .utf8
    }
    return schema
  }
}

extension RecordBatch {
  fileprivate func withoutNullTypes(_ schema: Schema) throws -> RecordBatch {
    let columns = columns.map { column in
      guard column.type == .null else { return column }
      let builder = BinaryBuilder(type: .utf8)
      for _ in 0..<column.length { builder.appendNull() }
      return builder.finish()
    }
    do {
      return try RecordBatch(schema: schema, columns: columns, rowCount: rowCount)
    } catch {
      throw EngineError(message: error.description)
    }
  }
}
