import Binlog

/// What the source says about itself.
public struct SourceServer: Hashable, Sendable, Codable {
  /// The version as the server states it, such as `10.11.6-MariaDB-1`.
  public var version: String
  public var isMariaDB: Bool
  public var serverID: UInt32
  /// A name for this one installation: MySQL's `server_uuid`, MariaDB's `server_uid` where it exists.
  public var uuid: String?
  /// MariaDB's GTID domain of changes made here.
  public var gtidDomainID: UInt32?
  public var hostname: String
  /// 0: names of tables are stored as written and compared with case, 1: stored in lower case,
  /// 2: stored as written and compared without case.
  public var lowerCaseTableNames: Int
}

/// A place in the source's binlog, by file and offset and, when the server has them, by transaction ids.
public struct SourcePosition: Hashable, Sendable, Codable {
  public var binlog: BinlogPosition
  /// MariaDB: the GTID position (`0-1-42`); MySQL: the set of executed GTIDs, empty when they are switched off.
  public var gtid: String?

  public init(binlog: BinlogPosition, gtid: String?) {
    self.binlog = binlog
    self.gtid = gtid
  }
}

extension SourceConnection {
  /// Asks the server for the facts about itself.
  public func server() throws(SourceError) -> SourceServer {
    let values = try variables([
      "server_id", "server_uuid", "server_uid", "gtid_domain_id", "hostname",
      "lower_case_table_names",
    ])
    let uuid = values["server_uuid"] ?? values["server_uid"]
    return SourceServer(
      version: serverVersion, isMariaDB: isMariaDB,
      serverID: values["server_id"].flatMap(UInt32.init) ?? 0,
      uuid: uuid.flatMap { $0.isEmpty ? nil : $0 },
      gtidDomainID: values["gtid_domain_id"].flatMap(UInt32.init),
      hostname: values["hostname"] ?? "",
      lowerCaseTableNames: values["lower_case_table_names"].flatMap(Int.init) ?? 0)
  }

  /// The place after the last event that the server has written to its binlog.
  ///
  /// - Throws: ``SourceError`` with code `permission`, or `settings` when the server writes no binlog.
  public func position() throws(SourceError) -> SourcePosition {
    let status = try binlogStatus()
    var gtid = status.gtid
    if gtid == nil { gtid = try mariadbGTID(at: status.binlog) }
    return SourcePosition(binlog: status.binlog, gtid: gtid)
  }

  /// MariaDB's GTID position at a place in the binlog.
  func mariadbGTID(at place: BinlogPosition) throws(SourceError) -> String? {
    let rows = try query("SELECT BINLOG_GTID_POS(\(quoteText(place.file)), \(place.offset))")
    return rows.first?.first?.map(Self.text)
  }

  /// The server's own statement on its binlog, with MySQL's GTID set and the databases that it leaves out.
  func binlogStatus() throws(SourceError) -> (
    binlog: BinlogPosition, gtid: String?, only: String, ignored: String
  ) {
    let rows: [[[UInt8]?]]
    do throws(SourceError) {
      rows = try query("SHOW MASTER STATUS")
    } catch {
      // MySQL 8.4 knows only the new name.
      guard error.number == 1064 else { throw Self.explainBinlogPermission(error) }
      rows = try query("SHOW BINARY LOG STATUS")
    }
    guard let row = rows.first, row.count >= 4, let file = row[0], let offset = row[1],
      let offset = UInt64(Self.text(offset))
    else { throw Setting.logBin.error(found: "OFF") }
    return (
      BinlogPosition(file: Self.text(file), offset: offset),
      row.count > 4 ? Self.text(row[4] ?? []).replacing("\n", with: "") : nil,
      Self.text(row[2] ?? []), Self.text(row[3] ?? [])
    )
  }

  private static func explainBinlogPermission(_ error: SourceError) -> SourceError {
    var error = error
    if error.code == .permission {
      error.advice =
        "run GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO the user of the source URL"
    }
    return error
  }

  /// The values of global variables; those that the server does not have are missing.
  func variables(_ names: [String]) throws(SourceError) -> [String: String] {
    let list = names.map(quoteText).joined(separator: ", ")
    return Self.pairs(
      try query("SHOW GLOBAL VARIABLES WHERE Variable_name IN (\(list))"))
  }

  /// Rows of a name and a value; the names in lower case.
  static func pairs(_ rows: [[[UInt8]?]]) -> [String: String] {
    let pairs = textPairs(rows).map { ($0.lowercased(), $1) }
    return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }

  /// Rows of two values, both of which are there.
  static func textPairs(_ rows: [[[UInt8]?]]) -> [(String, String)] {
    rows.compactMap { row in
      guard row.count == 2, let first = row[0], let second = row[1] else { return nil }
      return (text(first), text(second))
    }
  }

  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// A name in backticks.
func quoteName(_ name: String) -> String { "`\(name.replacing("`", with: "``"))`" }

/// A string literal for a session in whose sql_mode a backslash is an escape.
func quoteText(_ text: String) -> String {
  "'\(text.replacing("\\", with: "\\\\").replacing("'", with: "''"))'"
}
