public import GRPCCore
public import Logging
public import NIOCore
import NIOHTTP2
public import NIOPosix
public import NIOSSL
import Synchronization

/// Serves gRPC over HTTP/2 on one TCP address, with messages that are written to the network from
/// the buffers in which they lie.
///
/// ```swift
/// let transport = GatheringServerTransport(host: "127.0.0.1", port: 0, logger: logger)
/// let server = GRPCServer(transport: transport, services: [HealthService(), …])
/// async let serving: Void = server.serve()
/// print(try await transport.listeningAddress)
/// ```
///
/// A serializer avoids copies by making a ``MessageBytes`` of several buffers when it is asked for
/// that type; a deserializer by taking its ``MessageBytes/contiguous`` buffer. Handlers learn who
/// calls from ``ConnectionInfo``. When a client cancels, goes away or has waited long enough, the
/// call's cancellation handle and the handler's task are cancelled.
public final class GatheringServerTransport: ServerTransport {
  /// Messages are bags of buffers.
  public typealias Bytes = MessageBytes

  /// Gives what a new connection is encrypted with; nil for a connection in plain text.
  public typealias TLSProvider = @Sendable () -> NIOSSLContext?

  private struct State {
    var server: (any Channel)?
    var isShuttingDown = false
  }

  private let host: String
  private let port: Int
  private let tls: TLSProvider
  private let limits: Limits
  private let group: any EventLoopGroup
  private let logger: Logger
  private let connections: ConnectionRegistry
  private let memory: RequestMemory
  private let address: EventLoopPromise<SocketAddress>
  private let state = Mutex(State())

  /// Makes a transport, which listens once its server serves.
  ///
  /// `host` is the address to listen on, or a name of it; port 0 takes a free one. `tls` is asked
  /// at each new connection, so that certificates can be renewed while it runs.
  public init(
    host: String = "127.0.0.1", port: Int, tls: @escaping TLSProvider = { nil },
    limits: Limits = Limits(), group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
    logger: Logger
  ) {
    self.host = host
    self.port = port
    self.tls = tls
    self.limits = limits
    self.group = group
    self.logger = logger
    connections = ConnectionRegistry(maximumCount: limits.connectionCount)
    memory = RequestMemory(maximumByteCount: limits.incompleteByteCount)
    address = group.any().makePromise()
  }

  deinit {
    // Nobody waits any more; a promise must be kept all the same.
    address.fail(RuntimeError(code: .transportError, message: "the server did not listen"))
  }

  /// Where it is meant to listen, for messages.
  public var listenAddress: String { "\(host):\(port)" }

  /// Where it listens; waits until it does.
  ///
  /// - Throws: why it cannot listen.
  public var listeningAddress: SocketAddress {
    get async throws { try await address.futureResult.get() }
  }

  /// Listens until a graceful shutdown, or the cancellation of the task, and until all calls ended.
  public func listen(
    streamHandler: @escaping @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
  ) async throws {
    let server: any Channel
    do {
      server = try await bootstrap(streamHandler).bind(host: host, port: port).get()
    } catch {
      address.fail(error)
      throw error
    }
    if let address = server.localAddress { self.address.succeed(address) }
    logger.info("Listening", metadata: ["address": "\(host):\(server.localAddress?.port ?? port)"])
    let isShuttingDown = state.withLock { state in
      state.server = server
      return state.isShuttingDown
    }
    if isShuttingDown { server.close(promise: nil) }
    await withTaskCancellationHandler {
      try? await server.closeFuture.get()
      await drain()
    } onCancel: {
      server.close(promise: nil)
      connections.close()
    }
  }

  /// Stops listening and asks clients to begin no more calls. Those that run may go on for
  /// ``Limits/shutdownGrace``.
  public func beginGracefulShutdown() {
    let server = state.withLock { state in
      state.isShuttingDown = true
      return state.server
    }
    server?.close(promise: nil)
  }

  private func drain() async {
    connections.drain()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [limits, connections] in
        guard (try? await Task.sleep(for: limits.shutdownGrace)) != nil else { return }
        connections.close()
      }
      await connections.waitUntilEmpty()
      group.cancelAll()
    }
  }

  private func bootstrap(_ handler: @escaping CallHandler) -> ServerBootstrap {
    let receiving = AdaptiveRecvByteBufferAllocator(
      minimum: 4 << 10, initial: 64 << 10, maximum: limits.receiveByteCount)
    return ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.backlog, value: 256)
      .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.recvAllocator, value: receiving)
      // What was read goes to its streams, which copy it into messages, before more is read: the
      // frame decoder copies what was read once more when its last buffer is still in use.
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(
        .writeBufferWaterMark,
        value: .init(
          low: limits.connectionBufferByteCount / 2, high: limits.connectionBufferByteCount)
      )
      .childChannelInitializer { [connections, limits, logger, memory, tls] channel in
        guard connections.add(channel) else {
          logger.warning("Refused a connection: there are as many as the limit allows")
          return channel.close()
        }
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configure(
            channel, tls: tls(), limits: limits, memory: memory, logger: logger, calls: connections,
            handler: handler)
        }
      }
  }
}

extension ChannelPipeline.SynchronousOperations {
  /// Makes a pipeline of TLS, HTTP/2, and what looks after the connection.
  fileprivate func configure(
    _ channel: any Channel, tls: NIOSSLContext?, limits: GatheringServerTransport.Limits,
    memory: RequestMemory, logger: Logger, calls: ConnectionRegistry, handler: @escaping CallHandler
  ) throws {
    if let tls { try addHandler(NIOSSLServerHandler(context: tls)) }
    let connection = ConnectionInfo(
      remoteAddress: channel.remoteAddress, localAddress: channel.localAddress,
      isEncrypted: tls != nil)
    let connectionHandler = ConnectionHandler(limits: limits, logger: logger)
    let http2 = NIOHTTP2Handler(
      mode: .server, eventLoop: channel.eventLoop,
      connectionConfiguration: limits.connectionConfiguration,
      streamConfiguration: limits.streamConfiguration,
      streamDelegate: connectionHandler.streamDelegate(on: channel.eventLoop)
    ) { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.syncOptions?.setOption(.autoRead, value: false)
        try stream.pipeline.syncOperations.addHandler(
          StreamHandler(
            connection: connection, limits: limits, memory: memory, handler: handler, calls: calls))
      }
    }
    try addHandler(http2)
    try addHandler(connectionHandler)
  }
}
