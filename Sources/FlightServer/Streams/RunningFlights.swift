import MagicAPI
import Synchronization

/// The streams that are being sent, so that they can be cancelled by the name of their flight: by
/// whom they are sent to, and by administrators.
final class RunningFlights: Sendable {
  private struct Stream {
    var flight: String
    var user: String
    var task: Task<Void, any Error>
  }

  private struct Cancellation {
    var flight: String
    var caller: Caller

    func concerns(_ flight: String, of user: String) -> Bool {
      flight == self.flight && (caller.role == .admin || user == caller.user)
    }
  }

  private struct State {
    var nextID = 0
    var streams: [Int: Stream] = [:]
    /// What was cancelled lately, maybe before it began.
    var cancelled: [Cancellation] = []
  }

  private let state = Mutex(State())
  private static let cancelledCount = 1000

  /// Sends a stream; ends with the call, or when its flight is cancelled.
  func perform(
    _ flight: String?, for caller: Caller, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    let task = Task { try await body() }
    let id = state.withLock { state in
      state.nextID += 1
      if let flight {
        if state.cancelled.contains(where: { $0.concerns(flight, of: caller.user) }) {
          task.cancel()
        }
        state.streams[state.nextID] = Stream(flight: flight, user: caller.user, task: task)
      }
      return state.nextID
    }
    defer { state.withLock { $0.streams[id] = nil } }
    try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Ends the streams of a flight that the caller may end, and refuses those that have not begun.
  func cancel(_ flight: String, by caller: Caller) {
    let cancellation = Cancellation(flight: flight, caller: caller)
    let tasks = state.withLock { state in
      state.cancelled.append(cancellation)
      if state.cancelled.count > Self.cancelledCount { state.cancelled.removeFirst() }
      return state.streams.values.filter { cancellation.concerns($0.flight, of: $0.user) }
        .map(\.task)
    }
    for task in tasks { task.cancel() }
  }
}
