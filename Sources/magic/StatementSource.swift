import ClickHouseEngine
import LocalDatabase
import MagicAPI
import MagicClient
import MagicCore

/// Something that runs statements, and how to let go of it.
struct StatementSource {
  let statements: any StatementService
  let close: @Sendable () async -> Void

  /// Reaches a running process.
  ///
  /// - Parameter request: what holds for all statements, with any text.
  static func running(_ client: MagicClient, _ request: StatementRequest) -> StatementSource {
    StatementSource(
      statements: RunningService(service: client, request: request), close: {})
  }

  /// Reaches the process that owns a data folder; without one, opens its engine in this process.
  static func local(_ folder: DataFolder) async throws -> StatementSource {
    let client = try MagicClient(unixSocket: folder.socketPath)
    if await client.isAnswering() { return running(client, StatementRequest("")) }
    let open = try await OpenFolder(
      folder, lock: try folder.lock(), logger: LogOptions.standardLogger("magic.sql"))
    return StatementSource(statements: open.statements, close: { await open.close() })
  }
}

/// Runs statements in another process, all with the same context.
private struct RunningService: StatementService {
  let service: any MagicService
  let request: StatementRequest

  func run(_ statement: String, format: String) async throws -> StatementResult {
    var request = request
    request.sql = statement
    return try await service.run(request, format: format, input: nil)
  }
}
