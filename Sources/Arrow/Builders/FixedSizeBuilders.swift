/// Builds columns of byte strings that all have one length.
public final class FixedSizeBinaryBuilder: ArrayBuilder {
  public let type: DataType
  @usableFromInline let width: Int
  @exclusivity(unchecked) @usableFromInline var values = GrowableBytes()
  @exclusivity(unchecked) @usableFromInline var validity = ValidityBits()
  @exclusivity(unchecked) @usableFromInline var length = 0
  public private(set) var hasRejectedValue = false

  public var count: Int { length }
  public var byteCount: Int { values.count + validity.byteCount }

  /// - Precondition: `width`, in bytes, is not negative.
  public init(width: Int) {
    precondition(width >= 0)
    self.type = .fixedSizeBinary(width)
    self.width = width
  }

  /// Appends one value; it is rejected when it does not have the column's width.
  @inlinable @inline(__always)
  public func append(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count == width else { return reject() }
    values.append(contentsOf: bytes)
    validity.appendValid(at: length)
    length &+= 1
  }

  /// Appends one value; it is rejected when it does not have the column's width.
  @inlinable @inline(__always)
  public func append(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { append($0) }
  }

  @usableFromInline @inline(never)
  func reject() {
    hasRejectedValue = true
    appendNull()
  }

  public func appendNull() {
    values.appendZeros(width)
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    let (nullCount, bits) = validity.finish()
    let array = ArrayData(
      type: type, length: length, nullCount: nullCount, validity: bits, buffers: [values.finish()])
    let isComplete = !hasRejectedValue
    hasRejectedValue = false
    length = 0
    return isComplete ? array : ArrayData(emptyOf: type)
  }
}

/// Builds columns of decimals: 16 bytes each up to 38 digits, 32 bytes each up to 76.
public final class DecimalBuilder: ArrayBuilder {
  public let type: DataType
  @usableFromInline let isWide: Bool
  /// The first magnitude that has too many digits.
  @usableFromInline let limit: (UInt64, UInt64, UInt64, UInt64)
  @exclusivity(unchecked) @usableFromInline var values = GrowableBytes()
  @exclusivity(unchecked) @usableFromInline var validity = ValidityBits()
  @exclusivity(unchecked) @usableFromInline var length = 0
  public private(set) var hasRejectedValue = false

  public var count: Int { length }
  public var byteCount: Int { values.count + validity.byteCount }

  /// - Precondition: `precision` is 1 to 76 digits.
  public init(precision: Int, scale: Int) {
    precondition(precision >= 1 && precision <= 76)
    isWide = precision > 38
    type =
      isWide
      ? .decimal256(precision: precision, scale: scale)
      : .decimal128(precision: precision, scale: scale)
    var power: [UInt64] = [1, 0, 0, 0]
    for _ in 0..<precision {
      var carry: UInt64 = 0
      for index in 0..<4 {
        let product = power[index].multipliedFullWidth(by: 10)
        let (sum, overflow) = product.low.addingReportingOverflow(carry)
        power[index] = sum
        carry = product.high &+ (overflow ? 1 : 0)
      }
    }
    limit = (power[0], power[1], power[2], power[3])
  }

  /// Appends one value, as its digits without the point, in little-endian limbs; it is rejected
  /// when it has more digits than the column.
  @inlinable @inline(__always)
  public func append(magnitude: (UInt64, UInt64, UInt64, UInt64), isNegative: Bool) {
    guard
      (magnitude.3, magnitude.2, magnitude.1, magnitude.0) < (limit.3, limit.2, limit.1, limit.0)
    else { return reject() }
    let value = isNegative ? twosComplement(magnitude) : magnitude
    values.append(value.0)
    values.append(value.1)
    if isWide {
      values.append(value.2)
      values.append(value.3)
    }
    validity.appendValid(at: length)
    length &+= 1
  }

  @usableFromInline @inline(never)
  func reject() {
    hasRejectedValue = true
    appendNull()
  }

  public func appendNull() {
    values.appendZeros(isWide ? 32 : 16)
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    let (nullCount, bits) = validity.finish()
    let array = ArrayData(
      type: type, length: length, nullCount: nullCount, validity: bits, buffers: [values.finish()])
    let isComplete = !hasRejectedValue
    hasRejectedValue = false
    length = 0
    return isComplete ? array : ArrayData(emptyOf: type)
  }
}
