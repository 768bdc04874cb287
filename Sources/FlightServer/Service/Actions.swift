import Foundation
import MagicAPI
import ProtobufCoding
import SwiftProtobuf

/// What DoAction does.
enum ActionName: String, CaseIterable {
  case createPreparedStatement = "CreatePreparedStatement"
  case closePreparedStatement = "ClosePreparedStatement"
  case beginTransaction = "BeginTransaction"
  case endTransaction = "EndTransaction"
  case cancelQuery = "CancelQuery"
  case cancelFlightInfo = "CancelFlightInfo"
  case renewFlightEndpoint = "RenewFlightEndpoint"
  case setSessionOptions = "SetSessionOptions"
  case getSessionOptions = "GetSessionOptions"
  case closeSession = "CloseSession"

  private var description: String {
    switch self {
    case .createPreparedStatement: "Prepares a statement."
    case .closePreparedStatement: "Forgets a prepared statement."
    case .beginTransaction: "Begins a transaction."
    case .endTransaction: "Commits a transaction, or rolls it back."
    case .cancelQuery: "Ends a running query; CancelFlightInfo does the same."
    case .cancelFlightInfo: "Ends the streams of a flight."
    case .renewFlightEndpoint: "Keeps the state that an endpoint reads."
    case .setSessionOptions: "Sets the catalog, the schema, and settings of the engine."
    case .getSessionOptions: "Tells what is set."
    case .closeSession: "Ends the session."
    }
  }

  /// What ListActions answers.
  static var descriptions: [ProtoActionType] {
    allCases.map { action in
      var type = ProtoActionType()
      type.type = action.rawValue
      type.description_p = action.description
      return type
    }
  }
}

extension FlightService {
  /// Performs an action.
  func perform(_ action: ProtoAction, _ call: inout Call) async throws -> [ProtoResult] {
    guard let name = ActionName(rawValue: action.type) else {
      throw APIError.unsupported(
        "there is no action \(action.type); ListActions tells which there are")
    }
    switch name {
    case .createPreparedStatement:
      return [try .packed(try await prepare(try action.unpacked(), call))]
    case .closePreparedStatement:
      let request: ProtoActionClosePreparedStatementRequest = try action.unpacked()
      prepared.remove(
        try self.name(request.preparedStatementHandle), owner: call.caller.user)
      return []
    case .beginTransaction:
      var result = ProtoActionBeginTransactionResult()
      result.transactionID = Data(try await call.service.beginTransaction(partOf: nil).utf8)
      return [try .packed(result)]
    case .endTransaction:
      try await endTransaction(try action.unpacked(), call)
      return []
    case .cancelQuery:
      let request: ProtoActionCancelQueryRequest = try action.unpacked()
      try await cancel(try decodeProto(request.info), call)
      var result = ProtoActionCancelQueryResult()
      result.result = .cancelled
      return [try .packed(result)]
    case .cancelFlightInfo:
      let request: ProtoCancelFlightInfoRequest = try decodeProto(action.body)
      try await cancel(request.info, call)
      var result = ProtoCancelFlightInfoResult()
      result.status = .cancelled
      return [try .plain(result)]
    case .renewFlightEndpoint:
      let request: ProtoRenewFlightEndpointRequest = try decodeProto(action.body)
      return [try .plain(try await renew(request.endpoint, call))]
    case .setSessionOptions:
      return [try .plain(try await setOptions(try decodeProto(action.body), &call))]
    case .getSessionOptions: return [try .plain(options(of: call))]
    case .closeSession: return [try .plain(try await closeSession(of: &call))]
    }
  }

  private func endTransaction(
    _ request: ProtoActionEndTransactionRequest, _ call: Call
  ) async throws {
    let transaction = try name(request.transactionID)
    switch request.action {
    case .commit:
      var request = CommitRequest(transaction)
      request.fencingToken = call.session.fencingToken
      try await call.service.commit(request)
    case .rollback: try await call.service.rollback(transaction: transaction)
    case .unspecified, .UNRECOGNIZED:
      throw APIError.invalid("a transaction is ended by commit or rollback")
    }
  }

  /// Ends the streams of a flight, and lets go of the state that it reads.
  private func cancel(_ info: ProtoFlightInfo, _ call: Call) async throws {
    for endpoint in info.endpoint {
      switch try FlightCommand(decoding: endpoint.ticket.ticket) {
      case .scan(let ticket):
        if let id = ticket.id { flights.cancel(id, by: call.caller) }
        if let snapshot = ticket.scan.snapshot {
          try await call.service.release(snapshot: snapshot)
        }
      case .write: break
      case .sql(let command):
        let ticket = try command.unpack(ProtoTicketStatementQuery.self)
        if let handle = ticket?.statementHandle, !handle.isEmpty {
          flights.cancel(try StatementTicket(decoding: handle).id, by: call.caller)
        }
      }
    }
  }

  private func renew(_ endpoint: ProtoFlightEndpoint, _ call: Call) async throws
    -> ProtoFlightEndpoint
  {
    var renewed = endpoint
    if case .scan(let ticket) = try FlightCommand(decoding: endpoint.ticket.ticket),
      let snapshot = ticket.scan.snapshot
    {
      renewed.expirationTime = Google_Protobuf_Timestamp(
        roundingTimeIntervalSince1970: try await call.service.renew(snapshot: snapshot).expires)
    } else {
      renewed.expirationTime = expirationTime
    }
    return renewed
  }
}

extension ProtoAction {
  /// The request of an action of Flight SQL.
  fileprivate func unpacked<Message: SwiftProtobuf.Message>() throws -> Message {
    let any: Google_Protobuf_Any = try decodeProto(body)
    guard let message = try any.unpack(Message.self) else {
      throw APIError.invalid("the action \(type) takes a \(Message.protoMessageName)")
    }
    return message
  }
}

extension ProtoResult {
  fileprivate static func plain(_ message: some SwiftProtobuf.Message) throws -> ProtoResult {
    var result = ProtoResult()
    result.body = try message.serializedBytes()
    return result
  }

  fileprivate static func packed(_ message: some SwiftProtobuf.Message) throws -> ProtoResult {
    try plain(Google_Protobuf_Any(message: message))
  }
}
