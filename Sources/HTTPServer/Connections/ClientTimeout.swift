import NIOCore
import NIOHTTP1

/// Closes a connection whose client is expected to send something and does not: no complete head of
/// a request, or no part of a body. The time that the server itself takes does not count.
final class ClientTimeout: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private let idleTimeout: TimeAmount
  private let eventLoop: any EventLoop
  /// The requests that were not answered completely.
  private var openRequests = 0
  private var isReadingBody = false
  /// Whether something was asked for that did not come yet.
  private var isReadPending = false
  private var isQuiescing = false
  private var deadline: NIODeadline?
  private var timer: Scheduled<Void>?

  init(idleTimeout: TimeAmount, eventLoop: any EventLoop) {
    self.idleTimeout = idleTimeout
    self.eventLoop = eventLoop
  }

  func handlerAdded(context: ChannelHandlerContext) { update(context) }

  func channelActive(context: ChannelHandlerContext) {
    update(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    context.fireChannelInactive()
  }

  func read(context: ChannelHandlerContext) {
    if !isReadPending {
      isReadPending = true
      update(context)
    }
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      openRequests += 1
      isReadingBody = true
    case .body: break
    case .end: isReadingBody = false
    }
    isReadPending = false
    deadline = nil
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .end = unwrapOutboundIn(data) else {
      context.write(data, promise: promise)
      return
    }
    openRequests -= 1
    deadline = nil
    let promise = promise ?? context.eventLoop.makePromise()
    if openRequests == 0 && isQuiescing {
      let channel = context.channel
      promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
    }
    context.write(data, promise: promise)
    update(context)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is ChannelShouldQuiesceEvent else {
      context.fireUserInboundEventTriggered(event)
      return
    }
    isQuiescing = true
    if openRequests == 0 { context.close(promise: nil) }
  }

  private var isWaiting: Bool { openRequests == 0 || isReadingBody && isReadPending }

  /// Notes when the client must have sent something, and looks at that time whether it has.
  private func update(_ context: ChannelHandlerContext) {
    guard isWaiting else { return }
    if deadline == nil { deadline = .now() + idleTimeout }
    guard timer == nil, let deadline else { return }
    let context = NIOLoopBound(context, eventLoop: eventLoop)
    let handler = NIOLoopBound(self, eventLoop: eventLoop)
    timer = eventLoop.scheduleTask(deadline: deadline) { handler.value.check(context.value) }
  }

  private func check(_ context: ChannelHandlerContext) {
    timer = nil
    guard isWaiting else { return }
    if let deadline, deadline <= .now() {
      context.close(promise: nil)
    } else {
      update(context)
    }
  }
}
