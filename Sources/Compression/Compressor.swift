/// Compresses bytes that come in pieces of any size.
public final class Compressor {
  private let stream: any CompressionStream

  /// - Throws: when the library refuses.
  public init(_ format: CompressionFormat) throws(CompressionError) {
    stream =
      switch format {
      case .gzip: try ZlibCompression(windowBits: 15 + 16)
      case .deflate: try ZlibCompression(windowBits: 15)
      case .zstd: try ZstdCompression()
      case .lz4: try LZ4Compression()
      }
  }

  /// Takes bytes, and gives those of the compressed stream that are ready.
  public func compress(_ input: UnsafeRawBufferPointer) throws(CompressionError) -> [UInt8] {
    var output: [UInt8] = []
    try stream.compress(input, to: &output)
    return output
  }

  /// Ends the stream, and gives what is left of it.
  public func finish() throws(CompressionError) -> [UInt8] {
    var output: [UInt8] = []
    try stream.finish(to: &output)
    return output
  }
}

/// A library's compression.
protocol CompressionStream {
  func compress(_ input: UnsafeRawBufferPointer, to output: inout [UInt8]) throws(CompressionError)
  func finish(to output: inout [UInt8]) throws(CompressionError)
}

extension [UInt8] {
  /// Appends at most `capacity` bytes that `fill` writes; it gives their number.
  mutating func append(
    upTo capacity: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int
  ) {
    self += [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      count = fill(UnsafeMutableRawBufferPointer(buffer))
    }
  }
}
