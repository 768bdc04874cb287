import CZlib

/// Inflates gzip and zlib streams, which it tells apart.
final class ZlibDecompression: DecompressionStream {
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var isEnded = false

  init() throws(CompressionError) {
    stream.initialize(to: z_stream())
    guard
      inflateInit2_(stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw CompressionError("zlib cannot be used") }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func step(
    _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) -> DecompressionStep {
    if isEnded {
      if input.isEmpty { return DecompressionStep(consumed: 0, produced: 0, isAtEnd: true) }
      inflateReset(stream)
      isEnded = false
    }
    let inputCount = UInt32(clamping: input.count)
    let outputCount = UInt32(clamping: output.count)
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = inputCount
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = outputCount
    let result = inflate(stream, Z_NO_FLUSH)
    isEnded = result == Z_STREAM_END
    guard isEnded || result == Z_OK || result == Z_BUF_ERROR else {
      throw CompressionError("The gzip or deflate data is damaged")
    }
    return DecompressionStep(
      consumed: Int(inputCount - stream.pointee.avail_in),
      produced: Int(outputCount - stream.pointee.avail_out), isAtEnd: isEnded)
  }
}

/// Deflates into a gzip or zlib stream.
final class ZlibCompression: CompressionStream {
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  init(windowBits: Int32) throws(CompressionError) {
    stream.initialize(to: z_stream())
    // The level that ClickHouse's server has.
    guard
      deflateInit2_(
        stream, 3, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw CompressionError("zlib cannot be used") }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  func compress(
    _ input: UnsafeRawBufferPointer, to output: inout [UInt8]
  ) throws(CompressionError) {
    var rest = input
    while !rest.isEmpty {
      let count = Int(UInt32(clamping: rest.count))
      run(UnsafeRawBufferPointer(rebasing: rest[..<count]), Z_NO_FLUSH, to: &output)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  func finish(to output: inout [UInt8]) throws(CompressionError) {
    run(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH, to: &output)
  }

  private func run(_ input: UnsafeRawBufferPointer, _ flush: Int32, to output: inout [UInt8]) {
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(input.count)
    repeat {
      output.append(upTo: 64 << 10) { buffer in
        stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(buffer.count)
        deflate(stream, flush)
        return buffer.count - Int(stream.pointee.avail_out)
      }
      // Output that was not filled means that there is no more.
    } while stream.pointee.avail_out == 0
  }
}
