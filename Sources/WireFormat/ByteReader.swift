/// A bounds-checked cursor over bytes that it does not own.
///
/// Integers are little-endian unless a name says otherwise. Every read throws
/// ``DecodeError`` with code `truncated` and leaves the cursor where it was when
/// too few bytes remain.
public struct ByteReader: ~Escapable {
  /// All the bytes, from the start of the input.
  public let bytes: RawSpan
  /// Offset of the next byte to read.
  public var offset: Int

  /// Starts reading at the first byte of `bytes`.
  @inlinable
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.bytes = bytes
    self.offset = 0
  }

  /// The number of bytes left.
  @inlinable public var remaining: Int { bytes.byteCount - offset }
  /// Whether every byte was read.
  @inlinable public var isAtEnd: Bool { offset == bytes.byteCount }

  @inlinable @inline(__always)
  func require(_ count: Int, _ what: @autoclosure () -> String) throws(DecodeError) {
    if count < 0 || count > bytes.byteCount &- offset {
      throw DecodeError(.truncated, what(), at: offset)
    }
  }

  /// Moves past `count` bytes.
  @inlinable @inline(__always)
  public mutating func skip(_ count: Int) throws(DecodeError) {
    try require(count, "\(count) bytes")
    offset &+= count
  }

  /// Reads a fixed-width little-endian integer.
  @inlinable @inline(__always)
  public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self)
    throws(DecodeError) -> T
  {
    try require(MemoryLayout<T>.size, "integer")
    let value = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self)
    offset &+= MemoryLayout<T>.size
    return T(littleEndian: value)
  }

  /// Reads a fixed-width big-endian integer.
  @inlinable @inline(__always)
  public mutating func readBigEndian<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self
  ) throws(DecodeError) -> T {
    try read(T.self).byteSwapped
  }

  /// Reads an unsigned little-endian integer of 1 to 8 bytes.
  @inlinable
  public mutating func readUInt(byteCount: Int) throws(DecodeError) -> UInt64 {
    precondition(byteCount >= 1 && byteCount <= 8)
    try require(byteCount, "integer")
    var value: UInt64 = 0
    for index in 0..<byteCount {
      let byte = bytes.unsafeLoad(fromUncheckedByteOffset: offset &+ index, as: UInt8.self)
      value |= UInt64(byte) &<< UInt64(8 &* index)
    }
    offset &+= byteCount
    return value
  }

  /// Reads an unsigned big-endian integer of 1 to 8 bytes.
  @inlinable
  public mutating func readBigEndianUInt(byteCount: Int) throws(DecodeError) -> UInt64 {
    precondition(byteCount >= 1 && byteCount <= 8)
    try require(byteCount, "integer")
    var value: UInt64 = 0
    for index in 0..<byteCount {
      let byte = bytes.unsafeLoad(fromUncheckedByteOffset: offset &+ index, as: UInt8.self)
      value = (value &<< 8) | UInt64(byte)
    }
    offset &+= byteCount
    return value
  }

  /// Reads `count` bytes without copying them.
  @inlinable @inline(__always)
  @_lifetime(copy self)
  public mutating func readBytes(_ count: Int) throws(DecodeError) -> RawSpan {
    try require(count, "\(count) bytes")
    let slice = bytes.extracting(unchecked: offset..<(offset &+ count))
    offset &+= count
    return slice
  }

  /// Reads `count` bytes as UTF-8 text; invalid sequences become U+FFFD.
  @inlinable
  public mutating func readString(_ count: Int) throws(DecodeError) -> String {
    let slice = try readBytes(count)
    return slice.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// Reads an integer in MySQL's length-encoded form. `nil` is the NULL marker 0xFB.
  @inlinable
  public mutating func readLengthEncodedInteger() throws(DecodeError) -> UInt64? {
    let start = offset
    let first = try read(UInt8.self)
    do throws(DecodeError) {
      switch first {
      case 0xFB: return nil
      case 0xFC: return try readUInt(byteCount: 2)
      case 0xFD: return try readUInt(byteCount: 3)
      case 0xFE: return try readUInt(byteCount: 8)
      case 0xFF: throw DecodeError(.malformed, "length-encoded integer", at: start)
      default: return UInt64(first)
      }
    } catch {
      offset = start
      throw error
    }
  }

  /// Reads a length-encoded integer that counts something in the remaining bytes.
  ///
  /// - Throws: `limitExceeded` when it is above `limit`, `malformed` when it is NULL.
  @inlinable
  public mutating func readLengthEncodedCount(atMost limit: Int, _ what: String)
    throws(DecodeError) -> Int
  {
    let start = offset
    guard let value = try readLengthEncodedInteger() else {
      throw DecodeError(.malformed, what, at: start)
    }
    // A limit below zero, which a count of other things minus one may be, allows no value.
    guard let count = Int(exactly: value), count <= limit else {
      throw DecodeError(.limitExceeded, what, at: start)
    }
    return count
  }

  /// Throws `trailingBytes` unless every byte was read.
  @inlinable
  public func expectEnd(_ what: @autoclosure () -> String) throws(DecodeError) {
    if !isAtEnd { throw DecodeError(.trailingBytes, what(), at: offset) }
  }
}
