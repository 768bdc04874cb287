/// The values of one column: a type, a range of positions, and the buffers that they lie in.
///
/// Positions given to the readers count from ``offset``, so that a slice reads like an array of
/// its own. Arrays that come from elsewhere were checked by ``validate()``; the readers rely on it.
public struct ArrayData: Sendable {
  public let type: DataType
  /// The number of values.
  public let length: Int
  /// The number of values that are null.
  public let nullCount: Int
  /// The position in the buffers of the first value.
  public let offset: Int
  /// One bit for each value, least significant first, set when the value is not null. Absent when
  /// no value is null.
  public let validity: Buffer?
  /// The buffers that the format prescribes for the type, without the validity bitmap.
  public let buffers: [Buffer]
  /// The children as they are stored: ``offset`` is not applied to them.
  public let children: [ArrayData]
  /// Holds the dictionary, which a struct cannot contain directly.
  private let dictionaryHolder: [ArrayData]
  @usableFromInline let layout: Layout

  /// The values that a dictionary-encoded array refers to.
  public var dictionary: ArrayData? { dictionaryHolder.first }

  /// Puts an array together without looking at it; call ``validate()`` when the parts come from
  /// elsewhere.
  public init(
    type: DataType, length: Int, nullCount: Int = 0, offset: Int = 0, validity: Buffer? = nil,
    buffers: [Buffer] = [], children: [ArrayData] = [], dictionary: ArrayData? = nil
  ) {
    self.type = type
    self.length = length
    self.nullCount = nullCount
    self.offset = offset
    self.validity = validity
    self.buffers = buffers
    self.children = children
    self.dictionaryHolder = dictionary.map { [$0] } ?? []
    self.layout = type.layout
  }

  /// An array of no values.
  public init(emptyOf type: DataType) {
    let buffers: [Buffer] =
      switch type.layout {
      case .variable32, .variable64: [Buffer(zeroed: 8), .empty]
      case .union: [.empty, .empty]
      case .list32, .list64: [Buffer(zeroed: 8)]
      case .bits, .fixed, .dictionary: [.empty]
      case .null, .fixedList, .structure: []
      }
    var dictionary: ArrayData?
    if case .dictionary(_, let values) = type { dictionary = ArrayData(emptyOf: values) }
    self.init(
      type: type, length: 0, buffers: buffers,
      children: type.childFields.map { ArrayData(emptyOf: $0.type) }, dictionary: dictionary)
  }

  /// The values in `range`, sharing this array's memory.
  ///
  /// - Precondition: `range` lies within the array.
  public func slice(_ range: Range<Int>) -> ArrayData {
    precondition(range.lowerBound >= 0 && range.upperBound <= length)
    if range == 0..<length { return self }
    let start = offset + range.lowerBound
    let nulls: Int
    if case .null = layout {
      nulls = range.count
    } else {
      nulls = validity.map { range.count - $0.countSetBits(start..<(start + range.count)) } ?? 0
    }
    return ArrayData(
      type: type, length: range.count, nullCount: nulls, offset: start,
      validity: nulls > 0 ? validity : nil, buffers: buffers, children: children,
      dictionary: dictionary)
  }

  /// Which field of a union the value at `index` belongs to, and where it lies in that child.
  public func unionPosition(at index: Int) -> (field: Int, position: Int) {
    precondition(index >= 0 && index < length && layout == .union)
    let field = buffers[0].withUnsafeBytes {
      $0.load(fromByteOffset: offset + index, as: Int8.self)
    }
    let position = buffers[1].withUnsafeBytes {
      $0.load(fromByteOffset: 4 * (offset + index), as: Int32.self)
    }
    return (Int(field), Int(position))
  }

  /// The values of field `index` of a struct array, with ``offset`` applied.
  public func structField(_ index: Int) -> ArrayData {
    children[index].slice(offset..<(offset + length))
  }
}

// Readers. A position outside of the array, or a Swift type that does not have the width of the
// column's, is a mistake of the program and stops it.
extension ArrayData {
  /// Whether the value at `index` is null.
  @inlinable
  public func isNull(at index: Int) -> Bool {
    precondition(index >= 0 && index < length)
    guard let validity else { return layout == .null }
    return !validity.bit(at: offset &+ index)
  }

  /// The boolean at `index`; unspecified where the value is null.
  @inlinable
  public func bool(at index: Int) -> Bool {
    precondition(index >= 0 && index < length && layout == .bits)
    return buffers[0].bit(at: offset &+ index)
  }

  /// Calls `body` with the values of a fixed-width array; what lies at null positions is
  /// unspecified. On a dictionary-encoded array these are the indices.
  @inlinable
  public func withValues<T: BitwiseCopyable, Result, Failure: Error>(
    of type: T.Type = T.self, _ body: (UnsafeBufferPointer<T>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    switch layout {
    case .fixed(let width), .dictionary(let width):
      precondition(width == MemoryLayout<T>.stride, "the column's values have another width")
    case .null, .bits, .variable32, .variable64, .list32, .list64, .fixedList, .structure, .union:
      preconditionFailure("the column's values have no fixed width")
    }
    if length == 0 { return try body(UnsafeBufferPointer(start: nil, count: 0)) }
    return try buffers[0].withUnsafeBytes { bytes throws(Failure) in
      let values = UnsafeRawBufferPointer(rebasing: bytes[(offset &* MemoryLayout<T>.stride)...])
      return try body(
        UnsafeBufferPointer(
          start: values.assumingMemoryBound(to: T.self).baseAddress, count: length))
    }
  }

  /// The range of bytes (of child values for a list) that belongs to position `index`, with
  /// ``offset`` applied.
  @inlinable
  func variableRange(at index: Int) -> Range<Int> {
    precondition(index >= 0 && index < length)
    let position = offset &+ index
    return buffers[0].withUnsafeBytes { bytes in
      switch layout {
      case .variable32, .list32:
        let offsets = bytes.assumingMemoryBound(to: Int32.self)
        return Int(offsets[position])..<Int(offsets[position &+ 1])
      case .variable64, .list64:
        let offsets = bytes.assumingMemoryBound(to: Int64.self)
        return Int(offsets[position])..<Int(offsets[position &+ 1])
      case .fixed(let width):
        return (position &* width)..<((position &+ 1) &* width)
      case .null, .bits, .fixedList, .structure, .union, .dictionary:
        preconditionFailure("the column has no byte strings")
      }
    }
  }

  /// Calls `body` with the bytes of the value at `index` of a text, binary or fixed-width array,
  /// or of one that is dictionary-encoded over these. The bytes of a null are unspecified; a
  /// null of a dictionary-encoded array has none.
  @inlinable
  public func withBinaryValue<Result, Failure: Error>(
    at index: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes: Buffer
    switch layout {
    case .variable32, .variable64: bytes = buffers[1]
    case .fixed: bytes = buffers[0]
    case .dictionary:
      guard let dictionary, let entry = dictionaryIndex(at: index) else {
        return try body(UnsafeRawBufferPointer(start: nil, count: 0))
      }
      return try dictionary.withBinaryValue(at: entry, body)
    case .null, .bits, .list32, .list64, .fixedList, .structure, .union:
      preconditionFailure("the column has no byte strings")
    }
    let range = variableRange(at: index)
    return try bytes.withUnsafeBytes { bytes throws(Failure) in
      try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
  }

  /// The position in ``dictionary`` of the value at `index`; `nil` when it is null.
  public func dictionaryIndex(at index: Int) -> Int? {
    if isNull(at: index) { return nil }
    guard case .dictionary(let indexType, _) = type else {
      preconditionFailure("the column has no dictionary")
    }
    return buffers[0].integer(at: offset + index, of: indexType)
  }

  /// The positions in the only child of the items of the list at `index`.
  public func listRange(at index: Int) -> Range<Int> {
    if case .fixedList(let size) = layout {
      precondition(index >= 0 && index < length)
      return ((offset + index) * size)..<((offset + index + 1) * size)
    }
    return variableRange(at: index)
  }

  /// The decimal at `index` as a magnitude in little-endian limbs and a sign; unspecified where
  /// the value is null.
  public func decimal(at index: Int) -> (
    magnitude: (UInt64, UInt64, UInt64, UInt64), isNegative: Bool
  ) {
    withBinaryValue(at: index) { bytes in
      func limb(_ index: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
      }
      precondition(bytes.count == 16 || bytes.count == 32, "the column is not a decimal")
      let isNegative = bytes[bytes.count - 1] & 0x80 != 0
      let fill: UInt64 = isNegative ? .max : 0
      let value =
        bytes.count == 16 ? (limb(0), limb(1), fill, fill) : (limb(0), limb(1), limb(2), limb(3))
      return (isNegative ? twosComplement(value) : value, isNegative)
    }
  }
}

/// The negative of a 256-bit integer in little-endian limbs.
@inlinable
func twosComplement(_ value: (UInt64, UInt64, UInt64, UInt64)) -> (UInt64, UInt64, UInt64, UInt64) {
  let (first, carry1) = (~value.0).addingReportingOverflow(1)
  let (second, carry2) = (~value.1).addingReportingOverflow(carry1 ? 1 : 0)
  let (third, carry3) = (~value.2).addingReportingOverflow(carry2 ? 1 : 0)
  return (first, second, third, ~value.3 &+ (carry3 ? 1 : 0))
}

extension Buffer {
  @inlinable @inline(__always)
  func bit(at index: Int) -> Bool {
    let byte = base.load(fromByteOffset: index &>> 3, as: UInt8.self)
    return byte &>> UInt8(truncatingIfNeeded: index & 7) & 1 != 0
  }

  /// The number of set bits in a range of bit positions that the buffer holds.
  func countSetBits(_ range: Range<Int>) -> Int {
    var count = 0
    var position = range.lowerBound
    while position < range.upperBound && position & 7 != 0 {
      count += bit(at: position) ? 1 : 0
      position += 1
    }
    while range.upperBound - position >= 64 {
      count += base.loadUnaligned(fromByteOffset: position >> 3, as: UInt64.self).nonzeroBitCount
      position += 64
    }
    while position < range.upperBound {
      count += bit(at: position) ? 1 : 0
      position += 1
    }
    return count
  }

  /// The integer at a position, as dictionary indices are stored; `nil` when `type` is not an
  /// integer type or the value does not fit.
  func integer(at position: Int, of type: DataType) -> Int? {
    func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> Int? {
      Int(exactly: base.load(fromByteOffset: position * MemoryLayout<T>.size, as: T.self))
    }
    return switch type {
    case .int8: load(Int8.self)
    case .int16: load(Int16.self)
    case .int32: load(Int32.self)
    case .int64: load(Int64.self)
    case .uint8: load(UInt8.self)
    case .uint16: load(UInt16.self)
    case .uint32: load(UInt32.self)
    case .uint64: load(UInt64.self)
    default: nil
    }
  }
}
