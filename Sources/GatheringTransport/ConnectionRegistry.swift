import NIOCore
import Synchronization

/// The open connections, and how many calls are being handled.
final class ConnectionRegistry: Sendable {
  private enum Phase {
    case serving
    case draining
    case closed
  }

  private struct State {
    var phase = Phase.serving
    var connections: [ObjectIdentifier: any Channel] = [:]
    var callCount = 0
    var waiting: [CheckedContinuation<Void, Never>] = []

    var isEmpty: Bool { connections.isEmpty && callCount == 0 }

    mutating func takeWaiting() -> [CheckedContinuation<Void, Never>] {
      guard isEmpty else { return [] }
      defer { waiting = [] }
      return waiting
    }
  }

  private let state = Mutex(State())
  private let maximumCount: Int

  init(maximumCount: Int) {
    self.maximumCount = maximumCount
  }

  /// Adds a connection that was accepted, until it closes.
  ///
  /// - Returns: whether there is room for it.
  func add(_ connection: any Channel) -> Bool {
    let id = ObjectIdentifier(connection)
    let isAdded = state.withLock { state in
      guard state.phase == .serving, state.connections.count < maximumCount else { return false }
      state.connections[id] = connection
      return true
    }
    guard isAdded else { return false }
    connection.closeFuture.whenComplete { _ in
      self.leave { $0.connections[id] = nil }
    }
    return true
  }

  func beginCall() {
    state.withLock { $0.callCount += 1 }
  }

  func endCall() {
    leave { $0.callCount -= 1 }
  }

  private func leave(_ change: (inout sending State) -> Void) {
    let waiting = state.withLock { state in
      change(&state)
      return state.takeWaiting()
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Asks all clients to begin no more calls; connections close after the calls that run.
  func drain() {
    for connection in enter(.draining) {
      connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
  }

  /// Closes all connections, which cancels all calls.
  func close() {
    for connection in enter(.closed) { connection.close(promise: nil) }
  }

  private func enter(_ phase: Phase) -> [any Channel] {
    state.withLock { state in
      if state.phase != .closed { state.phase = phase }
      return Array(state.connections.values)
    }
  }

  /// Waits until there is neither a connection nor a call.
  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if !state.isEmpty { state.waiting.append(continuation) }
        return state.isEmpty
      }
      if isEmpty { continuation.resume() }
    }
  }
}
