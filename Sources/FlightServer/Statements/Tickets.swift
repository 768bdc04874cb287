import Arrow
import Foundation
import MagicAPI
import MagicCore
import ProtobufCoding
import SwiftProtobuf

/// A statement to be run when its ticket is redeemed. Everything that it needs is in the ticket, so
/// nothing of it can be lost before that.
struct StatementTicket: Codable, Hashable {
  /// By what name the flight is cancelled.
  var id: String
  var sql: String
  var database: String
  var settings: [String: String] = [:]
  var session: String?
  var transaction: String?
  var snapshot: String?
  /// The rows of parameters, as an IPC stream; the statement runs once for each.
  var parameters: Data?
}

/// What a descriptor or a ticket asks for.
enum FlightCommand {
  case scan(ScanTicket)
  case write(WriteCommand.Write)
  /// A command of Flight SQL.
  case sql(Google_Protobuf_Any)

  /// - Throws: when the bytes are neither JSON of one of the known forms nor a protobuf message.
  init(decoding bytes: some Collection<UInt8>) throws {
    guard bytes.first == UInt8(ascii: "{") else {
      self = .sql(try decodeProto(bytes))
      return
    }
    let keys = try JSONDecoder().decode([String: AnyJSON].self, from: Data(bytes)).keys
    if keys.contains("scan") {
      self = .scan(try ScanTicket(json: bytes))
    } else if keys.contains("write") {
      self = .write(try WriteCommand(json: bytes).write)
    } else {
      throw APIError.invalid("the command's JSON must have \"scan\" or \"write\"")
    }
  }

  /// Any value, of which nothing is wanted.
  private struct AnyJSON: Decodable {
    init(from decoder: any Decoder) {}
  }
}

extension ProtoTicket {
  init(_ ticket: StatementTicket) throws {
    var query = ProtoTicketStatementQuery()
    query.statementHandle = try JSONEncoder().encode(ticket)
    self.init()
    self.ticket = Data(try packed(query))
  }

  init(_ ticket: ScanTicket) throws {
    self.init()
    self.ticket = try JSONEncoder().encode(ticket)
  }
}
