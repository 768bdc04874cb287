import WireFormat

/// Splits the bytes of a binlog file, which arrive in chunks of any size, into events.
///
/// It reads no more of an event than its length. Memory is bounded by one event and grows only with
/// bytes that arrived. Events of encrypted files are visited decrypted.
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
  private let keys: BinlogKeys?
  /// The beginning of an event whose rest has not arrived.
  private var pending: [UInt8] = []
  /// Decrypts the file of a MySQL server, whose header was read.
  private var mysqlDecryption: MySQLDecryption?
  /// Whether the bytes are those that came out of ``mysqlDecryption``.
  private var isInsideEncrypted = false
  /// Decrypts the events of a MariaDB server.
  private var mariadbDecryption: MariaDBDecryption?

  /// - Parameters:
  ///   - file: the file's name, for errors.
  ///   - offset: where the bytes begin in the file: 0, before the magic number, or the offset of an
  ///     event.
  ///   - maximumEventLength: the size in bytes above which an event is an error.
  ///   - keys: the keys of files that may be encrypted, which have to be read from offset 0. Without
  ///     them such a file is an error.
  public init(
    file: String? = nil, startingAt offset: UInt64 = 0,
    maximumEventLength: Int = EventFramer.defaultMaximumEventLength, keys: BinlogKeys? = nil
  ) {
    self.file = file
    self.offset = offset
    self.maximumEventLength = maximumEventLength
    self.keys = keys
  }

  /// Whether the bytes so far end with an event (or the magic number).
  public var isAtEventEnd: Bool { pending.isEmpty && offset > 0 }

  /// Takes a chunk and visits each event that it completes, with its bytes and its offset in the
  /// file.
  ///
  /// - Throws: `DecodeError` for a wrong magic number, event length or key; what `visit` throws. The
  ///   framer is not usable after an error.
  public mutating func push(_ chunk: RawSpan, visit: (RawSpan, UInt64) throws -> Void) throws {
    if mysqlDecryption != nil { return try pushEncrypted(chunk, visit) }
    var used = 0
    while used < chunk.byteCount {
      if mysqlDecryption != nil { return try pushEncrypted(chunk.extracting(used...), visit) }
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

  /// Takes a chunk of a file that is encrypted as a whole.
  private mutating func pushEncrypted(_ chunk: RawSpan, _ visit: (RawSpan, UInt64) throws -> Void)
    throws
  {
    guard var decryption = mysqlDecryption else { return }
    let plain = try decryption.decrypt(chunk)
    mysqlDecryption = nil
    isInsideEncrypted = true
    try push(plain.span.bytes, visit: visit)
    mysqlDecryption = decryption
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
    if offset == 0 {
      let isEncrypted =
        keys != nil && bytes.byteCount >= 4 && Self.magic(bytes) == Self.encryptedMagicNumber
      return isEncrypted ? MySQLDecryption.headerByteCount : 4
    }
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
    if offset == 0 { return try beginFile(bytes) }
    if mariadbDecryption != nil || (keys != nil && MariaDBDecryption.isStart(bytes)) {
      try visitEncrypted(bytes, visit)
    } else {
      try visit(bytes, offset)
    }
    offset &+= UInt64(bytes.byteCount)
  }

  /// Visits an event of MariaDB decrypted, or learns how to decrypt the events behind it.
  private mutating func visitEncrypted(_ bytes: RawSpan, _ visit: (RawSpan, UInt64) throws -> Void)
    throws
  {
    let plain: [UInt8]?
    do throws(DecodeError) {
      plain = try mariadbDecryption?.decrypt(bytes, at: offset)
      if plain == nil, let keys {
        mariadbDecryption = try MariaDBDecryption(startingWith: bytes, keys)
      }
    } catch {
      throw error.located(inFile: file, at: Int(clamping: offset))
    }
    if let plain { try visit(plain.span.bytes, offset) }
  }

  private mutating func beginFile(_ bytes: RawSpan) throws(DecodeError) {
    switch Self.magic(bytes) {
    case Self.magicNumber: offset = 4
    case _ where isInsideEncrypted:
      throw DecodeError(
        .malformed, "encrypted binlog: the key is not that of the file", at: 0, file: file)
    case Self.encryptedMagicNumber:
      guard let keys else {
        throw DecodeError(
          .unsupported, "encrypted binlog, which cannot be read without its key", at: 0, file: file)
      }
      do throws(DecodeError) {
        mysqlDecryption = try MySQLDecryption(header: bytes, keys)
      } catch {
        throw error.located(inFile: file, at: 0)
      }
    default: throw DecodeError(.malformed, "magic number of a binlog", at: 0, file: file)
    }
  }

  private static func magic(_ bytes: RawSpan) -> UInt32 {
    UInt32(littleEndian: bytes.unsafeLoadUnaligned(as: UInt32.self))
  }

  static func checkLength(_ length: Int, atMost limit: Int, offset: Int) throws(DecodeError) {
    guard length >= EventHeader.byteCount else {
      throw DecodeError(.malformed, "event length", at: offset)
    }
    guard length <= limit else { throw DecodeError(.limitExceeded, "event length", at: offset) }
  }
}
