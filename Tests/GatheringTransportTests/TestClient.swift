import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL

/// A client that speaks HTTP/2 frame by frame, so that tests can also say what no client should.
final class TestClient: Sendable {
  let channel: any Channel
  private let multiplexer: NIOHTTP2Handler.StreamMultiplexer
  /// Frames that concern the whole connection.
  let connectionFrames: AsyncStream<HTTP2Frame>

  private init(
    channel: any Channel, multiplexer: NIOHTTP2Handler.StreamMultiplexer,
    connectionFrames: AsyncStream<HTTP2Frame>
  ) {
    self.channel = channel
    self.multiplexer = multiplexer
    self.connectionFrames = connectionFrames
  }

  /// - Parameter tls: what the connection is encrypted with; nil for plain text.
  static func connect(port: Int, tls: NIOSSLContext? = nil) async throws -> TestClient {
    let (frames, continuation) = AsyncStream.makeStream(of: HTTP2Frame.self)
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
          }
          try channel.pipeline.syncOperations.addHandler(
            NIOHTTP2Handler(mode: .client, eventLoop: channel.eventLoop) { stream in
              stream.eventLoop.makeSucceededVoidFuture()
            })
          try channel.pipeline.syncOperations.addHandler(FrameCollector(continuation))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    let multiplexer = try await channel.pipeline.handler(type: NIOHTTP2Handler.self)
      .flatMap { $0.multiplexer }.get()
    return TestClient(channel: channel, multiplexer: multiplexer, connectionFrames: frames)
  }

  /// Begins a call of a method of `test.Service`.
  ///
  /// - Parameter readsByItself: whether responses are read as they come, or by ``TestCall/read()``.
  func call(
    _ method: String, _ extraHeaders: HPACKHeaders = [:], readsByItself: Bool = true
  ) async throws -> TestCall {
    let usual: HPACKHeaders = [
      ":method": "POST", ":scheme": "http", ":path": "/test.Service/\(method)",
      ":authority": "localhost", "content-type": "application/grpc", "te": "trailers",
    ]
    // Replaced in place: those that begin with a colon must stay in front.
    var headers = HPACKHeaders(
      usual.map { name, value, _ in (name, extraHeaders.first(name: name) ?? value) })
    for (name, value, _) in extraHeaders where !usual.contains(name: name) {
      headers.add(name: name, value: value)
    }
    let call = try await open(readsByItself: readsByItself)
    try await call.send(.headers(.init(headers: headers)))
    return call
  }

  /// Opens a stream without sending anything on it.
  func open(readsByItself: Bool = true) async throws -> TestCall {
    let (payloads, continuation) = AsyncThrowingStream.makeStream(
      of: HTTP2Frame.FramePayload.self)
    let stream = try await multiplexer.createStreamChannel { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.syncOptions?.setOption(.autoRead, value: readsByItself)
        try stream.pipeline.syncOperations.addHandler(PayloadCollector(continuation))
      }
    }.get()
    return TestCall(channel: stream, payloads: payloads)
  }

  func close() async {
    try? await channel.close()
  }
}

/// One stream of a ``TestClient``.
final class TestCall {
  let channel: any Channel
  private var payloads: AsyncThrowingStream<HTTP2Frame.FramePayload, any Error>.Iterator
  private var received = ByteBuffer()
  private(set) var headers: HPACKHeaders?
  private(set) var trailers: HPACKHeaders?

  init(
    channel: any Channel, payloads: AsyncThrowingStream<HTTP2Frame.FramePayload, any Error>
  ) {
    self.channel = channel
    self.payloads = payloads.makeAsyncIterator()
  }

  func send(_ payload: HTTP2Frame.FramePayload) async throws {
    try await channel.writeAndFlush(payload)
  }

  /// Sends bytes without a prefix.
  func send(raw bytes: ByteBuffer, isLast: Bool = false) async throws {
    try await send(.data(.init(data: .byteBuffer(bytes), endStream: isLast)))
  }

  /// Sends a message.
  func send(_ message: ByteBuffer, isLast: Bool = false) async throws {
    try await send(.message(message, isLast: isLast))
  }

  func send(_ text: String, isLast: Bool = false) async throws {
    try await send(ByteBuffer(string: text), isLast: isLast)
  }

  func sendEnd() async throws {
    try await send(raw: ByteBuffer(), isLast: true)
  }

  func cancel() async throws {
    try await send(.rstStream(.cancel))
  }

  /// Lets more of the response in.
  func read() {
    channel.read()
  }

  /// The next message of the response; nil at its end.
  ///
  /// - Throws: when the stream is reset.
  func next() async throws -> ByteBuffer? {
    while true {
      if let length = received.getInteger(at: received.readerIndex + 1, as: UInt32.self),
        received.readableBytes >= Int(length) + 5
      {
        received.moveReaderIndex(forwardBy: 5)
        let message = received.readSlice(length: Int(length))
        received.discardReadBytes()
        return message
      }
      guard let payload = try await payloads.next() else { return nil }
      switch payload {
      case .headers(let payload) where payload.endStream: trailers = payload.headers
      case .headers(let payload): headers = payload.headers
      case .data(let payload):
        if case .byteBuffer(let bytes) = payload.data { received.writeImmutableBuffer(bytes) }
      default: break
      }
    }
  }

  func nextText() async throws -> String? {
    try await next().map { String(buffer: $0) }
  }

  /// Reads to the end of the response. It may be followed by a reset that says that the rest of the
  /// request is not wanted.
  ///
  /// - Returns: its `grpc-status` and `grpc-message`.
  func status() async throws -> String {
    do {
      while try await next() != nil {}
    } catch let error as NIOHTTP2Errors.StreamClosed
      where error.errorCode == .noError && trailers != nil
    {}
    let message = trailers?.first(name: "grpc-message").map { " \($0)" } ?? ""
    return (trailers?.first(name: "grpc-status") ?? "none") + message
  }
}

extension HTTP2Frame.FramePayload {
  /// A message with its prefix.
  static func message(_ message: ByteBuffer, isLast: Bool = false) -> Self {
    var framed = ByteBuffer()
    framed.writeMultipleIntegers(UInt8(0), UInt32(message.readableBytes))
    framed.writeImmutableBuffer(message)
    return .data(.init(data: .byteBuffer(framed), endStream: isLast))
  }
}

private final class FrameCollector: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame
  private let frames: AsyncStream<HTTP2Frame>.Continuation

  init(_ frames: AsyncStream<HTTP2Frame>.Continuation) { self.frames = frames }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    frames.yield(unwrapInboundIn(data))
  }

  func channelInactive(context: ChannelHandlerContext) {
    frames.finish()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

private final class PayloadCollector: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  private let payloads: AsyncThrowingStream<HTTP2Frame.FramePayload, any Error>.Continuation

  init(_ payloads: AsyncThrowingStream<HTTP2Frame.FramePayload, any Error>.Continuation) {
    self.payloads = payloads
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    payloads.yield(unwrapInboundIn(data))
  }

  func channelInactive(context: ChannelHandlerContext) {
    payloads.finish()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    payloads.finish(throwing: error)
  }
}

/// Frames with a message of zeros, and the end of a request.
struct HTTP2PayloadMessage: Sendable {
  let byteCount: Int

  var payload: HTTP2Frame.FramePayload { .message(ByteBuffer(repeating: 0, count: byteCount)) }

  var end: HTTP2Frame.FramePayload {
    .data(.init(data: .byteBuffer(ByteBuffer()), endStream: true))
  }
}
