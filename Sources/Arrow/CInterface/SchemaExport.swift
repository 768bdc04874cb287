import CArrowABI

extension Schema {
  /// Writes the schema, as a struct of its fields, into `pointer`. The consumer releases it.
  public func export(into pointer: UnsafeMutablePointer<ArrowSchema>) {
    Field(name: "", type: .structure(fields), isNullable: false, metadata: metadata)
      .export(into: pointer)
  }
}

extension Field {
  /// Writes the field into `pointer`. The consumer releases it.
  func export(into pointer: UnsafeMutablePointer<ArrowSchema>) {
    let node = ExportedSchema(self)
    var schema = ArrowSchema()
    schema.format = UnsafePointer(node.format)
    schema.name = UnsafePointer(node.name)
    schema.metadata = UnsafePointer(node.metadata)
    schema.flags = flags
    schema.n_children = Int64(node.children.count)
    schema.children = node.children.count > 0 ? node.children.pointers : nil
    schema.dictionary = node.dictionary?[0]
    schema.release = { pointer in
      guard let pointer, let data = pointer.pointee.private_data else { return }
      pointer.pointee.release = nil
      Unmanaged<ExportedSchema>.fromOpaque(data).release()
    }
    schema.private_data = Unmanaged.passRetained(node).toOpaque()
    pointer.initialize(to: schema)
  }

  private var flags: Int64 {
    var flags = isNullable ? Int64(ARROW_FLAG_NULLABLE) : 0
    if case .map(_, keysSorted: true) = type { flags |= Int64(ARROW_FLAG_MAP_KEYS_SORTED) }
    return flags
  }
}

/// What an exported `ArrowSchema` points to; lives until its `release`.
private final class ExportedSchema {
  let format: UnsafeMutablePointer<CChar>
  let name: UnsafeMutablePointer<CChar>
  let metadata: UnsafeMutablePointer<CChar>?
  let children: ExportedChildren<ArrowSchema>
  let dictionary: ExportedChildren<ArrowSchema>?

  init(_ field: Field) {
    format = allocateCString(field.type.formatString)
    name = allocateCString(field.name)
    metadata = field.metadata.isEmpty ? nil : allocateCMetadata(field.metadata)
    let childFields = field.type.childFields
    children = ExportedChildren(count: childFields.count)
    for (index, child) in childFields.enumerated() {
      children[index].map { child.export(into: $0) }
    }
    if case .dictionary(_, let values) = field.type {
      dictionary = ExportedChildren(count: 1)
      dictionary?[0].map { Field(name: "", type: values).export(into: $0) }
    } else {
      dictionary = nil
    }
  }

  deinit {
    format.deallocate()
    name.deallocate()
    metadata?.deallocate()
  }
}

/// The text with a final zero, to be deallocated by the caller.
func allocateCString(_ text: String) -> UnsafeMutablePointer<CChar> {
  let bytes = text.utf8CString
  let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  for (index, byte) in bytes.enumerated() { (copy + index).initialize(to: byte) }
  return copy
}

/// Key-value metadata as the C Data Interface encodes it, with integers in native order, to be
/// deallocated by the caller.
private func allocateCMetadata(_ metadata: [String: String]) -> UnsafeMutablePointer<CChar> {
  var bytes: [UInt8] = []
  func append(_ count: Int) {
    withUnsafeBytes(of: Int32(truncatingIfNeeded: count)) { bytes.append(contentsOf: $0) }
  }
  append(metadata.count)
  for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
    for text in [key, value] {
      append(text.utf8.count)
      bytes.append(contentsOf: text.utf8)
    }
  }
  let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  for (index, byte) in bytes.enumerated() {
    (copy + index).initialize(to: CChar(bitPattern: byte))
  }
  return copy
}
