import WireFormat

/// Takes the events out of a transaction payload one by one, decompressing as it goes.
///
/// Memory is bounded by the largest event inside and grows only with bytes that were really
/// decompressed.
struct PayloadUnpacker: ~Copyable {
  private let payload: TransactionPayload
  private var stream = ZstdStream()
  /// Decompressed bytes; those before the end of ``eventRange`` are used up.
  private var buffer: [UInt8] = []
  private var eventRange = 0..<0
  /// Offset of the next byte to decompress in the event that contains the payload.
  private var position: Int
  private var produced: UInt64 = 0

  init(_ payload: TransactionPayload) {
    self.payload = payload
    self.position = payload.content.lowerBound
  }

  /// The event that the last call of ``advance(in:)`` found.
  var event: RawSpan {
    @_lifetime(borrow self)
    borrowing get { buffer.span.bytes.extracting(eventRange) }
  }

  /// Moves to the next event inside.
  ///
  /// - Parameter bytes: the event that contains the payload.
  /// - Returns: false after the last one.
  mutating func advance(in bytes: RawSpan) throws(DecodeError) -> Bool {
    let start = try fill(EventHeader.byteCount, after: eventRange.upperBound, from: bytes)
    if start == buffer.count {
      guard produced == payload.uncompressedByteCount, position == payload.content.upperBound,
        stream.isAtFrameEnd
      else { throw DecodeError(.malformed, "uncompressed payload size", at: 0) }
      return false
    }
    var reader = ByteReader(buffer.span.bytes.extracting(start...))
    let length = Int(try EventHeader(from: &reader).eventLength)
    try EventFramer.checkLength(length, atMost: EventFramer.defaultMaximumEventLength, offset: 9)
    let first = try fill(length, after: start, from: bytes)
    guard buffer.count - first >= length else {
      throw DecodeError(.truncated, "event", at: buffer.count - first)
    }
    eventRange = first..<(first + length)
    return true
  }

  /// Decompresses until `count` bytes follow the used ones or the payload ends.
  ///
  /// - Returns: the number of used bytes that are left in the buffer.
  private mutating func fill(_ count: Int, after used: Int, from bytes: RawSpan)
    throws(DecodeError) -> Int
  {
    if buffer.count - used >= count { return used }
    buffer.removeFirst(used)
    eventRange = 0..<0
    while buffer.count < count {
      let before = buffer.count
      let input = bytes.extracting(position..<payload.content.upperBound)
      let taken: Int
      switch payload.compression {
      case .zstd:
        taken = try stream.decompress(input, to: &buffer)
      case .none:
        taken = min(input.byteCount, ZstdStream.outputByteCount)
        input.extracting(first: taken).withUnsafeBytes { buffer.append(contentsOf: $0) }
      }
      position += taken
      produced += UInt64(buffer.count - before)
      guard produced <= payload.uncompressedByteCount else {
        throw DecodeError(.malformed, "uncompressed payload size", at: 0)
      }
      if taken == 0 && buffer.count == before { break }
    }
    return 0
  }
}
