import Foundation
import Synchronization

/// How far a backup or a restore is, on a line for people.
final class BackupProgress: Sendable {
  private struct State {
    var done: [UInt64]
    var rows: UInt64 = 0
    var tables = 0
  }

  /// About how many bytes each table has.
  private let estimated: [UInt64]
  private let state: Mutex<State>
  private let start = ContinuousClock.now

  init(estimated: [UInt64]) {
    self.estimated = estimated
    state = Mutex(State(done: estimated.map { _ in 0 }))
  }

  /// Notes bytes of a table's rows.
  func add(bytes: Int, toTable index: Int) {
    state.withLock { $0.done[index] += UInt64(bytes) }
  }

  /// Notes that a table is whole.
  func end(table index: Int, rows: UInt64) {
    state.withLock { state in
      state.rows += rows
      state.tables += 1
    }
  }

  /// Keeps the line up to date until the task is cancelled.
  func show() async {
    let line = ProgressLine("rows")
    while !Task.isCancelled {
      line.show(text)
      try? await Task.sleep(for: .milliseconds(500))
    }
    line.clear()
  }

  private var text: String {
    let (done, rows, tables) = state.withLock { ($0.done, $0.rows, $0.tables) }
    // An estimate that was too small is as large as what came.
    let total = zip(estimated, done).reduce(0) { $0 + max($1.0, $1.1) }
    let bytes = done.reduce(0, +)
    let part = total == 0 ? 0 : Double(bytes) / Double(total)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let left = part > 0.01 ? String(format: ", %.0f s left", seconds / part - seconds) : ""
    return "\(rows) in \(tables) of \(estimated.count) tables, \(Self.text(bytes: bytes)), "
      + String(format: "%.0f %%", part * 100) + left
  }

  /// An amount of bytes for people.
  static func text(bytes: UInt64) -> String {
    var amount = Double(bytes)
    for unit in ["B", "kB", "MB"] {
      if amount < 1000 { return String(format: unit == "B" ? "%.0f %@" : "%.1f %@", amount, unit) }
      amount /= 1000
    }
    return String(format: "%.1f GB", amount)
  }
}
