import CMariaDB
import Glibc
import Synchronization

/// How long to wait for the network, in seconds; 0 waits for ever.
struct ClientTimeouts {
  var connect: UInt32 = 10
  /// Covers the longest silence of a statement, such as sorting a large table before its first row.
  var read: UInt32 = 3600
  var write: UInt32 = 60
}

/// One connection to a server: the only owner of its `MYSQL` structure. Every call blocks.
final class ClientHandle {
  private let mysql: UnsafeMutablePointer<MYSQL>
  /// Lets another thread end a blocking call.
  let interrupter: Interrupter
  private let address: String

  /// Connects and makes the session's settings known ones.
  init(connectingTo url: SourceURL, timeouts: ClientTimeouts = ClientTimeouts())
    throws(SourceError)
  {
    mysql = try Self.connect(url, timeouts)
    interrupter = Interrupter(socket: mysql_get_socket(mysql))
    address = url.firstAddress
    try configureSession()
  }

  deinit {
    interrupter.forget()
    mysql_close(mysql)
  }

  private static func connect(_ url: SourceURL, _ timeouts: ClientTimeouts) throws(SourceError)
    -> UnsafeMutablePointer<MYSQL>
  {
    do throws(SourceError) {
      return try connect(url, timeouts, tls: url.sslMode != .disabled)
    } catch {
      guard url.sslMode == .preferred, url.sslCA == nil, error.number == tlsErrorNumber else {
        throw error
      }
      return try connect(url, timeouts, tls: false)
    }
  }

  private static let tlsErrorNumber = Int(CR_SSL_CONNECTION_ERROR)
  private static let library: Void = { mysql_server_init(0, nil, nil) }()

  private static func connect(_ url: SourceURL, _ timeouts: ClientTimeouts, tls: Bool)
    throws(SourceError) -> UnsafeMutablePointer<MYSQL>
  {
    _ = library
    guard let mysql = mysql_init(nil) else {
      throw SourceError(.unreachable, "out of memory for a connection")
    }
    setOptions(mysql, url, timeouts, tls: tls)
    let connected = mysql_real_connect(
      mysql, url.host, url.user, url.password, nil, UInt32(url.port), url.socket, 0)
    guard connected != nil else {
      defer { mysql_close(mysql) }
      throw lastError(mysql, "cannot connect to \(url.firstAddress) as \(url.user)")
    }
    // The library goes on in plain text when the server has no TLS, whatever MYSQL_OPT_SSL_ENFORCE says.
    if tls, url.sslMode != .preferred, mysql_get_ssl_cipher(mysql) == nil {
      mysql_close(mysql)
      throw SourceError(
        .unreachable,
        "cannot connect to \(url.firstAddress): ssl-mode is \(url.sslMode.rawValue) but the server has no TLS",
        number: tlsErrorNumber,
        advice: "set ssl_cert and ssl_key on the server, or ssl-mode=disabled in the source URL")
    }
    return mysql
  }

  private static func setOptions(
    _ mysql: UnsafeMutablePointer<MYSQL>, _ url: SourceURL, _ timeouts: ClientTimeouts, tls: Bool
  ) {
    func set<T: BitwiseCopyable>(_ option: mysql_option, _ value: T) {
      withUnsafePointer(to: value) { _ = mysql_options(mysql, option, $0) }
    }
    func set(_ option: mysql_option, _ value: String?) {
      if let value { _ = value.withCString { mysql_options(mysql, option, $0) } }
    }
    set(MYSQL_OPT_CONNECT_TIMEOUT, timeouts.connect)
    set(MYSQL_OPT_READ_TIMEOUT, timeouts.read)
    set(MYSQL_OPT_WRITE_TIMEOUT, timeouts.write)
    set(MYSQL_SET_CHARSET_NAME, "utf8mb4")
    // The server must never be able to ask for a file of this machine.
    set(MYSQL_OPT_LOCAL_INFILE, UInt32(0))
    set(MYSQL_OPT_MAX_ALLOWED_PACKET, UInt(1 << 30))
    // Without this, the host `localhost` would mean a Unix socket.
    let transport = url.socket == nil ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET
    set(MYSQL_OPT_PROTOCOL, transport.rawValue)

    // The library checks the authority whenever it has its certificate; this option adds the name.
    let verifies = url.sslMode == .verifyIdentity
    set(MYSQL_OPT_SSL_ENFORCE, CChar(tls ? 1 : 0))
    set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, CChar(tls && verifies ? 1 : 0))
    if tls {
      set(MYSQL_OPT_SSL_CA, url.sslCA)
      set(MYSQL_OPT_SSL_CERT, url.sslCertificate)
      set(MYSQL_OPT_SSL_KEY, url.sslKey)
    }
  }

  private func configureSession() throws(SourceError) {
    try execute("SET NAMES utf8mb4")
    // Values must not depend on how the server is set up: times in UTC, CHAR without padding, quoted names.
    // Dates that do not exist may be stored, and must then be good for comparisons.
    try execute(
      """
      SET SESSION autocommit = 1, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', \
      sql_quote_show_create = 1, \
      net_write_timeout = 86400, net_read_timeout = 86400, wait_timeout = 604800
      """)
    let limit = isMariaDB ? "max_statement_time" : "max_execution_time"
    try execute("SET SESSION \(limit) = 0")
    try execute("SET SESSION TRANSACTION READ ONLY")
  }

  /// The server's version as it states it, such as `10.11.6-MariaDB-1`.
  var serverVersion: String { mysql_get_server_info(mysql).map { String(cString: $0) } ?? "" }
  var isMariaDB: Bool { serverVersion.contains("MariaDB") }
  /// The cipher in use, or nil without TLS.
  var cipher: String? { mysql_get_ssl_cipher(mysql).map { String(cString: $0) } }

  /// Runs a statement whose rows, if any, nobody wants.
  func execute(_ sql: String) throws(SourceError) {
    try send(sql)
    if let result = mysql_store_result(mysql) { mysql_free_result(result) }
    if mysql_errno(mysql) != 0 { throw lastError(sql) }
  }

  /// Runs a statement and returns all its rows.
  func query(_ sql: String) throws(SourceError) -> [[[UInt8]?]] {
    let cursor = try open(sql)
    var rows: [[[UInt8]?]] = []
    while let row = try cursor.next() {
      rows.append((0..<row.count).map { index in row[index].map { [UInt8]($0) } })
    }
    return rows
  }

  /// Runs a statement whose rows are then read one by one from the network.
  ///
  /// Nothing else can be asked of this connection until the cursor is at its end or dropped.
  func open(_ sql: String) throws(SourceError) -> RowCursor {
    try send(sql)
    guard let result = mysql_use_result(mysql) else {
      if mysql_errno(mysql) != 0 { throw lastError(sql) }
      return RowCursor(handle: self, result: nil, sql: sql)
    }
    return RowCursor(handle: self, result: result, sql: sql)
  }

  private func send(_ sql: String) throws(SourceError) {
    let status = sql.utf8.withContiguousStorageIfAvailable { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        mysql_real_query(mysql, $0.baseAddress, UInt($0.count))
      }
    }
    // A bridged string has no contiguous storage; a copy of it has.
    let outcome = status ?? sql.withCString { mysql_real_query(mysql, $0, UInt(sql.utf8.count)) }
    if outcome != 0 { throw lastError(sql) }
  }

  /// Sends a command of the protocol, to which the server answers with packets that have no other reader.
  func send(_ command: DumpCommand) throws(SourceError) {
    let status = command.payload.withUnsafeBytes {
      magic_send_command(mysql, command.code, $0.baseAddress, $0.count)
    }
    if status != 0 { throw lastError("asking for the binlog") }
  }

  /// Calls `body` with the structure, for the replication calls that have no other form.
  func withStructure<R, E: Error>(_ body: (UnsafeMutablePointer<MYSQL>) throws(E) -> R) throws(E)
    -> R
  {
    try body(mysql)
  }

  /// The error that the last call left, for a statement or another description of what was done.
  func lastError(_ action: String) -> SourceError {
    if interrupter.isInterrupted { return SourceError(.closed, "the connection was closed") }
    let shown = action.count > 200 ? action.prefix(200) + "…" : Substring(action)
    return Self.lastError(mysql, "\(address): \(shown)")
  }

  private static func lastError(_ mysql: UnsafeMutablePointer<MYSQL>, _ action: String)
    -> SourceError
  {
    SourceError.server(
      Int(mysql_errno(mysql)), mysql_error(mysql).map { String(cString: $0) } ?? "", action)
  }
}

/// The rows of one statement, read from the network as they are asked for.
final class RowCursor {
  private let handle: ClientHandle
  private var result: UnsafeMutablePointer<MYSQL_RES>?
  private let sql: String

  fileprivate init(
    handle: ClientHandle, result: UnsafeMutablePointer<MYSQL_RES>?, sql: String
  ) {
    self.handle = handle
    self.result = result
    self.sql = sql
  }

  deinit {
    // Freeing reads the rest of the rows from the network, however many there are.
    if let result { mysql_free_result(result) }
  }

  /// The next row, or nil after the last one.
  func next() throws(SourceError) -> TextRow? {
    guard let result else { return nil }
    guard let values = mysql_fetch_row(result), let lengths = mysql_fetch_lengths(result) else {
      let error = handle.withStructure { mysql_errno($0) } == 0 ? nil : handle.lastError(sql)
      mysql_free_result(result)
      self.result = nil
      if let error { throw error }
      return nil
    }
    return TextRow(values: values, lengths: lengths, count: Int(mysql_num_fields(result)))
  }
}

/// One row in the text protocol; valid until the cursor's next row is read.
struct TextRow {
  fileprivate let values: MYSQL_ROW
  fileprivate let lengths: UnsafeMutablePointer<UInt>
  let count: Int

  /// The bytes of a value, or nil for NULL; columns past the end are NULL.
  subscript(index: Int) -> UnsafeRawBufferPointer? {
    guard index < count, let start = values[index] else { return nil }
    return UnsafeRawBufferPointer(start: start, count: Int(lengths[index]))
  }

  /// The bytes of all values.
  var byteCount: Int { (0..<count).reduce(0) { $0 &+ Int(truncatingIfNeeded: lengths[$1]) } }
}

/// Ends the blocking calls of a connection from another thread by shutting its socket down.
final class Interrupter: Sendable {
  private struct State {
    var socket: Int32?
    var isInterrupted = false
  }

  private let state: Mutex<State>

  /// - Parameter socket: the library's, which it may close at any error; then the number can be another
  ///   file's. So the interrupter has one of its own for the same connection.
  init(socket: Int32) {
    let own = fcntl(socket, F_DUPFD_CLOEXEC, 0)
    state = Mutex(State(socket: own >= 0 ? own : nil))
  }

  deinit { forget() }

  var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

  func interrupt() {
    state.withLock { state in
      state.isInterrupted = true
      if let socket = state.socket { _ = Glibc.shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  /// Called before the connection is closed, which it is only when no file is it any more.
  fileprivate func forget() {
    state.withLock { state in
      if let socket = state.socket { Glibc.close(socket) }
      state.socket = nil
    }
  }
}
