import Dispatch
import Synchronization

/// Hands binlog events from the thread that reads them to the task that consumes them.
///
/// It holds a bounded number of bytes; the reader waits while there is no room. An event larger than the
/// bound is let in alone.
final class EventQueue: Sendable {
  private struct State {
    var events: [[UInt8]] = []
    var byteCount = 0
    /// Why there will be no more events.
    var end: SourceError?
    var consumer: CheckedContinuation<[[UInt8]], any Error>?
    /// Whether the reader waits for room.
    var isReaderWaiting = false
  }

  private let state = Mutex(State())
  private let room = DispatchSemaphore(value: 0)
  private let maximumByteCount: Int

  init(maximumByteCount: Int) {
    self.maximumByteCount = maximumByteCount
  }

  /// The number of bytes waiting for the consumer.
  var byteCount: Int { state.withLock { $0.byteCount } }

  /// Adds an event, after waiting for room. Blocks; only the reader's thread calls it.
  ///
  /// - Returns: false when the queue has ended, so that reading should stop.
  func append(_ event: [UInt8]) -> Bool {
    while true {
      let outcome = state.withLock { state -> Bool? in
        if state.end != nil { return false }
        if let consumer = state.consumer {
          state.consumer = nil
          consumer.resume(returning: [event])
          return true
        }
        if state.byteCount == 0 || state.byteCount + event.count <= maximumByteCount {
          state.events.append(event)
          state.byteCount += event.count
          return true
        }
        state.isReaderWaiting = true
        return nil
      }
      if let outcome { return outcome }
      room.wait()
    }
  }

  /// Ends the queue; the first reason counts. The consumer still gets the events before the end, unless
  /// the reason is that the consumer itself closed it.
  func end(_ reason: SourceError) {
    state.withLock { state in
      guard state.end == nil || reason.code == .closed else { return }
      state.end = reason
      if reason.code == .closed {
        state.events = []
        state.byteCount = 0
      }
      state.consumer?.resume(throwing: reason)
      state.consumer = nil
      releaseReader(&state)
    }
  }

  /// Takes all waiting events, at least one.
  ///
  /// - Throws: the reason of the end, `CancellationError` when the task is cancelled.
  func next() async throws -> [[UInt8]] {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        state.withLock { state in
          if Task.isCancelled {
            continuation.resume(throwing: CancellationError())
          } else if !state.events.isEmpty {
            continuation.resume(returning: state.events)
            state.events = []
            state.byteCount = 0
            releaseReader(&state)
          } else if let end = state.end {
            continuation.resume(throwing: end)
          } else if state.consumer != nil {
            continuation.resume(
              throwing: SourceError(.closed, "another task already waits for binlog events"))
          } else {
            state.consumer = continuation
          }
        }
      }
    } onCancel: {
      state.withLock { state in
        state.consumer?.resume(throwing: CancellationError())
        state.consumer = nil
      }
    }
  }

  private func releaseReader(_ state: inout State) {
    if state.isReaderWaiting {
      state.isReaderWaiting = false
      room.signal()
    }
  }
}
