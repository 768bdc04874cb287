import Foundation
import MagicAPI
import PrometheusMetrics
import ServiceLifecycle

/// What was measured in the last quarter of an hour, once a second, for charts.
actor History: Service {
  /// What a number of the history is made of.
  private enum Measure {
    /// The value of a metric.
    case value(of: String)
    /// How much a metric grew in a second.
    case rate(of: String)
  }

  private struct Answer: Encodable {
    /// When the samples were taken, in seconds since 1970, oldest first.
    var times: [Double]
    /// A number of each kind for each sample; nil for what was not known.
    var series: [String: [Double?]]
  }

  private static let limit = 900
  private static let measures: [String: Measure] = [
    "lagSeconds": .value(of: "magic_replication_lag_seconds"),
    "lagBytes": .value(of: "magic_replication_lag_bytes"),
    "pendingBytes": .value(of: "magic_replication_pending_bytes"),
    "rowChangesPerSecond": .rate(of: "magic_replication_row_changes"),
    "transactionsPerSecond": .rate(of: "magic_replication_transactions"),
    "statementsRunning": .value(of: "magic_statements_running"),
    "statementsPerSecond": .rate(of: "magic_statements_total"),
    "residentBytes": .value(of: "magic_resident_bytes"),
    "diskFreeBytes": .value(of: "magic_disk_free_bytes"),
  ]

  private let metrics: PrometheusRegistry
  private var series: [String: [Double?]] = [:]
  private var lastTotals: [String: Double] = [:]
  private var times: [Double] = []

  init(metrics: PrometheusRegistry) { self.metrics = metrics }

  func run() async throws {
    while !Task.isShuttingDownGracefully {
      // First of all, others measure for the first time.
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
      sample(at: Date())
    }
  }

  /// Takes note of everything.
  func sample(at date: Date) {
    let time = date.timeIntervalSince1970
    let isFull = times.count == Self.limit
    for (name, measure) in Self.measures {
      if isFull { series[name]?.removeFirst() }
      series[name, default: []].append(number(measure, at: time))
    }
    if isFull { times.removeFirst() }
    times.append(time)
  }

  private func number(_ measure: Measure, at time: Double) -> Double? {
    switch measure {
    case .value(let label): return metrics.total(of: label)
    case .rate(let label):
      guard let total = metrics.total(of: label) else { return nil }
      let last = lastTotals.updateValue(total, forKey: label)
      guard let last, let lastTime = times.last, time > lastTime else { return nil }
      return max(0, total - last) / (time - lastTime)
    }
  }

  /// Shows the samples to anybody; with a time in seconds since 1970, those after it.
  func view(_ caller: Caller, after: String?) throws -> [UInt8] {
    let time = after.flatMap(Double.init) ?? -.infinity
    let count = times.count { $0 > time }
    let answer = Answer(
      times: times.suffix(count), series: series.mapValues { Array($0.suffix(count)) })
    return Array(try JSONEncoder().encode(answer))
  }
}
