/// Builds columns of text or bytes.
///
/// A value is appended whole, or written piece by piece and completed by ``endValue()``.
public final class BinaryBuilder: ArrayBuilder {
  public let type: DataType
  @exclusivity(unchecked) @usableFromInline var data = GrowableBytes()
  /// Where each value ends in ``data``.
  @exclusivity(unchecked) @usableFromInline var offsets = GrowableBytes()
  @exclusivity(unchecked) @usableFromInline var validity = ValidityBits()
  @exclusivity(unchecked) @usableFromInline var length = 0
  @exclusivity(unchecked) @usableFromInline var end = 0
  public private(set) var hasRejectedValue = false

  public var count: Int { length }
  public var byteCount: Int { data.count + offsets.count + validity.byteCount }

  /// - Precondition: `type` is ``DataType/utf8`` or ``DataType/binary``.
  public init(type: DataType) {
    precondition(type.layout == .variable32, "\(type) does not have 32-bit offsets")
    self.type = type
    offsets.append(Int32(0))
  }

  /// Appends one value.
  @inlinable @inline(__always)
  public func append(_ bytes: UnsafeRawBufferPointer) {
    data.append(contentsOf: bytes)
    endValue()
  }

  /// Appends one value.
  @inlinable @inline(__always)
  public func append(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { append($0) }
  }

  /// Appends one byte to the value that is being written.
  @inlinable @inline(__always)
  public func write(_ byte: UInt8) { data.append(byte) }

  /// Appends bytes to the value that is being written.
  @inlinable @inline(__always)
  public func write(_ bytes: UnsafeRawBufferPointer) { data.append(contentsOf: bytes) }

  /// Appends bytes to the value that is being written.
  @inlinable @inline(__always)
  public func write(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { data.append(contentsOf: $0) }
  }

  /// Completes the value that was written, which is empty when nothing was.
  @inlinable @inline(__always)
  public func endValue() {
    guard let next = Int32(exactly: data.count) else { return reject() }
    end = data.count
    offsets.append(next)
    validity.appendValid(at: length)
    length &+= 1
  }

  /// Puts a null in the place of a value that offsets of 32 bits cannot reach.
  @usableFromInline @inline(never)
  func reject() {
    hasRejectedValue = true
    appendNull()
  }

  /// Appends a null, and drops what was written of a value that was not completed.
  public func appendNull() {
    data.count = end
    offsets.append(Int32(truncatingIfNeeded: end))
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    data.count = end
    let (nullCount, bits) = validity.finish()
    let array = ArrayData(
      type: type, length: length, nullCount: nullCount, validity: bits,
      buffers: [offsets.finish(), data.finish()])
    let isComplete = !hasRejectedValue
    hasRejectedValue = false
    (length, end) = (0, 0)
    offsets.append(Int32(0))
    return isComplete ? array : ArrayData(emptyOf: type)
  }
}
