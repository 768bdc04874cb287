import WireFormat

/// The keys of encrypted binlog files.
public struct BinlogKeys: Sendable {
  /// The keys by their id: MariaDB's have a number, of which binlogs use 1; MySQL's the name under
  /// which the keyring has them (`MySQLReplicationKey_…`).
  public var keys: [String: [UInt8]]

  public init(keys: [String: [UInt8]]) { self.keys = keys }

  /// Parses the key file of MariaDB's `file_key_management`: a line `1;0123…` for each key, its id
  /// and 16, 24 or 32 bytes in hexadecimal digits. Keys of MySQL are written in the same way.
  ///
  /// - Throws: `unsupported` when the file is itself encrypted; `malformed` with the line.
  public init(keyFile: [UInt8]) throws(DecodeError) {
    if keyFile.starts(with: Array("Salted__".utf8)) {
      throw DecodeError(
        .unsupported,
        "the key file is encrypted itself (file_key_management_filekey): decrypt it first", at: 0)
    }
    keys = [:]
    let lines = keyFile.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, bytes) in lines.enumerated() {
      let content = bytes.prefix { $0 != UInt8(ascii: "#") }
      let text = String(decoding: content, as: UTF8.self).filter { !$0.isWhitespace }
      if text.isEmpty { continue }
      let parts = text.split(separator: ";", omittingEmptySubsequences: false)
      let digits = (parts.last ?? "").compactMap(\.hexDigitValue)
      guard parts.count == 2, !parts[0].isEmpty, digits.count == parts[1].count,
        [32, 48, 64].contains(digits.count)
      else { throw DecodeError(.malformed, "key in line \(index + 1)", at: bytes.startIndex) }
      keys[String(parts[0])] = stride(from: 0, to: digits.count, by: 2).map {
        UInt8(digits[$0] << 4 | digits[$0 + 1])
      }
    }
  }
}
