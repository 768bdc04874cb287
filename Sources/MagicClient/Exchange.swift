import MagicCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// One request and its response, on a connection of their own.
struct Exchange: Sendable {
  /// Where requests go.
  enum Target: Sendable {
    case unixSocket(connectablePath: String)
    /// With a context, the connection is encrypted.
    case tcp(host: String, port: Int, tls: NIOSSLContext?)
  }

  /// What follows the head of a request.
  enum Body: Sendable {
    case none
    case bytes(ByteBuffer)
    /// Bytes that are sent as they are made, no faster than the other side reads.
    case stream(StatementInput)
  }

  private let channel: any Channel
  private let handler: NIOLoopBound<ResponseHandler>

  /// Connects.
  init(to target: Target) async throws {
    // The response is read as its reader asks for it.
    let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .channelOption(.autoRead, value: false)
      .connectTimeout(.seconds(10))
    switch target {
    case .unixSocket(let path):
      self = try await bootstrap.connect(unixDomainSocketPath: path) { Self.setUp($0, tls: nil) }
    case .tcp(let host, let port, let context):
      self = try await bootstrap.connect(host: host, port: port) { channel in
        Self.setUp(channel, tls: context.map { ($0, host) })
      }
    }
  }

  private static func setUp(
    _ channel: any Channel, tls: (context: NIOSSLContext, host: String)?
  ) -> EventLoopFuture<Exchange> {
    channel.eventLoop.makeCompletedFuture {
      let pipeline = channel.pipeline.syncOperations
      if let tls {
        // A certificate for an address is checked against the address itself.
        let isAddress = (try? SocketAddress(ipAddress: tls.host, port: 0)) != nil
        try pipeline.addHandler(
          NIOSSLClientHandler(context: tls.context, serverHostname: isAddress ? nil : tls.host))
      }
      let handler = ResponseHandler(eventLoop: channel.eventLoop)
      try pipeline.addHTTPClientHandlers()
      try pipeline.addHandler(handler)
      return Exchange(
        channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
    }
  }

  private init(channel: any Channel, handler: NIOLoopBound<ResponseHandler>) {
    self.channel = channel
    self.handler = handler
  }

  /// Sends a request and waits for the head of its response.
  ///
  /// - Throws: ``InputError``; otherwise why there is no response.
  func send(_ head: HTTPRequestHead, body: Body) async throws -> HTTPResponseHead {
    channel.write(HTTPClientRequestPart.head(head), promise: nil)
    switch body {
    case .none: break
    case .bytes(let bytes):
      channel.write(HTTPClientRequestPart.body(.byteBuffer(bytes)), promise: nil)
    case .stream(let input):
      return try await send(input)
    }
    // A write that fails closes the connection, which the reader notices.
    channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    return try await responseHead()
  }

  /// Sends a body while waiting for the response, which may come before the body's end when the
  /// other side refuses it.
  private func send(_ input: StatementInput) async throws -> HTTPResponseHead {
    try await withThrowingTaskGroup(of: HTTPResponseHead?.self) { group in
      group.addTask { try await responseHead() }
      group.addTask {
        do {
          while let chunk = try await input.next() {
            let part = HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: chunk)))
            // A connection that is closed is the reader's to tell about.
            guard (try? await channel.writeAndFlush(part).get()) != nil else { return nil }
          }
        } catch {
          // Without the end of the body the other side does nothing.
          close()
          throw InputError(cause: error)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return nil
      }
      defer { group.cancelAll() }
      do {
        while let head = try await group.next() { if let head { return head } }
      } catch let error as InputError {
        throw error
      } catch {
        // A body that cannot be made closes the connection, which ends the wait for the response.
        group.cancelAll()
        while let result = await group.nextResult() {
          if case .failure(let cause as InputError) = result { throw cause }
        }
        throw error
      }
      throw ChannelError.eof
    }
  }

  /// The body could not be made.
  struct InputError: Error {
    var cause: any Error
  }

  private func responseHead() async throws -> HTTPResponseHead {
    guard case .head(let head) = try await next() else { throw ChannelError.eof }
    return head
  }

  /// The next part of the response; nil after its proper end.
  ///
  /// - Throws: `CancellationError` when this task was cancelled, which closes the connection;
  ///   otherwise why the response is not complete.
  func next() async throws -> HTTPClientResponsePart? {
    do {
      return try await withTaskCancellationHandler {
        try await channel.eventLoop.flatSubmit { handler.value.next() }.get()
      } onCancel: {
        close()
      }
    } catch {
      try Task.checkCancellation()
      throw error
    }
  }

  /// Closes the connection; idempotent.
  func close() {
    channel.close(promise: nil)
  }
}

/// Keeps what was received until it is asked for, and reads on when more is asked for.
private final class ResponseHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private let eventLoop: any EventLoop
  private var parts = CircularBuffer<HTTPClientResponsePart>()
  private var waiter: EventLoopPromise<HTTPClientResponsePart?>?
  private var context: ChannelHandlerContext?
  private var ended = false
  private var failure: (any Error)?

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func next() -> EventLoopFuture<HTTPClientResponsePart?> {
    if let part = parts.popFirst() { return eventLoop.makeSucceededFuture(part) }
    if ended { return eventLoop.makeSucceededFuture(nil) }
    if let failure { return eventLoop.makeFailedFuture(failure) }
    let promise = eventLoop.makePromise(of: HTTPClientResponsePart?.self)
    waiter = promise
    context?.read()
    return promise.futureResult
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    if case .end = part {
      ended = true
      // Before closing, which fails whoever waits.
      waiter.take()?.succeed(nil)
      context.close(promise: nil)
    } else if let waiter = waiter.take() {
      waiter.succeed(part)
    } else {
      parts.append(part)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if waiter != nil { context.read() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The other side may close an encrypted connection without saying so within it; whether the
    // response is complete, its own framing tells.
    if case NIOSSLError.uncleanShutdown = error { return }
    fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(ChannelError.eof)
  }

  private func fail(_ error: any Error) {
    if failure == nil { failure = error }
    waiter.take()?.fail(error)
  }
}
