import Logging
import NIOCore
import NIOHTTP2

/// Carries out what ``ConnectionLife`` decides for one connection, and closes it after errors.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame
  typealias OutboundOut = HTTP2Frame

  private static let keepalive = HTTP2PingData(withInteger: 0x6B65_6570)
  private static let announcement = HTTP2PingData(withInteger: 0x6472_6169_6E)

  private let logger: Logger
  private var life: ConnectionLife
  private var context: ChannelHandlerContext?
  private var ticks: RepeatedTask?

  init(limits: GatheringServerTransport.Limits, logger: Logger) {
    self.logger = logger
    life = ConnectionLife(limits: limits, now: .now())
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    let period = TimeAmount(life.limits.tick)
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    ticks = context.eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
      let handler = bound.value
      handler.perform(handler.life.tick(at: .now()))
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    ticks?.cancel()
    self.context = nil
  }

  func channelInactive(context: ChannelHandlerContext) {
    ticks?.cancel()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    life.opened()
    if case .ping(Self.announcement, ack: true) = unwrapInboundIn(data).payload {
      perform(life.endAcknowledged())
      perform(life.closeIfEnded())
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    life.received(at: .now())
    context.fireChannelReadComplete()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is ChannelShouldQuiesceEvent { perform(life.drain(at: .now())) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !error.concernsOneStream else { return }
    logger.debug("Closing a connection", metadata: ["error": "\(error)"])
    // What says goodbye has been written, if there is something to say.
    context.close(promise: nil)
  }

  private func perform(_ action: ConnectionLife.Action?) {
    guard let action, let context else { return }
    switch action {
    case .ping:
      write(.ping(Self.keepalive, ack: false), context)
    case .announceEnd:
      write(.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil), context)
      write(.ping(Self.announcement, ack: false), context)
    case .end(let lastStream):
      write(.goAway(lastStreamID: lastStream, errorCode: .noError, opaqueData: nil), context)
      perform(life.closeIfEnded())
    case .closeAfterWrites:
      // The last stream's end may not even be on its way to the socket yet; a frame behind it is
      // sent after it.
      context.eventLoop.assumeIsolated().execute { self.closeAfterWrites() }
    case .close(let reason):
      logger.debug("Closing a connection", metadata: ["reason": "\(reason)"])
      context.close(promise: nil)
    }
  }

  private func closeAfterWrites() {
    guard let context else { return }
    let sent = context.eventLoop.makePromise(of: Void.self)
    sent.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    let frame = HTTP2Frame(streamID: .rootStream, payload: .ping(Self.keepalive, ack: false))
    context.writeAndFlush(wrapOutboundOut(frame), promise: sent)
  }

  private func write(_ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
    let frame = HTTP2Frame(streamID: .rootStream, payload: payload)
    context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }

  /// Told about the connection's streams; always on its event loop.
  func streamDelegate(on eventLoop: any EventLoop) -> StreamDelegate {
    StreamDelegate(bound: NIOLoopBound(self, eventLoop: eventLoop))
  }

  struct StreamDelegate: NIOHTTP2StreamDelegate {
    fileprivate let bound: NIOLoopBound<ConnectionHandler>

    func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
      bound.value.life.streamOpened(id)
    }

    func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
      let handler = bound.value
      handler.perform(handler.life.streamClosed(at: .now()))
    }
  }
}

extension Error {
  /// Whether it ends one stream, and not the connection.
  fileprivate var concernsOneStream: Bool {
    switch self {
    case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.CreatedStreamAfterGoaway,
      is NIOHTTP2Errors.InvalidPseudoHeaders, is NIOHTTP2Errors.MissingPseudoHeader,
      is NIOHTTP2Errors.DuplicatePseudoHeader, is NIOHTTP2Errors.UnknownPseudoHeader,
      is NIOHTTP2Errors.UnsupportedPseudoHeader, is NIOHTTP2Errors.InvalidPseudoHeaderValue,
      is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader, is NIOHTTP2Errors.EmptyPathHeader,
      is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
      is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue, is NIOHTTP2Errors.ForbiddenHeaderField,
      is NIOHTTP2Errors.ContentLengthViolated, is NIOHTTP2Errors.ContentLengthHeadersMismatch,
      is NIOHTTP2Errors.ContentLengthHeaderNegative,
      is NIOHTTP2Errors.ContentLengthHeaderMalformedValue:
      true
    default: false
    }
  }
}
