/// Headers of a tar archive in the format ustar (POSIX.1-1988), as far as a backup needs them: regular
/// files with short names.
public struct TarHeader: Hashable, Sendable {
  /// Archives consist of blocks of so many bytes.
  public static let blockByteCount = 512
  /// What an archive ends with.
  public static let end = [UInt8](repeating: 0, count: 2 * blockByteCount)

  /// The file's name.
  public var name: String
  /// How many bytes it has.
  public var byteCount: UInt64

  /// Describes a file.
  public init(name: String, byteCount: UInt64) {
    self.name = name
    self.byteCount = byteCount
  }

  /// How many zero bytes follow the file's bytes.
  public var padding: Int {
    let rest = Int(byteCount % UInt64(Self.blockByteCount))
    return rest == 0 ? 0 : Self.blockByteCount - rest
  }

  /// The block that stands before the file's bytes.
  ///
  /// - Throws: ``BackupError`` for a name or a size that does not fit.
  public func encoded(modified seconds: UInt64) throws -> [UInt8] {
    guard !name.isEmpty, name.utf8.count <= 100 else {
      throw BackupError("the name '\(name)' is too long for an archive")
    }
    var block = [UInt8](repeating: 0, count: Self.blockByteCount)
    func put(_ bytes: some Sequence<UInt8>, at offset: Int) {
      for (index, byte) in bytes.enumerated() { block[offset + index] = byte }
    }
    put(name.utf8, at: 0)
    put(try Self.octal(0o600, digits: 7), at: 100)
    put(try Self.octal(0, digits: 7), at: 108)
    put(try Self.octal(0, digits: 7), at: 116)
    put(try Self.octal(byteCount, digits: 11), at: 124)
    put(try Self.octal(seconds, digits: 11), at: 136)
    put("        ".utf8, at: 148)
    put("0".utf8, at: 156)
    put("ustar\u{0}00".utf8, at: 257)
    put(try Self.octal(Self.checksum(block), digits: 6), at: 148)
    put([0, 0x20], at: 154)
    return block
  }

  /// Reads a block.
  ///
  /// - Returns: nil for a block of zeros, which ends an archive.
  /// - Throws: ``BackupError`` when it is no header, or not one of a regular file.
  public init?(_ block: [UInt8]) throws {
    guard block.count == Self.blockByteCount else { throw Self.damaged }
    if block.allSatisfy({ $0 == 0 }) { return nil }
    var blanked = block
    for index in 148..<156 { blanked[index] = 0x20 }
    guard try Self.number(block[148..<156]) == Self.checksum(blanked) else { throw Self.damaged }
    guard block[156] == UInt8(ascii: "0") || block[156] == 0, block[345] == 0 else {
      throw BackupError("the archive holds something else than the files of a backup")
    }
    let bytes = block[..<100].prefix { $0 != 0 }
    guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
      throw Self.damaged
    }
    self.name = name
    byteCount = try Self.number(block[124..<136])
  }

  private static let damaged = BackupError("the archive is damaged, or no tar archive")

  private static func checksum(_ block: [UInt8]) -> UInt64 { block.reduce(0) { $0 + UInt64($1) } }

  private static func octal(_ number: UInt64, digits: Int) throws -> [UInt8] {
    let text = String(number, radix: 8)
    guard text.utf8.count <= digits else {
      throw BackupError("the number \(number) is too large for an archive")
    }
    return Array(String(repeating: "0", count: digits - text.utf8.count).utf8) + Array(text.utf8)
  }

  private static func number(_ bytes: ArraySlice<UInt8>) throws -> UInt64 {
    let digits = bytes.drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != 0 }
    guard let text = String(validating: digits, as: UTF8.self), let number = UInt64(text, radix: 8)
    else { throw damaged }
    return number
  }
}

/// Reads an archive from its beginning to its end.
public struct TarReader {
  private let readBytes: (Int) throws -> [UInt8]
  private var left: UInt64 = 0
  private var padding = 0

  /// - Parameter read: gives the next bytes, as many as it is asked for at most; none at the end.
  public init(read: @escaping (Int) throws -> [UInt8]) { readBytes = read }

  /// The next file, whose bytes ``read(upTo:)`` gives; nil at the end of the archive.
  ///
  /// - Throws: ``BackupError`` when the archive is damaged or ends too early.
  public mutating func next() throws -> TarHeader? {
    while try read(upTo: 1 << 20) != nil {}
    _ = try exactly(padding)
    padding = 0
    guard let header = try TarHeader(exactly(TarHeader.blockByteCount)) else { return nil }
    left = header.byteCount
    padding = header.padding
    return header
  }

  /// The next bytes of the file; nil at its end.
  ///
  /// - Throws: ``BackupError`` when the archive ends too early.
  public mutating func read(upTo limit: Int) throws -> [UInt8]? {
    guard left > 0 else { return nil }
    let bytes = try readBytes(Int(min(UInt64(limit), left)))
    guard !bytes.isEmpty else { throw Self.truncated }
    left -= UInt64(bytes.count)
    return bytes
  }

  private func exactly(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let more = try readBytes(count - bytes.count)
      guard !more.isEmpty else { throw Self.truncated }
      bytes += more
    }
    return bytes
  }

  private static let truncated = BackupError(
    "the archive ends too early: it was cut off, or its backup did not end")
}
