import WireFormat

/// Decrypts the events of a MariaDB binlog file behind its START_ENCRYPTION event (`encrypt_binlog`).
///
/// Each event is encrypted as a whole, but for its length: that changes places with the timestamp,
/// the first field, which is then encrypted where the length was. The initialisation vector is the
/// file's nonce and the event's offset.
struct MariaDBDecryption: Sendable {
  /// The number of the key that servers encrypt their own files with.
  private static let keyID = "1"
  /// The only scheme there is.
  private static let scheme: UInt8 = 1

  private let key: [UInt8]
  private let nonce: [UInt8]
  /// `file_key_management_encryption_algorithm`, which the file does not tell; nil before the first
  /// event.
  private var mode: AESMode?

  /// Whether an event says that those behind it are encrypted.
  static func isStart(_ event: RawSpan) -> Bool {
    event.byteCount > 4
      && event.unsafeLoad(fromByteOffset: 4, as: UInt8.self) == EventType.startEncryption.rawValue
  }

  /// - Parameter event: a START_ENCRYPTION event.
  /// - Throws: `unsupported` without its key or for an unknown scheme; `truncated`.
  init(startingWith event: RawSpan, _ keys: BinlogKeys) throws(DecodeError) {
    var reader = ByteReader(event)
    try reader.skip(EventHeader.byteCount)
    guard try reader.read(UInt8.self) == Self.scheme else {
      throw DecodeError(.unsupported, "scheme of the binlog's encryption", at: 19)
    }
    let version: UInt32 = try reader.read()
    nonce = try reader.readArray(12)
    guard let key = keys.keys[Self.keyID] else {
      throw DecodeError(
        .unsupported, "encrypted binlog: key \(Self.keyID) (version \(version)) is needed", at: 4)
    }
    self.key = key
  }

  /// The plain bytes of an event.
  ///
  /// - Throws: `malformed` when the key is not the file's.
  mutating func decrypt(_ event: RawSpan, at offset: UInt64) throws(DecodeError) -> [UInt8] {
    if let mode, let plain = decrypt(event, at: offset, mode) { return plain }
    if mode == nil {
      let end = UInt32(truncatingIfNeeded: offset &+ UInt64(event.byteCount))
      for mode in [AESMode.cbc, .ctr] {
        // The right mode is the one that finds the event's end in its header.
        guard let plain = decrypt(event, at: offset, mode), plain.endPosition == end else {
          continue
        }
        self.mode = mode
        return plain
      }
    }
    throw DecodeError(.malformed, "encrypted event: the key is not that of the file", at: 0)
  }

  private func decrypt(_ event: RawSpan, at offset: UInt64, _ mode: AESMode) -> [UInt8]? {
    let lengthOffset = 9
    var bytes = event.withUnsafeBytes { [UInt8]($0) }
    guard bytes.count >= EventHeader.byteCount else { return nil }
    let length = Array(bytes[lengthOffset..<lengthOffset + 4])
    bytes.replaceSubrange(lengthOffset..<lengthOffset + 4, with: bytes[..<4])
    let position = UInt32(truncatingIfNeeded: offset)
    let iv = nonce + withUnsafeBytes(of: position.littleEndian) { [UInt8]($0) }
    let encrypted = Array(bytes[4...])
    guard let plain = decrypt(encrypted, iv: iv, mode) else { return nil }
    bytes.replaceSubrange(4..., with: plain)
    bytes.replaceSubrange(..<4, with: bytes[lengthOffset..<lengthOffset + 4])
    bytes.replaceSubrange(lengthOffset..<lengthOffset + 4, with: length)
    return bytes
  }

  private func decrypt(_ encrypted: [UInt8], iv: [UInt8], _ mode: AESMode) -> [UInt8]? {
    let span = encrypted.span.bytes
    if mode == .ctr { return decryptAES(.ctr, key: key, iv: iv, span) }
    let wholeCount = encrypted.count / 16 * 16
    guard let whole = decryptAES(.cbc, key: key, iv: iv, span.extracting(first: wholeCount)),
      let mask = encryptAESBlock(iv, key: key)
    else { return nil }
    // What does not fill a block is masked by the encrypted initialisation vector.
    return whole + zip(encrypted[wholeCount...], mask).map { $0 ^ $1 }
  }
}

extension [UInt8] {
  /// The field of an event's header that has the offset of its end.
  fileprivate var endPosition: UInt32 {
    UInt32(
      littleEndian: span.bytes.unsafeLoadUnaligned(fromByteOffset: 13, as: UInt32.self))
  }
}
