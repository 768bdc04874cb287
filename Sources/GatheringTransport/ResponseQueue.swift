import GRPCCore
import NIOCore
import NIOHPACK
import Synchronization

/// The parts of a response on their way from the call's handler to the connection.
///
/// A handler that writes faster than the client reads waits in ``write(_:)``, so that what is
/// buffered for a call stays bounded by ``fullByteCount``, the stream's own buffer, and a message.
final class ResponseQueue: ClosableRPCWriterProtocol {
  typealias Element = RPCResponsePart<MessageBytes>

  /// What the connection sends.
  enum Part {
    case headers(HPACKHeaders)
    case data(ByteBuffer)
    /// The end of the response; without headers before it, it is the whole response.
    case trailers(HPACKHeaders)
    /// The end of a response that cannot be completed.
    case abort
  }

  /// How many bytes may wait for the connection before the handler does.
  static let fullByteCount = 1 << 20

  fileprivate struct State {
    var framer = MessageFramer()
    var hasHeaders = false
    /// Why nothing more can be written; nil while it can.
    var closed: RPCError?
    /// Whether the call has a status, be it the handler's or the transport's.
    var hasStatus = false
    var isWritable = true
    var isScheduled = false
    var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]
    var nextID = 0
  }

  private let state = Mutex(State())
  private let schedule: @Sendable () -> Void

  /// - Parameter schedule: makes the connection call ``takeParts()`` soon.
  init(schedule: @escaping @Sendable () -> Void) {
    self.schedule = schedule
  }

  // The handler's side.

  func write(_ part: Element) async throws {
    try await write(contentsOf: CollectionOfOne(part))
  }

  func write(contentsOf parts: some Sequence<Element>) async throws {
    let (mustSchedule, mustWait) = try state.withLock { state in
      for part in parts { try state.append(part) }
      return (state.mustSchedule(), state.mustWait)
    }
    if mustSchedule { schedule() }
    if mustWait { try await waitForRoom() }
  }

  func finish() async {
    await finish(throwing: RPCError(code: .internalError, message: "the call ended without status"))
  }

  func finish(throwing error: any Error) async {
    let mustSchedule = state.withLock { state in
      if state.closed == nil, !state.hasStatus { state.framer.append(.abort) }
      state.close(error)
      return state.mustSchedule()
    }
    if mustSchedule { schedule() }
  }

  private func waitForRoom() async throws {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let answer = state.withLock { state -> Result<Void, any Error>? in
          if let closed = state.closed { return .failure(closed) }
          guard state.mustWait else { return .success(()) }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiting[id] = continuation
          return nil
        }
        if let answer { continuation.resume(with: answer) }
      }
    } onCancel: {
      let waiting = state.withLock { $0.waiting.removeValue(forKey: id) }
      waiting?.resume(throwing: CancellationError())
    }
  }

  // The connection's side.

  /// What is to be sent now.
  func takeParts() -> [Part] {
    state.withLock { state in
      state.isScheduled = false
      return state.framer.takeParts()
    }
  }

  /// Tells whether the stream takes more at the moment.
  func setWritable(_ isWritable: Bool) {
    let waiting = state.withLock { state in
      state.isWritable = isWritable
      return state.mustWait ? [] : state.takeWaiting()
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Ends the call with a status of the transport's own, unless it has one.
  func end(_ error: RPCError) {
    let (waiting, mustSchedule) = state.withLock { state in
      state.end(Status(code: Status.Code(error.code), message: error.message), error.metadata)
      state.closed = state.closed ?? error
      return (state.takeWaiting(), state.mustSchedule())
    }
    for continuation in waiting { continuation.resume(throwing: error) }
    if mustSchedule { schedule() }
  }

  /// Says that the stream is gone.
  ///
  /// - Returns: whether the response was complete.
  func abandon(_ error: RPCError) -> Bool {
    let (waiting, hadStatus) = state.withLock { state in
      let hadStatus = state.hasStatus
      state.close(error)
      _ = state.framer.takeParts()
      return (state.takeWaiting(), hadStatus)
    }
    for continuation in waiting { continuation.resume(throwing: error) }
    return hadStatus
  }
}

extension ResponseQueue.State {
  var mustWait: Bool {
    closed == nil && (!isWritable || framer.byteCount > ResponseQueue.fullByteCount)
  }

  /// Whether the connection must be told that there is something to send.
  mutating func mustSchedule() -> Bool {
    guard !isScheduled, !framer.isEmpty else { return false }
    isScheduled = true
    return true
  }

  mutating func takeWaiting() -> [CheckedContinuation<Void, any Error>] {
    defer { waiting = [:] }
    return Array(waiting.values)
  }

  mutating func close(_ error: any Error) {
    closed =
      closed ?? error as? RPCError
      ?? RPCError(code: .unknown, message: "the response was abandoned", cause: error)
  }

  mutating func append(_ part: ResponseQueue.Element) throws {
    if let closed { throw closed }
    switch part {
    case .metadata(let metadata):
      guard !hasHeaders else {
        throw RPCError(code: .internalError, message: "a response has metadata twice")
      }
      framer.append(.headers(try ResponseHead.headers(metadata)))
      hasHeaders = true
    case .message(let message):
      if !hasHeaders {
        framer.append(.headers(try ResponseHead.headers([:])))
        hasHeaders = true
      }
      try framer.append(message)
    case .status(let status, let metadata):
      end(status, metadata)
      close(RPCError(code: .internalError, message: "the response has ended"))
    }
  }

  mutating func end(_ status: Status, _ metadata: Metadata) {
    guard !hasStatus, closed == nil else { return }
    hasStatus = true
    framer.append(
      .trailers(
        hasHeaders
          ? ResponseHead.trailers(status, metadata) : ResponseHead.trailersOnly(status, metadata)))
  }
}
