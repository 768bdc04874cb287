import Arrow
import GRPCCore
import MagicCore
import Synchronization

/// Sends the rows of a result as messages of bounded size.
struct BatchStream {
  private var writer: StreamWriter
  private let messageByteCount: Int

  /// - Parameter messageByteCount: how large messages may be, unless a single row is larger.
  init(schema: Schema, messageByteCount: Int) {
    writer = StreamWriter(schema: schema)
    self.messageByteCount = messageByteCount
  }

  /// The message that begins the stream.
  var schemaMessage: IPCMessage { writer.schemaMessage }

  /// The messages of a batch, which is divided when it is too large for one.
  mutating func messages(for batch: RecordBatch) throws(ArrowError) -> [IPCMessage] {
    let whole = try writer.messages(for: batch)
    guard let rows = whole.last, rows.bodyByteCount > messageByteCount, batch.rowCount > 1 else {
      return whole
    }
    // Dictionaries come first, and stay as they are.
    var messages = Array(whole.dropLast())
    let partCount = min(batch.rowCount, (rows.bodyByteCount - 1) / messageByteCount + 1)
    let partRowCount = (batch.rowCount - 1) / partCount + 1
    for start in stride(from: 0, to: batch.rowCount, by: partRowCount) {
      let part = batch.slice(start..<min(start + partRowCount, batch.rowCount))
      messages += try writer.messages(for: part)
    }
    return messages
  }
}

/// Sends the rows of results that belong to one stream.
struct StreamSender {
  private let writer: RPCWriter<OutgoingData>
  private let messageByteCount: Int
  private var stream: BatchStream?

  init(to writer: RPCWriter<OutgoingData>, messageByteCount: Int) {
    self.writer = writer
    self.messageByteCount = messageByteCount
  }

  /// Sends all that a result has, after the schema if it is the first one. The result is ended when
  /// the task is cancelled, or the client goes away.
  mutating func send(_ reader: any RecordBatchReader) async throws {
    do {
      if stream == nil {
        let new = BatchStream(schema: reader.schema, messageByteCount: messageByteCount)
        stream = new
        try await writer.write(OutgoingData(message: new.schemaMessage))
      }
      while let batch = try await withTaskCancellationHandler(
        operation: { try await reader.next() }, onCancel: { Task { await reader.cancel() } })
      {
        for message in try stream?.messages(for: batch) ?? [] {
          try await writer.write(OutgoingData(message: message))
        }
        try Task.checkCancellation()
      }
    } catch {
      await reader.cancel()
      throw error
    }
  }
}

/// Batches that are there already, read one by one.
final class BatchList: RecordBatchReader {
  let schema: Schema
  private let rest: Mutex<ArraySlice<RecordBatch>>

  init(schema: Schema, _ batches: [RecordBatch]) {
    self.schema = schema
    rest = Mutex(batches[...])
  }

  func next() -> RecordBatch? { rest.withLock { $0.popFirst() } }

  func cancel() {}
}
