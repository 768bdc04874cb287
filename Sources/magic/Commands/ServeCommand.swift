import ArgumentParser
import Foundation
import HTTPServer
import Logging
import ServiceLifecycle

/// `magic serve`: keeps a data folder open for other commands and programs.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Keep a data folder open, and run the statements of other commands.",
    discussion: """
      While it runs, the other commands given the same --data reach it, and programs can use \
      ClickHouse's HTTP interface on the socket DIR/magic.sock. Stops cleanly on SIGTERM and \
      SIGINT.
      """)

  @OptionGroup var data: DataFolderOptions
  @OptionGroup var logging: LogOptions

  func run() async throws {
    let logger = logging.makeLogger("magic.serve")
    let folder = try DataFolder(creating: data.path)
    let open = try await OpenFolder(folder, lock: try folder.lock(), logger: logger)
    do {
      let http = HTTPServer(
        listeners: [try Listener(unixSocket: folder.socketPath)], statements: open.statements,
        status: { Array(try offlineStatus(dataFolder: folder)) }, logger: logger)
      let group = ServiceGroup(
        configuration: .init(
          services: [.init(service: http)], gracefulShutdownSignals: [.sigterm, .sigint],
          logger: logger))
      try await group.run()
    } catch {
      await open.close()
      throw error
    }
    await open.close()
  }
}
