import Logging
import MagicAPI
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle

/// Serves SQL statements in ClickHouse's HTTP form, and the Magic API for programs.
///
/// The protocol is described in `docs/http-api.md`. On graceful shutdown it accepts nobody any
/// more, lets running statements finish for a bounded time, then cancels them.
public struct HTTPServer: Service {
  /// Answers one route: a request's body in, the response's body out, both JSON.
  public typealias Handler = @Sendable (_ body: [UInt8]) async throws -> [UInt8]
  /// Shows something to a caller, as JSON: only what came `after` something, if the request says so.
  ///
  /// Throws `APIError` of kind `forbidden` when the caller may not see it.
  public typealias View =
    @Sendable (_ caller: Caller, _ after: String?) async throws -> [UInt8]

  /// The bounds that protect the server.
  public struct Limits: Sendable {
    /// The longest statement, and the longest body of any other request that is not rows, in bytes.
    public var requestByteCount = 64 << 20
    /// The longest head of a request, its URL included, in bytes.
    public var headByteCount = 256 << 10
    /// How many bytes of a result are held back for a client that wants it only when it is whole
    /// (`wait_end_of_query=1`).
    public var bufferedByteCount = 16 << 20
    /// How long a client may take to send the head of a request, or the next part of its body.
    public var idleTimeout = TimeAmount.seconds(60)
    /// How long a client may take to read what was sent to it.
    public var sendTimeout = TimeAmount.seconds(300)
    /// The most connections over TCP at a time.
    public var connectionCount = 1024
    /// How long running statements may go on after a graceful shutdown began.
    public var shutdownGrace = Duration.seconds(10)

    /// The default bounds.
    public init() {}
  }

  /// What the server answers with; the closures are called for each request.
  public struct Contents: Sendable {
    /// Makes the service of a caller who was let in.
    public var services: @Sendable (Caller) -> any MagicService
    /// Tells who comes in over TCP; nil lets nobody in.
    public var authenticator: (any Authenticator)?
    /// What answers `GET /magic/v1/NAME`, by NAME.
    public var views: [String: View] = [:]
    /// Makes the answer to `GET /metrics`, in Prometheus's text format; nil when there is none.
    public var metrics: (@Sendable () async -> String)?
    /// Why the service cannot be used yet, or no more; nil when it can.
    public var whyNotReady: @Sendable () async -> String? = { nil }
    /// What answers `POST /magic/v1/NAME` to an admin, by NAME.
    public var routes: [String: Handler] = [:]
    /// The time zone that the engine writes times in, for drivers that ask.
    public var timeZone = "UTC"
    /// The name of this server, for drivers that ask.
    public var serverName = "magic"
    /// The origin whose web pages may use the server from a browser; nil for none.
    public var allowedOrigin: String?
    /// Whether browsers get the web console.
    public var hasConsole = false

    /// Answers statements, and nobody over TCP unless an authenticator is given.
    public init(
      services: @escaping @Sendable (Caller) -> any MagicService,
      authenticator: (any Authenticator)? = nil
    ) {
      self.services = services
      self.authenticator = authenticator
    }
  }

  private let listeners: [Listener]
  private let handler: ConnectionHandler
  private let limits: Limits
  private let logger: Logger

  /// Makes a server; it answers once ``run()`` is called. Each listener can be served once.
  public init(
    listeners: [Listener], contents: Contents, limits: Limits = Limits(), logger: Logger
  ) {
    self.listeners = listeners
    self.limits = limits
    self.logger = logger
    handler = ConnectionHandler(
      router: Router(contents: contents, limits: limits, logger: logger), limits: limits,
      logger: logger)
  }

  /// Serves until graceful shutdown or cancellation.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await serve() }
      group.addTask {
        // Ends the wait for running statements, by cancelling the task above.
        try? await gracefulShutdown()
        try? await Task.sleep(for: limits.shutdownGrace)
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func serve() async throws {
    let connections = ConnectionRegistry()
    var servers: [any Channel] = []
    defer { for listener in listeners { listener.removeSocketFile() } }
    do {
      for listener in listeners {
        if let server = try await accept(from: listener, into: connections) {
          servers.append(server)
        }
      }
    } catch {
      for server in servers { try? await server.close() }
      throw error
    }
    await withTaskCancellationHandler { [servers] in
      await withGracefulShutdownHandler {
        for server in servers { try? await server.closeFuture.get() }
        await connections.waitUntilEmpty()
      } onGracefulShutdown: {
        for server in servers { server.close(promise: nil) }
        connections.quiesce()
      }
    } onCancel: { [servers] in
      for server in servers { server.close(promise: nil) }
      connections.cancel()
    }
  }

  private func accept(
    from listener: Listener, into connections: ConnectionRegistry
  ) async throws -> (any Channel)? {
    guard let descriptor = listener.takeDescriptor() else { return nil }
    let kind = listener.kind
    let certificates = listener.certificates
    // The descriptor belongs to NIO from here on, also when this fails.
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard kind == .unixSocket || connections.count < limits.connectionCount else {
            logger.warning("Too many connections", metadata: ["limit": "\(limits.connectionCount)"])
            throw ChannelError.operationUnsupported
          }
          if let certificates {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLServerHandler(context: certificates.context(for: .http1)))
          }
          let connection = try handler.setUp(channel)
          connections.serve(connection, by: handler, from: kind)
        }
      }
      .withBoundSocket(descriptor)
      .get()
    logger.info("Listening", metadata: ["address": "\(listener.description)"])
    return server
  }
}
