import Foundation
import MagicCore
import Synchronization

/// Why a statement was ended before its time.
enum EndReason: Hashable, Sendable {
  /// The caller, or an administrator, asked for it.
  case cancelled
  /// It ran longer than it may.
  case timedOut
  /// Nobody read its result for too long.
  case abandoned
  /// The statements together took more memory than they may, and this one the most.
  case memory
  /// It writes, and the disk's reserve was reached.
  case disk
  /// The service stops.
  case shutdown

  var error: APIError {
    switch self {
    case .cancelled: APIError(.cancelled, "the statement was cancelled", engineCode: 394)
    case .timedOut:
      APIError(
        .timedOut, "the statement ran longer than it may, and was ended", engineCode: 159)
    case .abandoned:
      APIError(.timedOut, "nobody read the result for too long, so the statement was ended")
    case .memory:
      APIError(
        .exhausted,
        "all statements together took more memory than they may, and this one the most: try it "
          + "again later, or make it read less", engineCode: 241)
    case .disk:
      APIError(
        .exhausted, "the disk's reserve was reached meanwhile: nothing was written", engineCode: 243
      )
    case .shutdown: APIError(.unavailable, "the service stops, and ended the statement")
    }
  }
}

/// A statement from its admission to the end of its result.
final class RunningStatement: Sendable {
  private struct State {
    var reason: EndReason?
    var cancel: (@Sendable () async -> Void)?
    var isWaiting = true
    var rows = 0
    var bytes = 0
    var lastRead = ContinuousClock.Instant.now
    /// Whether the client is waiting for the engine, and not the other way round.
    var isReading = true
    var hasEnded = false
    var afterwards: [@Sendable () -> Void] = []
  }

  let id: String
  let caller: Caller
  let inspection: StatementInspection
  let date = Date()
  let start = ContinuousClock.Instant.now
  private let state = Mutex(State())
  private let onEnd: @Sendable (RunningStatement, APIError?) -> Void

  /// `onEnd` is called once, when the statement is over.
  init(
    id: String, caller: Caller, inspection: StatementInspection,
    onEnd: @escaping @Sendable (RunningStatement, APIError?) -> Void
  ) {
    self.id = id
    self.caller = caller
    self.inspection = inspection
    self.onEnd = onEnd
  }

  /// Whether there is no room for it yet.
  var isWaiting: Bool { state.withLock { $0.isWaiting } }
  /// How many rows its result had so far, or how many it changed.
  var rows: Int { state.withLock { $0.rows } }
  /// How many bytes its result had so far.
  var bytes: Int { state.withLock { $0.bytes } }

  /// Takes note that there is room for it.
  func noteRoom() { state.withLock { $0.isWaiting = false } }

  /// Ends the statement in the engine; whoever waits for it gets the error of the first reason.
  func cancel(_ reason: EndReason) {
    let cancel = state.withLock { state in
      if state.hasEnded { return nil as (@Sendable () async -> Void)? }
      if state.reason == nil { state.reason = reason }
      return state.cancel
    }
    if let cancel { Task { await cancel() } }
  }

  /// Runs the part of the statement that is not the reading of its result.
  func perform<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    let task = Task { try await body() }
    setCancel { task.cancel() }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// From now on ends the statement by `cancel`.
  func setCancel(_ cancel: @escaping @Sendable () async -> Void) {
    let isCancelled = state.withLock { state in
      state.cancel = cancel
      return state.reason != nil
    }
    if isCancelled { Task { await cancel() } }
  }

  /// Reads a piece of the result, so that idle clients are told from slow statements.
  func read<Piece: Sendable>(
    _ body: () async throws -> Piece?, rows: (Piece) -> Int, bytes: (Piece) -> Int
  ) async throws -> Piece? {
    state.withLock { $0.isReading = true }
    do {
      let piece = try await body()
      guard let piece else {
        end(nil)
        return nil
      }
      let (rowCount, byteCount) = (rows(piece), bytes(piece))
      state.withLock { state in
        state.rows += rowCount
        state.bytes += byteCount
        state.isReading = false
        state.lastRead = .now
      }
      return piece
    } catch {
      throw end(error)
    }
  }

  /// Adds to the rows that the statement changed.
  func note(rows: Int) { state.withLock { $0.rows += rows } }

  /// Since when nobody has asked for more of the result; nil while somebody waits for it.
  var idleSince: ContinuousClock.Instant? {
    state.withLock { $0.isReading ? nil : $0.lastRead }
  }

  /// Does something when the statement is over.
  func whenEnded(_ action: @escaping @Sendable () -> Void) {
    let hasEnded = state.withLock { state in
      if !state.hasEnded { state.afterwards.append(action) }
      return state.hasEnded
    }
    if hasEnded { action() }
  }

  /// Takes note of the statement's end; only the first call counts.
  ///
  /// - Returns: what the caller is told instead of `error`.
  @discardableResult
  func end(_ error: (any Error)?) -> APIError {
    let (isFirst, reason, afterwards) = state.withLock { state in
      defer {
        state.hasEnded = true
        state.cancel = nil
        state.afterwards = []
      }
      return (!state.hasEnded, state.reason, state.afterwards)
    }
    let told = error.map { (reason?.error ?? APIError(wrapping: $0)).redacted(for: caller) }
    for action in afterwards { action() }
    if isFirst { onEnd(self, told) }
    return told ?? EndReason.cancelled.error
  }

  /// Takes note that the rest of the result is not wanted.
  func endEarly() {
    let reason = state.withLock { $0.reason }
    end((reason ?? .cancelled).error)
  }
}

extension APIError {
  /// What an error of any origin means to a caller.
  init(wrapping error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as EngineError: self.init(error)
    case is CancellationError: self = EndReason.cancelled.error
    default: self.init(.failed, "\(error)")
    }
  }
}
