import ArgumentParser
import ClickHouseEngine
import Foundation
import HTTPServer
import LocalDatabase
import Logging
import MySQLSchema
import MySQLSource
import Replication
import RowEncoding
import ServiceLifecycle

/// `magic replicate`: copies the tables of a server and follows its binlog.
struct ReplicateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replicate",
    abstract: "Copy the tables of a MySQL or MariaDB server and follow its binlog.",
    discussion: """
      Stops cleanly on SIGTERM and SIGINT; started again, it goes on where it was. While it runs, \
      the other commands given the same --data reach it.
      """)

  @OptionGroup var data: DataFolderOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var selection: TableSelectionOptions

  @Option(help: "How long a commit waits at most before it is visible, such as 200ms or 1s.")
  var flushInterval = Interval(milliseconds: 200)

  @Flag(help: "End once everything that the source had logged by the end of the copy is stored.")
  var untilCaughtUp = false

  @OptionGroup var logging: LogOptions

  func run() async throws {
    let logger = logging.makeLogger("magic.replicate")
    let folder = try DataFolder(creating: data.path)
    let lock = try folder.lock()
    let store = StateStore(folder: URL(filePath: folder.path))
    do {
      try await replicate(folder, lock, store, logger)
    } catch {
      // The error itself matters more than that it cannot be noted, such as on a full disk.
      try? await store.save(failure: "\(error)")
      throw error
    }
  }

  private func replicate(
    _ folder: DataFolder, _ lock: FolderLock, _ store: StateStore, _ logger: Logger
  ) async throws {
    let server = try ServerSource(url: source.makeURL())
    try await server.check()
    let served = try await ServedFolder(
      folder, lock: lock, diskReserve: ByteCount(bytes: 0), keepsQueryLog: false, logger: logger)
    do {
      try await store.save(failure: nil)
      let replicator = try await Replicator(
        sink: served.open.tables, store: store,
        configuration: Replicator.Configuration(
          filter: selection.filter, encodingOptions: selection.encodingOptions,
          flushInterval: flushInterval.duration),
        report: { logger.notice("\($0)") })
      try await serve(replicator, server, served, logger)
    } catch {
      await served.close()
      throw error
    }
    await server.close()
    await served.close()
  }

  private func serve(
    _ replicator: Replicator, _ server: ServerSource, _ served: ServedFolder, _ logger: Logger
  ) async throws {
    var contents = served.contents
    contents.status = { Array(try JSONEncoder().encode(await replicator.status())) }
    let http = served.makeHTTPServer(
      [try Listener(unixSocket: served.folder.socketPath)], contents)
    let writer = ReplicationService(
      replicator: replicator, source: server, stopsWhenCaughtUp: untilCaughtUp, logger: logger)
    let services: [any Service] = [APIService(api: served.api), writer, http]
    try await runGroup(services, logger: logger)
  }
}

/// Which tables are replicated and how unusual values are treated.
struct TableSelectionOptions: ParsableArguments {
  @Option(help: "Tables to replicate, such as 'shop.*'; repeatable (default: every table).")
  var include: [String] = []

  @Option(help: "Tables to leave out, such as '*.tmp_*'; repeatable.")
  var exclude: [String] = []

  @Option(help: "What becomes of 0000-00-00 and other dates that are no day: null or stop.")
  var zeroDates = EncodingOptions.ZeroDates.null

  func validate() throws {
    for pattern in include + exclude {
      let parts = pattern.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count >= 2, parts.allSatisfy({ !$0.isEmpty }) else {
        throw ValidationError(
          "The table pattern '\(pattern)' is not of the form database.table, such as 'shop.*'.")
      }
    }
  }

  var filter: TableFilter { TableFilter(include: include, exclude: exclude) }
  var encodingOptions: EncodingOptions { EncodingOptions(zeroDates: zeroDates) }
}

extension EncodingOptions.ZeroDates: ExpressibleByArgument {}

/// A span of time as a person writes it: `200ms`, `1s`, `2m`, `1h`.
struct Interval: ExpressibleByArgument, CustomStringConvertible {
  let milliseconds: Int

  init(milliseconds: Int) { self.milliseconds = milliseconds }

  init?(argument: String) {
    let digits = argument.prefix { $0.isNumber }
    guard let number = Int(digits), number > 0 else { return nil }
    let factor: Int
    switch argument.dropFirst(digits.count) {
    case "ms": factor = 1
    case "s": factor = 1_000
    case "m": factor = 60_000
    case "h": factor = 3_600_000
    default: return nil
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow, product <= 24 * 3_600_000 else { return nil }
    milliseconds = product
  }

  var duration: Duration { .milliseconds(milliseconds) }
  var description: String { "\(milliseconds)ms" }
  var defaultValueDescription: String { description }
}
