import Arrow
import MagicCore

/// Ends statements that run too long, whose results nobody reads, or that take too much memory.
struct StatementWatch: Sendable {
  let database: any Database
  let statements: RunningStatements
  let limits: MagicAPI.Limits

  private static let interval = Duration.milliseconds(200)

  /// Watches until its task is cancelled.
  func run() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: Self.interval)
      let running = statements.all
      if running.isEmpty { continue }
      endIdle(running)
      // Asking the engine costs more than looking at the process.
      if residentByteCount() ?? .max > limits.totalByteCount / 2 { await endLargest(running) }
    }
  }

  private func endIdle(_ running: [RunningStatement]) {
    let now = ContinuousClock.now
    for statement in running {
      if let idleSince = statement.idleSince, now - idleSince > limits.idleResultDuration {
        statement.cancel(.abandoned)
      }
    }
  }

  /// Ends as many of the largest statements as it takes for the rest to stay within the limit.
  private func endLargest(_ running: [RunningStatement]) async {
    guard let memory = try? await memoryByStatement() else { return }
    let sizes = running.compactMap { statement in
      memory[statement.id].map { (statement: statement, byteCount: $0) }
    }
    var total = sizes.reduce(0) { $0 + $1.byteCount }
    for (statement, byteCount) in sizes.sorted(by: { $0.byteCount > $1.byteCount }) {
      if total <= limits.totalByteCount { return }
      statement.cancel(.memory)
      total -= byteCount
    }
  }

  /// The memory of each statement in bytes, by the id that it runs under.
  private func memoryByStatement() async throws -> [String: Int] {
    var memory: [String: Int] = [:]
    let rows = try await database.texts(
      "SELECT Settings['log_comment'], toString(memory_usage) FROM system.processes "
        + "WHERE Settings['log_comment'] != ''")
    for row in rows { memory[row[0], default: 0] += Int(row[1]) ?? 0 }
    return memory
  }
}

extension Database {
  /// The rows of a query of the service's own whose columns are all of type String.
  func texts(_ sql: String) async throws -> [[String]] {
    try await query(sql, context: StatementContext()).reader.texts()
  }
}
