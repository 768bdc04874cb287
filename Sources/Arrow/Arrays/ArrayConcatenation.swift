extension ArrayData {
  /// The values of this array, followed by those of another one of the same type.
  ///
  /// - Throws: `unsupported` for nested and dictionary-encoded types, and for texts and bytes that
  ///   are too long together for the type's offsets.
  func appending(_ other: ArrayData) throws(ArrowError) -> ArrayData {
    if length == 0 { return other }
    if other.length == 0 { return self }
    let buffers: [Buffer]
    switch layout {
    case .null: buffers = []
    case .bits: buffers = [Self.bits([(self.buffers[0], self), (other.buffers[0], other)])]
    case .fixed(let width):
      buffers = [
        Self.joined(
          fixedBytes(width: width), other.fixedBytes(width: width))
      ]
    case .variable32: buffers = try appendingBytes(other, Int32.self)
    case .variable64: buffers = try appendingBytes(other, Int64.self)
    case .list32, .list64, .fixedList, .structure, .union, .dictionary:
      throw ArrowError(.unsupported, "joining arrays of \(type)")
    }
    var validity: Buffer?
    if nullCount + other.nullCount > 0 && layout != .null {
      validity = Self.bits([(self.validity, self), (other.validity, other)])
    }
    return ArrayData(
      type: type, length: length + other.length, nullCount: nullCount + other.nullCount,
      validity: validity, buffers: buffers)
  }

  private func fixedBytes(width: Int) -> Buffer {
    buffers[0].slice((offset * width)..<((offset + length) * width))
  }

  private static func joined(_ first: Buffer, _ second: Buffer) -> Buffer {
    var bytes = GrowableBytes()
    bytes.reserve(first.byteCount + second.byteCount)
    first.withUnsafeBytes { bytes.append(contentsOf: $0) }
    second.withUnsafeBytes { bytes.append(contentsOf: $0) }
    return bytes.finish()
  }

  /// The bits of arrays one after another; where a bitmap is missing they are set.
  private static func bits(_ parts: [(bitmap: Buffer?, array: ArrayData)]) -> Buffer {
    var bytes = GrowableBytes()
    var byte: UInt8 = 0
    var count = 0
    for (bitmap, array) in parts {
      for index in array.offset..<(array.offset + array.length) {
        if bitmap?.bit(at: index) ?? true { byte |= 1 << UInt8(count % 8) }
        count += 1
        if count % 8 == 0 {
          bytes.append(byte)
          byte = 0
        }
      }
    }
    if count % 8 != 0 { bytes.append(byte) }
    return bytes.finish()
  }

  private func appendingBytes<Offset: FixedWidthInteger & BitwiseCopyable>(
    _ other: ArrayData, _: Offset.Type
  ) throws(ArrowError) -> [Buffer] {
    let ranges = (variableRange(), other.variableRange())
    let total = ranges.0.count + ranges.1.count
    guard total <= Int(Offset.max) else {
      throw ArrowError(.unsupported, "texts or bytes of more than \(Offset.max) bytes together")
    }
    var offsets = GrowableBytes()
    offsets.reserve((length + other.length + 1) * MemoryLayout<Offset>.size)
    offsets.append(Offset(0))
    var position = 0
    for array in [self, other] {
      for index in 0..<array.length {
        position += array.variableRange(at: index).count
        offsets.append(Offset(truncatingIfNeeded: position))
      }
    }
    let bytes = Self.joined(buffers[1].slice(ranges.0), other.buffers[1].slice(ranges.1))
    return [offsets.finish(), bytes]
  }

  /// The bytes that all values together take; the array is not empty.
  private func variableRange() -> Range<Int> {
    variableRange(at: 0).lowerBound..<variableRange(at: length - 1).upperBound
  }
}
