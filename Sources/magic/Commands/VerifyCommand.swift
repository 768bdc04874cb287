import ArgumentParser
import Foundation
import LocalDatabase
import MagicClient
import MySQLSchema
import MagicCore
import MySQLSource
import Replication

/// `magic verify`: compares every row of every table with the source.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare every row of every table with the source, by content.",
    discussion: """
      Both sides are read once, in the order of the key; of a table without one the sums over \
      all rows are compared. When rows differ while replication runs, the table is compared \
      again after the copy has caught up: only differences that last are reported. The exit \
      status is 1 when there are any, or when a table of the copy has stopped following the \
      source; tables that were never copied are listed.
      """)

  @OptionGroup var data: DataFolderOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var selection: TableSelectionOptions

  @Option(help: "How many differences of a table to print.")
  var show = 10

  @Flag(help: "Print JSON, one object for each table.")
  var json = false

  func run() async throws {
    let folder = try DataFolder(existing: data.path)
    let server = try ServerSource(url: source.makeURL())
    let copy = try await StatementSource.local(folder)
    do {
      let isSound = try await verify(folder, server, copy.statements)
      await copy.close()
      await server.close()
      if !isSound { throw ExitCode(1) }
    } catch {
      await copy.close()
      await server.close()
      throw error
    }
  }

  /// - Returns: whether every table was compared and is equal.
  private func verify(
    _ folder: DataFolder, _ server: ServerSource, _ copy: any StatementService
  ) async throws -> Bool {
    let verifier = TableVerifier(
      server: server, copy: copy, options: selection.encodingOptions,
      status: { try await replicationStatus(folder) })
    var isSound = true
    let status = try await replicationStatus(folder)
    let selected = status.tables.filter { selection.filter.selects($0.name) }
    guard !selected.isEmpty else { throw Failure("the data folder holds no table to compare") }
    for table in selected {
      if table.state != "live" {
        try report(TableReport(table: table, differences: [], differenceCount: 0, rows: 0))
        if table.isStored { isSound = false }
        continue
      }
      do {
        let result = try await verifier.compare(table)
        try report(result)
        if result.differenceCount > 0 { isSound = false }
      } catch let error as TableUnavailable {
        printWarning("\(table.name) was not compared: \(error)")
        isSound = false
      }
    }
    return isSound
  }

  private func report(_ report: TableReport) throws {
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      try writeToStandardOutput(Array(encoder.encode(report)) + [UInt8(ascii: "\n")])
    } else {
      try writeToStandardOutput(Array(report.text(atMost: show).utf8))
    }
  }
}
