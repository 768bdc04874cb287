import Binlog
import CMariaDB

/// The connection of a binlog stream. Every call blocks; one thread uses it from its beginning to its end.
final class BinlogReader {
  private let handle: ClientHandle
  private let replica: UnsafeMutablePointer<MARIADB_RPL>
  private let position: BinlogPosition

  var interrupter: Interrupter { handle.interrupter }

  /// Connects and asks for the events after `position`.
  init(url: SourceURL, position: BinlogPosition, options: BinlogStreamOptions) throws(SourceError) {
    guard let offset = UInt32(exactly: position.offset) else {
      throw SourceError(
        .protocol, "cannot start reading the binlog at \(position): it is past 4 GiB of its file",
        advice: "make a new copy")
    }
    let timeout = UInt32(clamping: options.silenceLimitSeconds)
    let handle = try ClientHandle(
      connectingTo: url, timeouts: ClientTimeouts(connect: 10, read: timeout, write: timeout))
    try Self.announce(handle, options)
    guard
      let replica = handle.withStructure({ mariadb_rpl_init_ex($0, UInt32(MARIADB_RPL_VERSION)) })
    else { throw SourceError(.protocol, "the client library refuses to read a binlog") }
    self.handle = handle
    self.replica = replica
    self.position = position
    _ = position.file.withCString { magic_rpl_set_file(replica, $0, position.file.utf8.count) }
    _ = magic_rpl_set_start(replica, UInt(offset))
    _ = magic_rpl_set_server_id(replica, options.serverID)
    _ = magic_rpl_set_flags(replica, 0)
    if mariadb_rpl_open(replica) != 0 {
      throw handle.lastError("reading the binlog from \(position)")
    }
  }

  deinit { mariadb_rpl_close(replica) }

  /// Tells the server what this replica understands, by variables of the session.
  private static func announce(_ handle: ClientHandle, _ options: BinlogStreamOptions)
    throws(SourceError)
  {
    let nanoseconds = UInt64(clamping: options.heartbeatMilliseconds) * 1_000_000
    // MySQL 8.4 reads the names with source, all others those with master.
    for role in ["master", "source"] {
      try handle.execute(
        """
        SET @\(role)_binlog_checksum = @@GLOBAL.binlog_checksum, \
        @\(role)_heartbeat_period = \(nanoseconds)
        """)
    }
    // 4: GTID events and everything else that MariaDB writes come unchanged.
    if handle.isMariaDB { try handle.execute("SET @mariadb_slave_capability = 4") }
  }

  /// Reads events until the connection or the queue ends.
  func run(into queue: EventQueue) {
    do throws(SourceError) {
      while queue.append(try nextEvent()) {}
    } catch {
      queue.end(error)
    }
  }

  /// The next event without the byte that says that it is one.
  private func nextEvent() throws(SourceError) -> [UInt8] {
    try handle.withStructure { mysql throws(SourceError) in
      let length = mysql_net_read_packet(mysql)
      // The library's mark of an error is the largest 32-bit number.
      guard length < UInt(UInt32.max) else { throw explain(handle.lastError("reading the binlog")) }
      guard length > 0, let packet = mysql.pointee.net.read_pos else {
        throw SourceError(.protocol, "the source sent an empty packet instead of a binlog event")
      }
      switch packet[0] {
      case 0x00:
        return [UInt8](UnsafeBufferPointer(start: packet + 1, count: Int(length) - 1))
      case 0xFE:
        throw SourceError(.lostConnection, "the source ended the binlog stream")
      case let code:
        throw SourceError(.protocol, "the source sent a packet of unknown kind \(code)")
      }
    }
  }

  /// Tells apart what the server reports by one number, 1236.
  private func explain(_ error: SourceError) -> SourceError {
    guard error.code == .purged else { return error }
    var error = error
    let text = error.serverMessage ?? ""
    if text.contains("same server_uuid") || text.contains("same server_id") {
      error.code = .configuration
      error.advice = "give this replica a server id that no other replica has"
    } else {
      error.message =
        "the source's binlog cannot be read on from \(position): it was purged or reset"
    }
    return error
  }
}
