import Dispatch
import Glibc
import LocalDatabase
import Logging
import MagicAPI
import Synchronization

/// The data folder that this process has open, for all databases of the driver that name it. There
/// is one at a time, because the engine takes one.
final class LocalService: @unchecked Sendable {
  // `@unchecked Sendable` because the count is only used under this lock.
  static let shared = Mutex<LocalService?>(nil)

  let path: String
  let service: any MagicService
  var userCount = 1
  private let folder: OpenFolder
  private let api: MagicAPI
  private let housekeeping: Task<Void, Never>

  init(_ folder: DataFolder, engineLibrary: String?) throws {
    path = folder.path
    var logger = Logger(label: "magic.adbc", factory: StreamLogHandler.standardError(label:))
    logger.logLevel = .warning
    let lock = try folder.lock()
    let library = engineLibrary ?? PythonPackages.engineLibrary()
    let open = try Work().wait { [logger] in
      try await OpenFolder(folder, lock: lock, engineLibrary: library, logger: logger)
    }
    self.folder = open
    // The program is alone: nothing of its own is taken from it because it did not use it for long.
    var limits = MagicAPI.Limits()
    limits.idleResultDuration = .seconds(1 << 32)
    limits.transactionLifetime = .seconds(1 << 32)
    limits.sessionLifetime = .seconds(1 << 32)
    limits.shutdownGrace = .zero
    let api = MagicAPI(
      database: open.statements, limits: limits,
      disk: DiskReserve(path: folder.path, byteCount: 0), keepsQueryLog: false, logger: logger)
    self.api = api
    service = api.service(for: Caller(user: "default", role: .admin, interface: "adbc"))
    housekeeping = Task.detached { await api.run() }
    Self.closeAtExit
  }

  /// Ends what runs and closes the folder.
  func close() async {
    housekeeping.cancel()
    await api.shutdown()
    await folder.close()
  }

  private static let openingProcess = getpid()

  /// Has a folder closed that is still open when the process exits: the engine's threads must not
  /// outlive what the C++ runtime destroys then. Done once, after the engine's own exit functions
  /// were registered, so that it comes before them.
  private static let closeAtExit: Void = {
    _ = openingProcess
    atexit {
      // A child made by fork has none of the threads.
      guard getpid() == openingProcess else { return }
      let isClosed = DispatchSemaphore(value: 0)
      Task.detached {
        let open = shared.withLockIfAvailable { $0 } ?? nil
        await open?.close()
        isClosed.signal()
      }
      _ = isClosed.wait(timeout: .now() + 5)
    }
  }()
}
