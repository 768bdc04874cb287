import MagicCore

/// Connections that are used again, at most a few at a time.
actor ConnectionPool {
  private let engine: any Engine
  private let limit: Int
  private var idle: [any EngineConnection] = []
  private var lentCount = 0
  private var waiters: [CheckedContinuation<Void, Never>] = []

  /// Opens connections as they are needed, up to `limit`.
  init(engine: any Engine, limit: Int) {
    self.engine = engine
    self.limit = limit
  }

  /// Lends a connection to `body`, and waits for one when all are lent.
  func withConnection<Result: Sendable>(
    _ body: @Sendable (any EngineConnection) async throws -> Result
  ) async throws -> Result {
    // Whoever is woken looks again: another one may have been faster.
    while lentCount == limit { await withCheckedContinuation { waiters.append($0) } }
    lentCount += 1
    defer { giveBack() }
    let connection: any EngineConnection
    if let last = idle.popLast() {
      connection = last
    } else {
      connection = try await engine.connect()
    }
    defer { idle.append(connection) }
    return try await body(connection)
  }

  /// Closes the connections that are not lent.
  func close() async {
    let connections = idle
    idle = []
    for connection in connections { await connection.close() }
  }

  private func giveBack() {
    lentCount -= 1
    if !waiters.isEmpty { waiters.removeFirst().resume() }
  }
}
