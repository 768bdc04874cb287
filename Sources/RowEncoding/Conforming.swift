import Arrow

extension ArrayData {
  /// These values in the form of another array of a column: dictionary-encoded over its dictionary.
  ///
  /// - Returns: nil when the values are of another type, or not in the dictionary.
  func conforming(to other: ArrayData) -> ArrayData? {
    switch (type, other.type) {
    case (let own, let wanted) where own == wanted && dictionary == nil && children.isEmpty:
      return self
    case (_, .dictionary):
      return other.dictionary.flatMap(encoded)
    case (.list, .list):
      guard let items = children[0].conforming(to: other.children[0]) else { return nil }
      return ArrayData(
        type: other.type, length: length, nullCount: nullCount, offset: offset,
        validity: validity, buffers: buffers, children: [items])
    case (.utf8, .binary), (.binary, .utf8):
      return ArrayData(
        type: other.type, length: length, nullCount: nullCount, offset: offset,
        validity: validity, buffers: buffers)
    default: return nil
    }
  }

  /// These texts as positions in a dictionary that has all of them.
  private func encoded(by dictionary: ArrayData) -> ArrayData? {
    switch type {
    case .utf8, .largeUtf8, .binary, .largeBinary, .dictionary: break
    default: return nil
    }
    var positions: [[UInt8]: Int] = [:]
    let texts = (0..<dictionary.length).map { index in
      dictionary.withBinaryValue(at: index) { [UInt8]($0) }
    }
    for (index, text) in texts.enumerated() { positions[text] = positions[text] ?? index }
    let builder = DictionaryBuilder(sharing: dictionary)
    for row in 0..<length {
      if isNull(at: row) {
        builder.appendNull()
      } else if let position = withBinaryValue(at: row, { positions[[UInt8]($0)] }) {
        builder.append(index: position)
      } else {
        return nil
      }
    }
    return builder.finish()
  }

  /// An array like this one of a single value: null, or the type's zero or empty value.
  func blank(isNullable: Bool) -> ArrayData {
    let empty = ArrayData(emptyOf: type)
    let zeros = Buffer(copying: [UInt8](repeating: 0, count: 64))
    let isVariable = empty.buffers.count == 2
    return ArrayData(
      type: type, length: 1, nullCount: isNullable ? 1 : 0,
      validity: isNullable ? zeros : nil,
      buffers: isVariable ? [zeros, .empty] : [zeros],
      children: children.map { $0.slice(0..<0) },
      dictionary: dictionary)
  }
}
