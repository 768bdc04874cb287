import MagicAPI
import Synchronization

/// The streams that are being sent, so that they can be cancelled by the name of their flight.
final class RunningFlights: Sendable {
  private struct State {
    var nextID = 0
    var tasks: [String: [Int: Task<Void, any Error>]] = [:]
    /// Flights that were cancelled lately, maybe before they began.
    var cancelled: [String] = []
  }

  private let state = Mutex(State())
  private static let cancelledCount = 1000

  /// Sends a stream; ends with the call, or when its flight is cancelled.
  func perform(_ flight: String?, _ body: @escaping @Sendable () async throws -> Void) async throws
  {
    let task = Task { try await body() }
    let id = state.withLock { state in
      state.nextID += 1
      if let flight {
        if state.cancelled.contains(flight) { task.cancel() }
        state.tasks[flight, default: [:]][state.nextID] = task
      }
      return state.nextID
    }
    defer {
      if let flight {
        state.withLock { state in
          state.tasks[flight]?[id] = nil
          if state.tasks[flight]?.isEmpty == true { state.tasks[flight] = nil }
        }
      }
    }
    try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Ends the streams of a flight, and refuses those that have not begun.
  func cancel(_ flight: String) {
    let tasks = state.withLock { state in
      state.cancelled.append(flight)
      if state.cancelled.count > Self.cancelledCount { state.cancelled.removeFirst() }
      return state.tasks[flight].map { Array($0.values) } ?? []
    }
    for task in tasks { task.cancel() }
  }
}
