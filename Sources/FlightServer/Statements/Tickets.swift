import Arrow
import Foundation
import MagicAPI
import MagicCore
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
  /// The rows of parameters, as an IPC stream; the statement runs once for each.
  var parameters: Data?
}

/// A part of a table to be read when its ticket is redeemed. Clients may write such tickets, and
/// commands of this form, themselves.
struct ScanTicket: Codable, Hashable {
  var scan: TableScan
  /// By what name the flight is cancelled.
  var id: String?
}

/// A write of the rows that follow it in a DoPut.
struct WriteCommand: Codable, Hashable {
  /// What is written, and how.
  struct Write: Codable, Hashable {
    var table: TableReference
    var action: WriteRequest.Action?
    /// What happens when there is such a table; they are added when this is left out.
    var ifExists: WriteRequest.WhenExisting?
    /// The key of the table that is made when there is none; an error is one when left out.
    var createWithKey: [String]?
    var token: String?
    var transaction: String?
  }

  var write: Write
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
    let data = Data(bytes)
    let keys = try JSONDecoder().decode([String: AnyJSON].self, from: data).keys
    if keys.contains("scan") {
      self = .scan(try JSONDecoder().decode(ScanTicket.self, from: data))
    } else if keys.contains("write") {
      self = .write(try JSONDecoder().decode(WriteCommand.self, from: data).write)
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
