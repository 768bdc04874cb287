import ArgumentParser
import Foundation
import LocalDatabase
import MagicClient
import MySQLSchema

/// `magic writer`: steers replication while it runs.
struct WriterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "writer",
    abstract: "Steer replication while it runs: pause it, copy a table anew, and so on.",
    subcommands: [
      PauseCommand.self, ResumeCommand.self, IntervalCommand.self, RecopyCommand.self,
      SkipCommand.self,
    ])
}

private struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Store what is whole and read no more binlog until `resume` or the next start.")

  @OptionGroup var service: ServiceOptions

  func run() async throws { try await service.ask(WriterRequest(.pause)) }
}

private struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Go on after a pause.")

  @OptionGroup var service: ServiceOptions

  func run() async throws { try await service.ask(WriterRequest(.resume)) }
}

private struct IntervalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interval",
    abstract: "Change how long a commit waits at most before it is visible.")

  @OptionGroup var service: ServiceOptions

  @Argument(help: "Such as 200ms or 1s.")
  var interval: Interval

  func run() async throws {
    try await service.ask(WriterRequest(.interval, milliseconds: interval.milliseconds))
  }
}

private struct RecopyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recopy",
    abstract: "Copy a table from the source anew, while the others go on.")

  @OptionGroup var service: ServiceOptions

  @Argument(help: "DATABASE.TABLE")
  var table: TableArgument

  func run() async throws {
    try await service.ask(WriterRequest(.recopy, table: table.name))
  }
}

private struct SkipCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "skip", abstract: "Stop following a table, which stays as it is.")

  @OptionGroup var service: ServiceOptions

  @Argument(help: "DATABASE.TABLE")
  var table: TableArgument

  func run() async throws {
    try await service.ask(WriterRequest(.skip, table: table.name))
  }
}

extension TableArgument {
  fileprivate var name: TableName {
    TableName(database: reference.database, table: reference.table)
  }
}

extension ServiceOptions {
  /// Asks the process, and prints what it did.
  fileprivate func ask(_ request: WriterRequest) async throws {
    let answer = try await runningClient().post(
      "/magic/v1/\(WriterRequest.route)", body: Array(try JSONEncoder().encode(request)))
    let message = try JSONDecoder().decode([String: String].self, from: Data(answer))["message"]
    try printLine(message ?? "done")
  }
}
