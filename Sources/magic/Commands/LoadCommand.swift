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

      --from and --to take a part: a position (binlog.000042:1234), a GTID (0-1-42, or UUID:42), or \
      a time in UTC ('2026-11-25 14:30:00'). What is before --from is not applied; --to is the last \
      transaction with that GTID, or not later than that time, or the position where it ends.
      """)

  @OptionGroup var data: DataFolderOptions
  @OptionGroup var selection: TableSelectionOptions

  @Option(
    help: "A dump of table definitions (mysqldump --no-data), for files that lack them.",
    completion: .file())
  var schema: String?

  @Option(help: "Where to begin in a new data folder: POSITION, after a GTID, or at a TIME.")
  var from: LoadBound?

  @Option(help: "Where to end: before a POSITION, with a GTID, or at a TIME.")
  var to: LoadBound?

  @Option(
    help: "The keys that MariaDB encrypted the files with, in the form of its file_key_management.",
    completion: .file())
  var keyFile: String?

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
    let keys = try keyFile.map(BinlogKeys.init(path:))
    for file in files {
      _ = try BinlogFile(path: file, chunkByteCount: 64, keys: keys).read { _, _ in }
    }
    let range = try LoadRange(from: from, to: to, in: files, keys: keys)
    if let start, let from = range.start, from > start {
      throw Failure(
        "the data folder ends at \(start), before --from: what is between would be missing")
    }
    let open = try await OpenFolder(folder, lock: lock, logger: logger)
    do {
      let replicator = try await Replicator(
        sink: open.tables, store: store,
        configuration: Replicator.Configuration(
          filter: selection.filter, encodingOptions: selection.encodingOptions,
          flushInterval: .seconds(10)),
        unknownTables: .define(declared), report: { logger.notice("\($0)") })
      try await load(replicator, range, keys, logger)
    } catch {
      await open.close()
      throw error
    }
    await open.close()
  }

  private func load(
    _ replicator: Replicator, _ range: LoadRange, _ keys: BinlogKeys?, _ logger: Logger
  ) async throws {
    if await replicator.storedCheckpoint?.isByGTID == true {
      throw Failure(
        "this copy follows its server by GTID, so that files have transactions which it has already: let "
          + "magic replicate go on with it, or load the files into an empty data folder")
    }
    let first = BinlogPosition(file: BinlogFileName.logical(files[0]), offset: 4)
    try await replicator.begin(at: range.start ?? first)
    let stopping = Stopping { await replicator.stop() }
    defer { stopping.end() }
    let watching = Task { await showProgress(of: replicator) }
    defer { watching.cancel() }
    let began = ContinuousClock.now
    let before = await replicator.storedCheckpoint?.counters.rowChanges ?? 0
    repeat {
      let files = FileEventSource(
        paths: files, start: await replicator.storedCheckpoint?.position, end: range.end,
        keys: keys, onFile: { logger.info("Reading \($0)") })
      guard try await replicator.follow(files) == .again else { break }
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
