import NIOCore
import NIOHTTP2

extension GatheringServerTransport {
  /// The bounds that protect the server. The memory of a call is at most about one message and one
  /// window in each direction; what clients send of long messages is bounded for all calls together.
  public struct Limits: Sendable {
    /// The longest message that is received, in bytes; a longer one ends its call with
    /// `RESOURCE_EXHAUSTED` before it is read.
    public var messageByteCount = 256 << 20
    /// How many bytes of long messages that are not complete yet all calls may hold together; the
    /// call that would take more ends with `RESOURCE_EXHAUSTED`.
    public var incompleteByteCount = 1 << 30
    /// How many connections may be open.
    public var connectionCount = 1024
    /// How many calls may run on one connection.
    public var callsPerConnection = 256
    /// How many bytes of a call a client may send ahead of its handler.
    public var windowByteCount = 4 << 20
    /// How many bytes of a response the stream buffers ahead of the client, beside a message.
    public var streamBufferByteCount = 1 << 20
    /// How many bytes all streams of a connection buffer ahead of the socket.
    public var connectionBufferByteCount = 1 << 20
    /// How much is read from a socket at once, in bytes, when much comes.
    public var receiveByteCount = 512 << 10
    /// The longest headers of a request, in bytes.
    public var headerByteCount = 32 << 10
    /// How many pings and settings a client may send in half a minute. Go's client measures with a ping
    /// whenever data has come, which are several for each of thousands of short calls.
    public var controlFramesPerHalfMinute = 200_000
    /// How many calls a client may cancel in half a minute.
    public var cancelledCallsPerHalfMinute = 2000
    /// How long a new connection may take until it speaks HTTP/2.
    public var openingTimeout = Duration.seconds(20)
    /// How long a connection may be without a call.
    public var idleTimeout = Duration.seconds(3600)
    /// After how long a silence a client is asked whether it is there.
    public var keepaliveInterval = Duration.seconds(60)
    /// How long a client may take to answer.
    public var keepaliveTimeout = Duration.seconds(30)
    /// How long running calls may go on after a graceful shutdown began.
    public var shutdownGrace = Duration.seconds(10)

    /// The default bounds.
    public init() {}

    /// How often a connection looks at the time.
    var tick: Duration {
      let shortest = min(openingTimeout, idleTimeout, keepaliveInterval, keepaliveTimeout)
      return max(.milliseconds(5), min(.seconds(1), shortest / 4))
    }

    var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
      var configuration = NIOHTTP2Handler.ConnectionConfiguration()
      configuration.initialSettings = [
        HTTP2Setting(parameter: .maxConcurrentStreams, value: callsPerConnection),
        HTTP2Setting(parameter: .maxHeaderListSize, value: headerByteCount),
        HTTP2Setting(parameter: .maxFrameSize, value: 1 << 20),
        HTTP2Setting(parameter: .initialWindowSize, value: windowByteCount),
      ]
      // A connection's window is given back when bytes arrive: what bounds memory is that of each
      // stream, and a slow call must not hold up the others.
      configuration.targetWindowSize = max(windowByteCount, 8 << 20)
      configuration.controlFrameRateLimit.maximumCount = controlFramesPerHalfMinute
      configuration.maximumRecentlyResetStreams = callsPerConnection
      configuration.maximumConnectionGlitches = cancelledCallsPerHalfMinute
      return configuration
    }

    var streamConfiguration: NIOHTTP2Handler.StreamConfiguration {
      var configuration = NIOHTTP2Handler.StreamConfiguration()
      configuration.targetWindowSize = windowByteCount
      configuration.outboundBufferSizeHighWatermark = streamBufferByteCount
      configuration.outboundBufferSizeLowWatermark = streamBufferByteCount / 2
      configuration.streamResetFrameRateLimit.maximumCount = cancelledCallsPerHalfMinute
      configuration.streamErrorRateLimit.maximumCount = cancelledCallsPerHalfMinute
      return configuration
    }
  }
}
