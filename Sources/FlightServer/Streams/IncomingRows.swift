import Arrow
import GRPCCore
import MagicAPI
import MagicCore

/// The rows that a client sends, read message by message as they are wanted.
///
/// `@unchecked Sendable` because it is used by one task after the other, never by two at a time: a
/// reader's batches are asked for one by one.
final class IncomingRows: RecordBatchReader, @unchecked Sendable {
  private var messages: RPCAsyncSequence<IncomingData, any Error>.AsyncIterator
  private var decoder = MessageDecoder()
  /// A message that was read before it was wanted.
  private var pending: IncomingData?
  private var isAtEnd = false
  /// How many bytes the last batch had.
  private(set) var lastByteCount = 0

  init(_ messages: RPCAsyncSequence<IncomingData, any Error>) {
    self.messages = messages.makeAsyncIterator()
  }

  /// The columns; none before ``requireSchema()``.
  var schema: Schema { decoder.schema ?? Schema(fields: []) }

  /// What the rows are for, which the first message says.
  func descriptor() async throws -> ProtoFlightDescriptor {
    guard let first = try await receive(), let descriptor = first.descriptor else {
      throw APIError.invalid(
        "the first message of a DoPut must say in a descriptor what it is for (a client that has rows "
          + "without a single batch may send none: give it an empty batch)")
    }
    pending = first
    return descriptor
  }

  /// Reads up to the schema.
  ///
  /// - Throws: when the stream ends before it, or has something else.
  func requireSchema() async throws {
    guard try await hasSchema() else {
      throw APIError.invalid("a DoPut without a schema: send the rows as an Arrow stream")
    }
  }

  /// Whether there is a schema with columns; reads up to it.
  func hasColumns() async throws -> Bool {
    try await hasSchema() && !schema.fields.isEmpty
  }

  private func hasSchema() async throws -> Bool {
    while decoder.schema == nil, let message = try await receive() {
      if try decode(message) != nil { break }
    }
    return decoder.schema != nil
  }

  func next() async throws -> RecordBatch? {
    while let message = try await receive() {
      if let batch = try decode(message) { return batch }
    }
    return nil
  }

  func cancel() {}

  private func receive() async throws -> IncomingData? {
    if let pending {
      self.pending = nil
      return pending
    }
    guard !isAtEnd else { return nil }
    let message = try await messages.next(isolation: #isolation)
    if message == nil { isAtEnd = true }
    return message
  }

  /// The batch of a message; nil when it has none.
  private func decode(_ message: IncomingData) throws -> RecordBatch? {
    // A message may have nothing but metadata.
    guard !message.header.isEmpty else { return nil }
    lastByteCount = message.body.byteCount
    return try decoder.decode(header: message.header, body: message.body)
  }
}
