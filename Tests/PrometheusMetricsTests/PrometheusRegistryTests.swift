import CoreMetrics
import Testing

@testable import PrometheusMetrics

@Suite struct PrometheusRegistryTests {
  @Test func countersAndGaugesArePrintedByLabelAndDimensions() {
    let registry = PrometheusRegistry()
    registry.makeCounter(label: "statements_total", dimensions: [("verb", "SELECT")])
      .increment(by: 2)
    registry.makeCounter(label: "statements_total", dimensions: [("verb", "a\"b\\c\n")])
      .increment(by: 1)
    // The same metric again.
    registry.makeCounter(label: "statements_total", dimensions: [("verb", "SELECT")])
      .increment(by: 3)
    registry.makeRecorder(label: "disk.free", dimensions: [], aggregate: false).record(1.5)
    #expect(
      registry.text() == """
        # TYPE statements_total counter
        statements_total{verb="SELECT"} 5
        statements_total{verb="a\\"b\\\\c\\n"} 1
        # TYPE disk_free gauge
        disk_free 1.5

        """)
  }

  @Test func totalsAreOverAllDimensions() {
    let registry = PrometheusRegistry()
    #expect(registry.total(of: "a") == nil)
    registry.makeCounter(label: "a", dimensions: [("b", "1")]).increment(by: 2)
    registry.makeCounter(label: "a", dimensions: [("b", "2")]).increment(by: 3)
    registry.makeRecorder(label: "c", dimensions: [], aggregate: false).record(1.5)
    #expect(registry.total(of: "a") == 5)
    #expect(registry.total(of: "c") == 1.5)
  }

  @Test func histogramsCountUpToEachBound() {
    let registry = PrometheusRegistry()
    let timer = registry.makeTimer(label: "seconds", dimensions: [("a", "b")])
    timer.recordNanoseconds(500_000)
    timer.recordNanoseconds(2_000_000_000)
    timer.recordNanoseconds(700_000_000_000)
    let lines = registry.text().split(separator: "\n")
    #expect(lines.first == "# TYPE seconds histogram")
    #expect(lines.contains("seconds_bucket{a=\"b\",le=\"0.0005\"} 1"))
    #expect(lines.contains("seconds_bucket{a=\"b\",le=\"1\"} 1"))
    #expect(lines.contains("seconds_bucket{a=\"b\",le=\"2.5\"} 2"))
    #expect(lines.contains("seconds_bucket{a=\"b\",le=\"+Inf\"} 3"))
    #expect(lines.contains("seconds_sum{a=\"b\"} 702.0005"))
    #expect(lines.last == "seconds_count{a=\"b\"} 3")
  }
}
