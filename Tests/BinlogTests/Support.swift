import Binlog
import WireFormat

/// Decodes a whole file that arrives in one chunk.
func decodeFile(_ bytes: [UInt8], name: String? = nil) throws -> [Event] {
  var framer = EventFramer(file: name)
  var decoder = BinlogDecoder(file: name)
  var events: [Event] = []
  try framer.push(bytes.span.bytes) { event, offset in
    try decoder.decode(event, at: offset) { decoded, _ in events.append(decoded) }
  }
  try framer.finish()
  return events
}
