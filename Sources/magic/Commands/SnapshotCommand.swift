import ArgumentParser
import Foundation
import MagicAPI
import MagicCore

/// `magic snapshot`: published states that stay readable.
struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Keep a state of the tables readable, for any number of statements.",
    discussion: """
      A snapshot pins some mutable tables, or all, at one commit point. It costs no copy of data; \
      `magic sql --snapshot ID`, and every interface, reads it until it is released, or was neither \
      renewed nor read for its lifetime.
      """,
    subcommands: [Create.self, List.self, Renew.self, Release.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Pin the newest state, and print the snapshot's name.")

    @OptionGroup var service: ServiceOptions

    @Option(help: "A table, database.table, to pin; repeatable (default: all).")
    var table: [TableArgument] = []

    @Option(help: "How long it lasts without being renewed or read, such as 10m; a day at most.")
    var lifetime = Interval(milliseconds: 600_000)

    @Flag(help: "Keep it when the process that serves it ends, too; of one --table.")
    var lasting = false

    @Option(help: "Wait until the state has these GTIDs of the source.")
    var atLeast: String?

    @Option(help: "How long to wait for them.")
    var timeout = Interval(milliseconds: 30_000)

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
      if lasting, table.count != 1 {
        throw ValidationError("a lasting snapshot is of one table: give one --table")
      }
    }

    func run() async throws {
      var request = SnapshotRequest()
      if !table.isEmpty { request.tables = Set(table.map(\.reference)) }
      request.lifetime = lifetime.duration
      request.isLasting = lasting
      request.atLeast = atLeast
      request.timeout = timeout.duration
      let snapshot = try await service.runningClient().openSnapshot(request)
      try printLine(json ? String(decoding: snapshot.json, as: UTF8.self) : snapshot.id)
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the snapshots: the caller's, or everybody's for an admin.")

    @OptionGroup var service: ServiceOptions

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
      let snapshots = try await service.runningClient().snapshots()
      if json {
        return try printLine(
          String(decoding: SnapshotsMessage(snapshots: snapshots).json, as: UTF8.self))
      }
      for snapshot in snapshots {
        let left = max(0, snapshot.expires - Date().timeIntervalSince1970)
        let tables = snapshot.tables.map { $0.map(\.description).sorted().joined(separator: ",") }
        try printLine(
          [
            snapshot.id, "commit \(snapshot.commit)", snapshot.gtids ?? "-", tables ?? "all tables",
            "\(Int(left.rounded())) s left", snapshot.user ?? "-",
            snapshot.lasting == true ? "lasting" : "-",
          ].joined(separator: "\t"))
      }
    }
  }

  struct Renew: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a snapshot's lifetime begin anew.")

    @OptionGroup var service: ServiceOptions

    @Argument(help: "The snapshot's name.")
    var id: String

    func run() async throws {
      _ = try await service.runningClient().renew(snapshot: id)
    }
  }

  struct Release: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give snapshots up, so that what they keep can be dropped.")

    @OptionGroup var service: ServiceOptions

    @Argument(help: "The snapshots' names.")
    var ids: [String]

    func run() async throws {
      let client = try await service.runningClient()
      for id in ids { try await client.release(snapshot: id) }
    }
  }
}

/// `database.table` on the command line; without a database, one of `default`.
struct TableArgument: ExpressibleByArgument {
  let reference: TableReference

  init?(argument: String) {
    let parts = argument.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let last = parts.last, !last.isEmpty, parts.first?.isEmpty == false else { return nil }
    reference = TableReference(
      database: parts.count == 2 ? String(parts[0]) : "default", table: String(last))
  }
}
