import Dispatch
import Synchronization

/// Hands binlog events from the thread that reads them to the task that consumes them.
///
/// It holds a bounded number of bytes; the reader waits while there is no room. An event larger than the
/// bound is let in alone.
final class EventQueue: Sendable {
  private typealias Consumer = CheckedContinuation<[[UInt8]], any Error>

  private struct State {
    var events: [[UInt8]] = []
    var byteCount = 0
    /// Why there will be no more events.
    var end: SourceError?
    var consumer: Consumer?
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
      let outcome = state.withLock { state -> Appending in
        if state.end != nil { return .ended }
        if let consumer = state.consumer {
          state.consumer = nil
          return .handOver(consumer)
        }
        if state.byteCount == 0 || state.byteCount + event.count <= maximumByteCount {
          state.events.append(event)
          state.byteCount += event.count
          return .added
        }
        state.isReaderWaiting = true
        return .full
      }
      switch outcome {
      case .ended: return false
      case .added: return true
      case .full: room.wait()
      case .handOver(let consumer):
        consumer.resume(returning: [event])
        return true
      }
    }
  }

  /// What became of an event. Continuations are resumed outside of the lock: resuming takes a lock
  /// of the task, which a cancellation holds while its handler waits for ours.
  private enum Appending {
    case ended, added, full
    case handOver(Consumer)
  }

  /// Ends the queue; the first reason counts. The consumer still gets the events before the end, unless
  /// the reason is that the consumer itself closed it.
  func end(_ reason: SourceError) {
    let consumer = state.withLock { state -> Consumer? in
      guard state.end == nil || reason.code == .closed else { return nil }
      state.end = reason
      if reason.code == .closed {
        state.events = []
        state.byteCount = 0
      }
      releaseReader(&state)
      return state.consumer.take()
    }
    consumer?.resume(throwing: reason)
  }

  /// Takes all waiting events, at least one.
  ///
  /// - Throws: the reason of the end, `CancellationError` when the task is cancelled.
  func next() async throws -> [[UInt8]] {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result = state.withLock { take(&$0, or: continuation) }
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      state.withLock { $0.consumer.take() }?.resume(throwing: CancellationError())
    }
  }

  /// What a consumer gets at once; nil when it has to wait.
  private func take(_ state: inout State, or consumer: Consumer) -> Result<
    [[UInt8]], any Error
  >? {
    if Task.isCancelled { return .failure(CancellationError()) }
    if !state.events.isEmpty {
      defer {
        state.events = []
        state.byteCount = 0
        releaseReader(&state)
      }
      return .success(state.events)
    }
    if let end = state.end { return .failure(end) }
    guard state.consumer == nil else {
      return .failure(SourceError(.closed, "another task already waits for binlog events"))
    }
    state.consumer = consumer
    return nil
  }

  private func releaseReader(_ state: inout State) {
    if state.isReaderWaiting {
      state.isReaderWaiting = false
      room.signal()
    }
  }
}
