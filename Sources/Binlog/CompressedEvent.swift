import WireFormat

/// Decompresses the tail of a compressed event of MariaDB (`log_bin_compress`).
///
/// The tail is a byte with the algorithm (bits 4 to 6; 0 is zlib) and the number of length bytes
/// (bits 0 to 2), the uncompressed length, highest byte first, and zlib data.
///
/// - Parameter start: where the tail begins.
/// - Returns: the bytes before the tail, and the tail decompressed.
func decompressTail(of content: RawSpan, from start: Int) throws(DecodeError) -> [UInt8] {
  var reader = ByteReader(content)
  try reader.skip(start)
  let head: UInt8 = try reader.read()
  guard head & 0x70 == 0 else {
    throw DecodeError(.unsupported, "compression of an event", at: start)
  }
  let length = try reader.readUncompressedLength(byteCount: Int(head & 7))
  let compressed = try reader.readBytes(reader.remaining)
  var result: [UInt8] = []
  result.reserveCapacity(start + length)
  content.extracting(first: start).withUnsafeBytes { result.append(contentsOf: $0) }
  result.append(contentsOf: repeatElement(0, count: length))
  let isComplete = compressed.withUnsafeBytes { source in
    result.withUnsafeMutableBytes { target in
      inflate(source, into: UnsafeMutableRawBufferPointer(rebasing: target[start...]), isRaw: false)
    }
  }
  guard isComplete else { throw DecodeError(.malformed, "zlib data of an event", at: start) }
  return result
}
