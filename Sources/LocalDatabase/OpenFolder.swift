import ClickHouseEngine
import Logging
import MagicCore

/// A data folder that is open in this process: its engine and its tables.
public struct OpenFolder: Sendable {
  /// The engine.
  public let engine: ClickHouseEngine
  /// Its mutable tables.
  public let tables: MutableTables
  /// Runs statements on them.
  public let statements: StatementPath
  private let lock: FolderLock

  /// Opens a folder, which the caller has locked, and recovers its tables.
  ///
  /// `engineLibrary` is the engine library's path; nil to look for it.
  ///
  /// - Throws: when it is damaged, or the engine cannot be used.
  public init(
    _ folder: DataFolder, lock: FolderLock, engineLibrary: String? = nil, logger: Logger
  ) async throws {
    self.lock = lock
    engine = try await ClickHouseEngine.open(
      dataFolder: folder.enginePath, library: engineLibrary)
    do {
      tables = try await MutableTables.open(
        engine: engine, commitLog: folder.commitLogPath, report: { logger.warning("\($0)") })
    } catch {
      await engine.shutdown()
      throw error
    }
    statements = StatementPath(engine: engine, tables: tables)
  }

  /// Finishes what is under way and gives the folder up; everything that uses it must have ended.
  public func close() async {
    await tables.shutdown()
    await engine.shutdown()
    withExtendedLifetime(lock) {}
  }
}
