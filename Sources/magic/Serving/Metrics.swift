import CoreMetrics
import PrometheusMetrics
import Replication
import ServiceLifecycle

/// The process's metrics.
enum Metrics {
  /// Lets everything that is measured from now on be kept, and be read from what this returns.
  static func start() -> PrometheusRegistry {
    let registry = PrometheusRegistry()
    MetricsSystem.bootstrap(registry)
    return registry
  }
}

/// Measures how far replication is, once a second.
struct ReplicationMetrics: Service {
  let writer: WriterService

  func run() async throws {
    let lag = Gauge(label: "magic_replication_lag_seconds")
    let transactions = Gauge(label: "magic_replication_transactions")
    let rowChanges = Gauge(label: "magic_replication_row_changes")
    let lagBytes = Gauge(label: "magic_replication_lag_bytes")
    let pendingBytes = Gauge(label: "magic_replication_pending_bytes")
    let copied = Gauge(label: "magic_replication_copied_rows")
    let schemaChanges = Gauge(label: "magic_replication_schema_changes")
    let zeroDates = Gauge(label: "magic_replication_zero_dates")
    let invalidTexts = Gauge(label: "magic_replication_invalid_texts")
    let rolledBack = Gauge(label: "magic_replication_rolled_back")
    let isConnected = Gauge(label: "magic_replication_connected")
    while !Task.isShuttingDownGracefully {
      if let status = await writer.replicationStatus {
        if let seconds = status.lagSeconds { lag.record(seconds) }
        transactions.record(status.counters.transactions)
        rowChanges.record(status.counters.rowChanges)
        if let bytes = status.lagBytes { lagBytes.record(bytes) }
        pendingBytes.record(status.pendingBytes)
        copied.record(status.counters.copiedRows)
        schemaChanges.record(status.counters.schemaChanges)
        zeroDates.record(status.counters.zeroDates)
        invalidTexts.record(status.counters.invalidTexts)
        rolledBack.record(status.counters.rolledBack)
        isConnected.record([.copying, .streaming].contains(status.phase) ? 1 : 0)
        for state in ["copying", "live", "stopped"] {
          Gauge(label: "magic_replication_tables", dimensions: [("state", state)])
            .record(status.tables.count { $0.state == state })
        }
      }
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
    }
  }
}
