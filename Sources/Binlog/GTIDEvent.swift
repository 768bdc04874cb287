import WireFormat

/// A GTID, ANONYMOUS_GTID or GTID_TAGGED event: the start of a transaction of a MySQL server.
public struct GTIDEvent: Hashable, Sendable {
  /// The transaction's identifier; nil for an anonymous transaction.
  public var gtid: GTID?
  /// Whether the transaction may contain statements besides row changes.
  public var mayHaveStatements: Bool
  /// The logical clock: the transaction may run beside any that has a sequence number above this
  /// one.
  public var lastCommitted: Int64?
  public var sequenceNumber: Int64?
  /// When the server that wrote this log committed, in microseconds since 1970.
  public var immediateCommitTimestamp: UInt64?
  /// When the origin committed, in microseconds since 1970; equal to the immediate one at the
  /// origin.
  public var originalCommitTimestamp: UInt64?
  /// The size in bytes of all events of the transaction, this one included, before compression.
  public var transactionLength: UInt64?
  /// The version of the server that wrote this log, as in 80036 for 8.0.36.
  public var immediateServerVersion: UInt32?
  public var originalServerVersion: UInt32?
  public var commitGroupTicket: UInt64?

  public init(gtid: GTID?, mayHaveStatements: Bool) {
    self.gtid = gtid
    self.mayHaveStatements = mayHaveStatements
  }

  init(from reader: inout ByteReader, isAnonymous: Bool) throws(DecodeError) {
    let flags: UInt8 = try reader.read()
    let uuid = try ServerUUID(from: &reader)
    let number: Int64 = try reader.read()
    if !isAnonymous && number < 1 {
      throw DecodeError(.malformed, "transaction number", at: reader.offset - 8)
    }
    self.init(
      gtid: isAnonymous ? nil : GTID(source: GTIDSource(uuid: uuid), number: number),
      mayHaveStatements: flags & 1 != 0)
    // Each later version of the server has appended fields.
    if reader.isAtEnd { return }
    guard try reader.read(UInt8.self) == 2 else {
      throw DecodeError(.malformed, "logical clock type", at: reader.offset - 1)
    }
    lastCommitted = try reader.read()
    sequenceNumber = try reader.read()
    if reader.isAtEnd { return }
    try readTimestamps(&reader)
    if reader.isAtEnd { return }
    transactionLength = try reader.readPackedInteger("transaction length")
    if reader.isAtEnd { return }
    let version: UInt32 = try reader.read()
    let hasOriginal = version & (1 << 31) != 0
    immediateServerVersion = version & ~(1 << 31)
    originalServerVersion = hasOriginal ? try reader.read() : immediateServerVersion
    if reader.isAtEnd { return }
    commitGroupTicket = try reader.read()
  }

  /// Reads timestamps of 55 bits; the highest bit of the first says whether a second follows.
  private mutating func readTimestamps(_ reader: inout ByteReader) throws(DecodeError) {
    let value = try reader.readUInt(byteCount: 7)
    let hasOriginal = value & (1 << 55) != 0
    let immediate = value & ~(1 << 55)
    immediateCommitTimestamp = immediate
    originalCommitTimestamp = hasOriginal ? try reader.readUInt(byteCount: 7) : immediate
  }
}
