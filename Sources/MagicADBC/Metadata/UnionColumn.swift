import Arrow

/// A column of a dense union.
///
/// - Parameters:
///   - values: for each row, to which field it belongs.
///   - children: the values of each field, in the order of the rows.
func unionColumn(_ fields: [Field], _ values: [Int], children: [ArrayData]) -> ArrayData {
  var counts = [Int32](repeating: 0, count: fields.count)
  var positions: [Int32] = []
  for field in values {
    positions.append(counts[field])
    counts[field] += 1
  }
  return ArrayData(
    type: .denseUnion(fields), length: values.count,
    buffers: [
      values.map { Int8(truncatingIfNeeded: $0) }.withUnsafeBytes { Buffer(copying: $0) },
      positions.withUnsafeBytes { Buffer(copying: $0) },
    ], children: children)
}
