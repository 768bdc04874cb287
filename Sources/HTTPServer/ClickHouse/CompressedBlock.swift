import Compression

/// Blocks of bytes as ClickHouse compresses them: a checksum, the method, the two lengths, and the
/// compressed bytes.
enum CompressedBlock {
  /// How many bytes of a result are put into one block.
  static let contentByteCount = 1 << 20
  /// The longest block that is accepted, compressed or not.
  private static let byteLimit = 128 << 20
  private static let checksumByteCount = 16
  private static let headByteCount = 9

  private enum Method: UInt8 {
    case plain = 0x02
    case lz4 = 0x82
    case zstd = 0x90
  }

  /// Appends `bytes` as one block.
  static func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    let start = output.count
    output += [UInt8](repeating: 0, count: checksumByteCount + headByteCount)
    LZ4Block.compress(bytes, to: &output)
    output.withUnsafeMutableBytes { output in
      let block = UnsafeMutableRawBufferPointer(rebasing: output[start...])
      let checked = UnsafeMutableRawBufferPointer(rebasing: block[checksumByteCount...])
      checked[0] = Method.lz4.rawValue
      checked.storeBytes(of: UInt32(checked.count).littleEndian, toByteOffset: 1, as: UInt32.self)
      checked.storeBytes(of: UInt32(bytes.count).littleEndian, toByteOffset: 5, as: UInt32.self)
      let checksum = CityHash128(UnsafeRawBufferPointer(checked))
      block.storeBytes(of: checksum.low.littleEndian, toByteOffset: 0, as: UInt64.self)
      block.storeBytes(of: checksum.high.littleEndian, toByteOffset: 8, as: UInt64.self)
    }
  }

  /// Takes the first block out of bytes.
  ///
  /// - Returns: what is in the block, and its length; nil when it is not complete.
  /// - Throws: ``CompressedBlockError`` when it is damaged.
  static func first(
    in bytes: UnsafeRawBufferPointer
  ) throws(CompressedBlockError) -> (content: [UInt8], byteCount: Int)? {
    guard bytes.count >= checksumByteCount + headByteCount else { return nil }
    let length = Int(number(bytes, checksumByteCount + 1))
    let contentLength = Int(number(bytes, checksumByteCount + 5))
    guard length >= headByteCount, length <= byteLimit, contentLength <= byteLimit else {
      throw CompressedBlockError("The lengths of a compressed block are wrong")
    }
    guard bytes.count - checksumByteCount >= length else { return nil }
    let end = checksumByteCount + length
    let checked = UnsafeRawBufferPointer(rebasing: bytes[checksumByteCount..<end])
    let checksum = CityHash128(checked)
    guard
      UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) == checksum.low,
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        == checksum.high
    else { throw CompressedBlockError("The checksum of a compressed block is wrong") }
    let compressed = UnsafeRawBufferPointer(rebasing: checked[headByteCount...])
    return (try content(compressed, method: checked[0], byteCount: contentLength), end)
  }

  private static func content(
    _ bytes: UnsafeRawBufferPointer, method: UInt8, byteCount: Int
  ) throws(CompressedBlockError) -> [UInt8] {
    do throws(CompressionError) {
      switch Method(rawValue: method) {
      case .plain where bytes.count == byteCount: return Array(bytes)
      case .lz4: return try LZ4Block.decompress(bytes, byteCount: byteCount)
      case .zstd:
        let decompressor = try Decompressor(.zstd)
        // One byte more would show that there is too much.
        let (content, _) = try decompressor.decompress(bytes, upTo: byteCount + 1)
        try decompressor.finish()
        if content.count == byteCount { return content }
      case .plain, nil: break
      }
    } catch {
      throw CompressedBlockError(error.message)
    }
    throw CompressedBlockError("A compressed block is damaged, or of an unknown method")
  }

  private static func number(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> UInt32 {
    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
  }
}

/// A block that cannot be used.
struct CompressedBlockError: Error, Sendable {
  /// Why.
  let message: String

  init(_ message: String) { self.message = message }
}
