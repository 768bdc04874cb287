import GRPCCore
import NIOCore

/// Cuts the bytes of a request into messages. Each has a prefix: a byte that says whether it is
/// compressed, and its length in four bytes, the highest first.
struct MessageDeframer {
  private static let prefixByteCount = 5
  /// How much of a message must have come before memory for all of it is reserved, in bytes; what
  /// its prefix says is no reason to.
  private static let trustedByteCount = 4 << 20
  /// From how many bytes on a message may stay in the buffer in which it was received.
  private static let sharedByteCount = 64 << 10

  private let maximumByteCount: Int
  private var prefix: UInt64 = 0
  private var prefixCount = 0
  private var message = ByteBuffer()
  /// How long the current message is; nil while its prefix is incomplete.
  private var messageByteCount: Int?

  init(maximumByteCount: Int) {
    // A buffer cannot hold more than 4 GiB, and rounds up to a power of two.
    self.maximumByteCount = min(maximumByteCount, 2 << 30)
  }

  /// Whether all that came is whole messages.
  var isBetweenMessages: Bool { prefixCount == 0 && messageByteCount == nil }

  /// How many bytes of the current message are held.
  var heldByteCount: Int { message.readableBytes }

  /// Adds received bytes.
  ///
  /// - Returns: the messages that they complete.
  /// - Throws: the status with which the call must end.
  mutating func append(_ received: ByteBuffer) throws(RPCError) -> [ByteBuffer] {
    var received = received
    var messages: [ByteBuffer] = []
    while true {
      guard let byteCount = messageByteCount else {
        guard let byte = received.readInteger(as: UInt8.self) else { return messages }
        prefix = prefix << 8 | UInt64(byte)
        prefixCount += 1
        if prefixCount == Self.prefixByteCount { try beginMessage() }
        continue
      }
      guard let whole = take(byteCount, from: &received) else { return messages }
      messages.append(whole)
      messageByteCount = nil
    }
  }

  /// Forgets the current message.
  mutating func discard() {
    message = ByteBuffer()
  }

  private mutating func beginMessage() throws(RPCError) {
    let compression = prefix >> 32
    let byteCount = Int(prefix & 0xFFFF_FFFF)
    prefix = 0
    prefixCount = 0
    guard compression == 0 else {
      throw RPCError(
        code: .internalError,
        message: "a message is marked as compressed (\(compression)) though no encoding was agreed")
    }
    guard byteCount <= maximumByteCount else {
      throw RPCError(
        code: .resourceExhausted,
        message: "a message has \(byteCount) bytes; this server takes up to \(maximumByteCount): "
          + "send smaller batches")
    }
    messageByteCount = byteCount
  }

  /// The current message, if the received bytes complete it.
  private mutating func take(_ byteCount: Int, from received: inout ByteBuffer) -> ByteBuffer? {
    if message.readableBytes == 0, byteCount >= Self.sharedByteCount,
      let whole = received.readSlice(length: byteCount)
    {
      return whole
    }
    let missing = byteCount - message.readableBytes
    guard let part = received.readSlice(length: min(missing, received.readableBytes)) else {
      return nil
    }
    let trusted = message.readableBytes + part.readableBytes
    message.reserveCapacity(
      trusted > Self.trustedByteCount ? byteCount : min(byteCount, Self.trustedByteCount))
    message.writeImmutableBuffer(part)
    guard message.readableBytes == byteCount else { return nil }
    defer { message = ByteBuffer() }
    return message
  }
}
