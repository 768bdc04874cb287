import CZlib
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
  let lengthBytes = Int(head & 7)
  guard (1...4).contains(lengthBytes) else {
    throw DecodeError(.malformed, "length of a compressed event", at: start)
  }
  let length = Int(try reader.readBigEndianUInt(byteCount: lengthBytes))
  // zlib cannot do better than this, so that the memory is bounded by the bytes that are there.
  let bestRatio = 1032
  guard length <= EventFramer.defaultMaximumEventLength else {
    throw DecodeError(.limitExceeded, "length of a compressed event", at: start)
  }
  guard length <= (reader.remaining + 1) * bestRatio else {
    throw DecodeError(.malformed, "length of a compressed event", at: start)
  }
  let compressed = try reader.readBytes(reader.remaining)
  var result: [UInt8] = []
  result.reserveCapacity(start + length)
  content.extracting(first: start).withUnsafeBytes { result.append(contentsOf: $0) }
  result.append(contentsOf: repeatElement(0, count: length))
  let isComplete = compressed.withUnsafeBytes { source in
    result.withUnsafeMutableBytes { target in
      inflate(source, into: UnsafeMutableRawBufferPointer(rebasing: target[start...]))
    }
  }
  guard isComplete else { throw DecodeError(.malformed, "zlib data of an event", at: start) }
  return result
}

/// Decompresses zlib data.
///
/// - Returns: whether all the data was used and filled the target exactly.
func inflate(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
  // zlib refuses null pointers even for no bytes.
  guard let from = source.baseAddress else { return false }
  var empty: UInt8 = 0
  var used = UInt(source.count)
  var produced = UInt(target.count)
  let status = withUnsafeMutablePointer(to: &empty) { placeholder in
    uncompress2(
      target.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? placeholder, &produced,
      from.assumingMemoryBound(to: UInt8.self), &used)
  }
  return status == Z_OK && used == source.count && produced == target.count
}
