import Synchronization

/// The statements that run now. There is room for a number of them; others wait in their order.
final class RunningStatements: Sendable {
  private struct Waiter {
    var ticket: Int
    var continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var statements: [String: RunningStatement] = [:]
    /// How many have room.
    var admitted = 0
    var waiters: [Waiter] = []
    var nextTicket = 0
    var isClosed = false
    var emptied: [CheckedContinuation<Void, Never>] = []
  }

  private let limit: Int
  private let patience: Duration
  private let state = Mutex(State())

  /// Lets `limit` statements run at a time; others wait for `patience`.
  init(limit: Int, patience: Duration) {
    self.limit = limit
    self.patience = patience
  }

  /// How many run.
  var count: Int { state.withLock { $0.admitted } }
  /// How many wait.
  var waitingCount: Int { state.withLock { $0.waiters.count } }
  /// Those that run or wait.
  var all: [RunningStatement] { state.withLock { Array($0.statements.values) } }

  func statement(_ id: String) -> RunningStatement? { state.withLock { $0.statements[id] } }

  /// Waits for room. ``leave(_:)`` must follow, unless this throws.
  ///
  /// - Throws: ``APIError`` when there is no room for long, another one has its id, or the service
  ///   stops; `CancellationError`.
  func enter(_ statement: RunningStatement) async throws {
    try state.withLock { state in
      if state.isClosed { throw EndReason.shutdown.error }
      guard state.statements[statement.id] == nil else {
        throw APIError(
          .alreadyExists, "a statement with the id \(statement.id) runs already", engineCode: 216)
      }
      state.statements[statement.id] = statement
    }
    do {
      try await waitForRoom()
      statement.noteRoom()
    } catch {
      state.withLock { $0.statements[statement.id] = nil }
      throw error
    }
  }

  private func waitForRoom() async throws {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    let alarm = Task { [patience] in
      try await Task.sleep(for: patience)
      giveUp(
        ticket,
        APIError(
          .exhausted, "too many statements run, and none ended in \(patience): try again later",
          engineCode: 202))
    }
    defer { alarm.cancel() }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome = state.withLock { state -> Result<Void, any Error>? in
          if state.isClosed { return .failure(EndReason.shutdown.error) }
          if state.admitted < limit, state.waiters.isEmpty {
            state.admitted += 1
            return .success(())
          }
          state.waiters.append(Waiter(ticket: ticket, continuation: continuation))
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
        // A cancellation that came before the waiter stood in line did not find it.
        if Task.isCancelled { giveUp(ticket, CancellationError()) }
      }
    } onCancel: {
      giveUp(ticket, CancellationError())
    }
  }

  private func giveUp(_ ticket: Int, _ error: any Error) {
    let waiter = state.withLock { state -> Waiter? in
      guard let index = state.waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
      return state.waiters.remove(at: index)
    }
    waiter?.continuation.resume(throwing: error)
  }

  /// Makes room for another one.
  func leave(_ statement: RunningStatement) {
    let (next, emptied) = state.withLock { state in
      state.statements[statement.id] = nil
      state.admitted -= 1
      var next: Waiter?
      if !state.waiters.isEmpty, state.admitted < limit {
        state.admitted += 1
        next = state.waiters.removeFirst()
      }
      var emptied: [CheckedContinuation<Void, Never>] = []
      if state.admitted == 0 { swap(&emptied, &state.emptied) }
      return (next, emptied)
    }
    next?.continuation.resume()
    for continuation in emptied { continuation.resume() }
  }

  /// Admits nobody any more.
  func close() {
    let waiters = state.withLock { state in
      state.isClosed = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.continuation.resume(throwing: EndReason.shutdown.error) }
  }

  /// Waits until no statement runs.
  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if state.admitted > 0 { state.emptied.append(continuation) }
        return state.admitted == 0
      }
      if isEmpty { continuation.resume() }
    }
  }
}
