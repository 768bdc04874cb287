import GRPCCore
import Synchronization

/// A call that is being handled: what comes in, what goes out, and the task between them.
final class Call: Sendable {
  private struct State {
    var task: Task<Void, Never>?
    var cancellation: ServerContext.RPCCancellationHandle?
    var isCancelled = false
  }

  let request: RequestQueue
  let response: ResponseQueue
  private let state = Mutex(State())

  init(request: RequestQueue, response: ResponseQueue) {
    self.request = request
    self.response = response
  }

  /// Starts to handle the call in a task of its own.
  func start(
    _ method: MethodDescriptor, connection: ConnectionInfo, handler: @escaping CallHandler,
    in calls: ConnectionRegistry
  ) {
    calls.beginCall()
    let task = Task {
      await withServerContextRPCCancellationHandle { cancellation in
        if state.withLock({ state in
          state.cancellation = cancellation
          return state.isCancelled
        }) {
          cancellation.cancel()
        }
        var context = ServerContext(
          descriptor: method, remotePeer: connection.remotePeer, localPeer: connection.localPeer,
          cancellation: cancellation)
        context.transportSpecific = connection
        // A handler that waits for its task's cancellation gets that too.
        await withRPCCancellationHandler {
          await handler(
            RPCStream(
              descriptor: method, inbound: RPCAsyncSequence(wrapping: request),
              outbound: RPCWriter.Closable(wrapping: response)),
            context)
        } onCancelRPC: {
          self.cancelTask()
        }
      }
      await response.finish()
      state.withLock { $0 = State() }
      calls.endCall()
    }
    let isCancelled = state.withLock { state in
      state.task = task
      return state.isCancelled
    }
    if isCancelled { task.cancel() }
  }

  /// Makes the handler stop.
  func cancel() {
    let cancellation = state.withLock { state in
      state.isCancelled = true
      return state.cancellation
    }
    cancellation?.cancel()
    cancelTask()
  }

  private func cancelTask() {
    let task = state.withLock { state in
      state.isCancelled = true
      return state.task
    }
    task?.cancel()
  }
}

/// What handles a call.
typealias CallHandler =
  @Sendable (
    _ stream: RPCStream<GatheringServerTransport.Inbound, GatheringServerTransport.Outbound>,
    _ context: ServerContext
  ) async -> Void
