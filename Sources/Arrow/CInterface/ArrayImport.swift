import CArrowABI

extension RecordBatch {
  /// Takes over the struct array at `pointer` without copying its buffers; it is released with
  /// the last reference to one of them. Text is not checked to be UTF-8.
  ///
  /// - Throws: `malformed` when the array contradicts `schema` or itself; it is then released.
  public init(importing pointer: UnsafeMutablePointer<ArrowArray>, schema: Schema)
    throws(ArrowError)
  {
    try self.init(importing: pointer, schema: schema, views: nil)
  }

  /// Takes over the struct array at `pointer` together with its schema.
  ///
  /// - Throws: why one of them cannot be used; both are then released.
  public init(
    importing pointer: UnsafeMutablePointer<ArrowArray>,
    _ schemaPointer: UnsafeMutablePointer<ArrowSchema>
  ) throws(ArrowError) {
    do throws(ArrowError) {
      let (schema, views) = try Schema.importWithViews(schemaPointer)
      try self.init(importing: pointer, schema: schema, views: views)
    } catch {
      ArrowArray.release(pointer)
      throw error
    }
  }

  /// - Parameter views: which columns are views; nil for none.
  init(
    importing pointer: UnsafeMutablePointer<ArrowArray>, schema: Schema, views: ViewLayout?
  ) throws(ArrowError) {
    let owner = ImportedArray(moving: pointer)
    let type = DataType.structure(schema.fields)
    let root = try ArrayData(reading: owner.array, type: type, views: views, owner: owner)
    guard root.nullCount == 0 else { throw ArrowError(.malformed, "a record batch with null rows") }
    try root.validate()
    try self.init(
      schema: schema, columns: root.children.indices.map { root.structField($0) },
      rowCount: root.length)
  }
}

/// Owns an imported `ArrowArray`, and with it the memory of every buffer below it.
private final class ImportedArray {
  private(set) var array: ArrowArray

  init(moving pointer: UnsafeMutablePointer<ArrowArray>) {
    array = pointer.pointee
    pointer.pointee.release = nil
  }

  deinit { ArrowArray.release(&array) }
}

extension ArrayData {
  /// Reads a structure and its children. What it says is only checked as far as finding the
  /// buffers needs it: ``validate()`` must follow.
  fileprivate init(
    reading array: ArrowArray, type: DataType, views: ViewLayout?, owner: ImportedArray
  ) throws(ArrowError) {
    let fields = type.childFields
    guard array.release != nil, array.length >= 0, array.offset >= 0,
      array.length < Int.max - Int(array.offset), array.n_children == Int64(fields.count)
    else { throw ArrowError(.malformed, "an array of \(type)") }
    let children = try childStructs(array.children, count: array.n_children)
    if array.length == 0 {
      // Producers differ in what the buffers of no values are, or whether they are there.
      self.init(emptyOf: type)
      return
    }
    var childArrays: [ArrayData] = []
    for (index, field) in fields.enumerated() {
      childArrays.append(
        try ArrayData(
          reading: children[index].pointee, type: field.type, views: views?.children[index] ?? nil,
          owner: owner))
    }
    let (validity, buffers) = try importBuffers(
      of: array, type: type, isView: views?.isView ?? false, owner: owner)
    let (length, offset) = (Int(array.length), Int(array.offset))
    let nullCount: Int
    if case .null = type.layout {
      nullCount = length
    } else if array.null_count >= 0 {
      nullCount = validity == nil ? 0 : Int(array.null_count)
    } else {
      nullCount = validity.map { length - $0.countSetBits(offset..<(offset + length)) } ?? 0
    }
    self.init(
      type: type, length: length, nullCount: nullCount, offset: offset,
      validity: nullCount == 0 ? nil : validity, buffers: buffers, children: childArrays,
      dictionary: try importDictionary(
        of: array, type: type, views: views?.dictionary, owner: owner))
  }
}

private func importDictionary(
  of array: ArrowArray, type: DataType, views: ViewLayout?, owner: ImportedArray
) throws(ArrowError) -> ArrayData? {
  guard case .dictionary(_, let values) = type else { return nil }
  guard let dictionary = array.dictionary else {
    throw ArrowError(.malformed, "an array of \(type) without a dictionary")
  }
  return try ArrayData(reading: dictionary.pointee, type: values, views: views, owner: owner)
}

/// The buffers of an array that has values. The interface leaves their sizes out: they follow
/// from the type, the length and the offsets.
private func importBuffers(
  of array: ArrowArray, type: DataType, isView: Bool, owner: ImportedArray
) throws(ArrowError) -> (validity: Buffer?, buffers: [Buffer]) {
  let layout = type.layout
  if layout == .null { return (nil, []) }
  let end = Int(array.offset + array.length)
  let validityCount = layout.hasValidity ? 1 : 0
  guard isView || array.n_buffers == Int64(validityCount + layout.bufferCount), array.n_buffers > 0,
    let pointers = array.buffers
  else {
    throw ArrowError(.malformed, "\(array.n_buffers) buffers of an array of \(type)")
  }
  func buffer(_ index: Int, count: Int, width: Int) throws(ArrowError) -> Buffer {
    let (byteCount, overflows) = count.multipliedReportingOverflow(by: width)
    guard !overflows, byteCount == 0 || pointers[index] != nil else {
      throw ArrowError(.malformed, "buffer \(index) of an array of \(type)")
    }
    let bytes = UnsafeRawBufferPointer(start: pointers[index], count: byteCount)
    return Buffer(unowned: bytes, keptAliveBy: owner).aligned
  }
  /// The offsets, and the bytes that they delimit.
  func variable<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(ArrowError) -> [Buffer] {
    let offsets = try buffer(1, count: end + 1, width: MemoryLayout<T>.size)
    let byteCount = offsets.base.load(fromByteOffset: end * MemoryLayout<T>.size, as: T.self)
    guard let byteCount = Int(exactly: byteCount), byteCount >= 0 else {
      throw ArrowError(.malformed, "offsets of an array of \(type)")
    }
    return [offsets, try buffer(2, count: byteCount, width: 1)]
  }
  if layout == .union {
    return (nil, [try buffer(0, count: end, width: 1), try buffer(1, count: end, width: 4)])
  }
  let validity =
    pointers[0] == nil ? nil : try buffer(0, count: bitmapByteCount(end), width: 1)
  if isView { return (validity, try copyViews(array, validity: validity)) }
  switch layout {
  case .null, .fixedList, .structure, .union: return (validity, [])
  case .bits: return (validity, [try buffer(1, count: bitmapByteCount(end), width: 1)])
  case .fixed(let width), .dictionary(let width):
    return (validity, [try buffer(1, count: end, width: width)])
  case .list32: return (validity, [try buffer(1, count: end + 1, width: 4)])
  case .list64: return (validity, [try buffer(1, count: end + 1, width: 8)])
  case .variable32: return (validity, try variable(Int32.self))
  case .variable64: return (validity, try variable(Int64.self))
  }
}
