import Metrics

/// What the service counts and measures.
struct ServiceMetrics: Sendable {
  private let running = Gauge(label: "magic_statements_running")
  private let waiting = Gauge(label: "magic_statements_waiting")
  private let transactions = Gauge(label: "magic_transactions_open")
  private let snapshots = Gauge(label: "magic_snapshots_open")
  private let freeDisk = Gauge(label: "magic_disk_free_bytes")
  private let resident = Gauge(label: "magic_resident_bytes")

  func note(running: Int, waiting: Int, transactions: Int, snapshots: Int, freeDisk: UInt64) {
    self.running.record(running)
    self.waiting.record(waiting)
    self.transactions.record(transactions)
    self.snapshots.record(snapshots)
    self.freeDisk.record(Double(freeDisk))
    if let byteCount = residentByteCount() { resident.record(byteCount) }
  }

  func note(_ statement: RunningStatement, error: APIError?) {
    let dimensions = [
      ("interface", statement.caller.interface), ("verb", statement.inspection.verb),
    ]
    let outcome = error.map { "\($0.kind)" } ?? "ok"
    Counter(label: "magic_statements_total", dimensions: dimensions + [("outcome", outcome)])
      .increment()
    Counter(label: "magic_rows_total", dimensions: dimensions).increment(by: statement.rows)
    Counter(label: "magic_result_bytes_total", dimensions: dimensions)
      .increment(by: statement.bytes)
    Timer(label: "magic_statement_seconds", dimensions: dimensions)
      .recordNanoseconds(nanoseconds(statement.start.duration(to: .now)))
  }

  private func nanoseconds(_ duration: Duration) -> Int64 {
    Int64(clamping: duration.components.seconds).multipliedReportingOverflow(by: 1_000_000_000)
      .partialValue &+ duration.components.attoseconds / 1_000_000_000
  }
}
