import WireFormat

/// A table of a FlatBuffer that comes from outside: every read is checked against the bytes.
struct FlatTable {
  private let bytes: [UInt8]
  /// Offset of the table in the bytes.
  let position: Int
  private let vtable: Int
  private let vtableByteCount: Int

  /// The root table of `bytes`.
  init(root bytes: [UInt8]) throws(DecodeError) {
    try self.init(bytes, at: Int(Self.load(UInt32.self, from: bytes, at: 0)))
  }

  private init(_ bytes: [UInt8], at position: Int) throws(DecodeError) {
    self.bytes = bytes
    self.position = position
    vtable = position - Int(try Self.load(Int32.self, from: bytes, at: position))
    vtableByteCount = Int(try Self.load(UInt16.self, from: bytes, at: vtable))
    guard vtableByteCount >= 4, vtable + vtableByteCount <= bytes.count else {
      throw DecodeError(.malformed, "table of a FlatBuffer", at: position)
    }
  }

  private static func load<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, from bytes: [UInt8], at position: Int
  ) throws(DecodeError) -> T {
    guard position >= 0, position <= bytes.count - MemoryLayout<T>.size else {
      throw DecodeError(.malformed, "reference in a FlatBuffer", at: max(position, 0))
    }
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: T.self) }
    return T(littleEndian: value)
  }

  private func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at position: Int)
    throws(DecodeError) -> T
  {
    try Self.load(T.self, from: bytes, at: position)
  }

  /// Where the field in `slot` lies, `nil` when it is absent.
  private func fieldPosition(_ slot: Int) throws(DecodeError) -> Int? {
    let entry = 4 + 2 * slot
    guard entry + 2 <= vtableByteCount else { return nil }
    let offset = try load(UInt16.self, at: vtable + entry)
    return offset == 0 ? nil : position + Int(offset)
  }

  /// Where the text, table or vector lies that the field in `slot` refers to.
  private func target(_ slot: Int) throws(DecodeError) -> Int? {
    guard let field = try fieldPosition(slot) else { return nil }
    return field + Int(try load(UInt32.self, at: field))
  }

  func scalar<T: FixedWidthInteger & BitwiseCopyable>(_ slot: Int, default value: T)
    throws(DecodeError) -> T
  {
    guard let field = try fieldPosition(slot) else { return value }
    return try load(T.self, at: field)
  }

  func bool(_ slot: Int) throws(DecodeError) -> Bool {
    try scalar(slot, default: UInt8(0)) != 0
  }

  /// Text; invalid UTF-8 becomes U+FFFD.
  func text(_ slot: Int) throws(DecodeError) -> String? {
    guard let (start, count) = try vector(slot, elementByteCount: 1) else { return nil }
    return String(decoding: bytes[start..<(start + count)], as: UTF8.self)
  }

  func table(_ slot: Int) throws(DecodeError) -> FlatTable? {
    guard let target = try target(slot) else { return nil }
    return try FlatTable(bytes, at: target)
  }

  /// A vector of tables; an absent one is empty.
  func tables(_ slot: Int) throws(DecodeError) -> [FlatTable] {
    guard let (start, count) = try vector(slot, elementByteCount: 4) else { return [] }
    var tables: [FlatTable] = []
    for index in 0..<count {
      let entry = start + 4 * index
      tables.append(try FlatTable(bytes, at: entry + Int(try load(UInt32.self, at: entry))))
    }
    return tables
  }

  /// A vector of structs of two 8-byte integers; an absent one is empty.
  func pairs(_ slot: Int) throws(DecodeError) -> [(Int64, Int64)] {
    guard let (start, count) = try vector(slot, elementByteCount: 16) else { return [] }
    var pairs: [(Int64, Int64)] = []
    pairs.reserveCapacity(count)
    for position in stride(from: start, to: start + 16 * count, by: 16) {
      pairs.append((try load(Int64.self, at: position), try load(Int64.self, at: position + 8)))
    }
    return pairs
  }

  /// A vector of 4-byte integers.
  func int32s(_ slot: Int) throws(DecodeError) -> [Int32]? {
    guard let (start, count) = try vector(slot, elementByteCount: 4) else { return nil }
    var values: [Int32] = []
    for index in 0..<count { values.append(try load(Int32.self, at: start + 4 * index)) }
    return values
  }

  /// A vector of 8-byte integers.
  func int64s(_ slot: Int) throws(DecodeError) -> [Int64] {
    guard let (start, count) = try vector(slot, elementByteCount: 8) else { return [] }
    var values: [Int64] = []
    for index in 0..<count { values.append(try load(Int64.self, at: start + 8 * index)) }
    return values
  }

  /// The first element's position and the number of elements, which the bytes really hold.
  private func vector(_ slot: Int, elementByteCount: Int) throws(DecodeError) -> (Int, Int)? {
    guard let target = try target(slot) else { return nil }
    let count = Int(try load(UInt32.self, at: target))
    guard count <= (bytes.count - target - 4) / elementByteCount else {
      throw DecodeError(.malformed, "vector of a FlatBuffer", at: target)
    }
    return (target + 4, count)
  }
}
