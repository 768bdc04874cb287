import MagicCore

/// Opens connections for single tasks, at most a few at a time.
///
/// None is kept, because opening one costs little beside a durable write, and an idle one would
/// hold up the engine's shutdown.
actor ConnectionLimiter {
  private let engine: any Engine
  private let limit: Int
  private var openCount = 0
  private var waiters: [CheckedContinuation<Void, Never>] = []

  init(engine: any Engine, limit: Int) {
    self.engine = engine
    self.limit = limit
  }

  /// Runs `body` with a connection of its own, when fewer than the limit are open.
  func withConnection<Result: Sendable>(
    _ body: @Sendable (any EngineConnection) async throws -> Result
  ) async throws -> Result {
    // Whoever is woken looks again: another one may have been faster.
    while openCount == limit { await withCheckedContinuation { waiters.append($0) } }
    openCount += 1
    defer { giveBack() }
    let connection = try await engine.connect()
    do {
      let result = try await body(connection)
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw error
    }
  }

  private func giveBack() {
    openCount -= 1
    if !waiters.isEmpty { waiters.removeFirst().resume() }
  }
}
