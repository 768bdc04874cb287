import Arrow
import Foundation
import MagicCore
import MySQLSchema
import Replication
import RowEncoding

/// Compares tables of the copy with the source, row by row.
struct TableVerifier: Sendable {
  let server: ServerSource
  let copy: any StatementService
  let options: EncodingOptions
  let status: @Sendable () async throws -> ReplicationStatus

  /// Compares a table, and again while rows differ that may still be in motion.
  func compare(_ table: ReplicationStatus.Table) async throws -> TableReport {
    var comparison = try await compareOnce(table.name)
    for _ in 0..<10 where comparison.differenceCount > 0 {
      let status = try await status()
      if status.phase == .notRunning { break }
      guard [.streaming, .copying, .reconnecting].contains(status.phase) else {
        throw Failure(
          "replication is \(status.phase.rawValue), so the copy is behind, and what differs says "
            + "nothing: compare when it streams")
      }
      try await waitUntilCaughtUp()
      let next = try await compareOnce(table.name)
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

  private func waitUntilCaughtUp() async throws {
    let target = try await server.currentPosition()
    let deadline = ContinuousClock.now + .seconds(300)
    while ContinuousClock.now < deadline {
      if let position = try await status().position, position >= target { return }
      try await Task.sleep(for: .milliseconds(200))
    }
    throw Failure("the copy did not catch up with the source within 5 minutes: see magic status")
  }

  private func compareOnce(_ name: TableName) async throws -> TableComparison {
    let filter = TableFilter(include: ["\(name)"])
    let snapshot = try await server.snapshot(of: filter)
    do {
      guard
        case .table(let schema, _)? = try await snapshot.tables(filter).first(where: {
          if case .table(let schema, _) = $0 { schema.name == name } else { false }
        })
      else {
        throw Failure("table \(name) is not at the source")
      }
      let rows = try await snapshot.rows(
        of: schema, version: 0, options: options, isOrdered: !schema.primaryKey.isEmpty)
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
}

/// What the comparison of one table found.
struct TableReport: Encodable {
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
    let ordering = order.isEmpty ? "" : "ORDER BY \(order.joined(separator: ", ")) "
    return "SELECT \(columns.joined(separator: ", ")) "
      + "FROM \(quotedIdentifier(schema.name.database)).\(quotedIdentifier(schema.name.table)) "
      + ordering
      + "SETTINGS output_format_arrow_compression_method = 'none'"
  }
}
