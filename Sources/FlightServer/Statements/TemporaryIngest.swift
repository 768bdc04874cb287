import Arrow
import MagicAPI
import MagicCore
import Synchronization

extension FlightService {
  /// Fills a temporary table, which lives in the caller's session of the engine and ends with it.
  ///
  /// - Returns: how many rows there were.
  func ingestTemporary(
    _ command: ProtoCommandStatementIngest, _ rows: IncomingRows, _ call: inout Call
  ) async throws -> Int {
    guard command.schema.isEmpty, !command.hasTransactionID, command.options.isEmpty else {
      throw APIError.invalid(
        "a temporary table is in no schema, and takes neither transactions nor options")
    }
    changeSession(of: &call) { $0.isHeldByEngine = true }
    let table = quotedIdentifier(command.table)
    let exists = try await number(of: "EXISTS TEMPORARY TABLE \(table)", call) != 0
    let options = command.tableDefinitionOptions
    switch (exists, options.ifExists, options.ifNotExist) {
    case (true, .append, _): break
    case (true, .replace, _):
      try await execute("DROP TEMPORARY TABLE \(table)", call)
      try await create(table, rows.schema, call)
    case (true, _, _):
      throw APIError(.alreadyExists, "there is a temporary table \(command.table) already")
    case (false, _, .create): try await create(table, rows.schema, call)
    case (false, _, _): throw APIError.notFound("there is no temporary table \(command.table)")
    }
    let encoder = StreamEncoder(rows)
    let result = try await call.service.run(
      call.request("INSERT INTO \(table) FORMAT ArrowStream"), format: "TSV",
      input: StatementInput { try await encoder.next() })
    while try await result.next() != nil {}
    return encoder.rowCount
  }

  /// Makes a table of the columns that the engine finds in a stream without rows.
  private func create(_ table: String, _ schema: Schema, _ call: Call) async throws {
    let writer = StreamWriter(schema: schema)
    var stream: [UInt8] = []
    writer.writeSchema(to: &stream)
    writer.writeEnd(to: &stream)
    let digits = stream.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    try await execute(
      "CREATE TEMPORARY TABLE \(table) AS SELECT * FROM format(ArrowStream, unhex('\(digits)'))",
      call)
  }

  private func execute(_ sql: String, _ call: Call) async throws {
    let result = try await call.service.query(call.request(sql))
    while try await result.reader.next() != nil {}
  }

  /// The number that a statement gives.
  private func number(of sql: String, _ call: Call) async throws -> UInt8 {
    let result = try await call.service.query(call.request(sql))
    var number: UInt8 = 0
    while let batch = try await result.reader.next() {
      if batch.rowCount > 0, batch.columns.first?.type == .uint8 {
        number = batch.columns[0].withValues(of: UInt8.self) { $0[0] }
      }
    }
    return number
  }

  /// Rows as the bytes of an Arrow stream.
  private final class StreamEncoder: Sendable {
    private struct State {
      var writer: StreamWriter
      var hasBegun = false
      var hasEnded = false
      var rowCount = 0
    }

    private let rows: IncomingRows
    private let state: Mutex<State>

    init(_ rows: IncomingRows) {
      self.rows = rows
      state = Mutex(State(writer: StreamWriter(schema: rows.schema)))
    }

    /// How many rows there were so far.
    var rowCount: Int { state.withLock { $0.rowCount } }

    /// The next bytes; nil at the end.
    func next() async throws -> [UInt8]? {
      if state.withLock({ $0.hasEnded }) { return nil }
      let batch = try await rows.next()
      return try state.withLock { state in
        var bytes: [UInt8] = []
        if !state.hasBegun { state.writer.writeSchema(to: &bytes) }
        state.hasBegun = true
        if let batch {
          try state.writer.write(batch, to: &bytes)
          state.rowCount += batch.rowCount
        } else {
          state.writer.writeEnd(to: &bytes)
          state.hasEnded = true
        }
        return bytes
      }
    }
  }
}
