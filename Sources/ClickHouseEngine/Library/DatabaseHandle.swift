import CArrowABI
import Glibc
import MagicCore

/// The engine's database: one data folder. The library opens one at a time in a process.
///
/// `@unchecked Sendable` because the handle and the session are written before the object is
/// shared and in `close`, which the owner calls when nothing else uses them; in between the library
/// synchronises.
final class DatabaseHandle: @unchecked Sendable {
  private static let openFolder = Monitor<String?>(nil)

  let library: EngineLibrary
  let handle: UnsafeMutablePointer<AdbcDatabase>
  /// The engine starts with the first session and stops with the last; this one keeps it running.
  private var firstSession: SessionHandle?
  private let isOpen = Monitor(true)

  /// Opens the folder at an absolute path. Blocks for some tenths of a second.
  ///
  /// - Throws: ``EngineError`` when the engine refuses, or the process has a folder open already.
  init(library: EngineLibrary, dataFolder: String) throws {
    // First, because nothing needs to be undone when it fails.
    try Self.reserve(dataFolder)
    self.library = library
    handle = .allocate(capacity: 1)
    handle.initialize(to: AdbcDatabase())
    let driver = library.driver.pointee
    let handle = handle
    do {
      try Self.checkOwner(of: dataFolder)
      try adbcCall { driver.DatabaseNew?(handle, $0) }
      try adbcCall { driver.DatabaseSetOption?(handle, "uri", dataFolder, $0) }
      try adbcCall { driver.DatabaseInit?(handle, $0) }
      firstSession = try SessionHandle(library: library, database: handle)
    } catch {
      close()
      throw error
    }
  }

  private static func reserve(_ folder: String) throws {
    let other = openFolder.withLock { openFolder in
      defer { openFolder = openFolder ?? folder }
      return openFolder
    }
    if let other {
      throw EngineError(
        message: "the data folder \(folder) cannot be opened: this process has \(other) open, and "
          + "the engine takes one at a time")
    }
  }

  /// Refuses a folder that another process owns. The engine refuses it too, but tells the reason
  /// to nobody but stderr.
  private static func checkOwner(of folder: String) throws {
    let file = Glibc.open(folder + "/status", O_RDONLY | O_CLOEXEC)
    // Without its status file the folder was never used.
    guard file >= 0 else { return }
    defer { Glibc.close(file) }
    guard flock(file, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
    var status = [UInt8](repeating: 0, count: 64)
    let count = read(file, &status, status.count)
    let process =
      String(decoding: status[..<max(count, 0)], as: UTF8.self)
      .split(separator: "\n").first.map { " (\($0))" } ?? ""
    throw EngineError(
      message:
        "the data folder \(folder) is in use by another process\(process): stop it, or ask that one "
        + "(magic sql, magic status and the ADBC driver do; magic serve --source replicates and serves)"
    )
  }

  /// Closes the folder; blocks until the engine has stopped its background work. Idempotent.
  func close() {
    let wasOpen = isOpen.withLock { isOpen in
      defer { isOpen = false }
      return isOpen
    }
    guard wasOpen else { return }
    firstSession = nil
    let driver = library.driver.pointee
    // Closing reports nothing that anyone could act on.
    try? adbcCall { driver.DatabaseRelease?(handle, $0) }
    Self.openFolder.withLock { $0 = nil }
  }

  deinit {
    close()
    handle.deallocate()
  }
}
