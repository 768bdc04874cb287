import Foundation
import Logging
import Replication
import ServiceLifecycle

/// Compares the copy with the source again and again, one table after another, at a chosen pace.
actor VerificationService: Service {
  private let verifier: TableVerifier
  /// The time in which every table is compared once.
  private let interval: Duration
  private let logger: Logger
  /// What was found so far.
  private(set) var status = ReplicationStatus.Verification()

  init(verifier: TableVerifier, interval: Duration, logger: Logger) {
    self.verifier = verifier
    self.interval = interval
    self.logger = logger
  }

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        let tables = (try? await self.verifier.status().tables.filter { $0.state == "live" }) ?? []
        let pause = self.interval / max(1, tables.count)
        for table in tables {
          let begin = ContinuousClock.now
          try await self.compare(table)
          try await Task.sleep(until: begin + pause)
        }
        if tables.isEmpty { try await Task.sleep(for: .seconds(1)) }
        await self.notePass(of: tables)
      }
    }
  }

  private func notePass(of tables: [ReplicationStatus.Table]) {
    let names = Set(tables.map(\.name))
    status.differences.removeAll { !names.contains($0.table) }
    if !tables.isEmpty { status.passes += 1 }
  }

  private func compare(_ table: ReplicationStatus.Table) async throws {
    do {
      let report = try await verifier.compare(table)
      status.rows += report.rows
      status.tables += 1
      status.comparedAt = Date().timeIntervalSince1970
      status.differences.removeAll { $0.table == table.name }
      guard let first = report.differences.first else { return }
      status.differences.append(
        .init(table: table.name, rows: report.differenceCount, first: first))
      logger.error(
        """
        table \(table.name) differs from the source in \(report.differenceCount) rows, first at \
        \(first.key) (\(first.kind.rawValue)): copy it anew with magic writer recopy
        """)
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      // The source is away, or the table is gone: the next pass tells.
      logger.info("table \(table.name) could not be compared: \(error)")
    }
  }
}
