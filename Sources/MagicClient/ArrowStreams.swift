import Arrow
import MagicAPI
import MagicCore
import NIOCore
import WireFormat

/// The record batches of a response that is an Arrow stream, decoded as they are asked for.
actor ArrowResponse: RecordBatchReader {
  nonisolated let schema: Schema
  private let body: ResponseReader
  private var decoder: StreamReader

  /// Reads the schema.
  init(_ body: ResponseReader) async throws {
    var decoder = StreamReader()
    while decoder.schema == nil {
      guard let part = try await body.next() else { break }
      if let error = Self.push(part, to: &decoder) { throw await Self.cause(of: error, in: body) }
    }
    guard let schema = decoder.schema else {
      throw APIError(.failed, "The answer is an Arrow stream without a schema")
    }
    self.schema = schema
    self.body = body
    self.decoder = decoder
  }

  func next() async throws -> RecordBatch? {
    while true {
      if let batch = decoder.next() { return batch }
      guard let part = try await body.next() else {
        do {
          try decoder.finish()
        } catch {
          throw Self.failure(error)
        }
        return nil
      }
      if let error = Self.push(part, to: &decoder) { throw await Self.cause(of: error, in: body) }
    }
  }

  func cancel() async { await body.cancel() }

  private static func push(_ part: ByteBuffer, to decoder: inout StreamReader) -> DecodeError? {
    do throws(DecodeError) {
      try part.readableBytesView.withUnsafeBytes { bytes throws(DecodeError) in
        try decoder.push(bytes.bytes)
      }
      return nil
    } catch {
      return error
    }
  }

  /// What cannot be decoded may be the text of an error, which shows at the end of the response.
  private static func cause(of error: DecodeError, in body: ResponseReader) async -> any Error {
    do {
      while try await body.next() != nil {}
    } catch {
      return error
    }
    return failure(error)
  }

  private static func failure(_ error: DecodeError) -> APIError {
    APIError(.failed, "The answer is not a proper Arrow stream: \(error)")
  }
}

/// Makes the Arrow stream of a reader's batches, to be sent.
actor ArrowInput {
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

  /// The bytes.
  nonisolated var input: StatementInput { StatementInput { try await self.next() } }

  private func next() async throws -> [UInt8]? {
    var bytes: [UInt8] = []
    switch state {
    case .schema:
      state = .batches
      writer.writeSchema(to: &bytes)
    case .batches:
      if let batch = try await reader.next() {
        try writer.write(batch, to: &bytes)
      } else {
        state = .ended
        writer.writeEnd(to: &bytes)
      }
    case .ended: return nil
    }
    return bytes
  }
}

/// Bytes that are there, followed by others.
actor ContinuedInput {
  private var first: [UInt8]?
  private let rest: StatementInput

  init(first: [UInt8], then rest: StatementInput) {
    self.first = first
    self.rest = rest
  }

  /// All bytes.
  nonisolated var input: StatementInput { StatementInput { try await self.next() } }

  private func next() async throws -> [UInt8]? {
    if let first {
      self.first = nil
      return first
    }
    return try await rest.next()
  }
}
