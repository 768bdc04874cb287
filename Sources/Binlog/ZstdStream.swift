import CZstd
import WireFormat

/// Decompresses a zstd stream piece by piece. It owns the library's context.
struct ZstdStream: ~Copyable {
  /// The most bytes that one call produces.
  static let outputByteCount = 128 << 10

  private var context: OpaquePointer?
  private var scratch: [UInt8] = []
  /// Whether the input so far is made of whole frames.
  private(set) var isAtFrameEnd = true

  deinit { ZSTD_freeDCtx(context) }

  /// Decompresses at most ``outputByteCount`` bytes and appends them.
  ///
  /// - Returns: how many bytes of the input were used.
  mutating func decompress(_ input: RawSpan, to output: inout [UInt8]) throws(DecodeError) -> Int {
    if context == nil {
      context = ZSTD_createDCtx()
      scratch = [UInt8](repeating: 0, count: Self.outputByteCount)
    }
    guard let context else { throw DecodeError(.limitExceeded, "memory for zstd", at: 0) }
    // With everything used and flushed, a further call would begin a new frame.
    if input.isEmpty && isAtFrameEnd { return 0 }
    var taken = 0
    var produced = 0
    let result = input.withUnsafeBytes { source in
      scratch.withUnsafeMutableBytes { target in
        var from = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var to = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        let result = ZSTD_decompressStream(context, &to, &from)
        taken = from.pos
        produced = to.pos
        return result
      }
    }
    guard ZSTD_isError(result) == 0 else {
      throw DecodeError(.malformed, "zstd data", at: 0)
    }
    isAtFrameEnd = result == 0
    output.append(contentsOf: scratch[..<produced])
    return taken
  }
}
