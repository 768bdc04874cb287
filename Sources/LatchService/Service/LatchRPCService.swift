public import GRPCCore
import Latches
import LatchProtocol
import ProtobufCoding
import SwiftProtobuf
import Synchronization

/// Serves `magic.latch.v1.Latches` over a node.
public struct LatchRPCService: RegistrableRPCService {
  /// Tells who sent a call, by its metadata and from where it came.
  public typealias Authenticator =
    @Sendable (_ metadata: Metadata, _ address: String) async throws -> Principal

  let node: LatchNode
  private let authenticate: Authenticator

  /// Makes a service.
  public init(node: LatchNode, authenticate: @escaping Authenticator) {
    self.node = node
    self.authenticate = authenticate
  }

  /// Makes the methods known to a server.
  public func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    answer(LatchMethods.open, in: &router, open)
    answer(LatchMethods.close, in: &router, close)
    answer(LatchMethods.acquire, in: &router, acquire)
    answer(LatchMethods.release, in: &router, release)
    answer(LatchMethods.inspect, in: &router, inspect)
    answer(LatchMethods.revoke, in: &router, revoke)
    answer(LatchMethods.enter, in: &router, enter)
    answer(LatchMethods.leave, in: &router, leave)
    register(LatchMethods.keepAlive, in: &router) { request, identity in
      try await keepAlive(request, identity)
    }
    register(LatchMethods.watch, in: &router) { request, identity in
      try await watch(request, identity)
    }
  }

  // MARK: Registration

  private func register<Transport, Input: Message, Output: Message>(
    _ method: MethodDescriptor, in router: inout RPCRouter<Transport>,
    _ handler:
      @escaping @Sendable (StreamingServerRequest<Input>, Identity) async throws ->
      StreamingServerResponse<Output>
  ) {
    router.registerHandler(
      forMethod: method, deserializer: ProtoDeserializer<Input>(),
      serializer: ProtoSerializer<Output>()
    ) { request, context in
      do {
        let identity = try await Identity { [metadata = request.metadata] in
          try await caller(metadata, context)
        }
        return try await handler(request, identity)
      } catch {
        throw RPCError(latches: error)
      }
    }
  }

  private func answer<Transport, Input: Message, Output: Message>(
    _ method: MethodDescriptor, in router: inout RPCRouter<Transport>,
    _ body: @escaping @Sendable (Input, Principal) async throws -> Output
  ) {
    register(method, in: &router) { (request: StreamingServerRequest<Input>, identity) in
      for try await input in request.messages {
        return StreamingServerResponse(
          single: ServerResponse(message: try await body(input, identity.principal)))
      }
      throw RPCError(code: .invalidArgument, message: "the request has no message")
    }
  }

  private func caller(_ metadata: Metadata, _ context: ServerContext) async throws -> Principal {
    if let secret = metadata[stringValues: Self.nodeKey].first(where: { _ in true }) {
      guard await node.isNode(secret: secret) else {
        throw RPCError(
          code: .unauthenticated, message: "this is not the secret of the nodes",
          failure: ProtoFailure(.unauthenticated))
      }
      return Self.nodeCaller
    }
    return try await authenticate(metadata, context.remotePeer)
  }

  /// Another node. No user can have the name.
  private static let nodeCaller = Principal(user: ":node", isAdmin: true)

  /// By what another node proves that it is one.
  static let nodeKey = "magic-latch-node"

  // MARK: Methods

  private func open(_ request: ProtoOpenRequest, _ caller: Principal) async throws
    -> ProtoOpenResponse
  {
    var response = ProtoOpenResponse()
    response.session =
      request.session.isEmpty
      ? String(UInt64.random(in: .min ... .max), radix: 36) : request.session
    let session = try await node.open(
      response.session, timeToLive: try duration(request.ttlMs),
      lockDelay: try duration(request.lockDelayMs), resume: request.resume, by: caller)
    response.ttlMs = session.timeToLive.milliseconds
    return response
  }

  private func close(_ request: ProtoCloseRequest, _ caller: Principal) async throws
    -> ProtoCloseResponse
  {
    var response = ProtoCloseResponse()
    do {
      try await node.close(request.session, by: caller)
      response.wasOpen = true
    } catch LatchError.noSession {
      // It is over, as it should be.
    }
    return response
  }

  private func acquire(_ request: ProtoAcquireRequest, _ caller: Principal) async throws
    -> ProtoAcquireResponse
  {
    var wishes: [Wish] = []
    for wish in request.wishes { wishes.append(try Wish(wish)) }
    let grant = try await node.acquire(
      Request(
        session: request.session, id: request.requestID, wishes: wishes,
        waitLimit: try duration(request.waitMs)), by: caller)
    var response = ProtoAcquireResponse()
    response.grant = ProtoGrant(grant)
    return response
  }

  private func release(_ request: ProtoReleaseRequest, _ caller: Principal) async throws
    -> ProtoReleaseResponse
  {
    var response = ProtoReleaseResponse()
    switch request.what {
    case .token(let token):
      do {
        try await node.release(token, of: request.session, by: caller)
        response.wasHeld = true
      } catch LatchError.notHeld, LatchError.noSession {
        // It is free, as it should be.
      }
    case .requestID(let id):
      do {
        try await node.abandon(request: id, of: request.session, by: caller)
        response.wasHeld = true
      } catch LatchError.noSession {
        // It is over, as it should be.
      }
    case nil: throw LatchError.invalid("a token or a request is to be named")
    }
    return response
  }

  private func inspect(_ request: ProtoInspectRequest, _ caller: Principal) async throws
    -> ProtoInspectResponse
  {
    let overview = try await node.inspect()
    var response = ProtoInspectResponse()
    response.revision = overview.revision
    response.sessions = overview.sessions.map { session in
      var message = ProtoSession()
      message.session = session.name
      message.user = session.owner
      message.ttlMs = session.timeToLive.milliseconds
      message.lockDelayMs = session.lockDelay.milliseconds
      message.remainingMs = (session.deadline - overview.time).milliseconds
      return message
    }
    response.grants = overview.grants.map { ProtoGrant($0) }
    response.queue = overview.queue.map { ProtoQueuedRequest($0) }
    response.node = node.name
    response.lastToken = overview.lastToken
    return response
  }

  private func revoke(_ request: ProtoRevokeRequest, _ caller: Principal) async throws
    -> ProtoRevokeResponse
  {
    try await node.revoke(request.session, by: caller)
    return ProtoRevokeResponse()
  }

  private func enter(_ request: ProtoEnterRequest, _ caller: Principal) async throws
    -> ProtoEnterResponse
  {
    var caller = caller
    if caller.user == Self.nodeCaller.user, !request.onBehalfOf.isEmpty {
      caller = Principal(user: request.onBehalfOf, isAdmin: false)
    }
    let entry = try await node.enter(
      request.token, changing: request.paths.map(\.names), wholly: request.wholly,
      limit: try duration(request.limitMs), by: caller)
    var response = ProtoEnterResponse()
    response.entry = entry.number
    return response
  }

  private func leave(_ request: ProtoLeaveRequest, _ caller: Principal) async throws
    -> ProtoLeaveResponse
  {
    try await node.leave(Entry(token: request.token, number: request.entry), by: caller)
    return ProtoLeaveResponse()
  }

  private func watch(
    _ request: StreamingServerRequest<ProtoWatchRequest>, _ identity: Identity
  ) async throws -> StreamingServerResponse<ProtoWatchResponse> {
    var start: UInt64?
    for try await message in request.messages {
      start = message.hasAfterRevision ? message.afterRevision : nil
    }
    // Told at once, so that the caller knows from where on it watches.
    let first = try await node.changes(after: nil).revision
    return StreamingServerResponse { [start] writer in
      var response = ProtoWatchResponse()
      response.revision = start ?? first
      do {
        while true {
          try await writer.write(response)
          let (events, revision) = try await node.changes(after: response.revision)
          try await identity.checkAgain()
          response.events = events.map { ProtoEvent($0) }
          response.revision = revision
        }
      } catch {
        throw RPCError(latches: error)
      }
    }
  }

  private func keepAlive(
    _ request: StreamingServerRequest<ProtoKeepAliveRequest>, _ identity: Identity
  ) async throws -> StreamingServerResponse<ProtoKeepAliveResponse> {
    StreamingServerResponse { writer in
      let keeper = await Keeper(node: node, identity: identity)
      do {
        try await keeper.run(request.messages, writer)
      } catch {
        throw RPCError(latches: error)
      }
      return [:]
    }
  }

  private func duration(_ milliseconds: Int64) throws(LatchError) -> Duration {
    guard (0...(1 << 40)).contains(milliseconds) else {
      throw .invalid("a time of \(milliseconds) ms makes no sense")
    }
    return .milliseconds(milliseconds)
  }
}

/// Who sent a call, and still sends it while it is a stream.
final class Identity: Sendable {
  /// How long what was asked holds.
  private static let period = Duration.seconds(3)

  let principal: Principal
  private let ask: @Sendable () async throws -> Principal
  private let checked = Mutex(ContinuousClock.now)

  init(_ ask: @escaping @Sendable () async throws -> Principal) async throws {
    self.ask = ask
    principal = try await ask()
  }

  /// Asks again now and then.
  ///
  /// - Throws: when the user is not let in any more, or has other rights than before.
  func checkAgain() async throws {
    guard checked.withLock({ $0 + Self.period <= .now }) else { return }
    guard try await ask().hasRights(of: principal) else {
      throw RPCError(
        code: .unavailable, message: "the rights of \(principal.user) have changed: call again")
    }
    checked.withLock { $0 = .now }
  }
}

/// One stream that keeps sessions alive.
private struct Keeper: Sendable {
  /// How many sessions one stream may keep alive.
  private static let sessionCountLimit = 10_000

  let node: LatchNode
  let identity: Identity
  let number: UInt64

  init(node: LatchNode, identity: Identity) async {
    self.node = node
    self.identity = identity
    number = await node.takeNumber()
  }

  func run(
    _ messages: RPCAsyncSequence<ProtoKeepAliveRequest, any Error>,
    _ writer: RPCWriter<ProtoKeepAliveResponse>
  ) async throws {
    let (news, continuation) = AsyncStream.makeStream(of: LatchNode.KeeperNews.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for await case .lost(let session, let loss) in news {
          var response = ProtoKeepAliveResponse()
          response.session = session
          response.loss = ProtoLoss(loss)
          try await writer.write(response)
        }
        // The client is to look for the node that serves now.
        if !Task.isCancelled { throw NodeError.notLeading(nil) }
      }
      group.addTask {
        var sessions: Set<String> = []
        do {
          for try await message in messages {
            try await answer(message.session, &sessions, continuation, writer)
          }
        } catch {
          await node.removeKeeper(number, of: sessions)
          throw error
        }
        await node.removeKeeper(number, of: sessions)
      }
      // The first to end is the client, or an error.
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func answer(
    _ session: String, _ sessions: inout Set<String>,
    _ continuation: AsyncStream<LatchNode.KeeperNews>.Continuation,
    _ writer: RPCWriter<ProtoKeepAliveResponse>
  ) async throws {
    var response = ProtoKeepAliveResponse()
    response.session = session
    try await identity.checkAgain()
    guard session.utf8.count <= Limits().nameByteCount else {
      throw LatchError.invalid("the name of a session has \(Limits().nameByteCount) bytes at most")
    }
    do {
      guard sessions.contains(session) || sessions.count < Self.sessionCountLimit else {
        throw LatchError.tooMany("one stream keeps \(sessions.count) sessions alive at most")
      }
      let isNew = sessions.insert(session).inserted
      await node.addKeeper(number, of: session, continuation)
      response.ttlMs = try await node.keepAlive(
        session, checksGrants: isNew, by: identity.principal
      ).milliseconds
    } catch LatchError.noSession {
      response.loss = .unknown
    }
    try await writer.write(response)
  }
}
