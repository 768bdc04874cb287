import Arrow
import MagicAPI
import MagicCore
import NIOCore
import WireFormat

/// The record batches of a body that is an Arrow stream, read as they are asked for.
actor StreamBody: RecordBatchReader {
  nonisolated let schema: Schema
  private let body: RequestContent
  private var decoder: StreamReader
  private var isCancelled = false

  /// Reads the schema.
  ///
  /// - Throws: ``APIError`` when the body is no Arrow stream; what reading the body throws.
  init(_ body: RequestContent) async throws {
    var decoder = StreamReader()
    while decoder.schema == nil {
      guard let part = try await body.next() else {
        throw APIError(.invalid, "The body must be an Arrow stream; it ends before its schema")
      }
      try Self.push(part, to: &decoder)
    }
    guard let schema = decoder.schema else { throw APIError(.invalid, "No schema") }
    self.schema = schema
    self.body = body
    self.decoder = decoder
  }

  func next() async throws -> RecordBatch? {
    while true {
      if isCancelled { throw CancellationError() }
      if let batch = decoder.next() { return batch }
      if let part = try await body.next() {
        try Self.push(part, to: &decoder)
      } else {
        do {
          try decoder.finish()
        } catch {
          throw Self.failure(error)
        }
        return nil
      }
    }
  }

  func cancel() { isCancelled = true }

  private static func push(_ part: ByteBuffer, to decoder: inout StreamReader) throws(APIError) {
    do throws(DecodeError) {
      try part.readableBytesView.withUnsafeBytes { bytes throws(DecodeError) in
        try decoder.push(bytes.bytes)
      }
    } catch {
      throw failure(error)
    }
  }

  private static func failure(_ error: DecodeError) -> APIError {
    APIError(.invalid, "The body is not a proper Arrow stream: \(error)")
  }
}
