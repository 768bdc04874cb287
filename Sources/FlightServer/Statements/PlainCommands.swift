import Foundation
import MagicAPI
import MagicCore

/// A part of a table to be read when its ticket is redeemed. Clients may write such tickets, and
/// commands of this form, themselves.
struct ScanTicket: Message {
  static let members = ["scan", "id"]

  var scan: TableScan
  /// By what name the flight is cancelled.
  var id: String?

  init(scan: TableScan, id: String? = nil) {
    self.scan = scan
    self.id = id
  }

  init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    scan = try members.decode(ExactMessage<TableScan>.self, forKey: .scan).message
    id = try members.decodeIfPresent(String.self, forKey: .id)
  }
}

/// A write of the rows that follow it in a DoPut.
struct WriteCommand: Message {
  static let members = ["write"]

  /// What is written, and how.
  struct Write: Message {
    static let members = [
      "table", "action", "ifExists", "createWithKey", "token", "transaction",
    ]

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

  init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    write = try members.decode(ExactMessage<Write>.self, forKey: .write).message
  }
}
