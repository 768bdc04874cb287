import Binlog
import CMariaDB

/// The connection of a binlog stream. Every call blocks; one thread uses it from its beginning to its end.
final class BinlogReader {
  private let handle: ClientHandle
  private let start: BinlogStart

  var interrupter: Interrupter { handle.interrupter }

  /// Connects and asks for the events from `start`.
  init(url: SourceURL, start: BinlogStart, options: BinlogStreamOptions) throws(SourceError) {
    let command = try start.command(serverID: options.serverID)
    let timeout = UInt32(clamping: options.silenceLimitSeconds)
    let handle = try ClientHandle(
      connectingTo: url, timeouts: ClientTimeouts(connect: 10, read: timeout, write: timeout))
    for statement in try start.announcement(isMariaDB: handle.isMariaDB, options) {
      try handle.execute(statement)
    }
    self.handle = handle
    self.start = start
    try handle.send(command)
  }

  /// Reads events until the connection or the queue ends.
  func run(into queue: EventQueue) {
    do throws(SourceError) {
      while true {
        let event = try nextEvent()
        // It tells how the server's file is encrypted, the events of which come decrypted.
        if event.count > 4, event[4] == EventType.startEncryption.rawValue { continue }
        guard queue.append(event) else { return }
      }
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

  /// Tells apart what servers report by one number, 1236.
  private func explain(_ error: SourceError) -> SourceError {
    // MariaDB has a number of its own for the server id.
    guard error.code == .purged || error.number == 4052 else { return error }
    var error = error
    let text = error.serverMessage ?? ""
    if text.contains("same server_uuid") || text.contains("same server_id") {
      error.code = .configuration
      error.advice = "give this replica a server id that no other replica has"
    } else if text.contains("GTID_MODE = ") {
      error.code = .settings
      error.advice = "run SET GLOBAL gtid_mode step by step up to ON, or read by file and offset"
    } else if ["diverged", "is missing the GTID", "more GTIDs than the"].contains(
      where: text.contains)
    {
      error.code = .diverged
      error.message = "the source lacks transactions up to \(start) and has others in their place"
      error.advice = "name a source that has them, or make a new copy"
    } else if text.contains("requested to start from GTID") {
      error.code = .behind
      error.message = "the source does not have all transactions up to \(start)"
      error.advice = "wait until it has them, or name a source that does"
    } else {
      error.message =
        "the source's binlog cannot be read on from \(start): it was purged or reset"
    }
    return error
  }
}
