import Compression
import NIOCore
import NIOHTTP1

extension Response {
  /// The same response in the first of the compressed forms that the client accepts and that this
  /// server prefers; as it is when there is none.
  func compressed(for headers: HTTPHeaders) throws -> Response {
    guard case .stream(let stream) = body, let format = headers.acceptedCompression else {
      return self
    }
    let encoder = StreamEncoder(stream, try Compressor(format))
    var response = self
    response.headers.add(name: "Content-Encoding", value: format.rawValue)
    response.headers.add(name: "Vary", value: "Accept-Encoding")
    response.body = .stream(
      ResponseStream(
        next: { try await encoder.next() }, ending: { await encoder.ending($0) },
        cancel: stream.cancel, isWholeAfterError: stream.isWholeAfterError))
    return response
  }
}

/// Compresses a body as it is made.
private actor StreamEncoder {
  private let stream: ResponseStream
  private let compressor: Compressor
  private var isEnded = false

  init(_ stream: ResponseStream, _ compressor: sending Compressor) {
    self.stream = stream
    self.compressor = compressor
  }

  func next() async throws -> [ByteBuffer]? {
    while !isEnded {
      guard let pieces = try await stream.next() else { return [try finish()] }
      let output = try compress(pieces)
      if !output.isEmpty { return output }
    }
    return nil
  }

  /// What ends the body early is a part of the compressed stream, too, so that a client sees it.
  func ending(_ error: any Error) async -> [ByteBuffer] {
    let pieces = await stream.ending(error)
    guard !isEnded, let output = try? compress(pieces), let end = try? finish() else { return [] }
    return output + [end]
  }

  private func compress(_ pieces: [ByteBuffer]) throws(CompressionError) -> [ByteBuffer] {
    var output: [ByteBuffer] = []
    for piece in pieces {
      let bytes = try piece.readableBytesView.withUnsafeBytes { bytes throws(CompressionError) in
        try compressor.compress(bytes)
      }
      if !bytes.isEmpty { output.append(ByteBuffer(bytes: bytes)) }
    }
    return output
  }

  private func finish() throws(CompressionError) -> ByteBuffer {
    isEnded = true
    return ByteBuffer(bytes: try compressor.finish())
  }
}

extension HTTPHeaders {
  /// The compression to answer with, by the header `Accept-Encoding` (RFC 9110, 12.5.3).
  fileprivate var acceptedCompression: CompressionFormat? {
    var accepted: Set<String> = []
    for value in self[canonicalForm: "Accept-Encoding"] {
      let parts = value.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
      guard let name = parts.first else { continue }
      if parts.dropFirst().contains(where: { $0.wholeMatch(of: /q=0(\.0*)?/) != nil }) { continue }
      accepted.insert(name)
    }
    return [.lz4, .zstd, .gzip, .deflate].first { accepted.contains($0.rawValue) }
  }
}
