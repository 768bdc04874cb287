import Arrow
import Foundation
import GRPCCore
import MagicAPI
import MagicCore

extension FlightService {
  /// Streams the rows of a ticket.
  func get(
    _ request: StreamingServerRequest<ProtoTicket>, _ context: ServerContext
  ) async throws -> StreamingServerResponse<OutgoingData> {
    let call = try await call(request.metadata, context)
    var tickets = request.messages.makeAsyncIterator()
    guard let ticket = try await tickets.next() else {
      throw APIError.invalid("the call came without its ticket")
    }
    let command = try FlightCommand(decoding: ticket.ticket)
    return StreamingServerResponse { writer in
      do {
        try await send(command, call, to: writer)
        return [:]
      } catch {
        throw RPCError(wrapping: error)
      }
    }
  }

  private func send(
    _ command: FlightCommand, _ call: Call, to writer: RPCWriter<OutgoingData>
  ) async throws {
    let sender = StreamSender(to: writer, messageByteCount: configuration.messageByteCount)
    switch command {
    case .scan(let ticket):
      try await flights.perform(ticket.id, for: call.caller) {
        var sender = sender
        var scan = ticket.scan
        scan.snapshot = scan.snapshot ?? call.session.snapshot
        try await sender.send(try await call.service.scan(scan).reader)
      }
    case .write: throw APIError.invalid("rows are written by DoPut")
    case .sql(let command):
      if let ticket = try command.unpack(ProtoTicketStatementQuery.self) {
        try await send(ticket, call, to: sender)
      } else {
        let query = try CatalogQuery(command, configuration: configuration)
        var sender = sender
        let rows = try await query.rows(call)
        try await sender.send(BatchList(schema: query.schema, [rows]))
      }
    }
  }

  private func send(
    _ ticket: ProtoTicketStatementQuery, _ call: Call, to sender: StreamSender
  ) async throws {
    if ticket.statementHandle.isEmpty {
      var sender = sender
      return try await sender.send(BatchList(schema: Schema(fields: []), []))
    }
    let statement = try StatementTicket(decoding: ticket.statementHandle)
    try await flights.perform(statement.id, for: call.caller) {
      var sender = sender
      var request = StatementRequest(statement.sql)
      request.database = statement.database
      request.settings = statement.settings
      request.session = statement.session.map { SessionRequest(name: $0) }
      request.transaction = statement.transaction
      request.snapshot = statement.snapshot ?? call.session.snapshot
      request.fencingToken = call.session.fencingToken
      let rows = try statement.parameterRows()
      if rows.isEmpty {
        let columns = try await call.service.describe(request).columns ?? Schema(fields: [])
        return try await sender.send(BatchList(schema: columns, []))
      }
      for parameters in rows {
        request.positionalParameters = parameters
        try await sender.send(try await call.service.query(request).reader)
      }
    }
  }
}
