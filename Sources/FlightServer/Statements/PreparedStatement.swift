import Arrow
import Foundation
import GRPCCore
import MagicAPI
import MagicCore

/// A statement that a client prepared.
struct PreparedStatement: Sendable {
  var sql: String
  var transaction: String?
  /// The rows of parameters that are bound; a batch without rows when none are in what was bound.
  var parameters: [RecordBatch] = []
}

extension FlightService {
  /// Prepares a statement, and tells what it takes and gives.
  func prepare(
    _ request: ProtoActionCreatePreparedStatementRequest, _ call: Call
  ) async throws -> ProtoActionCreatePreparedStatementResult {
    let transaction = request.hasTransactionID ? try name(request.transactionID) : nil
    var statement = call.request(request.query)
    statement.transaction = transaction
    // A change of the session is known by its text, and has neither parameters nor a result.
    let description =
      StatementText(request.query).sessionEffect == .none
      ? try await call.service.describe(statement)
      : StatementDescription(columns: nil, parameterCount: 0, isRead: false)
    let handle = prepared.add(
      PreparedStatement(sql: request.query, transaction: transaction), owner: call.caller.user)
    var result = ProtoActionCreatePreparedStatementResult()
    result.preparedStatementHandle = Data(handle.utf8)
    // What depends on values that are still to be bound is left open, as the protocol allows.
    if description.columns != nil || !description.isRead {
      result.datasetSchema = encapsulated(description.columns ?? Schema(fields: []))
    }
    // The engine takes a value of any type, and nobody knows which one it will be.
    let parameters = (0..<description.parameterCount).map { Field(name: "\($0 + 1)", type: .utf8) }
    result.parameterSchema = encapsulated(Schema(fields: parameters))
    return result
  }

  /// The caller's prepared statement of a handle.
  func preparedStatement(_ handle: Data, _ call: Call) throws -> PreparedStatement {
    guard let statement = prepared.use(try name(handle), owner: call.caller.user) else {
      throw APIError.notFound(
        "there is no such prepared statement: it was closed, or not used for too long; prepare it "
          + "again")
    }
    return statement
  }

  /// The text of a handle.
  func name(_ handle: Data) throws -> String {
    guard let name = String(validating: handle, as: UTF8.self) else {
      throw APIError.invalid("a handle that this server did not give")
    }
    return name
  }

  /// A schema as Flight's messages hold it.
  func encapsulated(_ schema: Schema) -> Data {
    var bytes: [UInt8] = []
    StreamWriter(schema: schema).writeSchema(to: &bytes)
    return Data(bytes)
  }
}

extension StatementTicket {
  /// - Throws: when the handle is not one of this server's.
  init(decoding handle: Data) throws {
    self = try JSONDecoder().decode(Self.self, from: handle)
  }

  /// The rows of parameters that the ticket holds; the statement runs once for each, and once
  /// without any when none were bound.
  func parameterRows() throws -> [RecordBatch?] {
    guard let parameters else { return [nil] }
    var reader = StreamReader()
    try reader.push([UInt8](parameters))
    try reader.finish()
    var rows: [RecordBatch] = []
    while let batch = reader.next() {
      for row in 0..<batch.rowCount { rows.append(batch.slice(row..<(row + 1))) }
    }
    return rows
  }

  /// The bytes in which a ticket holds rows of parameters; nil for none.
  static func encode(_ parameters: [RecordBatch]) throws -> Data? {
    guard let first = parameters.first else { return nil }
    var writer = StreamWriter(schema: first.schema)
    var bytes: [UInt8] = []
    writer.writeSchema(to: &bytes)
    for batch in parameters { try writer.write(batch, to: &bytes) }
    writer.writeEnd(to: &bytes)
    return Data(bytes)
  }
}
