import Binlog

/// Where a binlog stream begins.
public enum BinlogStart: Hashable, Sendable, CustomStringConvertible {
  /// After the event that ends at this place.
  case position(BinlogPosition)
  /// After these transactions of a MariaDB server, one for each domain as in `gtid_slave_pos`: `0-1-42,1-2-7`.
  /// Empty for the beginning of the oldest binlog, which must then be the server's first.
  case mariadbGTID(String)
  /// With every transaction of a MySQL server that is not in this set.
  case mysqlGTIDs(GTIDSet)

  public var description: String {
    switch self {
    case .position(let position): "\(position)"
    case .mariadbGTID(let gtid): "GTID \(gtid.isEmpty ? "0" : gtid)"
    case .mysqlGTIDs(let set): set.isEmpty ? "no GTIDs" : "GTIDs \(set)"
    }
  }
}

/// The command that asks for a binlog, as it is sent.
struct DumpCommand: Hashable {
  var code: UInt32
  var payload: [UInt8]
}

extension BinlogStart {
  private static let plainDump: UInt32 = 0x12
  private static let dumpByGTIDs: UInt32 = 0x1E
  /// Where the first event of every file is.
  private static let firstOffset: UInt32 = 4

  /// The command that asks for the events from here.
  ///
  /// - Throws: ``SourceError`` with code `protocol` for a position that the command cannot name.
  func command(serverID: UInt32) throws(SourceError) -> DumpCommand {
    switch self {
    case .position(let position):
      guard let offset = UInt32(exactly: position.offset) else {
        throw SourceError(
          .protocol, "cannot start reading the binlog at \(position): it is past 4 GiB of its file",
          advice: "make a new copy")
      }
      return Self.plainDump(position.file, offset, serverID)
    // The session's variables tell the rest.
    case .mariadbGTID: return Self.plainDump("", Self.firstOffset, serverID)
    case .mysqlGTIDs(let set):
      var payload: [UInt8] = []
      payload.append(littleEndian: UInt16(0))
      payload.append(littleEndian: serverID)
      // No file's name, since the set says where to begin.
      payload.append(littleEndian: UInt32(0))
      payload.append(littleEndian: UInt64(Self.firstOffset))
      let encoded = set.encoded()
      payload.append(littleEndian: UInt32(encoded.count))
      return DumpCommand(code: Self.dumpByGTIDs, payload: payload + encoded)
    }
  }

  private static func plainDump(_ file: String, _ offset: UInt32, _ serverID: UInt32)
    -> DumpCommand
  {
    var payload: [UInt8] = []
    payload.append(littleEndian: offset)
    payload.append(littleEndian: UInt16(0))
    payload.append(littleEndian: serverID)
    return DumpCommand(code: plainDump, payload: payload + Array(file.utf8))
  }

  /// The statements that tell the server, by variables of the session, what this replica understands and has.
  ///
  /// - Throws: ``SourceError`` with code `configuration` when the server is of the kind that cannot know these
  ///   GTIDs, or they are none.
  func announcement(isMariaDB: Bool, _ options: BinlogStreamOptions) throws(SourceError)
    -> [String]
  {
    let nanoseconds = UInt64(clamping: options.heartbeatMilliseconds) * 1_000_000
    // MySQL 8.4 reads the names with source, all others those with master.
    var statements = ["master", "source"].map { role in
      """
      SET @\(role)_binlog_checksum = @@GLOBAL.binlog_checksum, \
      @\(role)_heartbeat_period = \(nanoseconds)
      """
    }
    if isMariaDB {
      // 4: GTID events and everything else that MariaDB writes come unchanged.
      statements.append("SET @mariadb_slave_capability = 4")
    } else {
      // MySQL ends what is left of an earlier stream of the same replica.
      statements.append(
        "SET @slave_uuid = \(quoteText(options.uuid)), @replica_uuid = \(quoteText(options.uuid))")
    }
    switch self {
    case .position: return statements
    case .mariadbGTID(let gtid):
      guard isMariaDB, let position = try? MariaDBGTIDPosition(gtid) else {
        throw SourceError(
          .configuration, "the binlog cannot be read from MariaDB's GTID \(gtid) here",
          advice: "name servers of one kind only")
      }
      return statements + [
        """
        SET @slave_connect_state = '\(position)', \
        @slave_gtid_strict_mode = \(options.isGTIDStrict ? 1 : 0), @slave_gtid_ignore_duplicates = 0
        """
      ]
    case .mysqlGTIDs:
      guard !isMariaDB else {
        throw SourceError(
          .configuration, "the binlog cannot be read by MySQL's GTIDs from a MariaDB server",
          advice: "name servers of one kind only")
      }
      return statements
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
