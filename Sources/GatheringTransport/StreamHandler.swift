import GRPCCore
import Logging
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One HTTP/2 stream: a request that comes in, and its response.
///
/// It reads only while the call's handler keeps up, so that what waits for a slow handler stays
/// within the stream's window; and it lets the handler write only while the client keeps up.
final class StreamHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  typealias OutboundOut = HTTP2Frame.FramePayload

  private let connection: ConnectionInfo
  private let handler: CallHandler
  private let calls: ConnectionRegistry
  private var deframer: MessageDeframer
  private var memory: RequestMemory.Share
  private var context: ChannelHandlerContext?
  private var call: Call?
  private var deadline: Scheduled<Void>?
  private var requestHasEnded = false
  /// Whether the transport has ended the call, so that the rest of the request does not matter.
  private var isRefused = false
  /// Whether the response is complete, so that what still comes does not matter.
  private var responseHasEnded = false

  init(
    connection: ConnectionInfo, limits: GatheringServerTransport.Limits, memory: RequestMemory,
    handler: @escaping CallHandler, calls: ConnectionRegistry
  ) {
    self.connection = connection
    self.handler = handler
    self.calls = calls
    deframer = MessageDeframer(maximumByteCount: limits.messageByteCount)
    self.memory = RequestMemory.Share(of: memory)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { context.read() }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func channelActive(context: ChannelHandlerContext) {
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !responseHasEnded else {
      noteEnd(of: unwrapInboundIn(data))
      return
    }
    let payload = unwrapInboundIn(data)
    switch payload {
    case .headers(let payload):
      if call == nil { start(payload.headers, context: context) }
    case .data(let payload):
      if case .byteBuffer(let bytes) = payload.data { receive(bytes) }
    default: break
    }
    noteEnd(of: payload)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    guard !responseHasEnded, !isRefused, let call, !call.request.pauseIfFull() else { return }
    context.read()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    call?.response.setWritable(context.channel.isWritable)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    if let call {
      self.call = nil
      let gone = RPCError(code: .cancelled, message: "the client has gone, or cancelled the call")
      call.request.finish(.failure(gone))
      if !call.response.abandon(gone) { call.cancel() }
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The stream closes after an error; ``channelInactive(context:)`` does what is to be done.
  }

  // The request.

  private func start(_ headers: HPACKHeaders, context: ChannelHandlerContext) {
    let head: RequestHead
    do throws(RequestHead.Refusal) {
      head = try RequestHead(headers)
    } catch {
      send([.trailers(error.headers)], context: context)
      return
    }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let eventLoop = context.eventLoop
    let call = Call(
      request: RequestQueue { eventLoop.execute { bound.value.readOn() } },
      response: ResponseQueue { eventLoop.execute { bound.value.sendResponse() } })
    self.call = call
    call.request.append(.metadata(head.metadata))
    var connection = connection
    if let timeout = head.timeout {
      connection.deadline = .now + timeout
      deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
        self.end(RPCError(code: .deadlineExceeded, message: "the call took longer than it may"))
      }
    }
    call.start(head.method, connection: connection, handler: handler, in: calls)
  }

  private func receive(_ bytes: ByteBuffer) {
    guard let call, !isRefused else { return }
    do throws(RPCError) {
      for message in try deframer.append(bytes) {
        call.request.append(.message(MessageBytes(message)))
      }
      guard memory.hold(deframer.heldByteCount) else {
        throw RPCError(
          code: .resourceExhausted,
          message: "all requests together take more memory than they may: send smaller batches, or "
            + "try again later")
      }
    } catch {
      end(error)
    }
  }

  private func noteEnd(of payload: HTTP2Frame.FramePayload) {
    guard payload.endsStream, !requestHasEnded else { return }
    requestHasEnded = true
    guard let call, !isRefused else { return }
    if deframer.isBetweenMessages {
      call.request.finish()
    } else {
      end(RPCError(code: .internalError, message: "the request ends within a message"))
    }
  }

  private func readOn() {
    context?.read()
  }

  /// Ends the call in the handler's place.
  private func end(_ error: RPCError) {
    guard let call, !isRefused else { return }
    isRefused = true
    deframer.discard()
    _ = memory.hold(0)
    call.request.finish(.failure(error))
    call.response.end(error)
    call.cancel()
  }

  // The response.

  private func sendResponse() {
    guard let context, let call else { return }
    send(call.response.takeParts(), context: context)
    call.response.setWritable(context.channel.isWritable)
  }

  private func send(_ parts: [ResponseQueue.Part], context: ChannelHandlerContext) {
    guard !parts.isEmpty else { return }
    for part in parts {
      switch part {
      case .headers(let headers):
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
      case .data(let bytes):
        context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(bytes)))), promise: nil)
      case .trailers(let headers):
        responseHasEnded = true
        deadline?.cancel()
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenSuccess { self.stopRequest() }
        let end = HTTP2Frame.FramePayload.Headers(headers: headers, endStream: true)
        context.write(wrapOutboundOut(.headers(end)), promise: sent)
      case .abort:
        responseHasEnded = true
        deadline?.cancel()
        context.write(wrapOutboundOut(.rstStream(.internalError)), promise: nil)
      }
    }
    context.flush()
  }

  /// Tells a client that still sends that nobody reads it, once it has the whole response.
  private func stopRequest() {
    guard let context, !requestHasEnded else { return }
    context.writeAndFlush(wrapOutboundOut(.rstStream(.noError)), promise: nil)
  }
}

extension HTTP2Frame.FramePayload {
  fileprivate var endsStream: Bool {
    switch self {
    case .headers(let payload): payload.endStream
    case .data(let payload): payload.endStream
    default: false
    }
  }
}
