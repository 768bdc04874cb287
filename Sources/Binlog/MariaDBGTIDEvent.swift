import WireFormat

/// A GTID event of MariaDB: the start of a transaction or of a statement of its own.
public struct MariaDBGTIDEvent: Hashable, Sendable {
  public var gtid: MariaDBGTID
  public var flags: Flags
  /// Equal for transactions that committed together.
  public var commitID: UInt64?
  /// The XA transaction that is prepared or completed.
  public var xa: XAIdentifier?
  /// The part that the event plays in an ALTER TABLE of two phases.
  public var alterPhase: AlterPhase?
  /// The connection that ran the transaction.
  public var threadID: UInt32?

  public struct Flags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// One statement follows, which is a transaction of its own: there is no COMMIT or XID event.
    public static let standalone = Flags(rawValue: 1)
    public static let groupCommitID = Flags(rawValue: 2)
    public static let transactional = Flags(rawValue: 4)
    public static let allowParallel = Flags(rawValue: 8)
    public static let waited = Flags(rawValue: 16)
    /// The statement is DDL.
    public static let ddl = Flags(rawValue: 32)
    public static let preparedXA = Flags(rawValue: 64)
    public static let completedXA = Flags(rawValue: 128)
  }

  /// A phase of `binlog_alter_two_phase`.
  public enum AlterPhase: Hashable, Sendable {
    /// The ALTER TABLE began; nothing has changed yet.
    case start
    /// The ALTER TABLE that began under this sequence number took effect.
    case commit(start: UInt64)
    /// The ALTER TABLE that began under this sequence number failed.
    case rollback(start: UInt64)
  }

  struct ExtraFlags: OptionSet {
    var rawValue: UInt8
    static let multipleEngines = ExtraFlags(rawValue: 1)
    static let startAlter = ExtraFlags(rawValue: 2)
    static let commitAlter = ExtraFlags(rawValue: 4)
    static let rollbackAlter = ExtraFlags(rawValue: 8)
    static let threadID = ExtraFlags(rawValue: 16)

    /// Whether the sequence number of the ALTER's start follows.
    var refersToStart: Bool { contains(.commitAlter) || contains(.rollbackAlter) }
  }

  public init(gtid: MariaDBGTID, flags: Flags) {
    self.gtid = gtid
    self.flags = flags
  }

  init(from reader: inout ByteReader, serverID: UInt32) throws(DecodeError) {
    let sequence: UInt64 = try reader.read()
    let domain: UInt32 = try reader.read()
    let flags = Flags(rawValue: try reader.read())
    self.init(
      gtid: MariaDBGTID(domain: domain, server: serverID, sequence: sequence), flags: flags)
    if flags.contains(.groupCommitID) { commitID = try reader.read() }
    if flags.contains(.preparedXA) || flags.contains(.completedXA) {
      xa = try XAIdentifier(
        formatID: reader.read(), globalLength: Int(reader.read(UInt8.self)),
        branchLength: Int(reader.read(UInt8.self)), from: &reader)
    }
    if !reader.isAtEnd { try readExtra(&reader) }
  }

  /// Reads what later versions appended: flags, and the values that they announce.
  private mutating func readExtra(_ reader: inout ByteReader) throws(DecodeError) {
    let flags = ExtraFlags(rawValue: try reader.read())
    if flags.contains(.multipleEngines) { try reader.skip(1) }
    if flags.contains(.startAlter) { alterPhase = .start }
    if flags.refersToStart {
      let start: UInt64 = try reader.read()
      alterPhase = flags.contains(.commitAlter) ? .commit(start: start) : .rollback(start: start)
    }
    if flags.contains(.threadID) { threadID = try reader.read() }
    // Zero bytes pad the event to the 19 bytes of its first version. Still later versions may say
    // more, which servers ignore.
    try reader.skip(reader.remaining)
  }
}
