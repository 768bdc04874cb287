import ClickHouseEngine
import Logging
import MagicCore

/// A data folder that is open in this process: its engine and its tables.
struct OpenFolder {
  let engine: ClickHouseEngine
  let tables: MutableTables
  /// Runs statements on them.
  let statements: StatementPath
  private let lock: FolderLock

  /// Opens a folder, which the caller has locked, and recovers its tables.
  ///
  /// - Throws: when it is damaged.
  init(_ folder: DataFolder, lock: FolderLock, logger: Logger) async throws {
    self.lock = lock
    engine = try await ClickHouseEngine.open(dataFolder: folder.enginePath)
    do {
      tables = try await MutableTables.open(
        engine: engine, commitLog: folder.commitLogPath, report: { logger.warning("\($0)") })
    } catch {
      await engine.shutdown()
      throw error
    }
    statements = StatementPath(engine: engine, tables: tables)
  }

  func close() async {
    await tables.shutdown()
    await engine.shutdown()
    withExtendedLifetime(lock) {}
  }
}
