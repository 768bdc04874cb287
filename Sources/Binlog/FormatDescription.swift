import WireFormat

/// A FORMAT_DESCRIPTION event: how the events that follow are laid out.
public struct FormatDescription: Hashable, Sendable {
  /// The version of the server that wrote the events, such as `8.0.36` or `10.11.6-MariaDB-log`.
  public let serverVersion: String
  /// Whether a MariaDB server wrote the events. Kept, because every table map asks.
  public let isMariaDB: Bool
  /// When the server started, in seconds since 1970; 0 in a file that was not begun by a start.
  public var createdAt: UInt32
  /// The size in bytes of every event's header, 19 or more.
  public var headerLength: Int
  /// For each event type, from 1, the size in bytes of the fixed part of its body.
  public var postHeaderLengths: [UInt8]
  /// What every later event ends with.
  public var checksum: ChecksumAlgorithm

  public init(
    serverVersion: String, createdAt: UInt32, headerLength: Int, postHeaderLengths: [UInt8],
    checksum: ChecksumAlgorithm
  ) {
    self.serverVersion = serverVersion
    isMariaDB = Self.isMariaDB(serverVersion)
    self.createdAt = createdAt
    self.headerLength = headerLength
    self.postHeaderLengths = postHeaderLengths
    self.checksum = checksum
  }

  private static func isMariaDB(_ version: String) -> Bool { version.contains("MariaDB") }

  func postHeaderLength(of type: EventType) -> Int {
    let index = Int(type.rawValue) - 1
    return index < postHeaderLengths.count ? Int(postHeaderLengths[index]) : 0
  }

  /// - Parameter event: the whole event, since it alone says whether it has a checksum.
  init(decoding event: RawSpan, flags: EventFlags) throws(DecodeError) {
    var reader = ByteReader(event)
    try reader.skip(EventHeader.byteCount)
    guard try reader.read(UInt16.self) == 4 else {
      throw DecodeError(.unsupported, "binlog version other than 4", at: EventHeader.byteCount)
    }
    serverVersion = try reader.readPaddedString(50)
    isMariaDB = Self.isMariaDB(serverVersion)
    createdAt = try reader.read()
    headerLength = Int(try reader.read(UInt8.self))
    guard headerLength >= EventHeader.byteCount else {
      throw DecodeError(.malformed, "event header length", at: reader.offset - 1)
    }
    guard Self.hasChecksumField(serverVersion) else {
      checksum = .none
      postHeaderLengths = try reader.readArray(reader.remaining)
      return
    }
    // The algorithm and the checksum's four bytes are there even when the algorithm is none.
    guard reader.remaining >= 5 else {
      throw DecodeError(.truncated, "checksum algorithm", at: reader.offset)
    }
    postHeaderLengths = try reader.readArray(reader.remaining - 5)
    let code = try reader.read(UInt8.self)
    guard let algorithm = ChecksumAlgorithm(rawValue: code) else {
      throw DecodeError(.unsupported, "checksum algorithm \(code)", at: reader.offset - 1)
    }
    checksum = algorithm
    try Self.verify(event, flags, algorithm)
  }

  /// Checks the event's own checksum, which the server computes before it marks the file as in use.
  private static func verify(_ event: RawSpan, _ flags: EventFlags, _ algorithm: ChecksumAlgorithm)
    throws(DecodeError)
  {
    guard flags.contains(.binlogInUse) else {
      _ = try algorithm.verify(event)
      return
    }
    var cleared = event.withUnsafeBytes { [UInt8]($0) }
    cleared[17] &= ~UInt8(EventFlags.binlogInUse.rawValue)
    _ = try algorithm.verify(cleared.span.bytes)
  }

  /// Whether a server of this version knows checksums: MySQL from 5.6.1, MariaDB from 5.3.
  private static func hasChecksumField(_ version: String) -> Bool {
    let parts = version.split(separator: ".", maxSplits: 2).map { part in
      Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0
    }
    let numbers = (parts + [0, 0, 0])[..<3]
    let first = isMariaDB(version) ? [5, 3, 0] : [5, 6, 1]
    return !numbers.lexicographicallyPrecedes(first)
  }
}
