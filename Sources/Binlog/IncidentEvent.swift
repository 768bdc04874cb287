import WireFormat

/// An INCIDENT event: the server could not log some changes, so that a copy may now differ from it.
public struct IncidentEvent: Hashable, Sendable {
  /// 1 is LOST_EVENTS, the only incident that servers log.
  public var number: UInt16
  public var message: String

  public init(number: UInt16, message: String) {
    self.number = number
    self.message = message
  }

  init(from reader: inout ByteReader) throws(DecodeError) {
    number = try reader.read()
    message = try reader.readShortString()
  }
}
