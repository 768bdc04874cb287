import CoreMetrics
import Foundation
import MagicAPI
import PrometheusMetrics
import Testing

@testable import magic

@Suite struct HistoryTests {
  private struct Answer: Decodable {
    var times: [Double]
    var series: [String: [Double?]]
  }

  private let caller = Caller(user: "ana", role: .reader, interface: "http")

  private func view(_ history: History, after: String? = nil) async throws -> Answer {
    try await JSONDecoder().decode(Answer.self, from: Data(history.view(caller, after: after)))
  }

  @Test func valuesAndRatesAreSampled() async throws {
    let registry = PrometheusRegistry()
    let history = History(metrics: registry)
    #expect(try await view(history).series.isEmpty)
    let lag = registry.makeRecorder(
      label: "magic_replication_lag_seconds", dimensions: [], aggregate: false)
    let statements = registry.makeCounter(label: "magic_statements_total", dimensions: [("a", "b")])
    let start = Date(timeIntervalSince1970: 1000)
    lag.record(0.5)
    await history.sample(at: start)
    lag.record(2.5)
    statements.increment(by: 6)
    await history.sample(at: start + 1)
    statements.increment(by: 8)
    await history.sample(at: start + 3)
    let all = try await view(history)
    #expect(all.times == [1000, 1001, 1003])
    #expect(all.series["lagSeconds"] == [0.5, 2.5, 2.5])
    #expect(all.series["statementsPerSecond"] == [nil, 6, 4])
    #expect(all.series["residentBytes"] == [nil, nil, nil])
    #expect(try await view(history, after: "1001").series["lagSeconds"] == [2.5])
    #expect(try await view(history, after: "1003").series["lagSeconds"] == [])
    #expect(try await view(history, after: "nan").series["lagSeconds"] == [])
    #expect(try await view(history, after: "-1e300").series["lagSeconds"]?.count == 3)
  }

  @Test func aQuarterOfAnHourIsKept() async throws {
    let registry = PrometheusRegistry()
    let history = History(metrics: registry)
    for second in 0..<1000 {
      await history.sample(at: Date(timeIntervalSince1970: Double(second)))
    }
    let all = try await view(history)
    #expect(all.series.values.allSatisfy { $0.count == 900 })
    #expect(all.series.count == 9)
    #expect(all.times == (100..<1000).map(Double.init))
  }
}
