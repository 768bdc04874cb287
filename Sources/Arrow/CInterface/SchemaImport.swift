import CArrowABI

extension Schema {
  /// Takes over the structure at `pointer`, reads it and releases it.
  ///
  /// - Throws: `unsupported` for types that ``DataType`` does not have, `malformed` for a
  ///   structure that was released or is not a struct of fields.
  public init(importing pointer: UnsafeMutablePointer<ArrowSchema>) throws(ArrowError) {
    self = try Self.importWithViews(pointer).schema
  }

  /// The same, and which columns are views.
  static func importWithViews(
    _ pointer: UnsafeMutablePointer<ArrowSchema>
  ) throws(ArrowError) -> (schema: Schema, views: ViewLayout?) {
    defer { ArrowSchema.release(pointer) }
    guard pointer.pointee.release != nil else {
      throw ArrowError(.malformed, "a schema that was released")
    }
    let root = try Field(reading: pointer.pointee, depth: 0)
    guard case .structure(let fields) = root.type else {
      throw ArrowError(.malformed, "a schema that is not a struct")
    }
    return (
      Schema(fields: fields, metadata: root.metadata), ViewLayout(reading: pointer.pointee)
    )
  }
}

extension Field {
  /// Reads a structure and all its children, and leaves it as it is.
  init(reading schema: ArrowSchema, depth: Int) throws(ArrowError) {
    guard depth <= DataType.depthLimit else {
      throw ArrowError(.limitExceeded, "types nested deeper than \(DataType.depthLimit)")
    }
    guard let format = schema.format else { throw ArrowError(.malformed, "a type without format") }
    var children: [Field] = []
    for child in try childStructs(schema.children, count: schema.n_children) {
      children.append(try Field(reading: child.pointee, depth: depth + 1))
    }
    var type = try DataType(
      formatString: String(cString: format), children: children,
      keysSorted: schema.flags & Int64(ARROW_FLAG_MAP_KEYS_SORTED) != 0)
    if let dictionary = schema.dictionary {
      let values = try Field(reading: dictionary.pointee, depth: depth + 1)
      type = .dictionary(index: type, values: values.type)
      try type.validateParameters()
    }
    self.init(
      name: schema.name.map { String(cString: $0) } ?? "", type: type,
      isNullable: schema.flags & Int64(ARROW_FLAG_NULLABLE) != 0,
      metadata: try schema.metadata.map(readCMetadata) ?? [:])
  }
}

/// The pointers to the children of a structure.
///
/// - Throws: `malformed` when a pointer is missing.
func childStructs<Struct>(
  _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Struct>?>?, count: Int64
) throws(ArrowError) -> [UnsafeMutablePointer<Struct>] {
  guard count >= 0, count == 0 || pointers != nil else {
    throw ArrowError(.malformed, "\(count) children")
  }
  var children: [UnsafeMutablePointer<Struct>] = []
  for index in 0..<Int(count) {
    guard let child = pointers?[index] else { throw ArrowError(.malformed, "a missing child") }
    children.append(child)
  }
  return children
}

/// Key-value metadata of the C Data Interface. Its length is known only from within, so that its
/// producer must be trusted.
private func readCMetadata(_ start: UnsafePointer<CChar>) throws(ArrowError) -> [String: String] {
  var position = UnsafeRawPointer(start)
  func readCount() throws(ArrowError) -> Int {
    let count = position.loadUnaligned(as: Int32.self)
    guard count >= 0 else { throw ArrowError(.malformed, "length in metadata") }
    position += 4
    return Int(count)
  }
  func readText() throws(ArrowError) -> String {
    let count = try readCount()
    defer { position += count }
    return String(decoding: UnsafeRawBufferPointer(start: position, count: count), as: UTF8.self)
  }
  var metadata: [String: String] = [:]
  for _ in 0..<(try readCount()) {
    let key = try readText()
    metadata[key] = try readText()
  }
  return metadata
}
