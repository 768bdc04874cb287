import WireFormat

/// The 19 bytes that begin every event of binlog version 4.
public struct EventHeader: Hashable, Sendable {
  /// The size of the header in bytes; a format description may only announce more.
  public static let byteCount = 19

  /// When the statement began at its origin, in seconds since 1970.
  public var timestamp: UInt32
  /// The raw type code; ``type`` is its name when it has one.
  public var typeCode: UInt8
  public var serverID: UInt32
  /// The size in bytes of the event with its header and checksum.
  public var eventLength: UInt32
  /// The low 32 bits of the offset that follows the event; 0 in artificial events. ``Event/end`` is
  /// the whole offset.
  public var nextPosition: UInt32
  public var flags: EventFlags

  public init(
    timestamp: UInt32, typeCode: UInt8, serverID: UInt32, eventLength: UInt32,
    nextPosition: UInt32, flags: EventFlags
  ) {
    self.timestamp = timestamp
    self.typeCode = typeCode
    self.serverID = serverID
    self.eventLength = eventLength
    self.nextPosition = nextPosition
    self.flags = flags
  }

  /// The kind of event, or nil when the type code is not a known one.
  public var type: EventType? { EventType(rawValue: typeCode) }

  init(from reader: inout ByteReader) throws(DecodeError) {
    timestamp = try reader.read()
    typeCode = try reader.read()
    serverID = try reader.read()
    eventLength = try reader.read()
    nextPosition = try reader.read()
    flags = EventFlags(rawValue: try reader.read())
  }
}

/// The flags of an event's header.
public struct EventFlags: OptionSet, Hashable, Sendable {
  public var rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The server has not closed the file; only in format descriptions, and outside their checksum.
  public static let binlogInUse = EventFlags(rawValue: 0x1)
  /// The statement depends on its connection, such as one on a temporary table.
  public static let threadSpecific = EventFlags(rawValue: 0x4)
  /// The statement does not run in the database that the event names.
  public static let suppressUse = EventFlags(rawValue: 0x8)
  /// The server made the event up for a stream; it is in no file.
  public static let artificial = EventFlags(rawValue: 0x20)
  /// A reader that does not know the type may skip the event.
  public static let ignorable = EventFlags(rawValue: 0x80)
}
