/// Bytes in a Zstandard frame (RFC 8878) of uncompressed blocks.
///
/// The engine believes that it can seek in a pipe, and reading Arrow data it now and then does. In a
/// compressed file it never tries. Another gain: the frame has an end of its own, so that one that
/// breaks off is an error and not the end of the rows.
enum RawZstandard {
  /// The compression's name in the engine.
  static let name = "zstd"
  /// The most bytes of a block.
  static let blockByteCount = 128 << 10
  /// The magic number, a header that promises nothing, and a window of the size of a block.
  static let begin: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38]
  /// A last block without bytes.
  static let end: [UInt8] = [0x01, 0x00, 0x00]

  /// What stands before a block's bytes, which follow as they are.
  static func blockHeader(byteCount: Int) -> [UInt8] {
    let header = UInt32(byteCount) << 3
    return [
      UInt8(truncatingIfNeeded: header), UInt8(truncatingIfNeeded: header >> 8),
      UInt8(truncatingIfNeeded: header >> 16),
    ]
  }

  /// Blocks with the bytes, for the middle of a frame.
  static func blocks(_ bytes: some RandomAccessCollection<UInt8>) -> [UInt8] {
    var blocks: [UInt8] = []
    blocks.reserveCapacity(bytes.count + 3 * (bytes.count / blockByteCount + 1))
    var rest = bytes[...]
    while !rest.isEmpty {
      let block = rest.prefix(blockByteCount)
      blocks += blockHeader(byteCount: block.count)
      blocks += block
      rest = rest.dropFirst(block.count)
    }
    return blocks
  }
}
