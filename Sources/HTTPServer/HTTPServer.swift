import HummingbirdCore
import Logging
import MagicCore
import NIOCore
import NIOHTTPTypes
import NIOPosix
import ServiceLifecycle

/// Serves SQL statements in ClickHouse's HTTP form, and Magic's own program-to-program routes.
///
/// The protocol is described in `docs/http-api.md`. On graceful shutdown it accepts nobody any
/// more, lets running statements finish for a bounded time, then cancels them.
public struct HTTPServer: Service {
  /// Answers one route: a request's body in, the response's body out, both JSON.
  public typealias Handler = @Sendable (_ body: [UInt8]) async throws -> [UInt8]

  /// The bounds that protect the server.
  public struct Limits: Sendable {
    /// The longest request body, in bytes.
    public var requestByteCount = 64 << 20
    /// How long running statements may go on after a graceful shutdown began.
    public var shutdownGrace = Duration.seconds(10)

    /// The default bounds.
    public init() {}
  }

  private let listeners: [Listener]
  private let protocolHandler: HTTP1Channel
  private let limits: Limits
  private let logger: Logger

  /// Makes a server; it answers once ``run()`` is called.
  ///
  /// - Parameters:
  ///   - listeners: where clients connect; each can be served once.
  ///   - statements: what runs the statements.
  ///   - status: makes the answer to `GET /magic/v1/status`.
  ///   - routes: what answers `POST /magic/v1/NAME`, by NAME.
  public init(
    listeners: [Listener], statements: any StatementService,
    status: @escaping @Sendable () async throws -> [UInt8],
    routes: [String: Handler] = [:], limits: Limits = Limits(), logger: Logger
  ) {
    let router = Router(
      statements: statements, status: status, routes: routes,
      requestByteCount: limits.requestByteCount, logger: logger)
    self.listeners = listeners
    self.protocolHandler = HTTP1Channel { request, writer, channel in
      let reply = await router.respond(to: request, channel: channel)
      do {
        try await writer.write(response: reply.response.head, body: reply.response.body)
      } catch {
        await reply.result?.cancel()
        throw error
      }
    }
    self.limits = limits
    self.logger = logger
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
    // The descriptor belongs to NIO from here on, also when this fails.
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        protocolHandler.setup(channel: channel, logger: logger).map { connection in
          connections.serve(connection, by: protocolHandler, logger: logger)
        }
      }
      .withBoundSocket(descriptor)
      .get()
    logger.info("Listening", metadata: ["address": "\(listener.description)"])
    return server
  }
}
