extension ArrayData {
  /// Checks that no reader can leave the buffers: lengths, offsets, dictionary indices and
  /// children, all the way down. The content of text is not looked at.
  ///
  /// - Throws: `malformed`, naming what contradicts what.
  public func validate() throws(ArrowError) {
    try validate(checksDictionary: true)
  }

  /// - Parameter checksDictionary: whether the dictionary itself is checked too, which is
  ///   needless when that was done as it arrived.
  func validate(checksDictionary: Bool) throws(ArrowError) {
    let (end, overflows) = offset.addingReportingOverflow(length)
    try require(length >= 0 && offset >= 0 && !overflows && end < Int.max, "length or offset")
    try validateNulls(end: end)
    try require(buffers.count == layout.bufferCount, "number of buffers")
    try validateChildren(end: end, checksDictionary: checksDictionary)
    switch layout {
    case .null, .structure, .fixedList: break
    case .union: try validatePositions(end: end)
    case .bits: try require(buffers[0].byteCount >= bitmapByteCount(end), "bits")
    case .fixed(let width): try requireValues(in: buffers[0], count: end, width: width)
    case .variable32: try validateOffsets(Int32.self, end: end, limit: buffers[1].byteCount)
    case .variable64: try validateOffsets(Int64.self, end: end, limit: buffers[1].byteCount)
    case .list32: try validateOffsets(Int32.self, end: end, limit: children[0].length)
    case .list64: try validateOffsets(Int64.self, end: end, limit: children[0].length)
    case .dictionary(let width):
      try requireValues(in: buffers[0], count: end, width: width)
      try validateIndices()
    }
  }

  private func require(_ condition: Bool, _ what: @autoclosure () -> String) throws(ArrowError) {
    if !condition { throw ArrowError(.malformed, "\(what()) of an array of \(type)") }
  }

  /// Requires that `buffer` holds `count` aligned values of `width` bytes.
  private func requireValues(in buffer: Buffer, count: Int, width: Int) throws(ArrowError) {
    let (byteCount, overflows) = count.multipliedReportingOverflow(by: width)
    try require(width >= 0 && !overflows && buffer.byteCount >= byteCount, "length of the values")
    try require(buffer.aligned === buffer, "alignment of the values")
  }

  private func validateNulls(end: Int) throws(ArrowError) {
    if let validity {
      try require(validity.byteCount >= bitmapByteCount(end), "validity bitmap")
      try require(nullCount >= 0 && nullCount <= length, "number of nulls")
      try require(layout.hasValidity, "validity bitmap")
    } else {
      try require(nullCount == (layout == .null ? length : 0), "number of nulls")
    }
  }

  private func validateChildren(end: Int, checksDictionary: Bool) throws(ArrowError) {
    let fields = type.childFields
    try require(children.count == fields.count, "number of children")
    for (child, field) in zip(children, fields) {
      try require(child.type == field.type, "child type")
      try child.validate(checksDictionary: checksDictionary)
      switch layout {
      case .structure: try require(child.length >= end, "child length")
      case .fixedList(let size):
        let (count, overflows) = end.multipliedReportingOverflow(by: size)
        try require(size >= 0 && !overflows && child.length >= count, "child length")
      case .null, .bits, .fixed, .variable32, .variable64, .list32, .list64, .union, .dictionary:
        break
      }
    }
    if case .dictionary(_, let values) = type {
      guard let dictionary, dictionary.type == values else {
        throw ArrowError(.malformed, "dictionary of an array of \(type)")
      }
      if checksDictionary { try dictionary.validate() }
    } else {
      try require(dictionary == nil, "dictionary")
    }
  }

  /// Requires that offsets never decrease and stay within 0 and `limit`.
  private func validateOffsets<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, end: Int, limit: Int
  ) throws(ArrowError) {
    try requireValues(in: buffers[0], count: end + 1, width: MemoryLayout<T>.size)
    let isValid = buffers[0].withUnsafeBytes { bytes in
      let offsets = bytes.assumingMemoryBound(to: T.self)
      var isSorted = true
      for index in offset..<end { isSorted = isSorted && offsets[index] <= offsets[index + 1] }
      return isSorted && offsets[offset] >= 0 && offsets[end] <= limit
    }
    try require(isValid, "offsets")
  }

  /// Requires that every value of a union lies within one of its children.
  private func validatePositions(end: Int) throws(ArrowError) {
    try requireValues(in: buffers[0], count: end, width: 1)
    try requireValues(in: buffers[1], count: end, width: 4)
    let lengths = children.map(\.length)
    let isValid = (0..<length).allSatisfy { index in
      let (field, position) = unionPosition(at: index)
      return lengths.indices.contains(field) && position >= 0 && position < lengths[field]
    }
    try require(isValid, "positions of values")
  }

  /// Requires that every index that is not null lies within the dictionary.
  private func validateIndices() throws(ArrowError) {
    guard case .dictionary(let indexType, _) = type, let dictionary else { return }
    func check<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> Bool {
      withValues(of: T.self) { indices in
        if validity == nil { return indices.allSatisfy { $0 >= 0 && $0 < dictionary.length } }
        return indices.indices.allSatisfy { position in
          isNull(at: position) || (indices[position] >= 0 && indices[position] < dictionary.length)
        }
      }
    }
    let isValid =
      switch indexType {
      case .int8: check(Int8.self)
      case .int16: check(Int16.self)
      case .int32: check(Int32.self)
      case .int64: check(Int64.self)
      case .uint8: check(UInt8.self)
      case .uint16: check(UInt16.self)
      case .uint32: check(UInt32.self)
      case .uint64: check(UInt64.self)
      default: false
      }
    try require(isValid, "dictionary indices")
  }
}

/// The number of bytes that this many bits take.
func bitmapByteCount(_ bits: Int) -> Int { bits / 8 + (bits % 8 == 0 ? 0 : 1) }

extension DataType {
  /// The greatest depth of nested types that is read from outside.
  static let depthLimit = 64

  /// Checks the parameters of a type that came from outside.
  ///
  /// - Throws: `malformed` when a width, a precision, a unit, an index type or the entries of a
  ///   map are not what the format allows.
  func validateParameters() throws(ArrowError) {
    let isValid =
      switch self {
      case .decimal128(let precision, _): (1...38).contains(precision)
      case .decimal256(let precision, _): (1...76).contains(precision)
      case .time32(let unit): unit == .second || unit == .millisecond
      case .time64(let unit): unit == .microsecond || unit == .nanosecond
      case .fixedSizeBinary(let width): (0...Int(Int32.max)).contains(width)
      case .fixedSizeList(_, let size): (0...Int(Int32.max)).contains(size)
      case .map(let entries, _):
        entries.type.layout == .structure && entries.type.childFields.count == 2
      case .dictionary(_, values: .dictionary): false
      case .denseUnion(let fields): fields.count <= Int(Int8.max) + 1
      case .dictionary(let index, _): index.integerByteCount != nil
      case .null, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
        .float32, .float64, .date32, .timestamp, .duration, .utf8, .binary, .largeUtf8,
        .largeBinary, .list, .largeList, .structure:
        true
      }
    if !isValid { throw ArrowError(.malformed, "parameters of the type \(self)") }
  }
}
