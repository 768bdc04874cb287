/// Decompresses bytes that come in pieces of any size. Frames or members that follow each other are
/// one stream.
public final class Decompressor {
  private let stream: any DecompressionStream
  private let format: CompressionFormat
  /// Whether the bytes so far end where a stream may end.
  private var isAtBoundary = false

  /// - Throws: when the library refuses.
  public init(_ format: CompressionFormat) throws(CompressionError) {
    self.format = format
    stream =
      switch format {
      case .gzip, .deflate: try ZlibDecompression()
      case .zstd: try ZstdDecompression()
      case .lz4: try LZ4Decompression()
      }
  }

  /// Decompresses the beginning of `input`, to `limit` bytes at most. All of it was used, and
  /// nothing is left inside, once this gives no bytes.
  ///
  /// - Returns: the bytes, and how much of `input` they took.
  /// - Throws: when the input is damaged.
  public func decompress(
    _ input: UnsafeRawBufferPointer, upTo limit: Int = 128 << 10
  ) throws(CompressionError) -> (bytes: [UInt8], consumed: Int) {
    var consumed = 0
    var failure: CompressionError?
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { output, count in
      do throws(CompressionError) {
        (consumed, count) = try decompress(input, into: UnsafeMutableRawBufferPointer(output))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return (bytes, consumed)
  }

  /// The same, into memory of the caller's.
  public func decompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) -> (consumed: Int, produced: Int) {
    var consumed = 0
    var produced = 0
    while produced < output.count {
      let step = try stream.step(
        UnsafeRawBufferPointer(rebasing: input[consumed...]),
        UnsafeMutableRawBufferPointer(rebasing: output[produced...]))
      consumed += step.consumed
      produced += step.produced
      if step.consumed > 0 || step.produced > 0 { isAtBoundary = step.isAtEnd }
      if step.produced == 0 && (step.consumed == 0 || consumed == input.count) { break }
    }
    guard produced > 0 || consumed == input.count else {
      throw CompressionError("The \(format.rawValue) data is damaged")
    }
    return (consumed, produced)
  }

  /// Declares that no more bytes come.
  ///
  /// - Throws: when they end in the middle.
  public func finish() throws(CompressionError) {
    guard isAtBoundary else {
      throw CompressionError("The \(format.rawValue) data ends too early")
    }
  }
}

/// A library's decompression.
protocol DecompressionStream {
  /// Decompresses some bytes. Once the end of a frame was reached the next call begins another.
  func step(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) -> DecompressionStep
}

struct DecompressionStep {
  var consumed: Int
  var produced: Int
  /// Whether a frame has just ended.
  var isAtEnd: Bool
}
