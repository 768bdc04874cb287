import ArgumentParser
import Arrow
import Foundation
import LocalDatabase
import MagicClient
import MagicCore
import MySQLSchema
import MySQLSource
import Replication
import RowEncoding

/// `magic verify`: compares every row of every table with the source.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare every row of every table with the source, by content.",
    discussion: """
      Both sides are read once, in the order of the primary key. When rows differ while \
      replication runs, the table is compared again after the copy has caught up: only \
      differences that last are reported. The exit status is 1 when there are any, or when a table \
      of the copy has stopped following the source; tables that were never copied are listed.
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
      let result = try await compareUntilSettled(table, folder, server, copy)
      try report(result)
      if result.differenceCount > 0 { isSound = false }
    }
    return isSound
  }

  /// Compares a table, and again while rows differ that may still be in motion.
  private func compareUntilSettled(
    _ table: ReplicationStatus.Table, _ folder: DataFolder, _ server: ServerSource,
    _ copy: any StatementService
  ) async throws -> TableReport {
    var comparison = try await compare(table.name, server, copy)
    for _ in 0..<10 where comparison.differenceCount > 0 {
      let status = try await replicationStatus(folder)
      guard status.phase == .streaming || status.phase == .reconnecting else { break }
      try await waitUntilCaughtUp(folder, server)
      let next = try await compare(table.name, server, copy)
      let lasting = TableComparison.lasting(comparison.differences, next.differences)
      if !lasting.isEmpty {
        return TableReport(
          table: table, differences: lasting, differenceCount: UInt64(lasting.count),
          rows: next.rowsCompared)
      }
      comparison = next
    }
    return TableReport(
      table: table, differences: comparison.differences,
      differenceCount: comparison.differenceCount, rows: comparison.rowsCompared)
  }

  private func waitUntilCaughtUp(_ folder: DataFolder, _ server: ServerSource) async throws {
    let target = try await server.currentPosition()
    let deadline = ContinuousClock.now + .seconds(300)
    while ContinuousClock.now < deadline {
      if let position = try await replicationStatus(folder).position, position >= target { return }
      try await Task.sleep(for: .milliseconds(200))
    }
    throw Failure("the copy did not catch up with the source within 5 minutes: see magic status")
  }

  private func compare(
    _ name: TableName, _ server: ServerSource, _ copy: any StatementService
  ) async throws -> TableComparison {
    let snapshot = try await server.snapshot()
    do {
      let filter = TableFilter(include: ["\(name)"])
      guard
        case .table(let schema, _)? = try await snapshot.tables(filter).first(where: {
          if case .table(let schema, _) = $0 { schema.name == name } else { false }
        })
      else {
        throw Failure("table \(name) is not at the source")
      }
      let rows = try await snapshot.rows(
        of: schema, version: 0, options: selection.encodingOptions, isOrdered: true)
      let result = try await copy.run(
        ComparisonQuery.text(schema), format: "ArrowStream")
      var reader = CopyReader(result)
      var comparison = try TableComparison(
        schema: TableEncoder.arrowSchema(for: schema), key: schema.primaryKey)
      let progress = ProgressLine("\(name)")
      try await comparison.run(
        source: { try await rows.next()?.rows }, copy: { try await reader.next() },
        progress: { progress.show("\($0) rows compared") })
      progress.clear()
      await snapshot.close()
      return comparison
    } catch {
      await snapshot.close()
      throw error
    }
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

/// What the comparison of one table found.
private struct TableReport: Encodable {
  var table: ReplicationStatus.Table
  var differences: [RowDifference]
  var differenceCount: UInt64
  var rows: UInt64

  func text(atMost limit: Int) -> String {
    guard table.state == "live" else {
      return "\(table.name): not compared, \(table.state): \(table.reason ?? "being copied")\n"
    }
    guard differenceCount > 0 else { return "\(table.name): \(rows) rows, equal\n" }
    var text = "\(table.name): \(rows) rows, \(differenceCount) differ\n"
    for difference in differences.prefix(limit) {
      let columns =
        difference.columns.isEmpty ? "" : " in \(difference.columns.joined(separator: ", "))"
      text += "  \(difference.kind.rawValue): \(difference.key)\(columns)\n"
    }
    return text
  }
}

/// The rows of the copy as they arrive in an Arrow stream.
private struct CopyReader: ~Copyable {
  private let result: StatementResult
  private var reader = StreamReader()
  private var isEnded = false

  init(_ result: StatementResult) { self.result = result }

  mutating func next() async throws -> RecordBatch? {
    while true {
      if let batch = reader.next() { return batch }
      if isEnded { return nil }
      guard let chunk = try await result.next() else {
        isEnded = true
        try reader.finish()
        continue
      }
      try reader.push(chunk)
    }
  }
}

/// What the copy is asked for, in the engine's SQL, so that its rows come in the order and the
/// form of the source's.
enum ComparisonQuery {
  static func text(_ schema: TableSchema) -> String {
    let columns = schema.columns.map { column in
      let name = quotedIdentifier(column.name)
      switch column.type {
      case .uuid: return "UUIDStringToNum(toString(\(name)))"
      default: return name
      }
    }
    // Numbers and dates order alike on both sides; everything else by the bytes of its text.
    let order = schema.primaryKey.map { index in
      let name = quotedIdentifier(schema.columns[index].name)
      switch schema.columns[index].type {
      case .uuid, .enumeration: return "toString(\(name))"
      default: return name
      }
    }
    return "SELECT \(columns.joined(separator: ", ")) "
      + "FROM \(quotedIdentifier(schema.name.database)).\(quotedIdentifier(schema.name.table)) "
      + "ORDER BY \(order.joined(separator: ", ")) "
      + "SETTINGS output_format_arrow_compression_method = 'none'"
  }
}
