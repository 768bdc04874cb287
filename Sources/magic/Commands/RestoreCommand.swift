import ArgumentParser
import Backup
import Foundation
import LocalDatabase

/// `magic restore`: makes a data folder of a backup.
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Make a new data folder of a backup.",
    discussion: """
      Checks every file of the backup and the number of rows of every table. The folder can be opened \
      once everything is there and on disk. `magic replicate` and `magic serve --source` go on from \
      the checkpoint in the backup.
      """)

  @OptionGroup var data: DataFolderOptions
  @OptionGroup var logging: LogOptions

  @Argument(help: "A folder or archive of `magic backup`, or - for stdin.", completion: .file())
  var source: String

  func run() async throws {
    let files = BackupFiles(source: try BackupSource(path: source))
    let plan = try await files.plan()
    let folder = try DataFolder(restoringTo: data.path)
    let start = ContinuousClock.now
    let manifest: Manifest
    do {
      manifest = try await restore(plan, files, to: folder)
      try folder.endRestoring()
    } catch {
      do {
        try folder.abandonRestoring()
      } catch let leftover {
        printWarning("'\(data.path)' could not be emptied: \(leftover); remove it")
      }
      throw error
    }
    for leftOut in manifest.leftOut {
      printWarning("not in the backup: \(leftOut.name): \(leftOut.reason)")
    }
    printSummary(manifest, start)
  }

  private func restore(
    _ plan: Manifest, _ files: BackupFiles, to folder: DataFolder
  ) async throws -> Manifest {
    let open = try await OpenFolder(
      folder, lock: try folder.lock(), logger: logging.makeLogger("magic.restore"))
    do {
      let restore = RestoreRun(plan: plan, files: files, open: open, folder: folder.path)
      let watching = Task { await restore.progress.show() }
      defer { watching.cancel() }
      let manifest = try await restore.run()
      watching.cancel()
      await watching.value
      await open.close()
      return manifest
    } catch {
      await open.close()
      throw error
    }
  }
}
