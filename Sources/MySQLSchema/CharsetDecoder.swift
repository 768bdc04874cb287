import Glibc
import Synchronization

/// Converts text from one of the server's charsets to UTF-8.
///
/// The C library's iconv does the conversion; `CharsetEncoding` lists where the server's tables
/// differ from it. A byte sequence that stands for no character becomes U+FFFD and is counted in
/// ``invalidCount``.
///
/// A decoder has a conversion state and a buffer of its own, so it belongs to one task at a time.
public final class CharsetDecoder {
  /// The charset's name in lower case.
  public let charset: String
  /// Whether the bytes are UTF-8 as they are, or are not text (`binary`).
  public let isPassThrough: Bool
  /// The number of undecodable sequences seen since the decoder was made.
  public private(set) var invalidCount = 0

  private let conversion: Conversion
  private var scratch: [UInt8] = []

  private enum Conversion {
    case none
    case singleByte(SingleByteTable)
    case multiByte(MultiByteConverter)
  }

  /// Makes a decoder, or returns nil for a charset that is unknown or that the C library has no
  /// tables of.
  public init?(charset: String) {
    self.charset = Charset.canonicalName(charset)
    isPassThrough = ["utf8mb3", "utf8mb4", "binary"].contains(self.charset)
    if isPassThrough {
      conversion = .none
    } else {
      guard let encoding = CharsetEncoding.all[self.charset] else { return nil }
      if encoding.form == .singleByte {
        guard let table = SingleByteTable.of(self.charset, encoding) else { return nil }
        conversion = .singleByte(table)
      } else {
        guard let converter = MultiByteConverter(encoding) else { return nil }
        conversion = .multiByte(converter)
      }
    }
  }

  /// Calls `body` with the text in UTF-8; the buffer that it gets is valid during the call only.
  public func withUTF8<Failure: Error>(
    of bytes: UnsafeRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var output: [UInt8] = []
    swap(&output, &scratch)
    defer { swap(&output, &scratch) }
    output.removeAll(keepingCapacity: true)
    switch conversion {
    case .none: return try body(bytes)
    case .singleByte(let table):
      if table.isASCIICompatible, isASCII(bytes) { return try body(bytes) }
      invalidCount += table.append(bytes, to: &output)
    case .multiByte(let converter):
      if converter.encoding.isASCIICompatible, isASCII(bytes) { return try body(bytes) }
      invalidCount += converter.append(bytes, to: &output)
    }
    try output.withUnsafeBufferPointer { (converted) throws(Failure) in
      try body(UnsafeRawBufferPointer(converted))
    }
  }

  /// The text as a string.
  public func string(from bytes: [UInt8]) -> String {
    var text = ""
    bytes.withUnsafeBytes { raw in
      withUTF8(of: raw) { text = String(decoding: $0, as: UTF8.self) }
    }
    return text
  }
}

/// Whether every byte is below 0x80.
private func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
  var offset = 0
  while offset &+ 8 <= bytes.count {
    let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    if word & 0x8080_8080_8080_8080 != 0 { return false }
    offset &+= 8
  }
  while offset < bytes.count {
    if bytes[offset] >= 0x80 { return false }
    offset &+= 1
  }
  return true
}

/// The UTF-8 of each byte of a single-byte charset.
private struct SingleByteTable: Sendable {
  /// The tables made so far, by charset: a wide table would make the same one for each column.
  private static let made = Mutex<[String: SingleByteTable]>([:])

  static func of(_ charset: String, _ encoding: CharsetEncoding) -> SingleByteTable? {
    made.withLock { tables in
      if let table = tables[charset] { return table }
      let table = MultiByteConverter(encoding).map(SingleByteTable.init)
      tables[charset] = table
      return table
    }
  }

  /// For each byte its UTF-8, first byte lowest, and the number of those bytes in the topmost byte.
  private var entries: [UInt32] = []
  private var isInvalid = [Bool](repeating: false, count: 256)
  let isASCIICompatible: Bool

  private init(_ converter: MultiByteConverter) {
    isASCIICompatible = converter.encoding.isASCIICompatible
    for byte in UInt8.min...UInt8.max {
      var utf8: [UInt8] = []
      withUnsafeBytes(of: byte) { isInvalid[Int(byte)] = converter.append($0, to: &utf8) > 0 }
      let packed = utf8.reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
      entries.append(packed | UInt32(utf8.count) << 24)
    }
  }

  /// Returns the number of bytes that stand for nothing.
  func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Int {
    var invalidCount = 0
    output.reserveCapacity(bytes.count * 3)
    for byte in bytes {
      var entry = entries[Int(byte)]
      for _ in 0..<(entry >> 24) {
        output.append(UInt8(truncatingIfNeeded: entry))
        entry >>= 8
      }
      if isInvalid[Int(byte)] { invalidCount += 1 }
    }
    return invalidCount
  }
}

/// An iconv conversion to UTF-8, with the server's own characters where it differs.
private final class MultiByteConverter {
  let encoding: CharsetEncoding
  private let handle: iconv_t
  /// Characters that iconv is not asked about, by their code.
  private let overrides: [UInt32: [UInt8]]
  /// Whether an override begins with this byte.
  private let mayBeOverridden: [Bool]

  init?(_ encoding: CharsetEncoding) {
    guard let handle = iconv_open("UTF-8", encoding.iconvName),
      handle != UnsafeMutableRawPointer(bitPattern: -1)
    else { return nil }
    self.handle = handle
    self.encoding = encoding
    overrides = encoding.overriddenCharacters()
    var leads = [Bool](repeating: false, count: 256)
    for code in overrides.keys { leads[Int(CharsetEncoding.leadByte(of: code))] = true }
    mayBeOverridden = leads
  }

  deinit { iconv_close(handle) }

  /// Returns the number of sequences that stand for no character.
  func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Int {
    guard !overrides.isEmpty else { return convert(bytes, to: &output) }
    var invalidCount = 0
    var converted = 0
    var offset = 0
    while offset < bytes.count {
      let length = min(encoding.characterLength(lead: bytes[offset]), bytes.count - offset)
      if mayBeOverridden[Int(bytes[offset])] {
        let code = bytes[offset..<(offset + length)].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        if let character = overrides[code] {
          invalidCount += convert(
            UnsafeRawBufferPointer(rebasing: bytes[converted..<offset]), to: &output)
          output += character
          converted = offset + length
        }
      }
      offset += length
    }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[converted...])
    return invalidCount + convert(rest, to: &output)
  }

  private func convert(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Int {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return 0 }
    var invalidCount = 0
    // iconv takes a pointer to mutable input but never writes to it.
    var source: UnsafeMutablePointer<CChar>? = UnsafeMutableRawPointer(mutating: base)
      .assumingMemoryBound(to: CChar.self)
    var remaining = bytes.count
    iconv(handle, nil, nil, nil, nil)
    while remaining > 0 {
      let before = remaining
      // No charset here needs more than three bytes of UTF-8 for one of its bytes.
      let chunk = [UInt8](unsafeUninitializedCapacity: remaining * 3 + 4) { buffer, count in
        buffer.withMemoryRebound(to: CChar.self) { target in
          var destination = target.baseAddress
          var free = target.count
          iconv(handle, &source, &remaining, &destination, &free)
          count = target.count - free
        }
      }
      output += chunk
      guard remaining > 0 else { break }
      // The input stands at a sequence that is invalid or, at the end, incomplete.
      let skipped = encoding.lengthOfUnknown(bytes[(bytes.count - remaining)...])
      source = source.map { $0 + skipped }
      remaining -= skipped
      output += [0xEF, 0xBF, 0xBD]
      invalidCount += 1
      assert(remaining < before)
    }
    return invalidCount
  }
}
