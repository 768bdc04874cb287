import GRPCCore
import NIOCore
import Synchronization

/// The received parts of a call that its handler has not taken yet.
///
/// The connection puts them in and stops reading when they are many; taking them makes it go on.
final class RequestQueue: AsyncSequence, Sendable {
  typealias Element = RPCRequestPart<MessageBytes>
  typealias Failure = any Error

  /// How many bytes may wait before the connection stops reading.
  static let fullByteCount = 1 << 20

  fileprivate struct State {
    var parts: CircularBuffer<Element> = []
    var byteCount = 0
    /// How it ends after the parts; nil while more can come.
    var end: Result<Void, any Error>?
    var waiting: CheckedContinuation<Element?, any Error>?
    var isPaused = false
  }

  private let state = Mutex(State())
  private let resume: @Sendable () -> Void

  /// - Parameter resume: makes the connection read on.
  init(resume: @escaping @Sendable () -> Void) {
    self.resume = resume
  }

  /// Adds a part that was received.
  func append(_ part: Element) {
    let waiting = state.withLock { state -> CheckedContinuation<Element?, any Error>? in
      guard state.end == nil else { return nil }
      if let waiting = state.waiting.take() { return waiting }
      state.parts.append(part)
      state.byteCount += part.byteCount
      return nil
    }
    waiting?.resume(returning: part)
  }

  /// Says that no more will come; the first end counts.
  func finish(_ end: Result<Void, any Error> = .success(())) {
    let waiting = state.withLock { state -> CheckedContinuation<Element?, any Error>? in
      guard state.end == nil else { return nil }
      state.end = end
      return state.waiting.take()
    }
    waiting?.resume(with: end.map { nil })
  }

  /// Whether so much waits that the connection must stop reading until it is resumed.
  func pauseIfFull() -> Bool {
    state.withLock { state in
      state.isPaused = state.byteCount >= Self.fullByteCount && state.end == nil
      return state.isPaused
    }
  }

  private func next() async throws -> Element? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let (next, mustResume) = state.withLock { $0.take(waiting: continuation) }
        if mustResume { resume() }
        if let next { continuation.resume(with: next) }
      }
    } onCancel: {
      let waiting = state.withLock { $0.waiting.take() }
      waiting?.resume(throwing: CancellationError())
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(queue: self) }

  struct Iterator: AsyncIteratorProtocol {
    fileprivate let queue: RequestQueue

    mutating func next() async throws -> Element? { try await queue.next() }
  }
}

extension RequestQueue.State {
  /// What is next, or nil when that is awaited now; and whether the connection must be resumed.
  fileprivate mutating func take(
    waiting continuation: CheckedContinuation<RequestQueue.Element?, any Error>
  ) -> (Result<RequestQueue.Element?, any Error>?, mustResume: Bool) {
    if let part = parts.popFirst() {
      byteCount -= part.byteCount
      let mustResume = isPaused && byteCount < RequestQueue.fullByteCount
      if mustResume { isPaused = false }
      return (.success(part), mustResume)
    }
    if let end { return (end.map { nil }, false) }
    if Task.isCancelled { return (.failure(CancellationError()), false) }
    guard waiting == nil else {
      let error = RPCError(code: .internalError, message: "two tasks read one request")
      return (.failure(error), false)
    }
    waiting = continuation
    return (nil, false)
  }
}

extension RPCRequestPart<MessageBytes> {
  fileprivate var byteCount: Int {
    switch self {
    case .metadata: 0
    case .message(let message): message.count
    }
  }
}
