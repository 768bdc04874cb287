import Binlog
import Foundation
import Glibc
import Logging
import MySQLSource
import Replication
import ServiceLifecycle

/// Copies and follows a source until it is told to stop; connects again when the connection is
/// lost.
struct ReplicationService: Service {
  let replicator: Replicator
  let source: ServerSource
  /// Whether to end once everything logged by the end of the copy is stored.
  let stopsWhenCaughtUp: Bool
  let logger: Logger

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await follow() }
        group.addTask { await watchSource() }
        group.addTask { await showProgress(of: replicator) }
        defer { group.cancelAll() }
        try await group.next()
      }
    } onGracefulShutdown: {
      Task { await replicator.stop() }
    }
  }

  private func follow() async throws {
    logger.notice("Copying the tables that are new")
    try await retrying { try await replicator.copyTables(of: source) }
    let copied = await replicator.status()
    if copied.tables.isEmpty {
      logger.warning(
        """
        No table of the source is selected: check --include and --exclude, and that the user may \
        read tables (GRANT SELECT ON *.* TO …)
        """)
    }
    if let position = copied.position, copied.phase != .stopping {
      let live = copied.tables.count { $0.state == "live" }
      logger.notice("Following \(live) of \(copied.tables.count) tables from \(position)")
    }
    var target: BinlogPosition?
    if stopsWhenCaughtUp { try await retrying { target = try await source.currentPosition() } }
    try await retrying {
      while let checkpoint = await replicator.storedCheckpoint {
        let stream = try await source.stream(from: checkpoint.position)
        do {
          let goesOn = try await replicator.follow(stream, until: target)
          await stream.close()
          if !goesOn { return }
        } catch {
          await stream.close()
          throw error
        }
      }
    }
  }

  /// Runs `body` again, after a pause that doubles up to ten seconds, while the source cannot be
  /// reached.
  private func retrying(_ body: () async throws -> Void) async throws {
    var pause = Duration.milliseconds(100)
    while true {
      let start = ContinuousClock.now
      do {
        return try await body()
      } catch let error as SourceError where error.isTransient {
        if Task.isShuttingDownGracefully { return }
        if ContinuousClock.now - start > .seconds(60) { pause = .milliseconds(100) }
        logger.warning("\(error); trying again in \(pause)")
        await replicator.setReconnecting()
        try await Task.sleep(for: pause)
        if Task.isShuttingDownGracefully { return }
        pause = min(pause * 2, .seconds(10))
      }
    }
  }

  /// Asks the source now and then how far it is.
  private func watchSource() async {
    while !Task.isCancelled {
      if let position = try? await source.currentPosition() {
        await replicator.setSourcePosition(position)
      }
      try? await Task.sleep(for: .seconds(1))
    }
  }
}

/// Keeps one line on the terminal up to date while a person watches; returns when its task is
/// cancelled.
func showProgress(of replicator: Replicator) async {
  guard isatty(STDERR_FILENO) == 1 else {
    try? await Task.sleep(for: .seconds(1 << 30))
    return
  }
  while !Task.isCancelled {
    let line = StatusText.progress(await replicator.status())
    writeAll(Array("\r\u{1B}[K\(line)".utf8), to: STDERR_FILENO)
    try? await Task.sleep(for: .milliseconds(500))
  }
  writeAll(Array("\n".utf8), to: STDERR_FILENO)
}

extension StatusText {
  /// The state of replication on one line.
  static func progress(_ status: ReplicationStatus) -> String {
    let counters = status.counters
    if let copy = status.copy {
      let total = max(copy.rowsEstimated, copy.rows)
      let percent = total == 0 ? 100 : copy.rows * 100 / total
      return "copying \(copy.table ?? "") (table \(copy.tables + 1) of \(copy.tablesTotal)): "
        + "\(copy.rows) of about \(total) rows, \(percent) %"
    }
    let lag = status.lagSeconds.map { String(format: "%.1f s behind", $0) } ?? "waiting"
    let state = status.isCaughtUp ? "caught up" : lag
    return "\(status.phase.rawValue): \(state) at \(status.position?.description ?? "the start"), "
      + "\(counters.transactions) transactions, \(counters.rowChanges) row changes"
  }
}
