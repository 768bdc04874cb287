import ArgumentParser
import Binlog
import ClickHouseEngine
import Foundation
import Glibc
import LocalDatabase
import Logging
import MySQLSchema
import Replication

/// `magic load`: applies binlog files, without a server.
struct LoadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Apply binlog files to a data folder; no server is needed.",
    discussion: """
      Files are read in the given order, plain or compressed with gzip. What the data folder \
      already holds is passed over, so that a load which was interrupted goes on when it is run \
      again.

      Table definitions come from the files (binlog_row_metadata=FULL), or from --schema.
      """)

  @OptionGroup var data: DataFolderOptions
  @OptionGroup var selection: TableSelectionOptions

  @Option(
    help: "A dump of table definitions (mysqldump --no-data), for files that lack them.",
    completion: .file())
  var schema: String?

  @OptionGroup var logging: LogOptions

  @Argument(help: "Binlog files.", completion: .file())
  var files: [String]

  func run() async throws {
    let logger = logging.makeLogger("magic.load")
    let declared = try schema.map(readSchemaDump) ?? [:]
    let folder = try DataFolder(creating: data.path)
    let lock = try folder.lock()
    let store = StateStore(folder: URL(filePath: folder.path))
    let start = try storedCheckpoint(folder)?.position
    try checkOrder(after: start)
    // A file that is no binlog is refused before the data folder remembers its name.
    for file in files { _ = try BinlogFile(path: file, chunkByteCount: 64).read { _, _ in } }
    let open = try await OpenFolder(folder, lock: lock, logger: logger)
    do {
      let replicator = try await Replicator(
        sink: open.tables, store: store,
        configuration: Replicator.Configuration(
          filter: selection.filter, encodingOptions: selection.encodingOptions,
          flushInterval: .seconds(10)),
        unknownTables: .define(declared), report: { logger.notice("\($0)") })
      try await load(replicator, start, logger)
    } catch {
      await open.close()
      throw error
    }
    await open.close()
  }

  private func load(_ replicator: Replicator, _ start: BinlogPosition?, _ logger: Logger)
    async throws
  {
    let first = BinlogPosition(file: BinlogFileName.logical(files[0]), offset: 4)
    try await replicator.begin(at: first)
    let stopping = Stopping { await replicator.stop() }
    defer { stopping.end() }
    let watching = Task { await showProgress(of: replicator) }
    defer { watching.cancel() }
    let began = ContinuousClock.now
    let before = await replicator.storedCheckpoint?.counters.rowChanges ?? 0
    repeat {
      let files = FileEventSource(
        paths: files, start: await replicator.storedCheckpoint?.position ?? start,
        onFile: { logger.info("Reading \($0)") })
      guard try await replicator.follow(files) else { break }
    } while true
    let status = await replicator.status()
    let rows = status.counters.rowChanges - before
    let seconds = Double((ContinuousClock.now - began) / .seconds(1))
    writeAll(
      Array(
        String(
          format: "%llu row changes in %.1f s (%.0f per second), up to %@\n", rows, seconds,
          Double(rows) / max(seconds, 0.001), status.position?.description ?? "the start"
        ).utf8), to: STDERR_FILENO)
    let stopped = status.tables.filter { $0.state == "stopped" }
    if !stopped.isEmpty {
      throw Failure(
        "these tables stopped, see magic status: "
          + stopped.map(\.name.description).joined(separator: ", "))
    }
  }

  /// Positions in different files compare by the number at the end of the names.
  private func checkOrder(after start: BinlogPosition?) throws {
    let names = files.map(BinlogFileName.logical)
    let numbers = names.map(BinlogFileName.number)
    let isSingle = Set(names + (start.map { [$0.file] } ?? [])).count == 1
    guard !isSingle else { return }
    let bases = Set((names + (start.map { [$0.file] } ?? [])).map(BinlogFileName.base))
    guard bases.count == 1, !numbers.contains(nil),
      zip(numbers, numbers.dropFirst()).allSatisfy({ ($0 ?? 0) < ($1 ?? 0) })
    else {
      throw Failure(
        "several binlog files must have the names that their server gave them, such as "
          + "binlog.000042, and be given in order")
    }
  }

  private func readSchemaDump(_ path: String) throws -> [TableName: TableSchema] {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw Failure("'\(path)' cannot be read")
    }
    let dump = parseSchemaDump(Array(bytes))
    if let problem = dump.problems.first { throw Failure("\(path), \(problem)") }
    return Dictionary(dump.tables.map { ($0.name, $0) }) { _, last in last }
  }
}
