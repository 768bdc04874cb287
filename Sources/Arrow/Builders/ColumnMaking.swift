// Columns from values that are all there, for answers about metadata.

/// A column of texts.
public func textColumn(_ values: [String?], type: DataType = .utf8) -> ArrayData {
  bytesColumn(values.map { $0.map { Array($0.utf8) } }, type: type)
}

/// A column of byte strings.
public func bytesColumn(_ values: [[UInt8]?], type: DataType = .binary) -> ArrayData {
  let builder = BinaryBuilder(type: type)
  for value in values {
    if let value { builder.append(value.span.bytes) } else { builder.appendNull() }
  }
  return builder.finish()
}

/// A column of numbers, which have the width of the type.
public func numberColumn<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
  _ values: [T?], type: DataType
) -> ArrayData {
  let builder = PrimitiveBuilder<T>(type: type)
  for value in values {
    if let value { builder.append(value) } else { builder.appendNull() }
  }
  return builder.finish()
}

/// A column of truth values.
public func booleanColumn(_ values: [Bool?]) -> ArrayData {
  let builder = BooleanBuilder()
  for value in values {
    if let value { builder.append(value) } else { builder.appendNull() }
  }
  return builder.finish()
}

/// A column of lists; `items` makes the column of all their items, one list after the other.
public func listColumn<Item>(_ values: [[Item]?], item: Field, items: ([Item]) -> ArrayData)
  -> ArrayData
{
  var offsets: [Int32] = [0]
  var validity: [Bool] = []
  for value in values {
    offsets.append((offsets.last ?? 0) + Int32(value?.count ?? 0))
    validity.append(value != nil)
  }
  let bits = booleanColumn(validity)
  let nullCount = validity.count { !$0 }
  return ArrayData(
    type: .list(item), length: values.count, nullCount: nullCount,
    validity: nullCount == 0 ? nil : bits.buffers[0],
    buffers: [offsets.withUnsafeBytes { Buffer(copying: $0) }],
    children: [items(values.flatMap { $0 ?? [] })])
}

/// A column of structures.
public func structureColumn(_ fields: [Field], _ children: [ArrayData], count: Int) -> ArrayData {
  ArrayData(type: .structure(fields), length: count, children: children)
}
