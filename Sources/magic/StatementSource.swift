import ClickHouseEngine
import LocalDatabase
import MagicClient
import MagicCore

/// Something that runs statements, and how to let go of it.
struct StatementSource {
  let statements: any StatementService
  let close: @Sendable () async -> Void

  /// Reaches a server by URL.
  static func remote(
    url: String, credentials: MagicClient.Credentials?, authorityFile: String?
  ) throws -> StatementSource {
    let client = try MagicClient(url: url, credentials: credentials, authorityFile: authorityFile)
    return StatementSource(statements: client, close: {})
  }

  /// Reaches the process that owns a data folder; without one, opens its engine in this process.
  static func local(_ folder: DataFolder) async throws -> StatementSource {
    let client = try MagicClient(unixSocket: folder.socketPath)
    if await client.isAnswering() {
      return StatementSource(statements: client, close: {})
    }
    let open = try await OpenFolder(
      folder, lock: try folder.lock(), logger: LogOptions.standardLogger("magic.sql"))
    return StatementSource(statements: open.statements, close: { await open.close() })
  }
}
