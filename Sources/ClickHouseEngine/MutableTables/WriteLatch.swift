import MagicCore
import Synchronization

/// Runs `body` while it holds all latches, which are taken in their order.
func withLatches<Result: Sendable>(
  isolation: isolated (any Actor)? = #isolation, _ latches: [WriteLatch],
  _ body: () async throws -> Result
) async throws -> Result {
  var held: [WriteLatch] = []
  defer { for latch in held.reversed() { latch.release() } }
  for latch in latches {
    try await latch.acquire()
    held.append(latch)
  }
  return try await body()
}

/// Lets one task at a time through, in the order of their coming.
final class WriteLatch: Sendable {
  private struct State {
    var isHeld = false
    var nextID: UInt64 = 0
    var waiters: [(id: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    /// Waiters that were cancelled before they had begun to wait.
    var cancelled: Set<UInt64> = []
  }

  // Continuations are resumed outside of the lock.
  private let state = Mutex(State())

  /// Runs `body` while nobody else holds the latch.
  ///
  /// - Throws: what `body` throws; ``EngineError`` when the task is cancelled while it waits.
  func withLatch<Result: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
  ) async throws -> Result {
    try await acquire()
    defer { release() }
    return try await body()
  }

  func acquire(isolation: isolated (any Actor)? = #isolation) async throws {
    let id = state.withLock { state -> UInt64? in
      if !state.isHeld {
        state.isHeld = true
        return nil
      }
      state.nextID += 1
      return state.nextID
    }
    guard let id else { return }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<Void, any Error>) in
        wait(id, continuation)
      }
    } onCancel: {
      giveUp(id)
    }
    // A cancellation that came with the latch has nobody to end.
    state.withLock { state in _ = state.cancelled.remove(id) }
  }

  func release() {
    let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      // The latch goes over to the first waiter without becoming free in between.
      if !state.waiters.isEmpty { return state.waiters.removeFirst().continuation }
      state.isHeld = false
      return nil
    }
    next?.resume()
  }

  private func wait(_ id: UInt64, _ continuation: CheckedContinuation<Void, any Error>) {
    let outcome = state.withLock { state -> Result<Void, any Error>? in
      if state.cancelled.remove(id) != nil { return .failure(EngineError.cancelled) }
      if !state.isHeld {
        state.isHeld = true
        return .success(())
      }
      state.waiters.append((id, continuation))
      return nil
    }
    if let outcome { continuation.resume(with: outcome) }
  }

  private func giveUp(_ id: UInt64) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
        state.cancelled.insert(id)
        return nil
      }
      return state.waiters.remove(at: index).continuation
    }
    waiter?.resume(throwing: EngineError.cancelled)
  }
}
