import Arrow

/// Compares cells of one column as they come from the source and from the copy.
///
/// The two sides may encode the same values differently: a dictionary at one side is plain text at
/// the other. Values compare by their bytes, numbers by their value.
enum CellComparison {
  case signed(width: Int)
  case unsigned(width: Int)
  case float(width: Int)
  case decimal
  case bytes
  indirect case list(CellComparison)

  init(_ type: DataType) throws {
    switch type {
    case .int8: self = .signed(width: 1)
    case .int16: self = .signed(width: 2)
    case .int32, .date32, .time32: self = .signed(width: 4)
    case .int64, .timestamp, .time64, .duration: self = .signed(width: 8)
    case .uint8: self = .unsigned(width: 1)
    case .uint16: self = .unsigned(width: 2)
    case .uint32: self = .unsigned(width: 4)
    case .uint64: self = .unsigned(width: 8)
    case .float32: self = .float(width: 4)
    case .float64: self = .float(width: 8)
    case .decimal128, .decimal256: self = .decimal
    case .utf8, .binary, .largeUtf8, .largeBinary, .fixedSizeBinary, .dictionary: self = .bytes
    case .list(let item), .largeList(let item): self = .list(try CellComparison(item.type))
    case .null, .bool, .fixedSizeList, .structure, .map, .denseUnion:
      throw ReplicationError(.dataFolder, "a column of type \(type) cannot be compared")
    }
  }

  /// The order of two cells: negative, zero or positive. NULL comes first.
  func order(_ left: ArrayData, _ leftIndex: Int, _ right: ArrayData, _ rightIndex: Int) -> Int {
    switch (isNull(left, leftIndex), isNull(right, rightIndex)) {
    case (true, true): return 0
    case (true, false): return -1
    case (false, true): return 1
    case (false, false): break
    }
    switch self {
    case .signed(let width):
      return Self.sign(
        Self.integer(left, leftIndex, width), Self.integer(right, rightIndex, width))
    case .unsigned(let width):
      return Self.sign(
        UInt64(bitPattern: Self.integer(left, leftIndex, width)) & Self.mask(width),
        UInt64(bitPattern: Self.integer(right, rightIndex, width)) & Self.mask(width))
    case .float(let width):
      return Self.order(
        Self.float(left, leftIndex, width), Self.float(right, rightIndex, width))
    case .decimal:
      return Self.decimalOrder(left, leftIndex, right, rightIndex)
    case .bytes:
      return left.withBinaryValue(at: leftIndex) { leftBytes in
        right.withBinaryValue(at: rightIndex) { Self.order(leftBytes, $0) }
      }
    case .list(let item):
      return Self.listOrder(item, left, leftIndex, right, rightIndex)
    }
  }

  /// Feeds a cell to a hasher: cells that are equal by ``order(_:_:_:_:)`` give the same.
  func hash(_ array: ArrayData, _ index: Int, into hasher: inout Hasher) {
    if isNull(array, index) { return hasher.combine(0 as UInt8) }
    hasher.combine(1 as UInt8)
    switch self {
    case .signed(let width), .unsigned(let width):
      hasher.combine(
        UInt64(bitPattern: Self.integer(array, index, width)) & Self.mask(width))
    case .float(let width): hasher.combine(Self.float(array, index, width).bitPattern)
    case .decimal:
      let value = array.decimal(at: index)
      hasher.combine(value.isNegative)
      for part in [value.magnitude.0, value.magnitude.1, value.magnitude.2, value.magnitude.3] {
        hasher.combine(part)
      }
    case .bytes:
      array.withBinaryValue(at: index) { bytes in
        hasher.combine(bytes.count)
        hasher.combine(bytes: bytes)
      }
    case .list(let item):
      let items = array.listRange(at: index)
      hasher.combine(items.count)
      for index in items { item.hash(array.children[0], index, into: &hasher) }
    }
  }

  /// Engines without null lists hold one as a list of one null, which no list of a source is.
  private func isNull(_ array: ArrayData, _ index: Int) -> Bool {
    if array.isNull(at: index) { return true }
    guard case .list = self else { return false }
    let items = array.listRange(at: index)
    return items.count == 1 && array.children[0].isNull(at: items.lowerBound)
  }

  private static func sign<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
    left < right ? -1 : left > right ? 1 : 0
  }

  private static func mask(_ width: Int) -> UInt64 {
    width == 8 ? .max : 1 << UInt64(8 * width) - 1
  }

  private static func integer(_ array: ArrayData, _ index: Int, _ width: Int) -> Int64 {
    switch width {
    case 1: array.withValues(of: Int8.self) { Int64($0[index]) }
    case 2: array.withValues(of: Int16.self) { Int64($0[index]) }
    case 4: array.withValues(of: Int32.self) { Int64($0[index]) }
    default: array.withValues(of: Int64.self) { $0[index] }
    }
  }

  private static func float(_ array: ArrayData, _ index: Int, _ width: Int) -> Double {
    width == 4
      ? array.withValues(of: Float.self) { Double($0[index]) }
      : array.withValues(of: Double.self) { $0[index] }
  }

  /// By value, and for equal values by their bits, so that -0 differs from 0.
  private static func order(_ left: Double, _ right: Double) -> Int {
    left < right
      ? -1 : left > right ? 1 : sign(left.bitPattern, right.bitPattern)
  }

  private static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer)
    -> Int
  {
    for (leftByte, rightByte) in zip(left, right) where leftByte != rightByte {
      return leftByte < rightByte ? -1 : 1
    }
    return sign(left.count, right.count)
  }

  private static func decimalOrder(
    _ left: ArrayData, _ leftIndex: Int, _ right: ArrayData, _ rightIndex: Int
  ) -> Int {
    let leftValue = left.decimal(at: leftIndex)
    let rightValue = right.decimal(at: rightIndex)
    if leftValue.isNegative != rightValue.isNegative { return leftValue.isNegative ? -1 : 1 }
    let (a, b) = (leftValue.magnitude, rightValue.magnitude)
    let magnitude =
      a.3 != b.3
      ? sign(a.3, b.3)
      : a.2 != b.2 ? sign(a.2, b.2) : a.1 != b.1 ? sign(a.1, b.1) : sign(a.0, b.0)
    return leftValue.isNegative ? -magnitude : magnitude
  }

  private static func listOrder(
    _ item: CellComparison, _ left: ArrayData, _ leftIndex: Int, _ right: ArrayData,
    _ rightIndex: Int
  ) -> Int {
    let leftRange = left.listRange(at: leftIndex)
    let rightRange = right.listRange(at: rightIndex)
    for (leftItem, rightItem) in zip(leftRange, rightRange) {
      let order = item.order(left.children[0], leftItem, right.children[0], rightItem)
      if order != 0 { return order }
    }
    return sign(leftRange.count, rightRange.count)
  }
}
