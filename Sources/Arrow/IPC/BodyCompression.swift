import Compression
import WireFormat

/// How the buffers of a message are compressed, each by itself.
struct BodyCompression {
  private let format: CompressionFormat

  /// Reads the `BodyCompression` table.
  init(_ table: FlatTable) throws(DecodeError) {
    guard try table.scalar(1, default: Int8(0)) == 0 else {
      throw DecodeError(.unsupported, "method of compression", at: table.position)
    }
    switch try table.scalar(0, default: Int8(0)) {
    case 0: format = .lz4
    case 1: format = .zstd
    default: throw DecodeError(.unsupported, "codec of compression", at: table.position)
    }
  }

  /// Decompresses a buffer, which begins with its length; -1 says that it is not compressed.
  ///
  /// - Parameters:
  ///   - limit: how long it may be; what it takes is subtracted.
  ///   - position: for errors.
  func decompress(
    _ buffer: Buffer, limit: inout Int, at position: Int
  ) throws(DecodeError) -> Buffer {
    guard buffer.byteCount >= 8 else { throw malformed(at: position) }
    let length = buffer.withUnsafeBytes { Int64(littleEndian: $0.load(as: Int64.self)) }
    let compressed = buffer.slice(8..<buffer.byteCount)
    if length == -1 { return compressed }
    guard length >= 0 else { throw malformed(at: position) }
    guard length <= limit else {
      throw DecodeError(.limitExceeded, "uncompressed buffer", at: position)
    }
    limit -= Int(length)
    return try decompress(compressed, byteCount: Int(length), at: position)
  }

  private func decompress(
    _ compressed: Buffer, byteCount: Int, at position: Int
  ) throws(DecodeError) -> Buffer {
    var output = GrowableBytes()
    do throws(CompressionError) {
      let decompressor = try Decompressor(format)
      try compressed.withUnsafeBytes { bytes throws(CompressionError) in
        var input = bytes
        while output.count < byteCount {
          // Memory grows with what is really there, whatever length is announced. LZ4 cannot
          // compress further than this.
          let room = min(byteCount - output.count, max(256 * bytes.count, 64 << 10))
          output.reserve(room)
          let target = UnsafeMutableRawBufferPointer(start: output.base + output.count, count: room)
          let produced = try Self.decompress(&input, into: target, by: decompressor)
          if produced == 0 { break }
          output.count += produced
        }
        // The end of the frame; a byte that does not fit shows in the length.
        output.reserve(1)
        let target = UnsafeMutableRawBufferPointer(start: output.base + output.count, count: 1)
        output.count += try Self.decompress(&input, into: target, by: decompressor)
      }
      try decompressor.finish()
    } catch {
      throw malformed(at: position)
    }
    guard output.count == byteCount else { throw malformed(at: position) }
    return output.finish()
  }

  private static func decompress(
    _ input: inout UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
    by decompressor: Decompressor
  ) throws(CompressionError) -> Int {
    let (consumed, produced) = try decompressor.decompress(input, into: output)
    input = UnsafeRawBufferPointer(rebasing: input[consumed...])
    return produced
  }

  private func malformed(at position: Int) -> DecodeError {
    DecodeError(.malformed, "compressed buffer", at: position)
  }
}
