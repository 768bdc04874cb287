import Arrow
import Foundation
import GRPCCore
import MagicAPI
import MagicCore
import SwiftProtobuf

extension FlightService {
  /// Takes what a client sends: rows to be written, statements, or parameters.
  func put(
    _ request: StreamingServerRequest<IncomingData>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<ProtoPutResult> {
    var call = try await call(request.metadata, context)
    let messages = IncomingRows(request.messages)
    let descriptor = try await messages.descriptor()
    var result = ProtoPutResult()
    switch try command(of: descriptor) {
    case .scan(let ticket) where descriptor.type == .path:
      let command = WriteCommand.Write(table: ticket.scan.table)
      result.appMetadata = try await write(command, messages, call)
    case .scan: throw APIError.invalid("rows are read by DoGet")
    case .write(let command): result.appMetadata = try await write(command, messages, call)
    case .sql(let command):
      if let binding = try command.unpack(ProtoCommandPreparedStatementQuery.self) {
        result.appMetadata = try await bind(
          messages, to: binding.preparedStatementHandle, call)
      } else {
        var update = ProtoDoPutUpdateResult()
        // Some clients take a negative number for a sign that they should ask for rows, which would
        // run the statement again.
        update.recordCount = Int64(try await changedRows(by: command, messages, &call) ?? 0)
        result.appMetadata = try update.serializedBytes()
      }
    }
    return StreamingServerResponse(metadata: call.responseMetadata) { [result] writer in
      try await writer.write(result)
      return [:]
    }
  }

  private func changedRows(
    by command: Google_Protobuf_Any, _ messages: IncomingRows, _ call: inout Call
  ) async throws -> Int? {
    if let update = try command.unpack(ProtoCommandStatementUpdate.self) {
      let transaction = update.hasTransactionID ? try name(update.transactionID) : nil
      return try await run(
        PreparedStatement(sql: update.query, transaction: transaction), parameterRows: nil, &call)
    }
    if let update = try command.unpack(ProtoCommandPreparedStatementUpdate.self) {
      let statement = try preparedStatement(update.preparedStatementHandle, call)
      let bound = statement.parameters
      let rows: (any RecordBatchReader)? =
        if let sent = try await ParameterRows(messages) { sent } else {
          bound.first.map { BatchList(schema: $0.schema, bound) }
        }
      return try await run(statement, parameterRows: rows, &call)
    }
    if let ingest = try command.unpack(ProtoCommandStatementIngest.self) {
      return try await self.ingest(ingest, messages, &call)
    }
    throw APIError.unsupported("DoPut of \(command.typeURL)")
  }

  /// Binds rows of parameters to a prepared statement.
  private func bind(
    _ messages: IncomingRows, to handle: Data, _ call: Call
  ) async throws -> Data {
    let name = try name(handle)
    _ = try preparedStatement(handle, call)
    var parameters: [RecordBatch] = []
    var byteCount = 0
    while let batch = try await messages.next() {
      parameters.append(try batch.withoutUnions())
      byteCount += messages.lastByteCount
      guard byteCount <= configuration.parameterByteCount else {
        throw APIError(
          .exhausted,
          "the parameters of a query have more than \(configuration.parameterByteCount) bytes: put "
            + "them into a table and join it")
      }
    }
    if parameters.isEmpty, try await messages.hasColumns() {
      let columns = messages.schema.fields.map { ArrayData(emptyOf: $0.type) }
      let empty = try RecordBatch(schema: messages.schema, columns: columns, rowCount: 0)
      parameters = [try empty.withoutUnions()]
    }
    _ = prepared.update(name, owner: call.caller.user) { $0.parameters = parameters }
    var result = ProtoDoPutPreparedStatementResult()
    result.preparedStatementHandle = handle
    return try result.serializedBytes()
  }

  private func write(
    _ command: WriteCommand.Write, _ rows: IncomingRows, _ call: Call
  ) async throws -> Data {
    var write = TableWrite(command.table)
    write.action = command.action ?? .insert
    write.whenExisting = command.ifExists ?? .append
    write.whenMissing = command.createWithKey.map { .create(primaryKey: $0) } ?? .fail
    write.token = command.token
    write.transaction = command.transaction
    write.fencingToken = call.session.fencingToken
    try await rows.requireSchema()
    let count = try await call.service.write(write, rows: rows)
    return Data("{\"rows\":\(count)}".utf8)
  }
}
