import Arrow
import NIOCore

/// Carries bytes between Arrow's buffers and the network's.
enum SharedBytes {
  /// The bytes that pad a buffer of a body.
  private static let zeros = [UInt8](repeating: 0, count: 8)
  /// From how many bytes on a buffer of a body is one of its own. The small ones are put together:
  /// one system call writes a limited number of buffers.
  private static let separateByteCount = 64 << 10

  /// The bytes of `head` and then those of a body, padded as the IPC format wants it.
  static func buffers(of body: [Buffer], after head: ByteBuffer) -> [ByteBuffer] {
    var buffers: [ByteBuffer] = []
    var last = head
    for buffer in body {
      if buffer.byteCount >= separateByteCount {
        buffers.append(last)
        last = ByteBuffer()
        buffers.append(LentMemory.lend(buffer))
      } else {
        _ = buffer.withUnsafeBytes { last.writeBytes($0) }
      }
      last.writeBytes(zeros.prefix((8 - buffer.byteCount % 8) % 8))
    }
    if last.readableBytes > 0 { buffers.append(last) }
    return buffers
  }

  /// An Arrow buffer of the bytes of `bytes`, whose memory it keeps.
  static func buffer(of bytes: ByteBuffer) -> Buffer {
    // The storage of a byte buffer stays where it is while somebody holds the buffer, and nobody
    // writes into it as long as it has two holders.
    bytes.withUnsafeReadableBytes { Buffer(unowned: $0, keptAliveBy: Holder(bytes)) }
  }

  private final class Holder: Sendable {
    let bytes: ByteBuffer
    init(_ bytes: ByteBuffer) { self.bytes = bytes }
  }
}
