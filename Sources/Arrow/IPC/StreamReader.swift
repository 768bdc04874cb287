import WireFormat

/// Reads the Arrow IPC streaming format from bytes that arrive in pieces of any size.
///
/// Nothing in the bytes is trusted: lengths, positions, offsets, indices and depths are checked,
/// and memory grows with what arrived, not with what a length announces. Text is not checked to
/// be UTF-8. After an error every further call throws the same.
public struct StreamReader: ~Copyable {
  private enum State {
    /// Waiting for the marker and the length of a message.
    case prefix
    /// Waiting for the rest of a header of this many bytes.
    case header(Int)
    /// Waiting for the rest of a body of this many bytes.
    case body([UInt8], Int)
    case ended
    case failed(DecodeError)
  }

  private let headerByteLimit: Int
  private let bodyByteLimit: Int
  private var state = State.prefix
  private var decoder = MessageDecoder()
  private var batches: [RecordBatch] = []
  /// What arrived of the part that is waited for.
  private var part = GrowableBytes()
  /// Where the message began in the stream.
  private var messageOffset = 0
  private var offset = 0

  /// - Parameters:
  ///   - headerByteLimit: the greatest size of a message's description.
  ///   - bodyByteLimit: the greatest size of a batch.
  public init(headerByteLimit: Int = 16 << 20, bodyByteLimit: Int = 4 << 30) {
    self.headerByteLimit = headerByteLimit
    self.bodyByteLimit = bodyByteLimit
  }

  /// The schema, once it arrived.
  public var schema: Schema? { decoder.schema }

  /// Whether the mark at the end of the stream arrived.
  public var isAtEnd: Bool {
    if case .ended = state { true } else { false }
  }

  /// Takes the next bytes of the stream.
  ///
  /// - Throws: why they cannot be used. The offset counts from the start of the stream.
  public mutating func push(_ bytes: RawSpan) throws(DecodeError) {
    if case .failed(let error) = state { throw error }
    do throws(DecodeError) {
      try consume(bytes)
    } catch {
      state = .failed(error)
      throw error
    }
  }

  /// Takes the next bytes of the stream. See ``push(_:)``.
  public mutating func push(_ bytes: [UInt8]) throws(DecodeError) {
    try push(bytes.span.bytes)
  }

  /// The next complete batch; `nil` when more bytes are needed or the stream has ended.
  public mutating func next() -> RecordBatch? {
    batches.isEmpty ? nil : batches.removeFirst()
  }

  /// Declares that no more bytes come.
  ///
  /// - Throws: `truncated` when a message is incomplete or there was no schema.
  public func finish() throws(DecodeError) {
    switch state {
    case .failed(let error): throw error
    case .ended: break
    case .prefix:
      if part.count > 0 || schema == nil { fallthrough }
    case .header, .body: throw DecodeError(.truncated, "Arrow stream", at: offset)
    }
  }

  private mutating func consume(_ bytes: RawSpan) throws(DecodeError) {
    var input = ByteReader(bytes)
    while true {
      let wanted: Int
      switch state {
      case .prefix: wanted = 8
      case .header(let count), .body(_, let count): wanted = count
      case .ended:
        if input.isAtEnd { return }
        throw DecodeError(.trailingBytes, "bytes after the end of the stream", at: offset)
      case .failed(let error): throw error
      }
      let count = min(wanted - part.count, input.remaining)
      try input.readBytes(count).withUnsafeBytes { part.append(contentsOf: $0) }
      offset += count
      if part.count < wanted { return }
      try completePart()
    }
  }

  private mutating func completePart() throws(DecodeError) {
    let bytes = part.finish()
    part = GrowableBytes()
    switch state {
    case .prefix:
      messageOffset = offset - 8
      state = try Self.afterPrefix(bytes, limit: headerByteLimit, at: messageOffset)
    case .header:
      let header = bytes.withUnsafeBytes { [UInt8]($0) }
      let count = try locating { () throws(DecodeError) in try Self.bodyByteCount(header) }
      guard count <= bodyByteLimit else {
        throw DecodeError(.limitExceeded, "body of a message", at: messageOffset)
      }
      // The memory is only touched as bytes arrive.
      part.reserve(min(count, 64 << 20))
      state = .body(header, count)
    case .body(let header, _):
      state = .prefix
      do throws(DecodeError) {
        if let batch = try decoder.decode(header: header, body: bytes) { batches.append(batch) }
      } catch {
        throw error.located(inFile: nil, at: messageOffset + 8)
      }
    case .ended, .failed: break
    }
  }

  private static func afterPrefix(_ bytes: Buffer, limit: Int, at offset: Int)
    throws(DecodeError) -> State
  {
    let (marker, count) = bytes.withUnsafeBytes { bytes in
      (
        UInt32(littleEndian: bytes.load(as: UInt32.self)),
        Int(Int32(littleEndian: bytes.load(fromByteOffset: 4, as: Int32.self)))
      )
    }
    guard marker == .max, count >= 0 else {
      throw DecodeError(.malformed, "start of a message", at: offset)
    }
    guard count <= limit else {
      throw DecodeError(.limitExceeded, "header of a message", at: offset)
    }
    return count == 0 ? .ended : .header(count)
  }

  private static func bodyByteCount(_ header: [UInt8]) throws(DecodeError) -> Int {
    let message = try FlatTable(root: header)
    let count = try message.scalar(3, default: Int64(0))
    guard count >= 0 else { throw DecodeError(.malformed, "body length", at: message.position) }
    return Int(count)
  }

  private func locating<T>(_ body: () throws(DecodeError) -> T) throws(DecodeError) -> T {
    do throws(DecodeError) {
      return try body()
    } catch {
      throw error.located(inFile: nil, at: messageOffset + 8)
    }
  }
}
