import Binlog
import Foundation
import MySQLSchema
import Replication

/// Renders a status for people.
enum StatusText {
  /// One aligned line per value; values that are not known are left out.
  static func lines(_ status: ReplicationStatus) -> String {
    let counters = status.counters
    var rows: [(name: String, value: String?)] = [
      ("state", state(status)),
      ("position", status.position?.description),
      (status.phase == .notRunning ? "ended with" : "failed", status.failure),
      ("gtid", status.gtid),
      ("committed", status.timestamp.map(time)),
      ("source", status.sourcePosition?.description),
      (
        "behind",
        status.lagBytes.map { $0 == 0 ? nil : "\(ByteCount(bytes: Int(clamping: $0))) of binlog" }
          ?? nil
      ),
      ("transactions", count(counters.transactions, status.transactionsPerSecond)),
      ("row changes", count(counters.rowChanges, status.rowChangesPerSecond)),
      ("schema changes", counters.schemaChanges == 0 ? nil : String(counters.schemaChanges)),
      ("rolled back", counters.rolledBack == 0 ? nil : String(counters.rolledBack)),
      ("rows copied", String(counters.copiedRows)),
      ("bytes waiting", status.pendingBytes == 0 ? nil : String(status.pendingBytes)),
      ("zero dates", counters.zeroDates == 0 ? nil : "\(counters.zeroDates) stored as NULL"),
      (
        "invalid texts",
        counters.invalidTexts == 0 ? nil : "\(counters.invalidTexts) stored with U+FFFD"
      ),
    ]
    if let copy = status.copy { rows.append(("copying", copyProgress(copy))) }
    if let found = status.verification {
      rows.append(
        ("compared", "\(found.tables) tables, \(found.rows) rows, \(found.passes) passes"))
      for difference in found.differences {
        rows.append(
          (
            "DIFFERS",
            "\(difference.table): \(difference.rows) rows, first \(difference.first.kind.rawValue) at "
              + difference.first.key
          ))
      }
    }
    for (index, table) in status.tables.enumerated() {
      rows.append((index == 0 ? "tables" : "", tableText(table)))
    }
    let width = (rows.map { $0.value == nil ? 0 : $0.name.count }.max() ?? 0) + 2
    return rows.compactMap { row in
      row.value.map { row.name.padding(toLength: width, withPad: " ", startingAt: 0) + $0 + "\n" }
    }.joined()
  }

  /// A count and how fast it grows.
  private static func count(_ count: UInt64, _ rate: Double?) -> String {
    guard let rate, rate >= 0.5 else { return String(count) }
    return "\(count), \(Int(rate)) per second"
  }

  /// How far the copying of existing rows is.
  static func copyProgress(_ copy: ReplicationStatus.CopyProgress) -> String {
    let total = max(copy.rowsEstimated, copy.rows)
    let percent = total == 0 ? 100 : copy.rows * 100 / total
    var text =
      "\(copy.table ?? "") (table \(copy.tables + 1) of \(copy.tablesTotal)): \(copy.rows) of about "
      + "\(total) rows, \(copy.bytes >> 20) MiB, \(percent) %"
    if let rate = copy.rowsPerSecond { text += ", \(Int(rate)) rows/s" }
    if let seconds = copy.secondsLeft { text += ", about \(Int(seconds)) s left" }
    return text
  }

  private static func state(_ status: ReplicationStatus) -> String {
    let phase = status.phase == .notRunning ? "not running" : status.phase.rawValue
    if status.isCaughtUp { return phase + ", caught up" }
    guard status.phase != .notRunning, let lag = status.lagSeconds else { return phase }
    return phase + String(format: ", %.1f s behind", lag)
  }

  private static func time(_ seconds: UInt32) -> String {
    ValueText.datetime(microseconds: Int(seconds) * 1_000_000, fractionalDigits: 0) + " UTC"
  }

  private static func tableText(_ table: ReplicationStatus.Table) -> String {
    var text = "\(table.name): \(table.state)"
    if let rows = table.copiedRows {
      text += ", \(rows) of about \(table.estimatedRows ?? rows) rows"
    }
    let place = table.stoppedAt.map { " at \($0)" } ?? ""
    return table.reason.map { "\(text)\(place): \($0)" } ?? text + place
  }
}
