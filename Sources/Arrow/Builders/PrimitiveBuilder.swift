/// Builds columns of integers, floating-point numbers, dates, times and timestamps.
///
/// The stored properties of the builders opt out of run-time exclusivity checks: their methods
/// call nothing of the caller's, so no second access can begin during one of them, and the checks
/// would cost more than the store.
public final class PrimitiveBuilder<T: BitwiseCopyable>: ArrayBuilder {
  public let type: DataType
  @exclusivity(unchecked) @usableFromInline var values = GrowableBytes()
  @exclusivity(unchecked) @usableFromInline var validity = ValidityBits()
  @exclusivity(unchecked) @usableFromInline var length = 0
  private let zero: T

  public var count: Int { length }
  public var byteCount: Int { values.count + validity.byteCount }
  public var hasRejectedValue: Bool { false }

  /// - Precondition: values of `type` are as wide as `T`.
  public init(type: DataType) where T: ExpressibleByIntegerLiteral {
    precondition(type.layout == .fixed(MemoryLayout<T>.size), "\(T.self) cannot hold \(type)")
    self.type = type
    self.zero = 0
  }

  @inlinable @inline(__always)
  public func append(_ value: T) {
    values.append(value)
    validity.appendValid(at: length)
    length &+= 1
  }

  /// Appends the same value several times.
  public func append(repeating value: T, count: Int) {
    for _ in 0..<count { append(value) }
  }

  public func appendNull() {
    values.append(zero)
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    let (nullCount, bits) = validity.finish()
    defer { length = 0 }
    return ArrayData(
      type: type, length: length, nullCount: nullCount, validity: bits, buffers: [values.finish()])
  }
}

/// Builds columns of booleans.
public final class BooleanBuilder: ArrayBuilder {
  @exclusivity(unchecked) @usableFromInline var bits = GrowableBytes()
  @exclusivity(unchecked) @usableFromInline var validity = ValidityBits()
  @exclusivity(unchecked) @usableFromInline var length = 0

  public var type: DataType { .bool }
  public var count: Int { length }
  public var byteCount: Int { bits.count + validity.byteCount }
  public var hasRejectedValue: Bool { false }

  public init() {}

  @inlinable @inline(__always)
  public func append(_ value: Bool) {
    if value { bits.setBit(length) } else { bits.clearBit(length) }
    validity.appendValid(at: length)
    length &+= 1
  }

  public func appendNull() {
    bits.clearBit(length)
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    let (nullCount, validityBits) = validity.finish()
    defer { length = 0 }
    return ArrayData(
      type: type, length: length, nullCount: nullCount, validity: validityBits,
      buffers: [bits.finish()])
  }
}
