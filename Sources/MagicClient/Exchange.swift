import NIOCore
import NIOHTTP1
import NIOPosix

/// One request and its response, on a connection of their own.
struct Exchange: Sendable {
  /// Where requests go.
  enum Target: Sendable {
    case unixSocket(connectablePath: String)
    case tcp(host: String, port: Int)
  }

  private let channel: any Channel
  private let handler: NIOLoopBound<ResponseHandler>

  /// Connects and sends the request.
  init(_ head: HTTPRequestHead, body: ByteBuffer?, to target: Target) async throws {
    // The response is read as its reader asks for it.
    let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .channelOption(.autoRead, value: false)
      .connectTimeout(.seconds(10))
    let initializer: @Sendable (any Channel) -> EventLoopFuture<Exchange> = { channel in
      channel.eventLoop.makeCompletedFuture {
        let handler = ResponseHandler(eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHTTPClientHandlers()
        try channel.pipeline.syncOperations.addHandler(handler)
        return Exchange(
          channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
      }
    }
    switch target {
    case .unixSocket(let path):
      self = try await bootstrap.connect(
        unixDomainSocketPath: path, channelInitializer: initializer)
    case .tcp(let host, let port):
      self = try await bootstrap.connect(host: host, port: port, channelInitializer: initializer)
    }
    // A write that fails closes the connection, which the reader notices.
    channel.write(HTTPClientRequestPart.head(head), promise: nil)
    if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
    channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
  }

  private init(channel: any Channel, handler: NIOLoopBound<ResponseHandler>) {
    self.channel = channel
    self.handler = handler
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
