/// Builds columns whose values come from a list that is known beforehand, and is shared by all
/// the arrays built. The indices are `int16` up to 32,767 values and `int32` beyond.
public final class DictionaryBuilder: ArrayBuilder {
  public let type: DataType
  private let dictionary: ArrayData
  @usableFromInline let valueCount: Int
  @usableFromInline let hasWideIndices: Bool
  @exclusivity(unchecked) @usableFromInline var indices = GrowableBytes()
  @exclusivity(unchecked) @usableFromInline var validity = ValidityBits()
  @exclusivity(unchecked) @usableFromInline var length = 0
  public private(set) var hasRejectedValue = false

  public var count: Int { length }
  public var byteCount: Int { indices.count + validity.byteCount }

  /// - Precondition: `valueType` is ``DataType/utf8`` or ``DataType/binary``, and the values have
  ///   less than 2 GiB together.
  public init(values: [[UInt8]], valueType: DataType = .utf8) {
    let builder = BinaryBuilder(type: valueType)
    for value in values { value.withUnsafeBytes { builder.append($0) } }
    precondition(!builder.hasRejectedValue, "a dictionary of 2 GiB")
    dictionary = builder.finish()
    valueCount = values.count
    hasWideIndices = values.count > Int(Int16.max)
    type = .dictionary(index: hasWideIndices ? .int32 : .int16, values: valueType)
  }

  /// Goes on with the dictionary of an array that was built like this.
  ///
  /// - Precondition: `dictionary` is of ``DataType/utf8`` or ``DataType/binary``.
  public init(sharing dictionary: ArrayData) {
    precondition(dictionary.type.layout == .variable32)
    self.dictionary = dictionary
    valueCount = dictionary.length
    hasWideIndices = valueCount > Int(Int16.max)
    type = .dictionary(index: hasWideIndices ? .int32 : .int16, values: dictionary.type)
  }

  /// Appends the value at `index` of the list; it is rejected when there is none.
  @inlinable @inline(__always)
  public func append(index: Int) {
    guard index >= 0 && index < valueCount else { return reject() }
    store(index)
    validity.appendValid(at: length)
    length &+= 1
  }

  @inlinable @inline(__always)
  func store(_ index: Int) {
    if hasWideIndices {
      indices.append(Int32(truncatingIfNeeded: index))
    } else {
      indices.append(Int16(truncatingIfNeeded: index))
    }
  }

  @usableFromInline @inline(never)
  func reject() {
    hasRejectedValue = true
    appendNull()
  }

  public func appendNull() {
    store(0)
    validity.appendNull(at: length)
    length += 1
  }

  public func finish() -> ArrayData {
    let (nullCount, bits) = validity.finish()
    let array = ArrayData(
      type: type, length: length, nullCount: nullCount, validity: bits,
      buffers: [indices.finish()], dictionary: dictionary)
    let isComplete = !hasRejectedValue
    hasRejectedValue = false
    length = 0
    return isComplete ? array : ArrayData(emptyOf: type)
  }
}
