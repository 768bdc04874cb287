import Synchronization
import Threads

/// A connection to the source for statements with small results; they run one after another on a thread of
/// its own.
public actor SourceConnection {
  private let executor: ThreadExecutor
  /// Nil once closed.
  private var handle: ClientHandle?
  /// The table whose rows are being read; nothing else can be asked of the server meanwhile.
  var reading: TableReading?
  /// How many readings were started, which numbers them.
  var readingCount = 0
  /// Nil until connected; lets ``close()`` and cancellation end a call that blocks the actor's thread.
  private nonisolated let interrupter = Mutex<Interrupter?>(nil)
  public nonisolated let url: SourceURL

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// Connects, within 10 seconds.
  ///
  /// - Throws: ``SourceError`` with code `unreachable` or `authentication`.
  public static func connect(to url: SourceURL) async throws(SourceError) -> SourceConnection {
    let connection = SourceConnection(url: url)
    try await connection.open()
    return connection
  }

  private init(url: SourceURL) {
    self.url = url
    self.executor = ThreadExecutor(name: "source")
  }

  private func open() throws(SourceError) {
    let handle = try ClientHandle(connectingTo: url)
    self.handle = handle
    interrupter.withLock { $0 = handle.interrupter }
  }

  /// The connection, ready for a statement.
  func openHandle() throws(SourceError) -> ClientHandle {
    guard let handle else { throw SourceError(.closed, "the connection is closed") }
    guard reading == nil else {
      throw SourceError(.closed, "a table is being read on this connection: read it to its end")
    }
    return handle
  }

  /// Runs a statement and returns its rows; text comes as UTF-8, binary strings as they are.
  public func query(_ sql: String) throws(SourceError) -> [[[UInt8]?]] {
    try openHandle().query(sql)
  }

  /// Runs a statement that returns nothing.
  public func execute(_ sql: String) throws(SourceError) {
    try openHandle().execute(sql)
  }

  /// The server's version as it states it.
  public var serverVersion: String { handle?.serverVersion ?? "" }
  public var isMariaDB: Bool { handle?.isMariaDB ?? false }
  /// The TLS cipher in use, or nil when the connection is not encrypted.
  public var cipher: String? { handle?.cipher }

  /// Ends the connection, also in the middle of a statement, which then throws `closed`. Idempotent.
  public nonisolated func close() async {
    interrupt()
    await dropHandle()
  }

  /// Ends a blocking call of this connection; it cannot be used afterwards.
  nonisolated func interrupt() {
    interrupter.withLock { $0?.interrupt() }
  }

  private func dropHandle() {
    reading = nil
    handle = nil
  }
}
