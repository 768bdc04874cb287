import CoreMetrics
import Synchronization

/// Keeps what swift-metrics is told, and prints it in the text form that Prometheus reads
/// (exposition format 0.0.4).
///
/// There is one metric for each label and set of dimensions; all of them stay for as long as the
/// process runs, so dimensions must have few values.
public final class PrometheusRegistry: MetricsFactory {
  struct Series: Hashable {
    var label: String
    /// The dimensions as they are printed, without braces.
    var dimensions: String
  }

  private struct State {
    var counters: [Series: PrometheusCounter] = [:]
    var gauges: [Series: PrometheusGauge] = [:]
    var histograms: [Series: PrometheusHistogram] = [:]
  }

  private let state = Mutex(State())

  /// Makes a registry without metrics.
  public init() {}

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    let series = Series(label, dimensions)
    return state.withLock { state in
      if let counter = state.counters[series] { return counter }
      let counter = PrometheusCounter()
      state.counters[series] = counter
      return counter
    }
  }

  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    gauge(Series(label, dimensions))
  }

  public func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    let series = Series(label, dimensions)
    return aggregate ? histogram(series) : gauge(series)
  }

  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    histogram(Series(label, dimensions))
  }

  public func destroyCounter(_ handler: any CounterHandler) {}
  public func destroyMeter(_ handler: any MeterHandler) {}
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  public func destroyTimer(_ handler: any TimerHandler) {}

  private func gauge(_ series: Series) -> PrometheusGauge {
    state.withLock { state in
      if let gauge = state.gauges[series] { return gauge }
      let gauge = PrometheusGauge()
      state.gauges[series] = gauge
      return gauge
    }
  }

  private func histogram(_ series: Series) -> PrometheusHistogram {
    state.withLock { state in
      if let histogram = state.histograms[series] { return histogram }
      let histogram = PrometheusHistogram()
      state.histograms[series] = histogram
      return histogram
    }
  }

  /// The sum of a counter or gauge over all its dimensions; nil when there is none of that label.
  public func total(of label: String) -> Double? {
    let values = state.withLock { state in
      state.counters.compactMap { $0.key.label == label ? Double($0.value.value) : nil }
        + state.gauges.compactMap { $0.key.label == label ? $0.value.value : nil }
    }
    return values.isEmpty ? nil : values.reduce(0, +)
  }

  /// All metrics as text.
  public func text() -> String {
    let (counters, gauges, histograms) = state.withLock { state in
      (state.counters, state.gauges, state.histograms)
    }
    var lines: [String] = []
    Self.print(counters, "counter", into: &lines) { series, counter in
      ["\(series.name()) \(counter.value)"]
    }
    Self.print(gauges, "gauge", into: &lines) { series, gauge in
      ["\(series.name()) \(Self.number(gauge.value))"]
    }
    Self.print(histograms, "histogram", into: &lines) { series, histogram in
      histogram.lines(series)
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private static func print<Metric>(
    _ metrics: [Series: Metric], _ kind: String, into lines: inout [String],
    _ body: (Series, Metric) -> [String]
  ) {
    let groups = Dictionary(grouping: metrics) { $0.key.label }
    for (label, members) in groups.sorted(by: { $0.key < $1.key }) {
      lines.append("# TYPE \(label) \(kind)")
      for (series, metric) in members.sorted(by: { $0.key.dimensions < $1.key.dimensions }) {
        lines += body(series, metric)
      }
    }
  }

  /// A number without a fraction that says nothing.
  static func number(_ value: Double) -> String {
    if let whole = Int64(exactly: value) { return "\(whole)" }
    if value.isNaN { return "NaN" }
    return value.isInfinite ? (value > 0 ? "+Inf" : "-Inf") : "\(value)"
  }
}

extension PrometheusRegistry.Series {
  init(_ label: String, _ dimensions: [(String, String)]) {
    self.label = String(
      label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
    self.dimensions = dimensions.map { name, value in
      let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        .replacing("\n", with: "\\n")
      return "\(name)=\"\(escaped)\""
    }.joined(separator: ",")
  }

  /// The label with the dimensions, and one more.
  func name(suffix: String = "", _ more: String = "") -> String {
    let all = [dimensions, more].filter { !$0.isEmpty }.joined(separator: ",")
    return label + suffix + (all.isEmpty ? "" : "{\(all)}")
  }
}

/// A number that only grows.
final class PrometheusCounter: CounterHandler {
  private let count = Atomic<Int64>(0)

  var value: Int64 { count.load(ordering: .relaxed) }

  func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
  func reset() { count.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
final class PrometheusGauge: MeterHandler, RecorderHandler {
  private let current = Mutex(0.0)

  var value: Double { current.withLock { $0 } }

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { current.withLock { $0 = value } }
  func increment(by amount: Double) { current.withLock { $0 += amount } }
  func decrement(by amount: Double) { current.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
}

/// How many values are not above each of some bounds.
final class PrometheusHistogram: TimerHandler, RecorderHandler {
  /// In seconds, from half a millisecond to ten minutes.
  static let bounds: [Double] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600,
  ]

  private struct State {
    var counts = [Int](repeating: 0, count: PrometheusHistogram.bounds.count + 1)
    var sum = 0.0
  }

  private let state = Mutex(State())

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    let index = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
    state.withLock { state in
      state.counts[index] += 1
      state.sum += value
    }
  }

  func lines(_ series: PrometheusRegistry.Series) -> [String] {
    let state = self.state.withLock { $0 }
    var total = 0
    var lines: [String] = []
    for (bound, count) in zip(Self.bounds + [.infinity], state.counts) {
      total += count
      let limit = PrometheusRegistry.number(bound)
      lines.append("\(series.name(suffix: "_bucket", "le=\"\(limit)\"")) \(total)")
    }
    return lines + [
      "\(series.name(suffix: "_sum")) \(PrometheusRegistry.number(state.sum))",
      "\(series.name(suffix: "_count")) \(total)",
    ]
  }
}
