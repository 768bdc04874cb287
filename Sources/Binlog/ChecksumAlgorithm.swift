import WireFormat

/// What the events of a file end with.
public enum ChecksumAlgorithm: UInt8, Hashable, Sendable {
  case none = 0
  case crc32 = 1

  /// Checks the checksum and returns the bytes that it covers.
  @_lifetime(copy event)
  func verify(_ event: RawSpan) throws(DecodeError) -> RawSpan {
    switch self {
    case .none:
      return event
    case .crc32:
      guard event.byteCount >= EventHeader.byteCount + 4 else {
        throw DecodeError(.truncated, "event checksum", at: event.byteCount)
      }
      let content = event.extracting(droppingLast: 4)
      guard WireFormat.crc32(content) == storedChecksum(event) else {
        throw DecodeError(.checksumMismatch, "event checksum", at: content.byteCount)
      }
      return content
    }
  }

  /// Tells by trying whether an event ends with a checksum.
  static func detect(in event: RawSpan) -> ChecksumAlgorithm {
    guard event.byteCount >= EventHeader.byteCount + 4 else { return .none }
    let matches = WireFormat.crc32(event.extracting(droppingLast: 4)) == storedChecksum(event)
    return matches ? .crc32 : .none
  }
}

/// The last four bytes of an event of at least that size.
private func storedChecksum(_ event: RawSpan) -> UInt32 {
  UInt32(
    littleEndian: event.unsafeLoadUnaligned(
      fromByteOffset: event.byteCount - 4, as: UInt32.self))
}
