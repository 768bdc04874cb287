import WireFormat

/// Splits the bytes of a binlog file, which arrive in chunks of any size, into events.
///
/// It reads no more of an event than its length. Memory is bounded by one event and grows only with
/// bytes that arrived.
public struct EventFramer: Sendable {
  /// A server's largest event: `max_allowed_packet`, at most 1 GiB, and room for what surrounds the
  /// data.
  public static let defaultMaximumEventLength = 1 << 30 + 16 << 20
  private static let magicNumber: UInt32 = 0x6E69_62FE
  private static let encryptedMagicNumber: UInt32 = 0x6E69_62FD
  /// Offset of the field of an event's header that has its length.
  private static let lengthOffset = 9

  /// Offset in the file of the first byte that was not yet visited: where reading can go on.
  public private(set) var offset: UInt64
  private let file: String?
  private let maximumEventLength: Int
  /// The beginning of an event whose rest has not arrived.
  private var pending: [UInt8] = []

  /// - Parameters:
  ///   - file: the file's name, for errors.
  ///   - offset: where the bytes begin in the file: 0, before the magic number, or the offset of an
  ///     event.
  ///   - maximumEventLength: the size in bytes above which an event is an error.
  public init(
    file: String? = nil, startingAt offset: UInt64 = 0,
    maximumEventLength: Int = EventFramer.defaultMaximumEventLength
  ) {
    self.file = file
    self.offset = offset
    self.maximumEventLength = maximumEventLength
  }

  /// Whether the bytes so far end with an event (or the magic number).
  public var isAtEventEnd: Bool { pending.isEmpty && offset > 0 }

  /// Takes a chunk and visits each event that it completes.
  ///
  /// - Parameter visit: called with an event's bytes and its offset in the file.
  /// - Throws: `DecodeError` for a wrong magic number or event length; what `visit` throws. The
  ///   framer is not usable after an error.
  public mutating func push(_ chunk: RawSpan, visit: (RawSpan, UInt64) throws -> Void) throws {
    var used = 0
    while used < chunk.byteCount {
      let rest = chunk.extracting(used...)
      if pending.isEmpty {
        let length = try unitLength(rest)
        guard let length, length <= rest.byteCount else {
          rest.withUnsafeBytes { pending.append(contentsOf: $0) }
          return
        }
        try visitUnit(rest.extracting(first: length), visit)
        used += length
      } else {
        let needed = try unitLength(pending.span.bytes) ?? Self.lengthOffset + 4
        let taken = min(needed - pending.count, rest.byteCount)
        rest.extracting(first: taken).withUnsafeBytes { pending.append(contentsOf: $0) }
        used += taken
        guard let length = try unitLength(pending.span.bytes), length == pending.count else {
          continue
        }
        let event = pending
        pending.removeAll(keepingCapacity: length < 1 << 20)
        try visitUnit(event.span.bytes, visit)
      }
    }
  }

  /// - Throws: `truncated` unless the bytes so far end with an event.
  public func finish() throws(DecodeError) {
    if !isAtEventEnd {
      throw DecodeError(
        .truncated, "event at the end of the file", at: Int(clamping: offset), file: file)
    }
  }

  /// The length of the event, or magic number, that some bytes begin with; nil when they are too
  /// few to tell.
  private func unitLength(_ bytes: RawSpan) throws(DecodeError) -> Int? {
    if offset == 0 { return 4 }
    guard bytes.byteCount >= Self.lengthOffset + 4 else { return nil }
    let length = UInt32(
      littleEndian: bytes.unsafeLoadUnaligned(
        fromByteOffset: Self.lengthOffset, as: UInt32.self))
    do throws(DecodeError) {
      try Self.checkLength(Int(length), atMost: maximumEventLength, offset: Self.lengthOffset)
    } catch {
      throw error.located(inFile: file, at: Int(clamping: offset))
    }
    return Int(length)
  }

  private mutating func visitUnit(_ bytes: RawSpan, _ visit: (RawSpan, UInt64) throws -> Void)
    throws
  {
    if offset == 0 {
      try checkMagicNumber(bytes)
      offset = 4
      return
    }
    try visit(bytes, offset)
    offset &+= UInt64(bytes.byteCount)
  }

  private func checkMagicNumber(_ bytes: RawSpan) throws(DecodeError) {
    switch UInt32(littleEndian: bytes.unsafeLoadUnaligned(as: UInt32.self)) {
    case Self.magicNumber: return
    case Self.encryptedMagicNumber:
      throw DecodeError(.unsupported, "encrypted binlog", at: 0, file: file)
    default: throw DecodeError(.malformed, "magic number of a binlog", at: 0, file: file)
    }
  }

  static func checkLength(_ length: Int, atMost limit: Int, offset: Int) throws(DecodeError) {
    guard length >= EventHeader.byteCount else {
      throw DecodeError(.malformed, "event length", at: offset)
    }
    guard length <= limit else { throw DecodeError(.limitExceeded, "event length", at: offset) }
  }
}
