/// Collects the values of one column.
///
/// Nothing that a builder is given traps. A value that the column's type cannot hold is rejected:
/// it becomes null, ``hasRejectedValue`` is set, and ``finish()`` gives an empty array, which no
/// ``RecordBatch`` with other columns accepts, so that the loss cannot go unseen.
public protocol ArrayBuilder: AnyObject {
  /// The type of the arrays built.
  var type: DataType { get }
  /// The number of values appended since the last ``finish()``.
  var count: Int { get }
  /// The number of bytes that these values take. Text, binary and list columns hold less than
  /// 2 GiB (less than 2³¹ items): finish the batch well before.
  var byteCount: Int { get }
  /// Whether a value was rejected since the last ``finish()``: offsets would have passed
  /// `Int32.max`, or a value did not have the type's width or range.
  var hasRejectedValue: Bool { get }

  func appendNull()

  /// Gives the values as an array, without copying them, and becomes empty.
  func finish() -> ArrayData
}

/// The validity bitmap of a builder. There is none before the first null.
@usableFromInline
struct ValidityBits: ~Copyable {
  @usableFromInline var bits = GrowableBytes()
  @usableFromInline var nullCount = 0

  @usableFromInline init() {}

  @usableFromInline var byteCount: Int { bits.count }

  /// Notes that the value at `index`, the next one, is there.
  @inlinable @inline(__always)
  mutating func appendValid(at index: Int) {
    if nullCount > 0 { setBit(index) }
  }

  @usableFromInline
  mutating func setBit(_ index: Int) {
    bits.setBit(index)
  }

  /// Notes that the value at `index`, the next one, is null.
  @usableFromInline
  mutating func appendNull(at index: Int) {
    if nullCount == 0 {
      for _ in 0..<(index / 8) { bits.append(UInt8.max) }
      if index % 8 != 0 { bits.append(UInt8(1) << UInt8(index % 8) - 1) }
    }
    bits.clearBit(index)
    nullCount += 1
  }

  /// Hands over the bitmap, if there are nulls, with their number, and becomes empty.
  mutating func finish() -> (nullCount: Int, validity: Buffer?) {
    let nulls = nullCount
    nullCount = 0
    return (nulls, nulls > 0 ? bits.finish() : nil)
  }
}

extension GrowableBytes {
  /// Sets the bit at `index`, which is at most one past the last.
  @inlinable @inline(__always)
  mutating func setBit(_ index: Int) {
    if index &>> 3 == count { append(UInt8(0)) }
    let byte = base + index &>> 3
    let mask = UInt8(1) &<< UInt8(truncatingIfNeeded: index & 7)
    byte.storeBytes(of: byte.load(as: UInt8.self) | mask, as: UInt8.self)
  }

  /// Leaves the bit at `index` clear, which is at most one past the last.
  @inlinable @inline(__always)
  mutating func clearBit(_ index: Int) {
    if index &>> 3 == count { append(UInt8(0)) }
  }
}
