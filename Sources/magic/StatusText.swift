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
      ("transactions", String(counters.transactions)),
      ("row changes", String(counters.rowChanges)),
      ("rows copied", String(counters.copiedRows)),
      ("bytes waiting", status.pendingBytes == 0 ? nil : String(status.pendingBytes)),
      ("zero dates", counters.zeroDates == 0 ? nil : "\(counters.zeroDates) stored as NULL"),
      (
        "invalid texts",
        counters.invalidTexts == 0 ? nil : "\(counters.invalidTexts) stored with U+FFFD"
      ),
    ]
    if let copy = status.copy {
      rows.append(
        (
          "copying",
          "\(copy.table ?? "-"), \(copy.tables) of \(copy.tablesTotal) tables, "
            + "\(copy.rows) of about \(max(copy.rows, copy.rowsEstimated)) rows"
        ))
    }
    for (index, table) in status.tables.enumerated() {
      rows.append((index == 0 ? "tables" : "", tableText(table)))
    }
    let width = (rows.map { $0.value == nil ? 0 : $0.name.count }.max() ?? 0) + 2
    return rows.compactMap { row in
      row.value.map { row.name.padding(toLength: width, withPad: " ", startingAt: 0) + $0 + "\n" }
    }.joined()
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
    let text = "\(table.name): \(table.state)"
    let place = table.stoppedAt.map { " at \($0)" } ?? ""
    return table.reason.map { "\(text)\(place): \($0)" } ?? text + place
  }
}
