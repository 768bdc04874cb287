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
      try await retrying { try await replicator.prepare(source) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await follow() }
        group.addTask { try await copy() }
        group.addTask { await watchSource() }
        group.addTask { await showProgress(of: replicator) }
        if stopsWhenCaughtUp { group.addTask { try await setTarget() } }
        defer { group.cancelAll() }
        while try await group.next() != nil {
          if await replicator.isDone { break }
        }
      }
    } onGracefulShutdown: {
      Task { await replicator.stop() }
    }
  }

  private func follow() async throws {
    let begun = await replicator.status()
    if begun.tables.isEmpty {
      logger.warning(
        """
        No table of the source is selected: check --include and --exclude, and that the user may \
        read tables (GRANT SELECT ON *.* TO …)
        """)
    }
    if let position = begun.position {
      let live = begun.tables.count { $0.state == "live" }
      let new = begun.tables.count { $0.state == "copying" }
      logger.notice(
        "Following from \(position): \(live) of \(begun.tables.count) tables, \(new) to be copied")
    }
    try await retrying {
      while let start = try await replicator.streamStart() {
        let stream = try await source.stream(from: start)
        let end: Replicator.End
        do {
          end = try await replicator.follow(stream)
          await stream.close()
        } catch {
          await stream.close()
          throw error
        }
        switch end {
        case .done: return
        case .again: break
        case .paused: try await waitWhilePaused()
        }
      }
    }
    await replicator.stop()
  }

  private func waitWhilePaused() async throws {
    logger.notice("Paused")
    while await replicator.isPaused, !Task.isShuttingDownGracefully {
      try await Task.sleep(for: .milliseconds(50))
    }
    logger.notice("Going on")
  }

  private func copy() async throws {
    let copier = await TableCopier(replicator: replicator, source: source) { [logger] error in
      logger.warning("\(error); trying again")
    }
    try await copier.run()
  }

  /// Lets it end when everything is stored that the source has logged by the end of the copying.
  private func setTarget() async throws {
    while await replicator.isCopying { try await Task.sleep(for: .milliseconds(50)) }
    while true {
      if let position = try? await source.currentPosition() {
        return await replicator.stop(at: position)
      }
      try await Task.sleep(for: .milliseconds(500))
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
        await reconnect(error)
      }
    }
  }

  /// Finds a server that can be reached, which may be another one than before.
  private func reconnect(_ error: SourceError) async {
    // Another server of the topology may have what this one lacks.
    if error.code == .behind { await source.skipHost() }
    guard source.canFailOver else { return }
    do {
      try await source.chooseHost()
      _ = try await source.check()
      try await replicator.prepare(source)
    } catch {
      logger.warning("\(error)")
    }
  }

  /// Asks the source now and then how far it is.
  private func watchSource() async {
    while !Task.isCancelled {
      if let position = try? await source.currentPosition() {
        var lag: UInt64?
        if let stored = await replicator.storedCheckpoint?.position, stored < position {
          lag = try? await source.binlogBytes(from: stored, to: position)
        }
        await replicator.setSource(position: position, lagBytes: lag)
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
    if let copy = status.copy { return "copying \(copyProgress(copy))" }
    let lag = status.lagSeconds.map { String(format: "%.1f s behind", $0) } ?? "waiting"
    let state = status.isCaughtUp ? "caught up" : lag
    return "\(status.phase.rawValue): \(state) at \(status.position?.description ?? "the start"), "
      + "\(counters.transactions) transactions, \(counters.rowChanges) row changes"
  }
}
