import GRPCCore
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// Why no encrypted connection can be made, where trying again does not help; nil where it may.
func securityProblem(_ error: any Error) -> String? {
  switch error {
  case let error as NIOSSLExtraError where error == .failedToValidateHostname:
    return "the server's certificate is for another name: \(error)"
  case NIOSSLError.handshakeFailed(.sslError(let stack)):
    let text = stack.map { "\($0)" }.joined(separator: "; ")
    if text.contains("CERTIFICATE_VERIFY_FAILED") {
      return "the server's certificate is not signed by one that is trusted"
    }
    if text.contains("WRONG_VERSION_NUMBER") { return "the server does not encrypt" }
    return "no encrypted connection can be made: \(text)"
  case let error as RPCError:
    return error.cause.flatMap { securityProblem($0) }
  default: return nil
  }
}

/// Whether a server answers to the beginning of an encrypted connection.
func speaksTLS(_ host: String, _ port: Int) async -> Bool {
  var configuration = TLSConfiguration.makeClientConfiguration()
  configuration.certificateVerification = .none
  configuration.applicationProtocols = ["h2"]
  do {
    let context = try NIOSSLContext(configuration: configuration)
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connectTimeout(.seconds(2))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
          try pipeline.addHandler(HandshakeHandler(channel.eventLoop.makePromise()))
        }
      }
      .connect(host: host, port: port).get()
    let result = try await channel.pipeline.handler(type: HandshakeHandler.self)
      .flatMap { $0.isDone.futureResult }.get()
    try? await channel.close()
    return result
  } catch {
    return false
  }
}

/// Tells whether a handshake succeeds.
private final class HandshakeHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer

  let isDone: EventLoopPromise<Bool>

  init(_ isDone: EventLoopPromise<Bool>) { self.isDone = isDone }

  func handlerAdded(context: ChannelHandlerContext) {
    context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(2)) { self.isDone.succeed(false) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { isDone.succeed(true) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { isDone.succeed(false) }

  func channelInactive(context: ChannelHandlerContext) { isDone.succeed(false) }
}
