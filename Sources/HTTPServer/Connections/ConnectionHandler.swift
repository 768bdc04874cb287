import Logging
import NIOCore
import NIOHTTP1

/// Serves one connection: reads requests one after another, and writes their responses.
struct ConnectionHandler: Sendable {
  typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

  /// How much of a body that nobody wants is read before the connection is cut instead.
  private static let drainedByteCount = 16 << 20

  let router: Router
  let limits: HTTPServer.Limits
  let logger: Logger

  /// Prepares a connection that was accepted; runs on its event loop.
  func setUp(_ channel: any Channel) throws -> Connection {
    var decoderLimits = NIOHTTPDecoderLimitConfiguration()
    decoderLimits.maxHeaderFieldSize = limits.headByteCount
    decoderLimits.maxHeaderListSize = limits.headByteCount
    let pipeline = channel.pipeline.syncOperations
    try pipeline.configureHTTPServerPipeline(
      withPipeliningAssistance: false, withErrorHandling: false,
      withOutboundHeaderValidation: true, withEncoderConfiguration: .init(),
      withDecoderLimitConfiguration: decoderLimits)
    try pipeline.addHandler(
      ClientTimeout(idleTimeout: limits.idleTimeout, eventLoop: channel.eventLoop))
    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
  }

  /// Serves requests until the connection ends.
  func serve(_ connection: Connection, from listener: Listener.Kind) async {
    let channel = connection.channel
    do {
      try await connection.executeThenClose { inbound, _ in
        var parts = inbound.makeAsyncIterator()
        do {
          while let part = try await parts.next() {
            guard case .head(let head) = part else { return }
            let peer = Peer(listener: listener, address: channel.remoteAddress?.ipAddress ?? "")
            guard try await serve(head, parts, from: peer, on: channel) else { return }
          }
        } catch let error as HTTPParserError {
          let refusal = RequestError(
            error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest,
            "The request is not HTTP/1.1 as it should be: \(error)")
          try await write(
            ErrorResponse.make(refusal), to: channel, version: .http1_1, isKeptAlive: false)
        }
      }
    } catch {
      logger.debug("A connection ended", metadata: ["error": "\(error)"])
    }
  }

  /// Serves one request.
  ///
  /// - Returns: whether another can follow.
  private func serve(
    _ head: HTTPRequestHead, _ parts: RequestBody.Parts, from peer: Peer, on channel: any Channel
  ) async throws -> Bool {
    let isAwaited = head.headers["Expect"].contains { $0.lowercased() == "100-continue" }
    let ask: @Sendable () async throws -> Void = {
      let head = HTTPResponseHead(version: .http1_1, status: .continue)
      try await channel.writeAndFlush(HTTPServerResponsePart.head(head)).get()
    }
    let body = RequestBody(parts, prepare: isAwaited ? ask : nil)
    let response = await router.respond(to: head, body: body, from: peer)
    // After a body that nobody asked for nothing can follow: the client may send it or not. And in
    // HTTP/1.0 only the end of the connection tells where a body ends that is made while it is sent.
    let isKeptAlive =
      head.isKeepAlive && !body.isAwaited && !body.isBroken
      && (head.version != .http1_0 || !response.isStream)
    do {
      try await write(
        response, to: channel, version: head.version, isKeptAlive: isKeptAlive,
        isHead: head.method == .HEAD)
    } catch {
      if case .stream(let stream) = response.body { await stream.cancel() }
      throw error
    }
    guard isKeptAlive else {
      if !body.isAwaited && !body.isBroken { _ = try await body.drain(upTo: Self.drainedByteCount) }
      return false
    }
    return try await body.drain(upTo: Self.drainedByteCount)
  }

  private func write(
    _ response: Response, to channel: any Channel, version: HTTPVersion, isKeptAlive: Bool,
    isHead: Bool = false
  ) async throws {
    var head = HTTPResponseHead(
      version: version, status: response.status, headers: response.headers)
    if !isKeptAlive {
      head.headers.replaceOrAdd(name: "Connection", value: "close")
    } else if version == .http1_0 {
      head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
    }
    switch response.body {
    case .bytes(let bytes):
      head.headers.replaceOrAdd(name: "Content-Length", value: String(bytes.readableBytes))
      channel.write(HTTPServerResponsePart.head(head), promise: nil)
      if bytes.readableBytes > 0 && !isHead {
        channel.write(HTTPServerResponsePart.body(.byteBuffer(bytes)), promise: nil)
      }
      try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    case .stream(let stream):
      channel.write(HTTPServerResponsePart.head(head), promise: nil)
      try await withTaskCancellationHandler {
        try await send(stream, to: channel)
      } onCancel: {
        // Ends the wait for a client that does not read.
        channel.close(promise: nil)
      }
      try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    }
  }

  /// Sends a body. One chunk is on its way to the client while the next one is made, and no more.
  private func send(_ stream: ResponseStream, to channel: any Channel) async throws {
    var sent = channel.eventLoop.makeSucceededVoidFuture()
    while true {
      let chunk: [ByteBuffer]?
      do {
        chunk = try await stream.next()
      } catch {
        logger.info("A response ended early", metadata: ["error": "\(type(of: error))"])
        try await write(await stream.ending(error), to: channel).get()
        if stream.isWholeAfterError { return }
        // Leaving by an error closes the connection without the terminating chunk.
        throw error
      }
      try await sent.get()
      guard let chunk else { return }
      sent = write(chunk, to: channel)
    }
  }

  /// Completes when the bytes are in the socket; the connection is cut when they are not in time.
  private func write(_ pieces: [ByteBuffer], to channel: any Channel) -> EventLoopFuture<Void> {
    guard let last = pieces.last else { return channel.eventLoop.makeSucceededVoidFuture() }
    for piece in pieces.dropLast() {
      channel.write(HTTPServerResponsePart.body(.byteBuffer(piece)), promise: nil)
    }
    let sent = channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(last)))
    let timer = channel.eventLoop.scheduleTask(in: limits.sendTimeout) {
      channel.close(promise: nil)
    }
    sent.whenComplete { _ in timer.cancel() }
    return sent
  }
}

/// Who is at the other end of a connection.
struct Peer: Sendable {
  var listener: Listener.Kind
  /// The network address; empty on a Unix domain socket.
  var address: String
}
