import GRPCCore
import GRPCNIOTransportHTTP2Posix
import ProtobufCoding
import SwiftProtobuf
import Synchronization

/// Calls an etcd cluster by its v3 API: as much of it as a leader needs that keeps its state there.
public final class EtcdClient: Sendable {
  private typealias Transport = HTTP2ClientTransport.Posix

  private struct State {
    var current = 0
    var connection: (client: GRPCClient<Transport>, task: Task<Void, Never>)?
    var token: String?
  }

  /// The cluster.
  public let address: EtcdAddress
  private let authorityFile: String?
  private let state = Mutex(State())

  /// Makes a client, which connects when it is used first.
  ///
  /// `authorityFile` has the certificates that those of the cluster are signed by, PEM; nil for
  /// those of the system.
  public init(_ address: EtcdAddress, authorityFile: String? = nil) {
    self.address = address
    self.authorityFile = authorityFile
  }

  deinit { close() }

  /// Closes the connection; a later call makes another.
  public func close() {
    let connection = state.withLock { state in
      defer { state.connection = nil }
      return state.connection
    }
    connection?.client.beginGracefulShutdown()
    connection?.task.cancel()
  }

  /// The keys and values from one key up to another, of one revision.
  public func range(from key: [UInt8], to end: [UInt8], timeout: Duration) async throws
    -> [EtcdKeyValue]
  {
    var found: [EtcdKeyValue] = []
    var request = EtcdRangeRequest()
    request.key = .init(key)
    request.rangeEnd = .init(end)
    request.limit = 1000
    while true {
      let response: EtcdRangeResponse = try await call("KV", "Range", request, timeout: timeout)
      found += response.kvs
      guard response.more, let last = response.kvs.last else { return found }
      request.key = last.key + [0]
      request.revision = response.header.revision
    }
  }

  /// One key and its value; nil where there is none.
  public func get(_ key: [UInt8], timeout: Duration) async throws -> EtcdKeyValue? {
    var request = EtcdRangeRequest()
    request.key = .init(key)
    let response: EtcdRangeResponse = try await call("KV", "Range", request, timeout: timeout)
    return response.kvs.first
  }

  /// Does all of one list of changes, or reads another, as some comparisons turn out.
  public func transact(_ request: EtcdTxnRequest, timeout: Duration) async throws
    -> EtcdTxnResponse
  {
    try await call("KV", "Txn", request, timeout: timeout)
  }

  /// Takes a lease.
  ///
  /// - Returns: its id, and how many seconds it lasts.
  public func grantLease(seconds: Int64, timeout: Duration) async throws -> (
    id: Int64, seconds: Int64
  ) {
    var request = EtcdLeaseGrantRequest()
    request.ttl = seconds
    let response: EtcdLeaseGrantResponse = try await call(
      "Lease", "LeaseGrant", request, timeout: timeout)
    return (response.id, response.ttl)
  }

  /// Lets a lease's time run anew.
  ///
  /// - Returns: how many seconds it lasts; 0 when it is over.
  public func keepLeaseAlive(_ id: Int64, timeout: Duration) async throws -> Int64 {
    var request = EtcdLeaseKeepAliveRequest()
    request.id = id
    let response: EtcdLeaseKeepAliveResponse = try await call(
      "Lease", "LeaseKeepAlive", request, timeout: timeout)
    return response.ttl
  }

  /// Gives a lease back, and its keys with it.
  public func revokeLease(_ id: Int64, timeout: Duration) async throws {
    var request = EtcdLeaseRevokeRequest()
    request.id = id
    let _: EtcdLeaseRevokeResponse = try await call(
      "Lease", "LeaseRevoke", request, timeout: timeout)
  }

  // MARK: Calls

  private func call<Input: Message, Output: Message>(
    _ service: String, _ method: String, _ input: Input, timeout: Duration
  ) async throws -> Output {
    do {
      return try await callOnce(service, method, input, timeout: timeout)
    } catch let error as RPCError where error.code == .unauthenticated && address.user != nil {
      // Tokens last for some minutes.
      state.withLock { $0.token = nil }
      return try await callOnce(service, method, input, timeout: timeout)
    } catch let error as RPCError where !error.isAnswer {
      // The next call goes to another member.
      close()
      state.withLock { $0.current = ($0.current + 1) % address.endpoints.count }
      throw error
    }
  }

  private func callOnce<Input: Message, Output: Message>(
    _ service: String, _ method: String, _ input: Input, timeout: Duration
  ) async throws -> Output {
    var metadata: Metadata = ["hasleader": "true"]
    if let user = address.user {
      var token = state.withLock { $0.token }
      if token == nil {
        var login = EtcdAuthenticateRequest()
        login.name = user
        login.password = address.password ?? ""
        let response: EtcdAuthenticateResponse = try await send(
          "Auth", "Authenticate", login, [:], timeout)
        token = response.token
        state.withLock { $0.token = response.token }
      }
      if let token { metadata.addString(token, forKey: "token") }
    }
    return try await send(service, method, input, metadata, timeout)
  }

  private func send<Input: Message, Output: Message>(
    _ service: String, _ method: String, _ input: Input, _ metadata: Metadata, _ timeout: Duration
  ) async throws -> Output {
    var options = CallOptions.defaults
    options.timeout = timeout
    options.waitForReady = false
    // The lease's method is a stream in both directions, of which one message is used.
    return try await connection().bidirectionalStreaming(
      request: StreamingClientRequest(metadata: metadata) { try await $0.write(input) },
      descriptor: MethodDescriptor(
        fullyQualifiedService: "etcdserverpb.\(service)", method: method),
      serializer: ProtoSerializer<Input>(), deserializer: ProtoDeserializer<Output>(),
      options: options
    ) { response in
      for try await message in response.messages { return message }
      throw RPCError(code: .internalError, message: "etcd does not answer \(method)")
    }
  }

  private func connection() throws -> GRPCClient<Transport> {
    try state.withLock { state in
      if let connection = state.connection { return connection.client }
      let endpoint = address.endpoints[state.current]
      var configuration = Transport.Config.defaults
      configuration.backoff = .init(
        initial: .milliseconds(50), max: .milliseconds(500), multiplier: 1.6, jitter: 0.2)
      // A call and its end belong into one write: etcd resets a stream of which it has not seen the end
      // when it has answered, and then its answer may be lost.
      configuration.connection.flushCoalescing = .init(
        maxFlushDelay: .microseconds(300), maxBytes: 64 << 10)
      var security = Transport.TransportSecurity.plaintext
      if address.usesTLS {
        security = .tls { tls in
          if let file = authorityFile {
            tls.trustRoots = .certificates([.file(path: file, format: .pem)])
          }
        }
      }
      let target: any ResolvableTarget =
        endpoint.host.contains(":")
        ? .ipv6(address: endpoint.host, port: endpoint.port)
        // The certificate of an address names it as one.
        : endpoint.isAddress
          ? .ipv4(address: endpoint.host, port: endpoint.port)
          : .dns(host: endpoint.host, port: endpoint.port)
      let client = GRPCClient(
        transport: try Transport(
          target: target, transportSecurity: security, config: configuration))
      state.connection = (client, Task { do { try await client.runConnections() } catch {} })
      return client
    }
  }
}

extension RPCError {
  /// Whether a member has answered, so that its connection is as good as any.
  fileprivate var isAnswer: Bool {
    switch code {
    case .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .resourceExhausted,
      .failedPrecondition, .outOfRange, .unimplemented, .unauthenticated:
      true
    default: false
    }
  }
}
