extension ArrayData {
  /// Values of several arrays of one type, in any order and any number of times.
  ///
  /// - Parameters:
  ///   - positions: which values; positions count on through the arrays, one after the other.
  ///   - parts: at least one array. Dictionary-encoded ones may have different dictionaries.
  /// - Throws: `unsupported` when the result has more bytes, items or dictionary values than the
  ///   type's offsets or indices can count.
  /// - Precondition: the arrays have one type, and the positions lie within them.
  public static func gather(_ positions: [Int], from parts: [ArrayData]) throws(ArrowError)
    -> ArrayData
  {
    precondition(!parts.isEmpty && parts.allSatisfy { $0.type == parts[0].type })
    return try Gathering(positions, parts).array()
  }
}

/// One call of ``ArrayData/gather(_:from:)``.
private struct Gathering {
  /// A value of a part. Which part it is was found once for all the buffers.
  struct Place {
    var part: Int
    var row: Int
  }

  let parts: [ArrayData]
  let places: [Place]
  var type: DataType { parts[0].type }

  init(_ positions: [Int], _ parts: [ArrayData]) {
    self.parts = parts
    let lengths = parts.map(\.length)
    places = positions.map { position in
      var place = Place(part: 0, row: position)
      while place.row >= lengths[place.part] {
        place.row -= lengths[place.part]
        place.part += 1
      }
      return place
    }
  }

  func array() throws(ArrowError) -> ArrayData {
    switch parts[0].layout {
    case .null: return ArrayData(type: type, length: places.count, nullCount: places.count)
    case .bits: return make(buffers: [bits { $0.buffers[0] }])
    case .fixed(let width): return make(buffers: [fixed(width: width)])
    case .variable32: return make(buffers: try bytes(Int32.self))
    case .variable64: return make(buffers: try bytes(Int64.self))
    case .list32: return try list(Int32.self)
    case .list64: return try list(Int64.self)
    case .fixedList(let size): return try fixedList(size: size)
    case .structure: return try structure()
    case .union: return try union()
    case .dictionary(let width): return try dictionary(width: width)
    }
  }

  /// The array of these buffers and children, with the values' nulls.
  private func make(
    buffers: [Buffer], children: [ArrayData] = [], dictionary: ArrayData? = nil
  ) -> ArrayData {
    let nullCount =
      parts.contains { $0.nullCount > 0 }
      ? places.reduce(0) { $0 + (parts[$1.part].isNull(at: $1.row) ? 1 : 0) } : 0
    return ArrayData(
      type: type, length: places.count, nullCount: nullCount,
      validity: nullCount > 0 ? bits { $0.validity } : nil, buffers: buffers, children: children,
      dictionary: dictionary)
  }

  /// The bits of a bitmap of each part; where one is missing they are set.
  private func bits(_ bitmap: (ArrayData) -> Buffer?) -> Buffer {
    let bitmaps = parts.map(bitmap)
    var bytes = GrowableBytes()
    bytes.reserve(places.count / 8 + 1)
    for (index, place) in places.enumerated() {
      let isSet = bitmaps[place.part]?.bit(at: parts[place.part].offset + place.row) ?? true
      if isSet { bytes.setBit(index) } else { bytes.clearBit(index) }
    }
    return bytes.finish()
  }

  private func fixed(width: Int) -> Buffer {
    switch width {
    case 1: return fixed(UInt8.self)
    case 2: return fixed(UInt16.self)
    case 4: return fixed(UInt32.self)
    case 8: return fixed(UInt64.self)
    default:
      var bytes = GrowableBytes()
      bytes.reserve(places.count * width)
      for place in places {
        let start = (parts[place.part].offset + place.row) * width
        bytes.append(
          contentsOf: UnsafeRawBufferPointer(
            start: parts[place.part].buffers[0].base + start, count: width))
      }
      return bytes.finish()
    }
  }

  private func fixed<T: BitwiseCopyable>(_: T.Type) -> Buffer {
    var bytes = GrowableBytes()
    bytes.reserve(places.count * MemoryLayout<T>.size)
    withExtendedLifetime(parts) {
      let starts = parts.map { $0.buffers[0].base + $0.offset * MemoryLayout<T>.size }
      for place in places {
        bytes.append(
          starts[place.part].loadUnaligned(
            fromByteOffset: place.row * MemoryLayout<T>.size, as: T.self))
      }
    }
    return bytes.finish()
  }

  private func bytes<Offset: FixedWidthInteger & BitwiseCopyable>(_: Offset.Type)
    throws(ArrowError) -> [Buffer]
  {
    var offsets = GrowableBytes()
    offsets.reserve((places.count + 1) * MemoryLayout<Offset>.size)
    offsets.append(Offset(0))
    var data = GrowableBytes()
    for place in places {
      let part = parts[place.part]
      let range = part.variableRange(at: place.row)
      data.append(
        contentsOf: UnsafeRawBufferPointer(
          start: part.buffers[1].base + range.lowerBound, count: range.count))
      guard let end = Offset(exactly: data.count) else { throw tooLong() }
      offsets.append(end)
    }
    return [offsets.finish(), data.finish()]
  }

  private func list<Offset: FixedWidthInteger & BitwiseCopyable>(_: Offset.Type)
    throws(ArrowError) -> ArrayData
  {
    var offsets = GrowableBytes()
    offsets.append(Offset(0))
    var items: [Int] = []
    let starts = childStarts(0)
    for place in places {
      let part = parts[place.part]
      if !part.isNull(at: place.row) {
        for item in part.listRange(at: place.row) { items.append(starts[place.part] + item) }
      }
      guard let end = Offset(exactly: items.count) else { throw tooLong() }
      offsets.append(end)
    }
    return make(buffers: [offsets.finish()], children: [try child(0, items)])
  }

  private func fixedList(size: Int) throws(ArrowError) -> ArrayData {
    let starts = childStarts(0)
    let items = places.flatMap { place in
      parts[place.part].listRange(at: place.row).map { starts[place.part] + $0 }
    }
    return make(buffers: [], children: [try child(0, items)])
  }

  private func structure() throws(ArrowError) -> ArrayData {
    var children: [ArrayData] = []
    for index in type.childFields.indices {
      let starts = childStarts(index)
      let positions = places.map { starts[$0.part] + parts[$0.part].offset + $0.row }
      children.append(try child(index, positions))
    }
    return make(buffers: [], children: children)
  }

  private func union() throws(ArrowError) -> ArrayData {
    let starts = type.childFields.indices.map(childStarts)
    var items = [[Int]](repeating: [], count: starts.count)
    var fields = GrowableBytes()
    var offsets = GrowableBytes()
    for place in places {
      let (field, position) = parts[place.part].unionPosition(at: place.row)
      fields.append(Int8(truncatingIfNeeded: field))
      guard let offset = Int32(exactly: items[field].count) else { throw tooLong() }
      offsets.append(offset)
      items[field].append(starts[field][place.part] + position)
    }
    var children: [ArrayData] = []
    for (index, positions) in items.enumerated() { children.append(try child(index, positions)) }
    return make(buffers: [fields.finish(), offsets.finish()], children: children)
  }

  /// Where the child `index` of each part begins when the children are counted through.
  private func childStarts(_ index: Int) -> [Int] {
    var starts: [Int] = []
    var next = 0
    for part in parts {
      starts.append(next)
      next += part.children[index].length
    }
    return starts
  }

  private func child(_ index: Int, _ positions: [Int]) throws(ArrowError) -> ArrayData {
    try Gathering(positions, parts.map { $0.children[index] }).array()
  }

  private func dictionary(width: Int) throws(ArrowError) -> ArrayData {
    let dictionaries = parts.compactMap(\.dictionary)
    guard dictionaries.count == parts.count, let first = dictionaries.first else {
      throw ArrowError(.malformed, "an array of \(type) without a dictionary")
    }
    if dictionaries.allSatisfy({ $0.isSame(as: first) }) {
      return make(buffers: [fixed(width: width)], dictionary: first)
    }
    // The dictionaries one after another; values that several have are there several times.
    var starts: [Int] = []
    var next = 0
    for dictionary in dictionaries {
      starts.append(next)
      next += dictionary.length
    }
    guard next == 0 || next - 1 <= Int(clamping: (UInt64(1) << UInt64(8 * width - 1)) - 1) else {
      throw tooLong()
    }
    var indices = GrowableBytes()
    for place in places {
      let index = parts[place.part].dictionaryIndex(at: place.row).map { starts[place.part] + $0 }
      switch width {
      case 1: indices.append(UInt8(truncatingIfNeeded: index ?? 0))
      case 2: indices.append(UInt16(truncatingIfNeeded: index ?? 0))
      case 4: indices.append(UInt32(truncatingIfNeeded: index ?? 0))
      default: indices.append(UInt64(truncatingIfNeeded: index ?? 0))
      }
    }
    let values = try Gathering(Array(0..<next), dictionaries).array()
    return make(buffers: [indices.finish()], dictionary: values)
  }

  private func tooLong() -> ArrowError {
    ArrowError(.unsupported, "an array of \(type) that its offsets or indices cannot count")
  }
}

extension ArrayData {
  /// Whether two arrays are the same memory; arrays of the same values elsewhere are not.
  fileprivate func isSame(as other: ArrayData) -> Bool {
    length == other.length && offset == other.offset && nullCount == other.nullCount
      && buffers.count == other.buffers.count
      && zip(buffers, other.buffers).allSatisfy { $0 === $1 }
      && zip(children, other.children).allSatisfy { $0.isSame(as: $1) }
  }
}
