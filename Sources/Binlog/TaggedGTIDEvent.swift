import WireFormat

extension GTIDEvent {
  /// Decodes a GTID_TAGGED event, which MySQL 8.3 and later write in the format of its
  /// `mysql::serialization` library: a version, a size, the last field that must be understood,
  /// then fields by number.
  init(taggedFrom reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    guard try reader.readVariableLengthInteger() == 1 else {
      throw DecodeError(.unsupported, "version of the tagged GTID event", at: start)
    }
    let total = reader.remaining + reader.offset - start
    guard try reader.readVariableLengthInteger() == UInt64(total) else {
      throw DecodeError(.malformed, "size of the tagged GTID event", at: start)
    }
    guard try reader.readVariableLengthInteger() <= 11 else {
      throw DecodeError(.unsupported, "field of the tagged GTID event", at: start)
    }
    var uuid: ServerUUID?
    var number: Int64?
    var tag = ""
    self.init(gtid: nil, mayHaveStatements: false)
    var previous: Int = -1
    while !reader.isAtEnd {
      let fieldStart = reader.offset
      let field = Int(clamping: try reader.readVariableLengthInteger())
      guard field > previous else {
        throw DecodeError(.malformed, "order of the tagged GTID event's fields", at: fieldStart)
      }
      previous = field
      switch field {
      case 0: mayHaveStatements = try reader.readVariableLengthInteger() & 1 != 0
      case 1: uuid = try ServerUUID(variableLengthBytesFrom: &reader)
      case 2: number = try reader.readVariableLengthSigned()
      case 3: tag = try GTIDSource.readTag(&reader)
      case 4: lastCommitted = try reader.readVariableLengthSigned()
      case 5: sequenceNumber = try reader.readVariableLengthSigned()
      case 6: immediateCommitTimestamp = try reader.readVariableLengthInteger()
      case 7: originalCommitTimestamp = try reader.readVariableLengthInteger()
      case 8: transactionLength = try reader.readVariableLengthInteger()
      case 9: immediateServerVersion = UInt32(clamping: try reader.readVariableLengthInteger())
      case 10: originalServerVersion = UInt32(clamping: try reader.readVariableLengthInteger())
      case 11: commitGroupTicket = try reader.readVariableLengthInteger()
      default:
        // A field of a later server that may be ignored, as may all after it.
        try reader.skip(reader.remaining)
      }
    }
    guard let uuid, let number, number >= 1 else {
      throw DecodeError(.malformed, "identifier of the tagged GTID event", at: start)
    }
    gtid = GTID(source: GTIDSource(uuid: uuid, tag: tag), number: number)
    originalCommitTimestamp = originalCommitTimestamp ?? immediateCommitTimestamp
    originalServerVersion = originalServerVersion ?? immediateServerVersion
  }
}

extension ServerUUID {
  /// Reads sixteen bytes, each as an integer of variable length.
  init(variableLengthBytesFrom reader: inout ByteReader) throws(DecodeError) {
    var high: UInt64 = 0
    var low: UInt64 = 0
    for index in 0..<16 {
      let start = reader.offset
      guard let byte = UInt8(exactly: try reader.readVariableLengthInteger()) else {
        throw DecodeError(.malformed, "byte of a UUID", at: start)
      }
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    self.init(high: high, low: low)
  }
}

extension ByteReader {
  /// Reads an integer of 1 to 9 bytes whose first byte ends in one set bit for each further byte.
  mutating func readVariableLengthInteger() throws(DecodeError) -> UInt64 {
    let first = try read(UInt8.self)
    let extra = (~first).trailingZeroBitCount
    guard extra > 0 else { return UInt64(first >> 1) }
    let start = offset - 1
    guard extra <= remaining else { throw DecodeError(.truncated, "integer", at: start) }
    let rest = try readUInt(byteCount: extra)
    guard extra < 8 else { return rest }
    // The first byte holds its 7 - extra highest bits as the lowest of the value.
    return rest << UInt64(7 - extra) | UInt64(first) >> UInt64(extra + 1)
  }

  /// Reads a signed integer, which has its sign in the lowest bit.
  mutating func readVariableLengthSigned() throws(DecodeError) -> Int64 {
    let value = try readVariableLengthInteger()
    let magnitude = Int64(bitPattern: value >> 1)
    return value & 1 == 0 ? magnitude : ~magnitude
  }
}
