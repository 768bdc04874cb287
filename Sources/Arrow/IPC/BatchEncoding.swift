/// Lays the columns of a batch out as the body of a message. Slices are cut to their values, so
/// that nothing outside of them is sent.
struct BatchEncoder {
  /// Length and number of nulls of every array, parents first.
  private var nodes: [[Int64]] = []
  /// Where each buffer begins in the body, and its length without padding.
  private var ranges: [[Int64]] = []
  private(set) var body: [Buffer] = []
  private(set) var bodyByteCount = 0

  /// The `RecordBatch` table of the columns.
  mutating func encode(_ columns: [ArrayData], rowCount: Int) -> FlatValue {
    for column in columns { append(column) }
    return .table([.long(Int64(rowCount)), .structs(nodes), .structs(ranges)])
  }

  private mutating func append(_ buffer: Buffer) {
    ranges.append([Int64(bodyByteCount), Int64(buffer.byteCount)])
    body.append(buffer)
    bodyByteCount += paddedByteCount(buffer.byteCount)
  }

  private mutating func append(_ array: ArrayData) {
    nodes.append([Int64(array.length), Int64(array.nullCount)])
    if array.layout == .null { return }
    let range = array.offset..<(array.offset + array.length)
    if array.layout.hasValidity {
      append(array.nullCount == 0 ? .empty : array.validity?.bits(range) ?? .empty)
    }
    switch array.layout {
    case .null: break
    case .bits: append(array.buffers[0].bits(range))
    case .fixed(let width), .dictionary(let width):
      append(array.buffers[0].slice((range.lowerBound * width)..<(range.upperBound * width)))
    case .variable32: append(array.buffers[1].slice(appendOffsets(Int32.self, of: array)))
    case .variable64: append(array.buffers[1].slice(appendOffsets(Int64.self, of: array)))
    case .list32: append(array.children[0].slice(appendOffsets(Int32.self, of: array)))
    case .list64: append(array.children[0].slice(appendOffsets(Int64.self, of: array)))
    case .fixedList(let size):
      append(array.children[0].slice((range.lowerBound * size)..<(range.upperBound * size)))
    case .union:
      append(array.buffers[0].slice(range))
      append(array.buffers[1].slice((range.lowerBound * 4)..<(range.upperBound * 4)))
      for child in array.children { append(child) }
    case .structure:
      for child in array.children { append(child.slice(range)) }
    }
  }

  /// Appends offsets that begin at 0, and gives the range of bytes or items that they delimit.
  private mutating func appendOffsets<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, of array: ArrayData
  ) -> Range<Int> {
    let width = MemoryLayout<T>.size
    let slice = array.buffers[0].slice(
      (array.offset * width)..<((array.offset + array.length + 1) * width))
    let (first, last) = slice.withUnsafeBytes { bytes in
      let offsets = bytes.assumingMemoryBound(to: T.self)
      return (offsets[0], offsets[array.length])
    }
    if first == 0 {
      append(slice)
    } else {
      var moved = GrowableBytes()
      slice.withUnsafeBytes { bytes in
        for offset in bytes.assumingMemoryBound(to: T.self) { moved.append(offset &- first) }
      }
      append(moved.finish())
    }
    return Int(first)..<Int(last)
  }
}

/// The next multiple of 8, on which every buffer of a message begins.
func paddedByteCount(_ byteCount: Int) -> Int { (byteCount + 7) & ~7 }

extension Buffer {
  /// The bits in `range`, from the first bit of the first byte on.
  func bits(_ range: Range<Int>) -> Buffer {
    let bytes = slice(
      (range.lowerBound / 8)..<max(bitmapByteCount(range.upperBound), range.lowerBound / 8))
    let shift = UInt8(range.lowerBound % 8)
    if shift == 0 { return bytes }
    var shifted = GrowableBytes()
    bytes.withUnsafeBytes { bytes in
      for index in 0..<bitmapByteCount(range.count) {
        let next = index + 1 < bytes.count ? bytes[index + 1] : 0
        shifted.append(bytes[index] >> shift | next << (8 - shift))
      }
    }
    return shifted.finish()
  }
}
