import Arrow

/// The input is an Arrow IPC stream, from which every value is read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzArrow(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  var reader = StreamReader()
  try? reader.push(Array(UnsafeBufferPointer(start: input, count: count)))
  while let batch = reader.next() {
    // Whatever was read can be written and sliced.
    var writer = StreamWriter(schema: batch.schema)
    var bytes: [UInt8] = []
    writer.writeSchema(to: &bytes)
    guard (try? writer.write(batch, to: &bytes)) != nil else { fatalError("not written") }
    let half = batch.rowCount / 2
    guard (try? writer.write(batch.slice(half..<batch.rowCount), to: &bytes)) != nil else {
      fatalError("no slice written")
    }
    for column in batch.columns { read(column) }
  }
  return 0
}

/// Reads some values of an array, and of all below it.
private func read(_ array: ArrayData) {
  for index in [0, array.length / 2, array.length - 1] where array.length > 0 {
    if array.isNull(at: index) { continue }
    switch array.type {
    case .null: break
    case .bool: _ = array.bool(at: index)
    case .utf8, .binary, .largeUtf8, .largeBinary, .fixedSizeBinary:
      array.withBinaryValue(at: index) { bytes in
        precondition(bytes.reduce(into: UInt8(0)) { $0 ^= $1 } <= UInt8.max)
      }
    case .list, .largeList, .fixedSizeList, .map:
      precondition(array.listRange(at: index).upperBound <= array.children[0].length)
    case .denseUnion:
      let (field, position) = array.unionPosition(at: index)
      precondition(position < array.children[field].length)
    case .dictionary:
      if let entry = array.dictionaryIndex(at: index), let dictionary = array.dictionary {
        precondition(entry < dictionary.length)
      }
    case .structure(let fields):
      for field in fields.indices { read(array.structField(field)) }
    case .int8, .uint8: array.withValues(of: UInt8.self) { _ = $0[index] }
    case .int16, .uint16: array.withValues(of: UInt16.self) { _ = $0[index] }
    case .int32, .uint32, .float32, .date32, .time32:
      array.withValues(of: UInt32.self) { _ = $0[index] }
    case .int64, .uint64, .float64, .time64, .timestamp, .duration:
      array.withValues(of: UInt64.self) { _ = $0[index] }
    case .decimal128, .decimal256: break
    }
  }
  for child in array.children { read(child) }
  if let dictionary = array.dictionary { read(dictionary) }
}
