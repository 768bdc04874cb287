import Foundation
import Testing

@testable import Replication

/// Random courses of things, each determined by a seed. MAGIC_SEED=n repeats one and tells what happens;
/// MAGIC_SOAK=n tries n times as many.
@Suite struct SimulationTests {
  @Test func theCopyIsAlwaysAStateOfTheServer() async throws {
    let environment = ProcessInfo.processInfo.environment
    let seeds: ClosedRange<UInt64> =
      if let seed = environment["MAGIC_SEED"].flatMap(UInt64.init) {
        seed...seed
      } else {
        1...25 * (environment["MAGIC_SOAK"].flatMap(UInt64.init) ?? 1)
      }
    for seed in seeds {
      let simulation = try Simulation(seed: seed)
      do {
        try await simulation.run()
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
      if let violation = simulation.disk.violations.first {
        Issue.record("seed \(seed): \(violation) (\(simulation.disk.violations.count))")
      }
    }
  }
}
