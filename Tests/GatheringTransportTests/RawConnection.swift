import NIOCore
import NIOPosix

/// A TCP connection that sends any bytes.
final class RawConnection: Sendable {
  /// How a client begins: the fixed text, and empty settings.
  static let preface = ByteBuffer(
    bytes: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])

  private let channel: any Channel
  private let received: AsyncStream<ByteBuffer>

  private init(channel: any Channel, received: AsyncStream<ByteBuffer>) {
    self.channel = channel
    self.received = received
  }

  static func connect(port: Int) async throws -> RawConnection {
    let (received, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ByteCollector(continuation))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    return RawConnection(channel: channel, received: received)
  }

  func write(_ bytes: ByteBuffer) async throws {
    try await channel.writeAndFlush(bytes)
  }

  /// All that the server sends until it closes the connection; nil when it does not within ten
  /// seconds.
  func readToEnd() async throws -> ByteBuffer? {
    try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
      group.addTask { [received] in
        var all = ByteBuffer()
        for await bytes in received { all.writeImmutableBuffer(bytes) }
        return Task.isCancelled ? nil : all
      }
      group.addTask {
        try await Task.sleep(for: .seconds(10))
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }

  func close() async {
    try? await channel.close()
  }

  /// The types of the HTTP/2 frames in some bytes.
  static func frameTypes(of bytes: ByteBuffer) -> [UInt8] {
    var bytes = bytes
    var types: [UInt8] = []
    while let head = bytes.readInteger(as: UInt32.self), bytes.readableBytes >= 5 {
      types.append(UInt8(truncatingIfNeeded: head))
      bytes.moveReaderIndex(forwardBy: min(5 + Int(head >> 8), bytes.readableBytes))
    }
    return types
  }

  /// A frame.
  static func frame(
    type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = [], length: Int? = nil
  ) -> ByteBuffer {
    var bytes = ByteBuffer()
    bytes.writeInteger(UInt32(length ?? payload.count) << 8 | UInt32(type))
    bytes.writeMultipleIntegers(flags, stream)
    bytes.writeBytes(payload)
    return bytes
  }
}

private final class ByteCollector: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let bytes: AsyncStream<ByteBuffer>.Continuation

  init(_ bytes: AsyncStream<ByteBuffer>.Continuation) { self.bytes = bytes }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes.yield(unwrapInboundIn(data))
  }

  func channelInactive(context: ChannelHandlerContext) {
    bytes.finish()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    bytes.finish()
    context.close(promise: nil)
  }
}
