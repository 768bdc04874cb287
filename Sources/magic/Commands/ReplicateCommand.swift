import ArgumentParser
import ClickHouseEngine
import Foundation
import HTTPServer
import LocalDatabase
import Logging
import MagicCore
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

  @OptionGroup var verification: VerificationOptions

  @Flag(help: "End once everything that the source had logged by the end of the copy is stored.")
  var untilCaughtUp = false

  @OptionGroup(title: "Initial copy") var copying: CopyOptions
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
    let server = try ServerSource(url: source.makeURL(), limits: copying.batchLimits)
    try await server.checkAndWarn(logger)
    let served = try await ServedFolder(
      folder, lock: lock, diskReserve: ByteCount(bytes: 0), keepsQueryLog: false, logger: logger)
    do {
      try await store.save(failure: nil)
      let replicator = try await Replicator(
        sink: served.open.tables, store: store,
        configuration: copying.configuration(
          selection, flushInterval: flushInterval.duration),
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
    let verification = verification.makeService(
      server: try ServerSource(url: source.makeURL()), copy: served.open.statements,
      options: selection.encodingOptions, status: { await replicator.status() }, logger: logger)
    contents.views["status"] = statusView {
      var status = await replicator.status()
      status.verification = await verification?.status
      return Array(try JSONEncoder().encode(status))
    }
    contents.routes[WriterRequest.route] = { json in
      try await WriterRequest.answer(json) { try await $0.perform(replicator) }
    }
    let http = served.makeHTTPServer(
      [try Listener(unixSocket: served.folder.socketPath)], contents)
    let writer = ReplicationService(
      replicator: replicator, source: server, stopsWhenCaughtUp: untilCaughtUp, logger: logger)
    var services: [any Service] = [APIService(api: served.api)]
    if let verification { services.append(verification) }
    services += [writer, http]
    try await runGroup(services, logger: logger)
  }
}

/// Whether the copy is compared with the source in the background.
struct VerificationOptions: ParsableArguments {
  @Option(
    help: "Compare every table with the source once in this time, such as 24h (default: never).")
  var verify: Interval?

  /// The service that does so; nil when it is not wanted.
  func makeService(
    server: ServerSource, copy: any StatementService, options: EncodingOptions,
    status: @escaping @Sendable () async throws -> ReplicationStatus, logger: Logger
  ) -> VerificationService? {
    verify.map { interval in
      VerificationService(
        verifier: TableVerifier(server: server, copy: copy, options: options, status: status),
        interval: interval.duration, logger: logger)
    }
  }
}

/// How existing rows are copied.
struct CopyOptions: ParsableArguments {
  @Option(help: "How many connections read existing rows at once.")
  var copyWorkers = 4

  @Option(
    help:
      "How many bytes of existing rows are read a second, such as 20MB (default: as many as can be)."
  )
  var copyRate: ByteCount?

  @Option(
    help:
      "About how many rows are read in one piece; what is interrupted begins with its piece again.")
  var chunkRows = 300_000

  func validate() throws {
    guard (1...64).contains(copyWorkers) else {
      throw ValidationError("--copy-workers is a number from 1 to 64.")
    }
    guard chunkRows >= 100 else { throw ValidationError("--chunk-rows is at least 100.") }
    guard copyRate.map({ $0.bytes >= 1024 }) ?? true else {
      throw ValidationError("--copy-rate is at least 1KB a second.")
    }
  }

  /// What is read at a bounded rate is handed over every half second.
  var batchLimits: BatchLimits {
    var limits = BatchLimits()
    if let copyRate { limits.byteCount = min(limits.byteCount, copyRate.bytes / 2) }
    return limits
  }

  func configuration(_ selection: TableSelectionOptions, flushInterval: Duration)
    -> Replicator.Configuration
  {
    Replicator.Configuration(
      filter: selection.filter, encodingOptions: selection.encodingOptions,
      flushInterval: flushInterval, copyWorkers: copyWorkers, copyBytesPerSecond: copyRate?.bytes,
      rowsPerRange: chunkRows)
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
