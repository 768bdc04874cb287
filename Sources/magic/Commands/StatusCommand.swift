import ArgumentParser
import ClickHouseEngine
import Foundation
import LocalDatabase
import MagicClient
import Replication

/// `magic status`: what a data folder holds and how fresh it is.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show what a data folder holds and how fresh it is.")

  @OptionGroup var data: DataFolderOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let folder = try DataFolder(existing: data.path)
    let status = try await liveStatus(folder) ?? offlineStatus(dataFolder: folder)
    if json {
      try writeToStandardOutput(Array(status) + [UInt8(ascii: "\n")])
    } else {
      guard let status = try? JSONDecoder().decode(ReplicationStatus.self, from: status) else {
        throw Failure("the process that serves the folder is of another version: use --json")
      }
      try writeToStandardOutput(Array(StatusText.lines(status).utf8))
    }
  }
}

/// The status of a folder, from the process that serves it, or else from its files.
func replicationStatus(_ folder: DataFolder) async throws -> ReplicationStatus {
  let status = try await liveStatus(folder) ?? offlineStatus(dataFolder: folder)
  return try JSONDecoder().decode(ReplicationStatus.self, from: status)
}

/// The status as the process that serves the folder tells it; nil when there is none.
func liveStatus(_ folder: DataFolder) async throws -> Data? {
  let client = try MagicClient(unixSocket: folder.socketPath)
  guard await client.isAnswering() else { return nil }
  return Data(try await client.get("/magic/v1/status"))
}

/// The status of a folder that no process serves, from its files, as JSON.
func offlineStatus(dataFolder: DataFolder) throws -> Data {
  let store = StateStore(folder: URL(filePath: dataFolder.path))
  return try JSONEncoder().encode(
    ReplicationStatus(offline: store, checkpoint: storedCheckpoint(dataFolder)))
}

/// The checkpoint that a folder holds; nil before the first.
func storedCheckpoint(_ folder: DataFolder) throws -> Checkpoint? {
  guard let record = try CommitLog.read(path: folder.commitLogPath), !record.checkpoint.isEmpty
  else { return nil }
  return try Checkpoint(decoding: record.checkpoint)
}
