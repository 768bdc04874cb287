import WireFormat

/// An XA_PREPARE event: the transaction waits for an XA COMMIT or XA ROLLBACK, which are QUERY
/// events.
public struct XAPrepareEvent: Hashable, Sendable {
  /// Whether the transaction commits at once (XA COMMIT … ONE PHASE).
  public var isOnePhase: Bool
  public var identifier: XAIdentifier

  public init(isOnePhase: Bool, identifier: XAIdentifier) {
    self.isOnePhase = isOnePhase
    self.identifier = identifier
  }

  init(from reader: inout ByteReader) throws(DecodeError) {
    isOnePhase = try reader.read(UInt8.self) != 0
    identifier = try XAIdentifier(
      formatID: reader.read(), globalLength: Int(reader.read(UInt32.self)),
      branchLength: Int(reader.read(UInt32.self)), from: &reader)
  }
}

/// The name of an XA transaction.
public struct XAIdentifier: Hashable, Sendable {
  public var formatID: UInt32
  /// The global part, at most 64 bytes.
  public var global: [UInt8]
  /// The branch, at most 64 bytes.
  public var branch: [UInt8]

  public init(formatID: UInt32, global: [UInt8], branch: [UInt8]) {
    self.formatID = formatID
    self.global = global
    self.branch = branch
  }

  init(
    formatID: UInt32, globalLength: Int, branchLength: Int, from reader: inout ByteReader
  ) throws(DecodeError) {
    guard globalLength <= 64, branchLength <= 64 else {
      throw DecodeError(.limitExceeded, "XA identifier", at: reader.offset)
    }
    self.init(
      formatID: formatID, global: try reader.readArray(globalLength),
      branch: try reader.readArray(branchLength))
  }
}
