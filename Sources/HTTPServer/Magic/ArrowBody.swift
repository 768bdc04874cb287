import Arrow
import MagicCore
import NIOCore

/// Makes an Arrow stream of a result, batch by batch.
actor ArrowBody {
  private enum State {
    case schema
    case batches
    case ended
  }

  private let reader: any RecordBatchReader
  private var writer: StreamWriter
  private var state = State.schema

  init(_ reader: any RecordBatchReader) {
    self.reader = reader
    writer = StreamWriter(schema: reader.schema)
  }

  /// The next part of the stream; nil at its end.
  func next() async throws -> [ByteBuffer]? {
    switch state {
    case .schema:
      state = .batches
      return [Self.bytes(writer.schemaMessage)]
    case .batches:
      if let batch = try await pull() { return try writer.messages(for: batch).map(Self.bytes) }
      state = .ended
      var end: [UInt8] = []
      writer.writeEnd(to: &end)
      return [ByteBuffer(bytes: end)]
    case .ended: return nil
    }
  }

  /// A message as it stands in a stream, copied once.
  private static func bytes(_ message: IPCMessage) -> ByteBuffer {
    var bytes = ByteBuffer()
    bytes.reserveCapacity(8 + message.header.count + message.bodyByteCount)
    bytes.writeInteger(UInt32.max)
    bytes.writeInteger(UInt32(message.header.count), endianness: .little)
    bytes.writeBytes(message.header)
    for buffer in message.body {
      buffer.withUnsafeBytes { _ = bytes.writeBytes($0) }
      bytes.writeRepeatingByte(0, count: -buffer.byteCount & 7)
    }
    return bytes
  }

  private func pull() async throws -> RecordBatch? {
    try await withTaskCancellationHandler {
      try await reader.next()
    } onCancel: {
      Task { await reader.cancel() }
    }
  }
}
