import Binlog
import WireFormat

/// An event with the bytes that its ranges refer to.
struct Visited {
  var event: Event
  var bytes: [UInt8]
}

/// Decodes a whole file that arrives in chunks.
func visitFile(_ bytes: [UInt8], name: String? = nil, chunkSize: Int = .max) throws -> [Visited] {
  var framer = EventFramer(file: name)
  var decoder = BinlogDecoder(file: name)
  var events: [Visited] = []
  var start = 0
  while start < bytes.count {
    let end = chunkSize < bytes.count - start ? start + chunkSize : bytes.count
    try framer.push(bytes.span.bytes.extracting(start..<end)) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        events.append(Visited(event: decoded, bytes: bytes.withUnsafeBytes { [UInt8]($0) }))
      }
    }
    start = end
  }
  try framer.finish()
  return events
}

/// Decodes a whole file that arrives in one chunk.
func decodeFile(_ bytes: [UInt8], name: String? = nil) throws -> [Event] {
  try visitFile(bytes, name: name).map(\.event)
}

/// Decodes events that follow each other from offset 4.
func decodeEvents(_ events: [[UInt8]]) throws -> [Visited] {
  var decoder = BinlogDecoder(file: "bin.1")
  var visited: [Visited] = []
  var offset: UInt64 = 4
  for event in events {
    try decoder.decode(event.span.bytes, at: offset) { decoded, bytes in
      visited.append(Visited(event: decoded, bytes: bytes.withUnsafeBytes { [UInt8]($0) }))
    }
    offset += UInt64(event.count)
  }
  return visited
}

/// The code of the decode error that an action throws; nil when it throws none.
func decodeErrorCode(_ action: () throws -> Void) throws -> DecodeError.Code? {
  do {
    try action()
    return nil
  } catch let error as DecodeError {
    return error.code
  }
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
}

func bytes(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

/// Makes events as a server would.
enum Make {
  static func event(
    _ type: UInt8, _ body: [UInt8], flags: UInt16 = 0, serverID: UInt32 = 1,
    nextPosition: UInt32 = 0, checksum: Bool = false
  ) -> [UInt8] {
    let length = 19 + body.count + (checksum ? 4 : 0)
    var event = littleEndian(UInt32(1_700_000_000)) + [type] + littleEndian(serverID)
    event += littleEndian(UInt32(length)) + littleEndian(nextPosition) + littleEndian(flags) + body
    return checksum ? event + littleEndian(crc32(event.span.bytes)) : event
  }

  static func formatDescription(
    version: String = "8.0.36", checksum: Bool = false, flags: UInt16 = 0
  ) -> [UInt8] {
    var lengths = [UInt8](repeating: 0, count: 171)
    for (type, length) in [(2, 13), (4, 8), (19, 8), (23, 8), (24, 8), (25, 8)] {
      lengths[type - 1] = UInt8(length)
    }
    for type in [30, 31, 32, 39, 169, 170, 171] { lengths[type - 1] = 10 }
    let padded = bytes(version) + [UInt8](repeating: 0, count: 50 - version.utf8.count)
    let body = [4, 0] + padded + littleEndian(UInt32(0)) + [19] + lengths + [checksum ? 1 : 0]
    if !checksum { return event(15, body + [0, 0, 0, 0], flags: flags) }
    var closed = event(15, body, checksum: true)
    closed[17] = UInt8(flags)
    return closed
  }

  static func query(_ statement: [UInt8], database: String = "db", status: [UInt8] = []) -> [UInt8]
  {
    var body = littleEndian(UInt32(5)) + littleEndian(UInt32(6)) + [UInt8(database.utf8.count)]
    body += littleEndian(UInt16(7)) + littleEndian(UInt16(status.count)) + status
    return body + bytes(database) + [0] + statement
  }

  /// The body of a table map of `db.t`.
  static func tableMap(
    id: UInt64 = 18, types: [UInt8], metadata: [UInt8], nullBits: [UInt8], optional: [UInt8] = []
  ) -> [UInt8] {
    var body = [UInt8](littleEndian(id)[..<6])
    for part in [
      [1, 0, 2], bytes("db"), [0, 1], bytes("t"), [0], [UInt8(types.count)], types,
      [UInt8(metadata.count)], metadata, nullBits, optional,
    ] as [[UInt8]] {
      body += part
    }
    return body
  }
}
