import CZstd

/// Decompresses Zstandard frames.
final class ZstdDecompression: DecompressionStream {
  private let context: OpaquePointer

  init() throws(CompressionError) {
    guard let context = ZSTD_createDCtx() else { throw CompressionError("zstd cannot be used") }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  func step(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) -> DecompressionStep {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let result = ZSTD_decompressStream(context, &target, &source)
    guard ZSTD_isError(result) == 0 else {
      throw CompressionError(
        "The zstd data is damaged: \(String(cString: ZSTD_getErrorName(result)))")
    }
    return DecompressionStep(consumed: source.pos, produced: target.pos, isAtEnd: result == 0)
  }
}

/// Compresses into one Zstandard frame.
final class ZstdCompression: CompressionStream {
  private let context: OpaquePointer

  init() throws(CompressionError) {
    guard let context = ZSTD_createCCtx() else { throw CompressionError("zstd cannot be used") }
    self.context = context
    // Speed matters more than the last percents: the bytes only pass a network.
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
  }

  deinit { ZSTD_freeCCtx(context) }

  func compress(
    _ input: UnsafeRawBufferPointer, to output: inout [UInt8]
  ) throws(CompressionError) {
    try run(input, ZSTD_e_continue, to: &output)
  }

  func finish(to output: inout [UInt8]) throws(CompressionError) {
    try run(UnsafeRawBufferPointer(start: nil, count: 0), ZSTD_e_end, to: &output)
  }

  private func run(
    _ input: UnsafeRawBufferPointer, _ directive: ZSTD_EndDirective, to output: inout [UInt8]
  ) throws(CompressionError) {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var left = 0
    repeat {
      output.append(upTo: 64 << 10) { buffer in
        var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        left = ZSTD_compressStream2(context, &target, &source, directive)
        return target.pos
      }
      guard ZSTD_isError(left) == 0 else {
        throw CompressionError("zstd failed: \(String(cString: ZSTD_getErrorName(left)))")
      }
    } while source.pos < source.size || directive == ZSTD_e_end && left > 0
  }
}
