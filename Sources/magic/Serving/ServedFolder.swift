import Foundation
import HTTPServer
import LocalDatabase
import Logging
import MagicAPI
import MagicCore
import Replication
import ServiceLifecycle

/// An open data folder with the service over it.
struct ServedFolder {
  let folder: DataFolder
  let open: OpenFolder
  let store: StateStore
  let disk: DiskReserve
  let api: MagicAPI
  private let limits: MagicAPI.Limits
  private let logger: Logger

  /// Opens a folder, which the caller has locked.
  init(
    _ folder: DataFolder, lock: FolderLock, limits: MagicAPI.Limits = .init(),
    diskReserve: ByteCount, fence: (any Fence)? = nil, keepsQueryLog: Bool, logger: Logger
  ) async throws {
    self.folder = folder
    self.limits = limits
    self.logger = logger
    store = StateStore(folder: URL(filePath: folder.path))
    disk = DiskReserve(path: folder.path, byteCount: UInt64(diskReserve.bytes))
    open = try await OpenFolder(folder, lock: lock, logger: logger)
    api = MagicAPI(
      database: open.statements, limits: limits, disk: disk, fence: fence,
      keepsQueryLog: keepsQueryLog,
      logger: logger)
    do {
      try await api.prepare()
    } catch {
      await open.close()
      throw error
    }
  }

  func close() async { await open.close() }

  /// What the HTTP server answers with: on the socket to this user, and to nobody else.
  var contents: HTTPServer.Contents {
    var contents = HTTPServer.Contents(services: { [api] caller in api.service(for: caller) })
    contents.views["status"] = statusView { [folder] in Array(try offlineStatus(dataFolder: folder))
    }
    contents.routes[BackupPlanRequest.route] = { try await plan(json: $0) }
    return contents
  }

  /// A server on the folder's socket, and where else the listeners say.
  func makeHTTPServer(
    _ listeners: [Listener], _ contents: HTTPServer.Contents
  ) -> HTTPServer {
    var bounds = HTTPServer.Limits()
    bounds.shutdownGrace = limits.shutdownGrace
    return HTTPServer(listeners: listeners, contents: contents, limits: bounds, logger: logger)
  }
}

/// Shows the status of replication to those who may see all databases.
func statusView(_ status: @escaping @Sendable () async throws -> [UInt8]) -> HTTPServer.View {
  { caller, _ in
    try AccessPolicy.checkSeeingAll(by: caller)
    return try await status()
  }
}

/// Runs services until one of them ends or a signal comes. The last one stops first.
func runGroup(_ services: [any Service], logger: Logger) async throws {
  var logger = logger
  // At lower levels the library logs whole services, with all that they hold.
  logger.logLevel = max(logger.logLevel, .notice)
  let group = ServiceGroup(
    configuration: .init(
      services: services.map { service in
        .init(
          service: service, successTerminationBehavior: .gracefullyShutdownGroup,
          failureTerminationBehavior: .gracefullyShutdownGroup)
      },
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
  try await group.run()
}
