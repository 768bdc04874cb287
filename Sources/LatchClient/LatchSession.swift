import Foundation
import GRPCCore
import LatchProtocol
public import Latches
import ProtobufCoding
import Synchronization

/// A session of a latch service: it holds latches while it is kept alive.
///
/// Whether it still does is told by a clock of this process, counted from when the service was last asked
/// to keep it alive: what nobody answers, be it that the network or the whole machine stands still, is lost
/// here no later than there.
public final class LatchSession: Sendable {
  private struct State {
    var timeToLive: Duration
    var heldUntil: ContinuousClock.Instant
    var loss: SessionLoss?
    var isClosed = false
    var waiting: [UUID: CheckedContinuation<SessionLoss?, Never>] = [:]
  }

  private let client: LatchClient
  /// The session's name.
  public let name: String
  /// How long it lasts without being kept alive.
  public var timeToLive: Duration { state.withLock { $0.timeToLive } }
  private let state: Mutex<State>

  init(
    client: LatchClient, name: String, timeToLive: Duration, heldUntil: ContinuousClock.Instant
  ) {
    self.client = client
    self.name = name
    state = Mutex(State(timeToLive: timeToLive, heldUntil: heldUntil))
  }

  /// Why it is over; nil while it lives.
  public var loss: SessionLoss? {
    state.withLock { state in
      if state.loss == nil, !state.isClosed, state.heldUntil <= .now { return .expired }
      return state.loss
    }
  }

  /// Acquires all of some resources, or none.
  ///
  /// `wait` is how long to wait for them in the queue. `request` is the request's name, nil to have
  /// one chosen; one that was sent before is the same request.
  public func acquire(
    _ wishes: [Wish], wait: Duration = .zero, request: String? = nil
  ) async throws -> Grant {
    var message = ProtoAcquireRequest()
    message.session = name
    message.requestID = request ?? UUID().uuidString.lowercased()
    message.wishes = wishes.map { ProtoWish($0) }
    let end = ContinuousClock.now + wait
    let id = message.requestID
    do {
      let (response, _) = try await client.call(
        LatchMethods.acquire, message, as: ProtoAcquireResponse.self, waitLimit: wait
      ) { message, sent in
        message.waitMs = max(end - sent, .zero).milliseconds
      }
      return try Grant(response.grant)
    } catch {
      // It may have been granted without this having been told.
      let isAnswer = (error as? LatchCallError).map { $0.kind != .unavailable } ?? false
      if !isAnswer { await Task { _ = try? await self.abandon(request: id) }.value }
      throw error
    }
  }

  /// Gives up a grant.
  ///
  /// - Returns: whether it was held.
  @discardableResult
  public func release(_ token: UInt64) async throws -> Bool {
    var message = ProtoReleaseRequest()
    message.session = name
    message.token = token
    let (response, _) = try await client.call(
      LatchMethods.release, message, as: ProtoReleaseResponse.self)
    return response.wasHeld
  }

  /// Gives up a request, whatever became of it.
  ///
  /// - Returns: whether there is such a session.
  @discardableResult
  public func abandon(request: String) async throws -> Bool {
    var message = ProtoReleaseRequest()
    message.session = name
    message.requestID = request
    // Nothing is held longer than the session anyway.
    let (response, _) = try await client.call(
      LatchMethods.release, message, as: ProtoReleaseResponse.self,
      until: .now + min(timeToLive, .seconds(2)))
    return response.wasHeld
  }

  /// Ends the session: what it holds is free at once.
  ///
  /// - Returns: whether there was one.
  @discardableResult
  public func close() async throws -> Bool {
    let waiting = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [:] }
      return state.waiting.values.map(\.self)
    }
    for continuation in waiting { continuation.resume(returning: nil) }
    var message = ProtoCloseRequest()
    message.session = name
    // What cannot be told expires.
    let (response, _) = try await client.call(
      LatchMethods.close, message, as: ProtoCloseResponse.self, until: .now + timeToLive)
    return response.wasOpen
  }

  /// Acquires resources, runs something, and gives them up in every case.
  ///
  /// `wait` is how long to wait for the resources. `body` is cancelled when the session is lost;
  /// its grant has the fencing token.
  ///
  /// - Throws: ``SessionLoss`` when the session was lost meanwhile, even if the body has not noticed; and
  ///   what the body throws.
  public func withLatch<Result: Sendable>(
    _ wishes: [Wish], wait: Duration = .zero,
    _ body: @escaping @Sendable (Grant) async throws -> Result
  ) async throws -> Result {
    let grant = try await acquire(wishes, wait: wait)
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(try await whileAlive { try await body(grant) })
    } catch {
      outcome = .failure(error)
    }
    if loss == nil {
      // This is not cancelled when the caller is. What cannot be released ends with the session.
      await Task { _ = try? await self.release(grant.token) }.value
    }
    return try outcome.get()
  }

  /// Runs something, and cancels it when the session is lost.
  func whileAlive<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        if let loss = await self.waitForLoss() { throw loss }
        return nil
      }
      do {
        while let result = try await group.next() {
          guard let result else { continue }
          if let loss { throw loss }
          group.cancelAll()
          return result
        }
      } catch {
        group.cancelAll()
        // What the body throws when it is cancelled tells less than why it was.
        throw loss ?? error
      }
      throw CancellationError()
    }
  }

  // MARK: Keeping alive

  /// Waits until the session is lost, or the task is cancelled, or the session closed: nil then.
  public func waitForLoss() async -> SessionLoss? {
    let id = UUID()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let result: SessionLoss?? = state.withLock { state in
          if let loss = state.loss { return .some(loss) }
          if state.isClosed || Task.isCancelled { return .some(nil) }
          state.waiting[id] = continuation
          return nil
        }
        if let result { continuation.resume(returning: result) }
      }
    } onCancel: {
      state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: nil)
    }
  }

  private func lose(_ loss: SessionLoss) {
    let waiting = state.withLock { state in
      if state.isClosed || state.loss != nil { return [CheckedContinuation<SessionLoss?, Never>]() }
      state.loss = loss
      defer { state.waiting = [:] }
      return state.waiting.values.map(\.self)
    }
    for continuation in waiting { continuation.resume(returning: loss) }
  }

  /// Keeps the session alive until it is closed or lost, or the task is cancelled.
  public func keepAlive() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.watchClock() }
      group.addTask { await self.keepAsking() }
      _ = await waitForLoss()
      group.cancelAll()
    }
  }

  private func watchClock() async {
    while !Task.isCancelled {
      let end = state.withLock { $0.heldUntil }
      if end <= .now { return lose(.expired) }
      try? await Task.sleep(until: end, clock: .continuous)
    }
  }

  private func keepAsking() async {
    while !Task.isCancelled {
      do {
        try await askOnOneStream()
      } catch let error as RPCError {
        do {
          // Only the clock decides when it is too late.
          try await client.prepareRetry(after: error, until: .now + .seconds(3600))
        } catch let error as LatchCallError where error.kind == .noSession {
          return lose(.unknown)
        } catch let error as LatchCallError where error.kind == .unavailable {
          try? await Task.sleep(for: .milliseconds(200))
        } catch let error as LatchCallError {
          return lose(.refused(error.message))
        } catch {
          return
        }
      } catch {
        try? await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  private func askOnOneStream() async throws {
    let times = StreamTimes()
    let connection = try client.connection()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [self] in
        try await connection.bidirectionalStreaming(
          request: StreamingClientRequest(metadata: client.metadata) { writer in
            // The first answer tells what the session's time really is.
            var pause = min(self.timeToLive / 3, .milliseconds(250))
            while !Task.isCancelled {
              var request = ProtoKeepAliveRequest()
              request.session = self.name
              times.sent()
              try await writer.write(request)
              try await Task.sleep(for: pause)
              pause = self.timeToLive / 3
            }
          }, descriptor: LatchMethods.keepAlive,
          serializer: ProtoSerializer<ProtoKeepAliveRequest>(),
          deserializer: ProtoDeserializer<ProtoKeepAliveResponse>(), options: .defaults
        ) { response in
          for try await message in response.messages {
            switch message.state {
            case .ttlMs(let milliseconds):
              if let sent = times.answered() {
                self.extend(from: sent, by: .milliseconds(milliseconds))
              }
            case .loss(let loss): self.lose(SessionLoss(loss))
            case nil: break
            }
          }
          throw RPCError(code: .unavailable, message: "the stream has ended")
        }
      }
      group.addTask {
        // A node that does not answer in time may be another one's, or dead.
        while times.lastAnswer + self.timeToLive / 2 > .now {
          try await Task.sleep(for: self.timeToLive / 12)
        }
        throw RPCError(code: .unavailable, message: "the service does not answer")
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func extend(from time: ContinuousClock.Instant, by timeToLive: Duration) {
    let time = time + timeToLive
    state.withLock { state in
      state.timeToLive = timeToLive
      // One that was over stays over: somebody may have acted on that.
      if state.heldUntil > .now { state.heldUntil = max(state.heldUntil, time) }
    }
  }
}

/// When something was sent on a stream and answered, in the same order.
private final class StreamTimes: Sendable {
  private let state = Mutex((sent: [ContinuousClock.Instant](), answered: ContinuousClock.now))

  var lastAnswer: ContinuousClock.Instant { state.withLock { $0.answered } }

  func sent() { state.withLock { $0.sent.append(.now) } }

  /// - Returns: when that was sent which is answered now.
  func answered() -> ContinuousClock.Instant? {
    state.withLock { state in
      state.answered = .now
      return state.sent.isEmpty ? nil : state.sent.removeFirst()
    }
  }
}

extension LatchClient {
  /// Runs something with a session of its own, which is kept alive meanwhile and closed in every case.
  ///
  /// `body` is cancelled when the session is lost. The rest is as in
  /// ``openSession(_:timeToLive:lockDelay:resume:)``.
  public func withSession<Result: Sendable>(
    _ name: String? = nil, timeToLive: Duration = .seconds(15), lockDelay: Duration = .zero,
    _ body: @escaping @Sendable (LatchSession) async throws -> Result
  ) async throws -> Result {
    let session = try await openSession(name, timeToLive: timeToLive, lockDelay: lockDelay)
    let keeping = Task { await session.keepAlive() }
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(try await session.whileAlive { try await body(session) })
    } catch {
      outcome = .failure(error)
    }
    if session.loss == nil { await Task { _ = try? await session.close() }.value }
    keeping.cancel()
    return try outcome.get()
  }

  /// Acquires resources with a session of its own, runs something, and gives them up in every case.
  ///
  /// `wait` is how long to wait for the resources. `body` is cancelled when the session is lost;
  /// its grant has the fencing token.
  public func withLatch<Result: Sendable>(
    _ wishes: [Wish], wait: Duration = .zero, timeToLive: Duration = .seconds(15),
    lockDelay: Duration = .zero, _ body: @escaping @Sendable (Grant) async throws -> Result
  ) async throws -> Result {
    try await withSession(timeToLive: timeToLive, lockDelay: lockDelay) { session in
      try await session.withLatch(wishes, wait: wait, body)
    }
  }
}
