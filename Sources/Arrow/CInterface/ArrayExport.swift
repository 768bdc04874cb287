import CArrowABI

extension RecordBatch {
  /// Writes the batch, as a struct array that shares its memory, into `pointer`. The consumer
  /// releases it.
  public func export(into pointer: UnsafeMutablePointer<ArrowArray>) {
    ArrayData(type: .structure(schema.fields), length: rowCount, children: columns)
      .export(into: pointer)
  }
}

extension ArrayData {
  /// Writes the array, which shares its memory, into `pointer`. The consumer releases it.
  func export(into pointer: UnsafeMutablePointer<ArrowArray>) {
    let node = ExportedArray(self)
    var array = ArrowArray()
    array.length = Int64(length)
    array.null_count = Int64(nullCount)
    array.offset = Int64(offset)
    array.n_buffers = Int64(node.bufferCount)
    array.buffers = node.buffers
    array.n_children = Int64(node.children.count)
    array.children = node.children.count > 0 ? node.children.pointers : nil
    array.dictionary = node.dictionary?[0]
    array.release = { pointer in
      guard let pointer, let data = pointer.pointee.private_data else { return }
      pointer.pointee.release = nil
      Unmanaged<ExportedArray>.fromOpaque(data).release()
    }
    array.private_data = Unmanaged.passRetained(node).toOpaque()
    pointer.initialize(to: array)
  }

  /// The number of buffers in the C Data Interface, where validity is one of them.
  var interfaceBufferCount: Int { (layout.hasValidity ? 1 : 0) + layout.bufferCount }
}

/// What an exported `ArrowArray` points to; lives until its `release`.
private final class ExportedArray {
  /// Keeps the buffers alive.
  let array: ArrayData
  let bufferCount: Int
  let buffers: UnsafeMutablePointer<UnsafeRawPointer?>
  let children: ExportedChildren<ArrowArray>
  let dictionary: ExportedChildren<ArrowArray>?

  init(_ array: ArrayData) {
    self.array = array
    bufferCount = array.interfaceBufferCount
    buffers = .allocate(capacity: max(bufferCount, 1))
    let first = bufferCount - array.buffers.count
    if first > 0 { buffers.initialize(to: array.validity?.base) }
    for (index, buffer) in array.buffers.enumerated() {
      (buffers + first + index).initialize(to: buffer.base)
    }
    children = ExportedChildren(count: array.children.count)
    for (index, child) in array.children.enumerated() {
      children[index].map { child.export(into: $0) }
    }
    if let values = array.dictionary {
      dictionary = ExportedChildren(count: 1)
      dictionary?[0].map { values.export(into: $0) }
    } else {
      dictionary = nil
    }
  }

  deinit { buffers.deallocate() }
}
