import CArrowABI
import Glibc
import MagicCore
import Threads

/// The embedded ClickHouse over one data folder, which one process owns at a time.
///
/// The library is loaded when the first engine is opened; see `docs/engine.md` for where it is
/// looked for.
public final class ClickHouseEngine: Engine {
  private struct State {
    var isClosing = false
    var connectionCount = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
    /// Sessions for those who ask next: opening one takes a good part of a short statement's time.
    /// They count as connections, as do those that are being opened.
    var spares: [ClickHouseConnection] = []
    var spareCount = 0
    var spareLimit = 0
  }

  /// How many sessions are kept open in advance.
  private static let spareLimit = 4

  /// The data folder's absolute path.
  public let dataFolder: String
  private let database: DatabaseHandle
  private let killer: QueryKiller
  private let state = Monitor(State())

  private init(dataFolder: String, database: DatabaseHandle) {
    self.dataFolder = dataFolder
    self.database = database
    self.killer = QueryKiller(database: database)
  }

  /// Opens a data folder, which is made if it does not exist.
  ///
  /// - Parameters:
  ///   - dataFolder: its path.
  ///   - library: the engine library's path; nil to look for it.
  /// - Throws: `EngineError` when the library cannot be found or loaded, or when the folder
  ///   cannot be used or belongs to another process.
  public static func open(
    dataFolder: String, library: String? = nil
  ) async throws -> ClickHouseEngine {
    let engine = try await onOwnThread("magic-open") {
      // A reader of a result that goes away must not end the process.
      signal(SIGPIPE, SIG_IGN)
      let library = try EngineLibrary.load(explicit: library)
      let folder = try makeFolder(dataFolder)
      // The engine makes a database's folder with its first table, and cannot attach it without.
      let metadata = folder + "/metadata/default"
      if access(metadata, F_OK) != 0 { unlink(metadata + ".sql") }
      let database = try DatabaseHandle(library: library, dataFolder: folder)
      // The engine's handlers would keep a process alive that has trapped, so that nobody starts it anew.
      for number in [SIGILL, SIGTRAP] { signal(number, SIG_DFL) }
      return ClickHouseEngine(dataFolder: folder, database: database)
    }
    do {
      try await engine.makeDefaultAtomic()
      engine.state.withLock { $0.spareLimit = spareLimit }
    } catch {
      await engine.shutdown()
      throw error
    }
    return engine
  }

  /// Opens the database `default` as an Atomic one, like all others. The library opens it as an
  /// overlay, in which replacing a view removes the old one first.
  private func makeDefaultAtomic() async throws {
    try await withConnection { connection in
      try await connection.execute("DETACH DATABASE default")
      _ = try await connection.execute(defaultStatement)
    }
  }

  private var defaultStatement: String {
    let metadata = dataFolder + "/metadata/default"
    if access(metadata + ".sql", R_OK) == 0 { return "ATTACH DATABASE default" }
    // What an overlay has stored lies in a folder that is called by the database's UUID.
    if let folder = absolutePath(metadata), let uuid = folder.split(separator: "/").last {
      return "ATTACH DATABASE default UUID \(quotedString(String(uuid))) ENGINE = Atomic"
    }
    return "CREATE DATABASE default ENGINE = Atomic"
  }

  /// The engine needs an absolute path: it opens folders from threads and after `chdir`.
  private static func makeFolder(_ path: String) throws -> String {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      prefix += "/" + part
      if mkdir(prefix, 0o700) != 0, errno != EEXIST {
        throw EngineError(
          message: "the data folder \(path) cannot be made: \(String(cString: strerror(errno)))")
      }
    }
    guard let folder = absolutePath(path) else {
      throw EngineError(
        message: "the data folder \(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
    return folder
  }

  public func connect() async throws -> any EngineConnection {
    let (isOpen, spare) = state.withLock { state in
      if state.isClosing { return (false, nil as ClickHouseConnection?) }
      if let spare = state.spares.popLast() {
        state.spareCount -= 1
        return (true, spare)
      }
      state.connectionCount += 1
      return (true, nil)
    }
    guard isOpen else { throw EngineError(message: "the engine is shut down") }
    Task.detached { await self.addSpare() }
    if let spare { return spare }
    let connection = newConnection()
    try await connection.open()
    return connection
  }

  /// A connection that is counted already.
  private func newConnection() -> ClickHouseConnection {
    ClickHouseConnection(database: database, killer: killer) { [self] in connectionClosed() }
  }

  /// Opens a session in advance, unless there are enough.
  private func addSpare() async {
    let isWanted = state.withLock { state in
      guard !state.isClosing, state.spareCount < state.spareLimit else { return false }
      state.spareCount += 1
      state.connectionCount += 1
      return true
    }
    guard isWanted else { return }
    let connection = newConnection()
    // What hinders it hinders who connects next too, and is told there.
    let isOpen = (try? await connection.open()) != nil
    let isKept = state.withLock { state in
      guard isOpen, !state.isClosing else {
        state.spareCount -= 1
        return false
      }
      state.spares.append(connection)
      return true
    }
    if !isKept { await connection.close() }
  }

  public func shutdown() async {
    let spares = state.withLock { state in
      state.isClosing = true
      defer { state.spares = [] }
      return state.spares
    }
    for spare in spares { await spare.close() }
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        if state.connectionCount > 0 { state.waiters.append(continuation) }
        return state.connectionCount == 0
      }
      if isIdle { continuation.resume() }
    }
    await killer.close()
    // Without a thread there is nothing better to do than to leave the folder open.
    try? await onOwnThread("magic-close") { [database] in database.close() }
  }

  private func connectionClosed() {
    let waiters = state.withLock { state in
      state.connectionCount -= 1
      guard state.connectionCount == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
