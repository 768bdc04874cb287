import LocalDatabase
import MagicAPI
import MagicClient
import Synchronization

/// A service, and how to let go of it.
struct ServiceSource: Sendable {
  let service: any MagicService
  let close: @Sendable () throws -> Void

  /// The service of a server.
  static func remote(
    url: String, username: String?, password: String?, authorityFile: String?
  ) throws -> ServiceSource {
    let credentials = username.map {
      MagicClient.Credentials.password(user: $0, password: password ?? "")
    }
    let client = try MagicClient(
      url: url, credentials: credentials, authorityFile: authorityFile)
    return ServiceSource(service: client, close: {})
  }

  /// The service of a data folder: that of the process that serves it, else one in this process.
  static func folder(_ path: String, engineLibrary: String?) throws -> ServiceSource {
    let folder = try DataFolder(creating: path)
    return try LocalService.shared.withLock { open in
      if let current = open {
        guard current.path == folder.path else {
          throw DriverError(
            .ioError,
            "the data folder \(folder.path) cannot be opened: this process has \(current.path) open, "
              + "and the engine takes one at a time; close that first, or have a process of its own "
              + "serve it (magic serve --data …)", sqlState: "08001")
        }
        current.userCount += 1
        return source(current)
      }
      let client = try MagicClient(unixSocket: folder.socketPath)
      if try Work().wait(for: { await client.isAnswering() }) {
        return ServiceSource(service: client, close: {})
      }
      let service = try LocalService(folder, engineLibrary: engineLibrary)
      open = service
      return source(service)
    }
  }

  private static func source(_ local: LocalService) -> ServiceSource {
    ServiceSource(service: local.service) {
      try LocalService.shared.withLock { open in
        local.userCount -= 1
        guard local.userCount == 0 else { return }
        open = nil
        try Work().wait { await local.close() }
      }
    }
  }
}
