/// A statement that a connection runs, and the way to end it in the engine.
///
/// The engine assigns query ids and tells none, and its own cancellation does not stop an
/// aggregation. `KILL QUERY` does, and finds the statement by the thread that runs it: every
/// connection has a thread of its own, and runs one statement at a time. So that a kill can only
/// ever hit the statement it was meant for, ``end()`` waits for kills that are under way.
final class StatementRun: Sendable {
  private struct State {
    var hasEnded = false
    var wasCancelled = false
    var killsUnderWay = 0
  }

  private let state = Monitor(State())
  private let threadID: Int32
  private let killer: QueryKiller?

  init(threadID: Int32, killer: QueryKiller?) {
    self.threadID = threadID
    self.killer = killer
  }

  /// Whether someone asked for the statement's end.
  var wasCancelled: Bool { state.withLock { $0.wasCancelled } }

  /// Notes that the engine is done with the statement. Called on the connection's thread, which
  /// it blocks for the few milliseconds of a kill under way.
  func end() {
    state.wait { state -> Void? in
      state.hasEnded = true
      return state.killsUnderWay == 0 ? () : nil
    }
  }

  /// Asks the engine, from a task of its own, to end the statement, until it has ended.
  func cancel() {
    let isFirst = state.withLock { state in
      defer { state.wasCancelled = true }
      return !state.wasCancelled && !state.hasEnded
    }
    guard isFirst, let killer else { return }
    Task.detached { [self] in
      var pause = 4
      // The statement may not be registered with the engine yet, so once is not enough.
      while beginKill() {
        await killer.kill(threadID: threadID)
        state.withLock { $0.killsUnderWay -= 1 }
        try? await Task.sleep(for: .milliseconds(pause))
        pause = min(pause * 2, 250)
      }
    }
  }

  private func beginKill() -> Bool {
    state.withLock { state in
      if state.hasEnded { return false }
      state.killsUnderWay += 1
      return true
    }
  }
}

/// A session only for `KILL QUERY`, opened when first needed.
///
/// A kill looks through all statements that run, so those that are asked for while one is under way
/// are done by the next, all at once.
actor QueryKiller {
  private let database: DatabaseHandle
  private var connection: ClickHouseConnection?
  private var isClosed = false
  /// The threads whose statements the next kill ends, and that kill.
  private var next: (threadIDs: [Int32], kill: Task<Void, Never>)?
  private var last: Task<Void, Never>?

  init(database: DatabaseHandle) { self.database = database }

  /// Ends the statement that runs on a thread, if one does.
  func kill(threadID: Int32) async {
    if next == nil {
      let kill = Task { [last] in
        await last?.value
        await killNext()
      }
      next = ([], kill)
      last = kill
    }
    next?.threadIDs.append(threadID)
    await next?.kill.value
  }

  private func killNext() async {
    guard let (threadIDs, _) = next else { return }
    next = nil
    guard !isClosed else { return }
    let connection = self.connection ?? ClickHouseConnection(database: database, killer: nil) {}
    self.connection = connection
    // A kill that fails is tried again by whoever wants the statement's end.
    _ = try? await connection.execute("KILL QUERY WHERE hasAny(thread_ids, \(threadIDs)) ASYNC")
  }

  func close() async {
    isClosed = true
    await connection?.close()
    connection = nil
  }
}
