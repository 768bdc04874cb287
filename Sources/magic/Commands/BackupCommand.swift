import ArgumentParser
import Backup
import Foundation
import LocalDatabase
import MagicAPI
import MagicClient
import MagicCore

/// `magic backup`: writes everything at a snapshot into a folder or an archive.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Back up the tables and the checkpoint of replication, while everything runs.",
    discussion: """
      All mutable and replicated tables are read at one snapshot, to which the checkpoint belongs: a \
      restored copy goes on replicating from there. Tables of the engine's own, views and functions \
      are as they are when they are read. `magic restore` makes a data folder of it.

      While a process serves the data folder, that one is asked; otherwise the engine is opened here. \
      At a server, only an administrator may back up.
      """)

  @OptionGroup var service: ServiceOptions

  @Option(help: "Back up this snapshot, see `magic snapshot`, and not the newest state.")
  var snapshot: String?

  @Option(help: "A table, database.table, to back up; repeatable (default: everything).")
  var table: [TableArgument] = []

  @Option(help: "How many tables are read at a time.")
  var threads = 2

  @OptionGroup var logging: LogOptions

  @Argument(
    help: "A new folder, a new archive (NAME.tar), or - for an archive on stdout.",
    completion: .file())
  var target: String

  func validate() throws {
    guard (1...64).contains(threads) else {
      throw ValidationError("--threads is a number from 1 to 64.")
    }
    guard !target.isEmpty else { throw ValidationError("Say where the backup goes.") }
  }

  func run() async throws {
    if let client = try await service.client() {
      return try await backUp(client) { request in
        let body = Array(try JSONEncoder().encode(request))
        return try Manifest(
          decoding: try await client.post("/magic/v1/\(BackupPlanRequest.route)", body: body),
          from: Manifest.planName)
      }
    }
    guard snapshot == nil else {
      throw Failure("--snapshot needs the process that keeps it: start `magic serve`")
    }
    let folder = try service.folder()
    let served = try await ServedFolder(
      folder, lock: try folder.lock(), diskReserve: ByteCount(bytes: 0), keepsQueryLog: false,
      logger: logging.makeLogger("magic.backup"))
    do {
      let admin = Caller(user: "", role: .admin, interface: "socket")
      try await backUp(served.api.service(for: admin)) { try await served.plan($0) }
    } catch {
      await served.close()
      throw error
    }
    await served.close()
  }

  private func backUp(
    _ service: any MagicService, plan: (BackupPlanRequest) async throws -> Manifest
  ) async throws {
    let target = try BackupTarget(path: target)
    do {
      // New tables are seen one after the other, some milliseconds after the commit that has them.
      for attempt in 1... {
        let pinned = try await pin(service)
        do {
          let wanted = table.isEmpty ? nil : Set(table.map(\.reference))
          let plan = try await plan(BackupPlanRequest(snapshot: pinned, tables: wanted))
          let isComplete = !plan.leftOut.contains(where: \.isReplicated)
          if isComplete || snapshot != nil || attempt == Self.planAttempts {
            try await run(plan, pinned, service, target)
            await release(pinned, service)
            return
          }
          await release(pinned, service)
        } catch {
          await release(pinned, service)
          throw error
        }
        try await Task.sleep(for: .milliseconds(200))
      }
    } catch {
      await target.abandon()
      throw error
    }
  }

  private static let planAttempts = 10

  private func pin(_ service: any MagicService) async throws -> String {
    if let snapshot { return try await service.renew(snapshot: snapshot).id }
    var request = SnapshotRequest()
    // It is renewed all the while, and goes soon when this process does.
    request.lifetime = .seconds(90)
    return try await service.openSnapshot(request).id
  }

  /// Gives up a snapshot that was opened here.
  private func release(_ pinned: String, _ service: any MagicService) async {
    if snapshot == nil { try? await service.release(snapshot: pinned) }
  }

  private func run(
    _ plan: Manifest, _ snapshot: String, _ service: any MagicService, _ target: BackupTarget
  ) async throws {
    let backup = BackupRun(
      snapshot: snapshot, service: service, target: target, threads: threads,
      progress: BackupProgress(estimated: plan.tables.map(\.declared.estimatedByteCount)))
    let watching = Task { await backup.progress.show() }
    let renewing = Task { await backup.keepSnapshot() }
    defer {
      watching.cancel()
      renewing.cancel()
    }
    let start = ContinuousClock.now
    let manifest = try await backup.write(plan)
    watching.cancel()
    await watching.value
    for leftOut in manifest.leftOut { printWarning("left out: \(leftOut.name): \(leftOut.reason)") }
    printSummary(manifest, start)
  }
}

/// Tells what a backup holds, once it is made or restored.
func printSummary(_ manifest: Manifest, _ start: ContinuousClock.Instant) {
  let rows = manifest.tables.reduce(0) { $0 + ($1.rowCount ?? 0) }
  let bytes = manifest.tables.flatMap(\.files).reduce(0) { $0 + $1.byteCount }
  let seconds = (ContinuousClock.now - start) / .seconds(1)
  let gtids = manifest.gtids.map { ", up to GTID \($0)" } ?? ""
  writeAll(
    Array(
      (String(
        format: "%d tables, %llu rows, %@ in %.1f s, ", manifest.tables.count, rows,
        BackupProgress.text(bytes: bytes), seconds)
        + "at commit \(manifest.commit)\(gtids)\n").utf8), to: STDERR_FILENO)
}
