import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import LatchProtocol
public import Latches
import NIOCore
import ProtobufCoding
import SwiftProtobuf
import Synchronization

/// A client of a latch service: who may read or change which part of a database, for how long.
///
/// ```swift
/// let client = LatchClient(LatchClientConfiguration(endpoints: ["127.0.0.1:32011"]))
/// defer { client.close() }
/// let orders = Wish(Resource(["shop", "orders"]), .exclusive)
/// try await client.withLatch([orders], wait: .seconds(10)) { grant in
///   try await rewriteOrders(fencingToken: grant.token)
/// }
/// ```
///
/// Calls are made again, at another node where there are several, until they reach the one that serves or
/// ``LatchClientConfiguration/patience`` is over; that is harmless, because requests have names.
public final class LatchClient: Sendable {
  typealias Transport = HTTP2ClientTransport.Posix

  private struct State {
    var endpoints: [String]
    /// Those with which no encrypted connection can be made.
    var insecure: Set<String> = []
    /// Those that were asked whether they want connections to be encrypted.
    var probed: Set<String> = []
    var current = 0
    var connections: [String: Connection] = [:]
    var isClosed = false
  }

  private struct Connection {
    var client: GRPCClient<Transport>
    var task: Task<Void, Never>
  }

  /// Where the service is, and who calls it.
  public let configuration: LatchClientConfiguration
  private let state: Mutex<State>

  /// Makes a client, which connects when it is used first. It holds its connections until ``close()``.
  public init(_ configuration: LatchClientConfiguration) {
    self.configuration = configuration
    state = Mutex(State(endpoints: configuration.endpoints))
  }

  deinit { close() }

  /// Closes the connections. Sessions live on until their time is over.
  public func close() {
    let connections = state.withLock { state in
      state.isClosed = true
      defer { state.connections = [:] }
      return state.connections.values.map(\.self)
    }
    for connection in connections {
      connection.client.beginGracefulShutdown()
      connection.task.cancel()
    }
  }

  // MARK: Calls

  /// Begins a session, which lasts while it is kept alive: see ``LatchSession/keepAlive()``.
  ///
  /// - Parameters:
  ///   - name: a name that nobody else uses; nil to have one chosen.
  ///   - timeToLive: how long it lasts without being kept alive.
  ///   - lockDelay: how long what it holds stays held when it is lost.
  ///   - resume: whether a session of that name, of the same user, is meant if there is one. It keeps its own
  ///     time to live and lock delay.
  public func openSession(
    _ name: String? = nil, timeToLive: Duration = .seconds(15), lockDelay: Duration = .zero,
    resume: Bool = false
  ) async throws -> LatchSession {
    var request = ProtoOpenRequest()
    request.session = name ?? UUID().uuidString.lowercased()
    request.ttlMs = timeToLive.milliseconds
    request.lockDelayMs = lockDelay.milliseconds
    // Nobody else has a name that was just made, so that it is this session if there is one.
    request.resume = resume || name == nil
    let (response, sent) = try await call(
      LatchMethods.open, request, as: ProtoOpenResponse.self)
    // One that was there has its own.
    let timeToLive = response.ttlMs > 0 ? .milliseconds(response.ttlMs) : timeToLive
    return LatchSession(
      client: self, name: response.session, timeToLive: timeToLive, heldUntil: sent + timeToLive)
  }

  /// A session that was opened before, perhaps by another process, and has not been kept alive since by
  /// this one; until it is, it counts as alive.
  public func session(
    named name: String, timeToLive: Duration = .seconds(15)
  ) -> LatchSession {
    LatchSession(
      client: self, name: name, timeToLive: timeToLive, heldUntil: .now + timeToLive)
  }

  /// Ends a session in its owner's place; for administrators.
  public func revoke(session name: String) async throws {
    var request = ProtoRevokeRequest()
    request.session = name
    _ = try await call(LatchMethods.revoke, request, as: ProtoRevokeResponse.self)
  }

  /// Everything that there is.
  public func inspect() async throws -> LatchOverview {
    let (response, _) = try await call(
      LatchMethods.inspect, ProtoInspectRequest(), as: ProtoInspectResponse.self)
    return try LatchOverview(response)
  }

  /// Begins a change that a fencing token allows. Until it ends, what is held by the token stays held,
  /// whatever becomes of its session.
  ///
  /// - Parameters:
  ///   - token: the fencing token of the grant.
  ///   - paths: what is to be changed.
  ///   - wholly: whether all of it may be changed, or it may go: the grant must hold all of it then, not
  ///     only something inside.
  ///   - limit: when it ends by itself, 60 s at most.
  ///   - user: of a node that checks a token for somebody: whose session must hold it.
  public func enter(
    _ token: UInt64, changing paths: [[String]], wholly: Bool = false, limit: Duration,
    onBehalfOf user: String? = nil
  ) async throws -> Entry {
    var request = ProtoEnterRequest()
    request.token = token
    request.paths = paths.map { names in
      var path = ProtoPath()
      path.names = names
      return path
    }
    request.limitMs = limit.milliseconds
    request.wholly = wholly
    request.onBehalfOf = user ?? ""
    let (response, _) = try await call(
      LatchMethods.enter, request, as: ProtoEnterResponse.self)
    return Entry(token: token, number: response.entry)
  }

  /// Ends a change.
  public func leave(_ entry: Entry) async throws {
    var request = ProtoLeaveRequest()
    request.token = entry.token
    request.entry = entry.number
    _ = try await call(LatchMethods.leave, request, as: ProtoLeaveResponse.self)
  }

  /// Tells what changes, until the task is cancelled or the changes asked for are forgotten.
  ///
  /// - Parameters:
  ///   - revision: after which; nil for what changes from now on.
  ///   - body: is called for each change, in order, and with nil whenever all up to a revision are told.
  public func watch(
    after revision: UInt64? = nil,
    _ body: @escaping @Sendable (_ event: LatchEvent?, _ revision: UInt64) async throws -> Void
  ) async throws {
    let last = Mutex(revision)
    var start = ContinuousClock.now
    while true {
      do {
        var request = ProtoWatchRequest()
        if let revision = last.withLock({ $0 }) { request.afterRevision = revision }
        let client = try connection()
        try await client.serverStreaming(
          request: ClientRequest(message: request, metadata: metadata),
          descriptor: LatchMethods.watch, serializer: ProtoSerializer<ProtoWatchRequest>(),
          deserializer: ProtoDeserializer<ProtoWatchResponse>(), options: .defaults
        ) { response in
          for try await message in response.messages {
            for event in message.events { try await body(LatchEvent(event), event.revision) }
            try await body(nil, message.revision)
            last.withLock { $0 = message.revision }
          }
        }
        start = .now
      } catch let error as RPCError {
        if last.withLock({ $0 }) != revision { start = max(start, .now - .seconds(1)) }
        try await prepareRetry(after: error, until: start + configuration.patience)
      }
    }
  }

  /// Makes a call, again and again until it reaches the node that serves.
  ///
  /// - Parameter waitLimit: how long it waits for a latch.
  /// - Returns: the answer, and when the call was sent that it answers.
  func call<Input: Message, Output: Message>(
    _ method: MethodDescriptor, _ input: Input, as _: Output.Type,
    waitLimit: Duration = .zero, until end: ContinuousClock.Instant? = nil,
    _ prepare: (inout Input, ContinuousClock.Instant) -> Void = { _, _ in }
  ) async throws -> (Output, sent: ContinuousClock.Instant) {
    let start = ContinuousClock.now
    let end = end ?? start + configuration.patience + waitLimit
    var input = input
    while true {
      let sent = ContinuousClock.now
      prepare(&input, sent)
      var options = CallOptions.defaults
      options.timeout = configuration.callTimeout + max(.zero, start + waitLimit - sent)
      options.waitForReady = false
      do {
        let client = try connection()
        let output = try await client.unary(
          request: ClientRequest(message: input, metadata: metadata), descriptor: method,
          serializer: ProtoSerializer<Input>(), deserializer: ProtoDeserializer<Output>(),
          options: options
        ) { try $0.message }
        state.withLock { if !$0.insecure.isEmpty { $0.insecure = [] } }
        return (output, sent)
      } catch let error as RPCError {
        try await prepareRetry(after: error, until: end)
      }
    }
  }

  /// Sees to it that another try may succeed.
  ///
  /// - Throws: an error where none can.
  func prepareRetry(after error: RPCError, until end: ContinuousClock.Instant) async throws {
    try Task.checkCancellation()
    if let error = LatchCallError(error) { throw error }
    var problem = securityProblem(error)
    if problem == nil { problem = await missingEncryption(error) }
    if let problem {
      let (endpoint, isLast) = state.withLock { state in
        let endpoint = state.endpoints[state.current]
        state.insecure.insert(endpoint)
        return (endpoint, state.endpoints.allSatisfy(state.insecure.contains))
      }
      if isLast {
        throw LatchCallError(kind: .unavailable, message: "\(endpoint): \(problem)")
      }
    }
    let failure = error.latchFailure
    var pause = Duration.milliseconds(100)
    if failure?.reason == .notYet {
      pause = .milliseconds(min(failure?.retryMs ?? 0, 1000))
    } else if failure?.reason != .notStored {
      turn(to: failure?.leader ?? "")
    }
    guard ContinuousClock.now + pause < end else {
      throw LatchCallError(kind: .unavailable, message: error.message)
    }
    try await Task.sleep(for: pause)
  }

  /// What is wrong where a server has nothing to say that is not encrypted; is asked once per server.
  private func missingEncryption(_ error: RPCError) async -> String? {
    guard !configuration.usesTLS, error.code == .unavailable, error.latchFailure == nil else {
      return nil
    }
    let endpoint = state.withLock { state in
      let endpoint = state.endpoints[state.current]
      return state.probed.insert(endpoint).inserted ? endpoint : nil
    }
    guard let endpoint, let (host, port) = parts(of: endpoint), await speaksTLS(host, port) else {
      return nil
    }
    return "the server wants encrypted connections (TLS)"
  }

  /// Uses another node from now on.
  private func turn(to leader: String) {
    state.withLock { state in
      if leader.isEmpty {
        state.current = (state.current + 1) % max(state.endpoints.count, 1)
      } else if let index = state.endpoints.firstIndex(of: leader) {
        state.current = index
      } else {
        state.endpoints.append(leader)
        state.current = state.endpoints.count - 1
      }
    }
  }

  /// A connection to the node that serves, as far as is known.
  func connection() throws -> GRPCClient<Transport> {
    try state.withLock { state in
      guard !state.isClosed, !state.endpoints.isEmpty else {
        throw LatchCallError(
          kind: .unavailable,
          message: state.isClosed ? "the client is closed" : "no server is named")
      }
      let endpoint = state.endpoints[state.current]
      if let known = state.connections[endpoint] { return known.client }
      let client = GRPCClient(transport: try transport(to: endpoint))
      state.connections[endpoint] = Connection(
        client: client, task: Task { do { try await client.runConnections() } catch {} })
      return client
    }
  }

  private func transport(to endpoint: String) throws -> Transport {
    guard let (host, port) = parts(of: endpoint) else {
      throw LatchCallError(kind: .invalid, message: "'\(endpoint)' is not of the form HOST:PORT")
    }
    var configuration = Transport.Config.defaults
    configuration.backoff = .init(
      initial: .milliseconds(50), max: .milliseconds(500), multiplier: 1.6, jitter: 0.2)
    configuration.connection.keepalive = .init(
      time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: false)
    configuration.connection.flushCoalescing = nil
    var security = Transport.TransportSecurity.plaintext
    if self.configuration.usesTLS {
      security = .tls { tls in
        if let file = self.configuration.authorityFile {
          tls.trustRoots = .certificates([.file(path: file, format: .pem)])
        }
      }
    }
    // The certificate of an address names it as one.
    let target: any ResolvableTarget =
      switch try? NIOCore.SocketAddress(ipAddress: host, port: port) {
      case .v4: .ipv4(address: host, port: port)
      case .v6: .ipv6(address: host, port: port)
      default: .dns(host: host, port: port)
      }
    return try Transport(target: target, transportSecurity: security, config: configuration)
  }

  private func parts(of endpoint: String) -> (host: String, port: Int)? {
    guard let match = endpoint.wholeMatch(of: /(\[[0-9A-Fa-f:.]+\]|[^:\[\]\/@\s]+):(\d{1,5})/),
      let port = Int(match.2), port < 1 << 16
    else { return nil }
    return (match.1.filter { $0 != "[" && $0 != "]" }, port)
  }

  /// What each call says about who makes it.
  var metadata: Metadata {
    switch configuration.credentials {
    case .password(let user, let password):
      ["authorization": "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"]
    case .token(let token): ["authorization": "Bearer \(token)"]
    case .node(let secret): ["magic-latch-node": "\(secret)"]
    case nil: [:]
    }
  }
}
