import GRPCCore
import NIOCore

/// Makes a response's messages into as few and as large buffers as possible, without copying large
/// ones: prefixes, small messages and small buffers are put together, and large buffers are taken
/// as they are.
struct MessageFramer {
  /// From how many bytes on a buffer is not copied.
  static let sharedByteCount = 8 << 10
  /// How many bytes are put together in one buffer, at most.
  static let togetherByteCount = 64 << 10

  private var parts: [ResponseQueue.Part] = []
  private var small = ByteBuffer()
  /// How many bytes of messages wait.
  private(set) var byteCount = 0

  var isEmpty: Bool { parts.isEmpty && small.readableBytes == 0 }

  /// Adds something that is not a message.
  mutating func append(_ part: ResponseQueue.Part) {
    closeSmall()
    parts.append(part)
  }

  /// Adds a message with its prefix.
  mutating func append(_ message: MessageBytes) throws(RPCError) {
    guard let count = UInt32(exactly: message.count) else {
      throw RPCError(code: .internalError, message: "a message of 4 GiB or more cannot be sent")
    }
    byteCount += message.count
    small.writeMultipleIntegers(UInt8(0), count)
    for buffer in message.buffers {
      if buffer.readableBytes >= Self.sharedByteCount {
        closeSmall()
        parts.append(.data(buffer))
      } else {
        small.writeImmutableBuffer(buffer)
      }
    }
    if small.readableBytes >= Self.togetherByteCount { closeSmall() }
  }

  /// Everything that was added since it was last called.
  mutating func takeParts() -> [ResponseQueue.Part] {
    closeSmall()
    byteCount = 0
    defer { parts = [] }
    return parts
  }

  private mutating func closeSmall() {
    guard small.readableBytes > 0 else { return }
    parts.append(.data(small))
    small = ByteBuffer()
  }
}
