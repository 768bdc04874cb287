import WireFormat

/// The identifier of a transaction of MariaDB, printed as `domain-server-sequence`.
public struct MariaDBGTID: Hashable, Sendable, Codable, CustomStringConvertible {
  public var domain: UInt32
  public var server: UInt32
  public var sequence: UInt64

  public init(domain: UInt32, server: UInt32, sequence: UInt64) {
    self.domain = domain
    self.server = server
    self.sequence = sequence
  }

  /// - Throws: `malformed` when the text is not three decimal numbers joined by hyphens.
  public init(_ text: some StringProtocol) throws(DecodeError) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ $0.allSatisfy { ("0"..."9").contains($0) } }),
      let domain = UInt32(parts[0]), let server = UInt32(parts[1]), let sequence = UInt64(parts[2])
    else { throw DecodeError(.malformed, "MariaDB GTID", at: 0) }
    self.init(domain: domain, server: server, sequence: sequence)
  }

  public var description: String { "\(domain)-\(server)-\(sequence)" }

  /// Decodes a GTID_LIST event.
  static func decodeList(from reader: inout ByteReader) throws(DecodeError) -> [MariaDBGTID] {
    // The highest four bits are flags.
    let count = Int(try reader.read(UInt32.self) & 0x0FFF_FFFF)
    guard count <= reader.remaining / 16 else {
      throw DecodeError(.truncated, "GTID list", at: reader.offset)
    }
    var list: [MariaDBGTID] = []
    list.reserveCapacity(count)
    for _ in 0..<count {
      list.append(
        MariaDBGTID(
          domain: try reader.read(), server: try reader.read(), sequence: try reader.read()))
    }
    // An empty list is padded to the length of the dummy event that replaces it for old replicas.
    if count == 0 { try reader.skip(min(2, reader.remaining)) }
    return list
  }
}

/// A position in the log of a MariaDB server: for each domain the last transaction.
///
/// The text form, of `gtid_slave_pos` and its like, is GTIDs separated by commas. It is also how it
/// is coded.
public struct MariaDBGTIDPosition: Hashable, Sendable, CustomStringConvertible {
  private var last: [UInt32: MariaDBGTID] = [:]

  /// The position before every transaction.
  public init() {}

  /// - Throws: `malformed` when a part is no GTID or two name the same domain.
  public init(_ text: String) throws(DecodeError) {
    let trimmed = text.filter { !$0.isWhitespace }
    if trimmed.isEmpty { return }
    for part in trimmed.split(separator: ",", omittingEmptySubsequences: false) {
      let gtid = try MariaDBGTID(part)
      guard last.updateValue(gtid, forKey: gtid.domain) == nil else {
        throw DecodeError(.malformed, "domain named twice in a MariaDB GTID position", at: 0)
      }
    }
  }

  /// The position after all of `gtids`, such as those of a GTID_LIST event.
  public init(after gtids: [MariaDBGTID]) {
    for gtid in gtids where gtid.sequence >= last[gtid.domain]?.sequence ?? 0 {
      last[gtid.domain] = gtid
    }
  }

  /// The last transaction of each domain, by domain.
  public var gtids: [MariaDBGTID] { last.values.sorted { $0.domain < $1.domain } }

  /// Moves past a transaction. Domains are in order, so that this is also after all before it.
  public mutating func advance(to gtid: MariaDBGTID) { last[gtid.domain] = gtid }

  /// Whether a transaction is at or before the position.
  public func contains(_ gtid: MariaDBGTID) -> Bool {
    gtid.sequence <= last[gtid.domain]?.sequence ?? 0
  }

  public var description: String { gtids.map(\.description).joined(separator: ",") }
}

extension MariaDBGTIDPosition: Codable {
  public init(from decoder: any Decoder) throws {
    try self.init(String(from: decoder))
  }

  public func encode(to encoder: any Encoder) throws {
    try description.encode(to: encoder)
  }
}
