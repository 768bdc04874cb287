import WireFormat

extension ByteReader {
  /// Reads `count` bytes into an array.
  mutating func readArray(_ count: Int) throws(DecodeError) -> [UInt8] {
    try readBytes(count).withUnsafeBytes { [UInt8]($0) }
  }

  /// Reads text that zero bytes pad to `count` bytes.
  mutating func readPaddedString(_ count: Int) throws(DecodeError) -> String {
    try readBytes(count).withUnsafeBytes { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Reads text whose length is in the byte before it.
  mutating func readShortString() throws(DecodeError) -> String {
    try readString(Int(try read(UInt8.self)))
  }

  /// Reads a length-encoded integer that is not NULL.
  mutating func readPackedInteger(_ what: String) throws(DecodeError) -> UInt64 {
    let start = offset
    guard let value = try readLengthEncodedInteger() else {
      throw DecodeError(.malformed, what, at: start)
    }
    return value
  }

  /// Reads a length-encoded count of bytes and then that many bytes.
  @_lifetime(copy self)
  mutating func readPackedBytes(_ what: String) throws(DecodeError) -> RawSpan {
    let count = try readLengthEncodedCount(atMost: Int(Int32.max), what)
    return try readBytes(count)
  }

  /// Moves past what a later server added to the fixed part of a body, of which `known` bytes were
  /// read.
  mutating func skipPostHeader(length: Int, known: Int, _ what: String) throws(DecodeError) {
    guard length >= known else { throw DecodeError(.unsupported, what, at: offset) }
    try skip(length - known)
  }
}
