public import GRPCCore
public import NIOCore

/// One message: its bytes, in one or more buffers one after the other.
///
/// A large buffer is written to the network as it is, so a message of a small header and a large
/// body costs no copy of the body. A received message has one buffer.
public struct MessageBytes: GRPCContiguousBytes, Sendable {
  private var first: ByteBuffer
  private var others: [ByteBuffer]

  /// A message of one buffer's readable bytes.
  public init(_ buffer: ByteBuffer) {
    first = buffer
    others = []
  }

  /// A message of the readable bytes of buffers, in their order.
  public init(gathering buffers: [ByteBuffer]) {
    first = buffers.first ?? ByteBuffer()
    others = Array(buffers.dropFirst())
  }

  /// A message of one byte, many times.
  public init(repeating byte: UInt8, count: Int) {
    self.init(ByteBuffer(repeating: byte, count: count))
  }

  /// A message with a copy of bytes.
  public init<Bytes: Sequence>(_ bytes: Bytes) where Bytes.Element == UInt8 {
    self.init(ByteBuffer(bytes: bytes))
  }

  /// The number of bytes.
  public var count: Int {
    others.reduce(first.readableBytes) { $0 + $1.readableBytes }
  }

  /// The buffers, in their order.
  public var buffers: [ByteBuffer] { [first] + others }

  /// All bytes in one buffer; no copy is made when there is only one.
  public var contiguous: ByteBuffer {
    guard !others.isEmpty else { return first }
    var whole = ByteBuffer()
    whole.reserveCapacity(count)
    for buffer in buffers { whole.writeImmutableBuffer(buffer) }
    return whole
  }

  /// Calls a closure with all bytes, which are copied together when they lie in several buffers.
  public func withUnsafeBytes<Result>(
    _ body: (_ bytes: UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try contiguous.withUnsafeReadableBytes(body)
  }

  /// Calls a closure with all bytes to change, which from then on lie in one buffer.
  public mutating func withUnsafeMutableBytes<Result>(
    _ body: (_ bytes: UnsafeMutableRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    first = contiguous
    others = []
    return try first.withUnsafeMutableReadableBytes(body)
  }
}
