import NIOCore

extension RequestContent {
  /// The content of compressed blocks that follow each other in this content.
  func decompressingBlocks() -> RequestContent {
    let blocks = BlockContent(self)
    return RequestContent { try await blocks.next() }
  }
}

private actor BlockContent {
  private let source: RequestContent
  private var input = ByteBuffer()

  init(_ source: RequestContent) { self.source = source }

  func next() async throws -> ByteBuffer? {
    while true {
      if let content = try firstBlock() { return ByteBuffer(bytes: content) }
      guard var part = try await source.next() else { break }
      input.discardReadBytes()
      input.writeBuffer(&part)
    }
    guard input.readableBytes == 0 else {
      throw RequestError("The body ends within a compressed block")
    }
    return nil
  }

  private func firstBlock() throws(RequestError) -> [UInt8]? {
    do throws(CompressedBlockError) {
      let block = try input.readableBytesView.withUnsafeBytes {
        bytes throws(CompressedBlockError) in try CompressedBlock.first(in: bytes)
      }
      guard let block else { return nil }
      input.moveReaderIndex(forwardBy: block.byteCount)
      return block.content
    } catch {
      throw RequestError(error.message)
    }
  }
}

extension ResponseStream {
  /// The same body in compressed blocks.
  func compressingBlocks() -> ResponseStream {
    ResponseStream(
      next: { try await next().map(Self.blocks) }, ending: { Self.blocks(await ending($0)) },
      cancel: cancel, isWholeAfterError: isWholeAfterError)
  }

  private static func blocks(_ pieces: [ByteBuffer]) -> [ByteBuffer] {
    pieces.map { piece in
      var output: [UInt8] = []
      piece.readableBytesView.withUnsafeBytes { bytes in
        for start in stride(from: 0, to: bytes.count, by: CompressedBlock.contentByteCount) {
          let end = min(start + CompressedBlock.contentByteCount, bytes.count)
          CompressedBlock.append(
            UnsafeRawBufferPointer(rebasing: bytes[start..<end]), to: &output)
        }
      }
      return ByteBuffer(bytes: output)
    }
  }
}
