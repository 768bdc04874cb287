import Arrow

/// The keys of rows, numbered in the order in which they first appear.
struct KeyTable {
  /// For each row the number of its key.
  private(set) var keys: [Int] = []
  private var keyBytes: KeyBytes
  /// For each key its first row.
  private var firstRows: [Int] = []
  /// Key numbers by hash; -1 where there is none.
  private var slots: [Int]

  var keyCount: Int { firstRows.count }

  /// - Parameter columns: the columns of the key. Without any, all rows have one key.
  /// - Throws: `unsupported` for a type that is no key's.
  init(_ columns: [ArrayData], rowCount: Int) throws(ArrowError) {
    keyBytes = try KeyBytes(columns, rowCount: rowCount)
    var slotCount = 16
    while slotCount < rowCount * 2 { slotCount *= 2 }
    slots = Array(repeating: -1, count: slotCount)
    keys.reserveCapacity(rowCount)
    for row in 0..<rowCount {
      let slot = slot(of: keyBytes, at: row)
      if slots[slot] < 0 {
        slots[slot] = firstRows.count
        firstRows.append(row)
      }
      keys.append(slots[slot])
    }
  }

  /// The first row that has each of some other keys, nil where there is none.
  func rows(of columns: [ArrayData]) throws(ArrowError) -> [Int?] {
    let rowCount = columns.first?.length ?? 0
    let others = try KeyBytes(columns, rowCount: rowCount)
    return (0..<rowCount).map { row in
      let key = slots[slot(of: others, at: row)]
      return key < 0 ? nil : firstRows[key]
    }
  }

  /// The slot that has a key, or that is free for it.
  private func slot(of others: KeyBytes, at row: Int) -> Int {
    others.withKey(at: row) { bytes in
      var hasher = Hasher()
      hasher.combine(bytes: bytes)
      var slot = hasher.finalize() & (slots.count - 1)
      while slots[slot] >= 0 {
        let isEqual = keyBytes.withKey(at: firstRows[slots[slot]]) { $0.elementsEqual(bytes) }
        if isEqual { break }
        slot = (slot + 1) & (slots.count - 1)
      }
      return slot
    }
  }
}

/// The values of several columns as one byte string for each row, which are equal when the values
/// are.
private struct KeyBytes {
  private var bytes: [UInt8] = []
  /// Where the bytes of each row end.
  private var ends: [Int] = []

  init(_ columns: [ArrayData], rowCount: Int) throws(ArrowError) {
    var parts: [KeyBytes] = []
    for column in columns { parts.append(try KeyBytes(column)) }
    if parts.count == 1 {
      self = parts[0]
      return
    }
    for row in 0..<rowCount {
      for part in parts { bytes += part.bytes[part.range(at: row)] }
      ends.append(bytes.count)
    }
  }

  private init(_ column: ArrayData) throws(ArrowError) {
    switch column.type {
    case .utf8, .binary, .largeUtf8, .largeBinary:
      for row in 0..<column.length {
        column.withBinaryValue(at: row) { append(count: $0.count, $0) }
      }
    case .dictionary:
      for row in 0..<column.length { append(count: column.dictionaryIndex(at: row) ?? -1) }
    case .list:
      let items = try KeyBytes(column.children[0])
      for row in 0..<column.length {
        let range = column.listRange(at: row)
        append(count: range.count)
        for item in range { bytes += items.bytes[items.range(at: item)] }
        ends[row] = bytes.count
      }
    case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float32, .float64,
      .decimal128, .decimal256, .date32, .time32, .time64, .timestamp, .duration, .fixedSizeBinary:
      for row in 0..<column.length {
        column.withBinaryValue(at: row) { bytes.append(contentsOf: $0) }
        ends.append(bytes.count)
      }
    case .null, .bool, .largeList, .fixedSizeList, .structure, .map, .denseUnion:
      throw ArrowError(.unsupported, "a key column of \(column.type)")
    }
  }

  private mutating func append(
    count: Int, _ value: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) {
    withUnsafeBytes(of: count) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: value)
    ends.append(bytes.count)
  }

  private func range(at row: Int) -> Range<Int> { (row > 0 ? ends[row - 1] : 0)..<ends[row] }

  func withKey<Result>(at row: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range(at: row)])) }
  }
}
