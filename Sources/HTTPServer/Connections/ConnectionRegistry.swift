import NIOCore
import Synchronization

/// The open connections, each with the task that serves it.
///
/// A connection's task is cancelled when the connection closes: that is how a client that goes
/// away cancels its statement.
final class ConnectionRegistry: Sendable {
  private enum Phase {
    case serving
    case quiescing
    case cancelled
  }

  private struct Connection {
    var channel: any Channel
    var task: Task<Void, Never>
  }

  private struct State {
    var phase = Phase.serving
    var nextID = 0
    var connections: [Int: Connection] = [:]
  }

  private let state = Mutex(State())

  /// The number of open connections.
  var count: Int { state.withLock { $0.connections.count } }

  /// Starts to serve a connection that was accepted.
  func serve(
    _ connection: ConnectionHandler.Connection, by handler: ConnectionHandler,
    from listener: Listener.Kind
  ) {
    let channel = connection.channel
    let (task, phase) = state.withLock { state in
      let id = state.nextID
      state.nextID += 1
      let task = Task {
        await handler.serve(connection, from: listener)
        self.state.withLock { $0.connections[id] = nil }
      }
      state.connections[id] = Connection(channel: channel, task: task)
      return (task, state.phase)
    }
    channel.closeFuture.whenComplete { _ in task.cancel() }
    switch phase {
    case .serving: break
    case .quiescing: Self.quiesce(channel)
    case .cancelled: task.cancel()
    }
  }

  /// Closes idle connections at once, and busy ones after their response.
  func quiesce() {
    for connection in enter(.quiescing) { Self.quiesce(connection.channel) }
  }

  /// Cancels what all connections are doing.
  func cancel() {
    for connection in enter(.cancelled) { connection.task.cancel() }
  }

  /// Waits until there is no connection.
  func waitUntilEmpty() async {
    while let task = state.withLock({ $0.connections.first?.value.task }) { await task.value }
  }

  private func enter(_ phase: Phase) -> [Connection] {
    state.withLock { state in
      if state.phase != .cancelled { state.phase = phase }
      return Array(state.connections.values)
    }
  }

  private static func quiesce(_ channel: any Channel) {
    channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
  }
}
