import Compression
import NIOCore
import NIOHTTP1

/// What a request's body holds, after what was done to it for the way was undone.
struct RequestContent: Sendable {
  /// The next part; nil at the proper end.
  let next: @Sendable () async throws -> ByteBuffer?

  init(next: @escaping @Sendable () async throws -> ByteBuffer?) { self.next = next }

  /// - Throws: ``RequestError`` for a `Content-Encoding` that is not known.
  init(_ request: Request) throws(RequestError) {
    let body = request.body
    self.init { try await body.next() }
    let encodings = request.head.headers[canonicalForm: "Content-Encoding"]
    for name in encodings.reversed() where name.lowercased() != "identity" {
      let name = name.lowercased()
      guard let format = CompressionFormat(rawValue: name == "x-gzip" ? "gzip" : name) else {
        let known = CompressionFormat.allCases.map(\.rawValue).joined(separator: ", ")
        throw RequestError(
          .unsupportedMediaType, "The Content-Encoding '\(name)' is not supported; use \(known)")
      }
      self = try decompressed(format)
    }
  }

  private func decompressed(_ format: CompressionFormat) throws(RequestError) -> RequestContent {
    do {
      let decompressor = try Decompressor(format)
      let content = DecompressedContent(next, decompressor)
      return RequestContent { try await content.next() }
    } catch {
      throw RequestError(.internalServerError, error.message)
    }
  }

  /// All of it.
  ///
  /// - Throws: ``RequestError`` when it is longer than `limit`.
  func collect(upTo limit: Int) async throws -> ByteBuffer {
    var content = ByteBuffer()
    while var part = try await next() {
      guard part.readableBytes <= limit - content.readableBytes else {
        throw RequestError(.payloadTooLarge, "The body is longer than \(limit) bytes")
      }
      if content.readableBytes == 0 { content = part } else { content.writeBuffer(&part) }
    }
    return content
  }
}

/// Decompresses a body as it is read, so that a small body that grows large takes no memory.
private actor DecompressedContent {
  private let source: @Sendable () async throws -> ByteBuffer?
  private let decompressor: Decompressor
  private var input = ByteBuffer()

  init(
    _ source: @escaping @Sendable () async throws -> ByteBuffer?,
    _ decompressor: sending Decompressor
  ) {
    self.source = source
    self.decompressor = decompressor
  }

  func next() async throws -> ByteBuffer? {
    while true {
      let bytes = try decompress()
      if !bytes.isEmpty { return ByteBuffer(bytes: bytes) }
      guard let part = try await source() else { break }
      input = part
    }
    do throws(CompressionError) {
      try decompressor.finish()
    } catch {
      throw RequestError(error.message)
    }
    return nil
  }

  private func decompress() throws(RequestError) -> [UInt8] {
    do throws(CompressionError) {
      let (bytes, consumed) = try input.readableBytesView.withUnsafeBytes {
        bytes throws(CompressionError) in try decompressor.decompress(bytes)
      }
      input.moveReaderIndex(forwardBy: consumed)
      return bytes
    } catch {
      throw RequestError(error.message)
    }
  }
}
