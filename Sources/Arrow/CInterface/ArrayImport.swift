import CArrowABI

extension RecordBatch {
  /// Takes over the struct array at `pointer` without copying its buffers; it is released with
  /// the last reference to one of them. Text is not checked to be UTF-8.
  ///
  /// - Throws: `malformed` when the array contradicts `schema` or itself; it is then released.
  public init(importing pointer: UnsafeMutablePointer<ArrowArray>, schema: Schema)
    throws(ArrowError)
  {
    let owner = ImportedArray(moving: pointer)
    let type = DataType.structure(schema.fields)
    let root = try ArrayData(reading: owner.array, type: type, owner: owner)
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
  fileprivate init(reading array: ArrowArray, type: DataType, owner: ImportedArray)
    throws(ArrowError)
  {
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
    for (child, field) in zip(children, fields) {
      childArrays.append(try ArrayData(reading: child.pointee, type: field.type, owner: owner))
    }
    let (validity, buffers) = try importBuffers(of: array, type: type, owner: owner)
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
      dictionary: try importDictionary(of: array, type: type, owner: owner))
  }
}

private func importDictionary(of array: ArrowArray, type: DataType, owner: ImportedArray)
  throws(ArrowError) -> ArrayData?
{
  guard case .dictionary(_, let values) = type else { return nil }
  guard let dictionary = array.dictionary else {
    throw ArrowError(.malformed, "an array of \(type) without a dictionary")
  }
  return try ArrayData(reading: dictionary.pointee, type: values, owner: owner)
}

/// The buffers of an array that has values. The interface leaves their sizes out: they follow
/// from the type, the length and the offsets.
private func importBuffers(of array: ArrowArray, type: DataType, owner: ImportedArray)
  throws(ArrowError) -> (validity: Buffer?, buffers: [Buffer])
{
  let layout = type.layout
  if layout == .null { return (nil, []) }
  let end = Int(array.offset + array.length)
  guard array.n_buffers == Int64(1 + layout.bufferCount), let pointers = array.buffers else {
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
  let validity =
    pointers[0] == nil ? nil : try buffer(0, count: bitmapByteCount(end), width: 1)
  switch layout {
  case .null, .fixedList, .structure: return (validity, [])
  case .bits: return (validity, [try buffer(1, count: bitmapByteCount(end), width: 1)])
  case .fixed(let width), .dictionary(let width):
    return (validity, [try buffer(1, count: end, width: width)])
  case .list32: return (validity, [try buffer(1, count: end + 1, width: 4)])
  case .list64: return (validity, [try buffer(1, count: end + 1, width: 8)])
  case .variable32: return (validity, try variable(Int32.self))
  case .variable64: return (validity, try variable(Int64.self))
  }
}
