import WireFormat

/// Decrypts a MySQL binlog file (`binlog_encryption`): a header, and then the bytes of a plain file
/// encrypted as one stream.
///
/// The header has a random password for the file, encrypted with a key of the server's keyring. The
/// file's key and initialisation vector are derived from the password.
struct MySQLDecryption: Sendable {
  static let headerByteCount = 512
  private static let version: UInt8 = 1

  private let key: [UInt8]
  private let nonce: [UInt8]
  /// How many bytes of the plain file came out.
  private var offset: UInt64 = 0

  /// - Parameter header: the first 512 bytes of the file.
  /// - Throws: `unsupported` without the key or for another version; `malformed`; `truncated`.
  init(header: RawSpan, _ keys: BinlogKeys) throws(DecodeError) {
    var reader = ByteReader(header)
    try reader.skip(4)
    guard try reader.read(UInt8.self) == Self.version else {
      throw DecodeError(.unsupported, "version of the binlog's encryption", at: 4)
    }
    var keyID = ""
    var password: [UInt8] = []
    var iv: [UInt8] = []
    fields: while !reader.isAtEnd {
      switch try reader.read(UInt8.self) {
      case 1: keyID = try reader.readShortString()
      case 2: password = try reader.readArray(32)
      case 3: iv = try reader.readArray(16)
      // Zero bytes fill the header up.
      case 0: break fields
      default: throw DecodeError(.malformed, "header of an encrypted binlog", at: reader.offset - 1)
      }
    }
    guard !keyID.isEmpty, !password.isEmpty, !iv.isEmpty else {
      throw DecodeError(.malformed, "header of an encrypted binlog", at: 5)
    }
    guard let masterKey = keys.keys[keyID] else {
      throw DecodeError(.unsupported, "encrypted binlog: the key \(keyID) is needed", at: 0)
    }
    guard let plain = decryptAES(.cbc, key: masterKey, iv: iv, password.span.bytes),
      let hash = sha512(plain)
    else { throw DecodeError(.malformed, "key \(keyID)", at: 0) }
    key = Array(hash[..<32])
    // Half of the initialisation vector; the other half counts blocks.
    nonce = Array(hash[32..<40])
  }

  /// Decrypts the next bytes.
  mutating func decrypt(_ bytes: RawSpan) throws(DecodeError) -> [UInt8] {
    let blockByteCount: UInt64 = 16
    let skipped = Int(offset % blockByteCount)
    let counter = (offset / blockByteCount).bigEndian
    let iv = nonce + withUnsafeBytes(of: counter) { [UInt8]($0) }
    let aligned = [UInt8](repeating: 0, count: skipped) + bytes.withUnsafeBytes { [UInt8]($0) }
    guard let plain = decryptAES(.ctr, key: key, iv: iv, aligned.span.bytes) else {
      throw DecodeError(.limitExceeded, "chunk of an encrypted binlog", at: 0)
    }
    offset &+= UInt64(bytes.byteCount)
    return Array(plain[skipped...])
  }
}
