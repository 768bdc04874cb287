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

  /// Opens a folder and recovers its tables.
  ///
  /// - Throws: when another process owns it, or it is damaged.
  init(_ folder: DataFolder, logger: Logger) async throws {
    lock = try folder.lock()
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
