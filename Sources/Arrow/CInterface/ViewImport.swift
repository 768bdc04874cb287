import CArrowABI

/// Which parts of an imported type are views of texts or bytes. ``DataType`` has no such types: they
/// are imported as ``DataType/utf8`` and ``DataType/binary``, and copied.
struct ViewLayout: Sendable {
  /// The format strings of the types, and what they are imported as.
  static let formats: [String: DataType] = ["vu": .utf8, "vz": .binary]

  private(set) var isView = false
  /// One for each child of the type, nil for those without views.
  private(set) var children: [ViewLayout?] = []
  /// Of the values of a dictionary, if there are views among them.
  private var values: [ViewLayout] = []

  var dictionary: ViewLayout? { values.first }

  /// Reads a structure whose shape was checked before; nil when there are no views in it.
  init?(reading schema: ArrowSchema) {
    isView = schema.format.map { Self.formats[String(cString: $0)] != nil } ?? false
    var hasViews = isView
    for index in 0..<max(0, Int(schema.n_children)) {
      let child = schema.children?[index].flatMap { ViewLayout(reading: $0.pointee) }
      if child != nil { hasViews = true }
      children.append(child)
    }
    if let dictionary = schema.dictionary, let layout = ViewLayout(reading: dictionary.pointee) {
      hasViews = true
      values = [layout]
    }
    guard hasViews else { return nil }
  }
}

/// The buffers of plain texts or bytes, copied from an array of views.
///
/// - Throws: `malformed` when a view does not lie in its buffer, `limitExceeded` when there are
///   more bytes than 32-bit offsets reach.
func copyViews(_ array: ArrowArray, validity: Buffer?) throws(ArrowError) -> [Buffer] {
  let count = array.n_buffers
  guard count >= 3, count < 1 << 20, let pointers = array.buffers,
    let views = UnsafeRawPointer(pointers[1])
  else { throw ArrowError(.malformed, "an array of views with \(count) buffers") }
  let dataCount = Int(count) - 3
  let lengths = UnsafeRawPointer(pointers[Int(count) - 1])
  guard dataCount == 0 || lengths != nil else {
    throw ArrowError(.malformed, "an array of views without the lengths of its buffers")
  }
  let builder = BinaryBuilder(type: .binary)
  for row in 0..<Int(array.offset + array.length) {
    if row < array.offset || !(validity?.bit(at: row) ?? true) {
      builder.endValue()
      continue
    }
    let view = views + 16 * row
    let length = view.loadUnaligned(as: Int32.self)
    var start: UnsafeRawPointer? = view + 4
    if length > 12 {
      let index = Int(view.loadUnaligned(fromByteOffset: 8, as: Int32.self))
      let offset = Int(view.loadUnaligned(fromByteOffset: 12, as: Int32.self))
      guard index >= 0, index < dataCount, offset >= 0,
        let size = lengths?.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self),
        Int64(offset) + Int64(length) <= size
      else { throw ArrowError(.malformed, "a view outside of its buffer") }
      start = UnsafeRawPointer(pointers[2 + index]).map { $0 + offset }
    }
    guard length >= 0, let start else { throw ArrowError(.malformed, "a view without its buffer") }
    builder.append(UnsafeRawBufferPointer(start: start, count: Int(length)))
  }
  guard !builder.hasRejectedValue else {
    throw ArrowError(.limitExceeded, "more than 2 GiB of text in one column of a batch")
  }
  return builder.finish().buffers
}
