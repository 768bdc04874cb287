import CZlib
import WireFormat

/// Decompresses a value of a COMPRESSED column of MariaDB.
///
/// No bytes are the empty value. Otherwise the first byte is 0 before plain bytes, or has bit 7 set
/// before compressed ones, with bit 3 for raw deflate instead of zlib and in bits 0 to 2 the number
/// of bytes of the uncompressed length that follows, highest first.
///
/// - Throws: `unsupported` for another compression; `malformed` or `truncated` when the bytes
///   contradict the format.
public func decompressColumnValue(_ value: RawSpan) throws(DecodeError) -> [UInt8] {
  var reader = ByteReader(value)
  if reader.isAtEnd { return [] }
  let head: UInt8 = try reader.read()
  if head == 0 { return try reader.readArray(reader.remaining) }
  guard head & 0xF0 == 0x80 else {
    throw DecodeError(.unsupported, "compression of a column", at: 0)
  }
  let length = try reader.readUncompressedLength(byteCount: Int(head & 7))
  let source = try reader.readBytes(reader.remaining)
  var result = [UInt8](repeating: 0, count: length)
  let isComplete = source.withUnsafeBytes { source in
    result.withUnsafeMutableBytes { inflate(source, into: $0, isRaw: head & 8 != 0) }
  }
  guard isComplete else { throw DecodeError(.malformed, "compressed column value", at: 0) }
  return result
}

extension ByteReader {
  /// Reads the uncompressed length of the rest of the bytes, highest byte first.
  mutating func readUncompressedLength(byteCount: Int) throws(DecodeError) -> Int {
    let start = offset
    guard (1...4).contains(byteCount) else {
      throw DecodeError(.malformed, "uncompressed length", at: start)
    }
    let length = Int(try readBigEndianUInt(byteCount: byteCount))
    guard length <= EventFramer.defaultMaximumEventLength else {
      throw DecodeError(.limitExceeded, "uncompressed length", at: start)
    }
    // Deflate cannot do better than this, so that memory is bounded by the bytes that are there.
    let bestRatio = 1032
    guard length <= (remaining + 1) * bestRatio else {
      throw DecodeError(.malformed, "uncompressed length", at: start)
    }
    return length
  }
}

/// Decompresses zlib data, or raw deflate data.
///
/// - Returns: whether all the data was used and filled the target exactly.
func inflate(
  _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, isRaw: Bool
) -> Bool {
  guard let inputCount = UInt32(exactly: source.count),
    let outputCount = UInt32(exactly: target.count)
  else { return false }
  var stream = z_stream()
  let windowBits = isRaw ? -MAX_WBITS : MAX_WBITS
  let streamSize = Int32(MemoryLayout<z_stream>.size)
  guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, streamSize) == Z_OK else { return false }
  defer { inflateEnd(&stream) }
  // zlib only reads the input, and refuses null pointers even for no bytes.
  var empty: UInt8 = 0
  return withUnsafeMutablePointer(to: &empty) { placeholder in
    stream.next_in =
      UnsafeMutablePointer(mutating: source.bindMemory(to: UInt8.self).baseAddress) ?? placeholder
    stream.avail_in = inputCount
    stream.next_out = target.bindMemory(to: UInt8.self).baseAddress ?? placeholder
    stream.avail_out = outputCount
    return inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0
      && stream.avail_out == 0
  }
}
