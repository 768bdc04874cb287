import CLZ4

/// Decompresses LZ4 frames.
final class LZ4Decompression: DecompressionStream {
  private let context: OpaquePointer

  init() throws(CompressionError) {
    var context: OpaquePointer?
    LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    guard let context else { throw CompressionError("lz4 cannot be used") }
    self.context = context
  }

  deinit { LZ4F_freeDecompressionContext(context) }

  func step(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) -> DecompressionStep {
    var consumed = input.count
    var produced = output.count
    let result = LZ4F_decompress(
      context, output.baseAddress, &produced, input.baseAddress, &consumed, nil)
    guard LZ4F_isError(result) == 0 else {
      throw CompressionError(
        "The lz4 data is damaged: \(String(cString: LZ4F_getErrorName(result)))")
    }
    return DecompressionStep(consumed: consumed, produced: produced, isAtEnd: result == 0)
  }
}

/// Compresses into one LZ4 frame.
final class LZ4Compression: CompressionStream {
  private let context: OpaquePointer
  private var isBegun = false

  init() throws(CompressionError) {
    var context: OpaquePointer?
    LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
    guard let context else { throw CompressionError("lz4 cannot be used") }
    self.context = context
  }

  deinit { LZ4F_freeCompressionContext(context) }

  func compress(
    _ input: UnsafeRawBufferPointer, to output: inout [UInt8]
  ) throws(CompressionError) {
    try begin(&output)
    try append(upTo: LZ4F_compressBound(input.count, nil), to: &output) {
      LZ4F_compressUpdate(context, $0.baseAddress, $0.count, input.baseAddress, input.count, nil)
    }
  }

  func finish(to output: inout [UInt8]) throws(CompressionError) {
    try begin(&output)
    try append(upTo: LZ4F_compressBound(0, nil), to: &output) {
      LZ4F_compressEnd(context, $0.baseAddress, $0.count, nil)
    }
  }

  private func begin(_ output: inout [UInt8]) throws(CompressionError) {
    if isBegun { return }
    isBegun = true
    try append(upTo: Int(LZ4F_HEADER_SIZE_MAX), to: &output) {
      LZ4F_compressBegin(context, $0.baseAddress, $0.count, nil)
    }
  }

  private func append(
    upTo capacity: Int, to output: inout [UInt8], _ fill: (UnsafeMutableRawBufferPointer) -> Int
  ) throws(CompressionError) {
    var result = 0
    output.append(upTo: capacity) { buffer in
      result = fill(buffer)
      return LZ4F_isError(result) == 0 ? result : 0
    }
    guard LZ4F_isError(result) == 0 else {
      throw CompressionError("lz4 failed: \(String(cString: LZ4F_getErrorName(result)))")
    }
  }
}

/// LZ4 blocks, which do not tell their own length.
public enum LZ4Block {
  /// The greatest number of bytes that a block can hold.
  public static let byteLimit = Int(LZ4_MAX_INPUT_SIZE)

  /// Compresses bytes, of which there are at most ``byteLimit``, and appends the block.
  public static func compress(_ input: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    let count = Int32(clamping: input.count)
    output.append(upTo: Int(LZ4_compressBound(count))) { buffer in
      Int(
        LZ4_compress_default(
          input.baseAddress?.assumingMemoryBound(to: CChar.self),
          buffer.baseAddress?.assumingMemoryBound(to: CChar.self), count,
          Int32(clamping: buffer.count)))
    }
  }

  /// Decompresses a block of exactly `byteCount` bytes.
  ///
  /// - Throws: when it is damaged, or holds another number of bytes.
  public static func decompress(
    _ input: UnsafeRawBufferPointer, byteCount: Int
  ) throws(CompressionError) -> [UInt8] {
    var result = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      let output = UnsafeMutableRawBufferPointer(buffer)
      result = Int(
        LZ4_decompress_safe(
          input.baseAddress?.assumingMemoryBound(to: CChar.self),
          output.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: input.count),
          Int32(clamping: byteCount)))
      count = max(result, 0)
    }
    guard result == byteCount else { throw CompressionError("The LZ4 block is damaged") }
    return bytes
  }
}
