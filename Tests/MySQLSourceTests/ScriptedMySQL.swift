import Foundation
import Glibc
import Synchronization

/// A server of the MySQL protocol that answers what a test tells it to, and keeps what it was asked.
///
/// It lets everybody in: with `mysql_native_password` whatever is answered, with `caching_sha2_password` as a server
/// that has the password in its cache. It listens on a free loopback port and knows no TLS.
final class ScriptedMySQL: Sendable {
  /// What a statement is answered with.
  enum Answer: Sendable {
    case ok
    case rows(columns: [String], [[String?]])
    case error(Int, String)
  }

  /// A command other than a statement: its code and what followed.
  struct Command: Hashable, Sendable {
    var code: UInt8
    var payload: [UInt8]
  }

  /// What a binlog is answered with: its events, and then the error, or silence without one.
  struct Dump: Sendable {
    var events: [[UInt8]]
    var error: (number: Int, message: String)?
  }

  private struct State {
    var statements: [String] = []
    var commands: [Command] = []
    var sockets: [Int32] = []
  }

  let port: Int
  private let listener: Int32
  private let version: String
  private let plugin: String
  private let state = Mutex(State())
  private let answer: @Sendable (String) -> Answer
  private let dump: Dump

  /// The statements in the order in which they came, over all connections.
  var statements: [String] { state.withLock { $0.statements } }
  /// All other commands, without those that end a connection.
  var commands: [Command] { state.withLock { $0.commands } }
  var url: String { "mysql://magic:secret@127.0.0.1:\(port)/?ssl-mode=disabled" }

  /// Starts listening.
  ///
  /// - Parameter answer: gives the answer to each statement, on a thread of the connection.
  init(
    version: String = "8.4.3", plugin: String = "mysql_native_password",
    dump: Dump = Dump(events: [], error: nil),
    answer: @escaping @Sendable (String) -> Answer = { _ in .ok }
  ) throws {
    self.version = version
    self.plugin = plugin
    self.dump = dump
    self.answer = answer
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) == 0 && listen(descriptor, 8) == 0
          ? getsockname(descriptor, generic, &length) : -1
      }
    }
    guard status == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
    listener = descriptor
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [weak self] in
      while true {
        let socket = accept(descriptor, nil, nil)
        guard socket >= 0, let self else { return }
        self.state.withLock { $0.sockets.append(socket) }
        Thread.detachNewThread {
          self.serve(PacketSocket(socket))
          // Its number may be another file's from then on.
          self.state.withLock { state in
            state.sockets.removeAll { $0 == socket }
            close(socket)
          }
        }
      }
    }
  }

  /// Ends all connections and stops listening.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    state.withLock { state in
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  private func serve(_ socket: PacketSocket) {
    guard greet(socket) else { return }
    while let packet = socket.read(), let code = packet.first {
      let payload = Array(packet.dropFirst())
      switch code {
      case 0x01: return
      case 0x03:
        let statement = String(decoding: payload, as: UTF8.self)
        state.withLock { $0.statements.append(statement) }
        send(answer(statement), to: socket)
      case 0x12, 0x1E:
        state.withLock { $0.commands.append(Command(code: code, payload: payload)) }
        for event in dump.events { socket.write([0] + event) }
        guard let error = dump.error else { continue }
        send(.error(error.number, error.message), to: socket)
      default:
        state.withLock { $0.commands.append(Command(code: code, payload: payload)) }
        send(.ok, to: socket)
      }
    }
  }

  /// The greeting, the client's answer and what its way of authentication needs.
  private func greet(_ socket: PacketSocket) -> Bool {
    // Protocol 4.1, transactions, 20 bytes of challenge, ways of authentication by name, lengths of any size.
    let capabilities: UInt32 = 0x0001 | 0x0004 | 0x0200 | 0x2000 | 0x8000 | 0x80000 | 0x200000
    let challenge = (1...20).map { UInt8($0 + 32) }
    var greeting: [UInt8] = [10] + Array(version.utf8) + [0] + [1, 0, 0, 0]
    greeting += challenge.prefix(8) + [0]
    greeting += [UInt8(capabilities & 0xFF), UInt8(capabilities >> 8 & 0xFF), 45, 2, 0]
    greeting += [UInt8(capabilities >> 16 & 0xFF), UInt8(capabilities >> 24), 21]
    greeting += [UInt8](repeating: 0, count: 10) + challenge.dropFirst(8) + [0]
    greeting += Array(plugin.utf8) + [0]
    socket.write(greeting)
    guard socket.read() != nil else { return false }
    // The challenge was answered rightly, and nothing else has to be proven.
    if plugin == "caching_sha2_password" { socket.write([1, 3]) }
    send(.ok, to: socket)
    return true
  }

  private func send(_ answer: Answer, to socket: PacketSocket) {
    switch answer {
    case .ok: socket.write([0, 0, 0, 2, 0, 0, 0])
    case .error(let number, let message):
      socket.write(
        [0xFF, UInt8(number & 0xFF), UInt8(number >> 8)] + Array("#HY000\(message)".utf8))
    case .rows(let columns, let rows):
      let end: [UInt8] = [0xFE, 0, 0, 2, 0]
      socket.write([UInt8(columns.count)])
      for name in columns {
        var column = ["def", "", "", "", name, name].flatMap(Self.text)
        // utf8mb4, at most 1 KiB, VARCHAR.
        column += [12, 45, 0, 0, 4, 0, 0, 253, 0, 0, 0, 0, 0]
        socket.write(column)
      }
      socket.write(end)
      for row in rows { socket.write(row.flatMap { $0.map(Self.text) ?? [0xFB] }) }
      socket.write(end)
    }
  }

  /// A text with its length before it.
  private static func text(_ text: String) -> [UInt8] {
    let count = text.utf8.count
    let length = count < 251 ? [UInt8(count)] : [0xFC, UInt8(count & 0xFF), UInt8(count >> 8)]
    return length + Array(text.utf8)
  }
}

/// Reads and writes packets, which are numbered from the beginning of each command.
private final class PacketSocket: @unchecked Sendable {
  // Only the thread of the connection uses it.
  private let socket: Int32
  private var sequence: UInt8 = 0

  init(_ socket: Int32) { self.socket = socket }

  func write(_ payload: [UInt8]) {
    let (count, number) = (payload.count, sequence)
    sequence &+= 1
    let head = [UInt8(count & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count >> 16), number]
    let bytes = head + payload
    var sent = 0
    while sent < bytes.count {
      let result = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard result > 0 else { return }
      sent += result
    }
  }

  /// The next packet, or nil at the end of the connection.
  func read() -> [UInt8]? {
    guard let head = read(count: 4) else { return nil }
    sequence = head[3] &+ 1
    return read(count: Int(head[0]) | Int(head[1]) << 8 | Int(head[2]) << 16)
  }

  private func read(count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var received = 0
    while received < count {
      let result = bytes.withUnsafeMutableBytes {
        recv(socket, $0.baseAddress! + received, count - received, 0)
      }
      guard result > 0 else { return nil }
      received += result
    }
    return bytes
  }
}
