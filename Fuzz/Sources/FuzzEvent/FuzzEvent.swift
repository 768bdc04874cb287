import Binlog
import WireFormat

/// The input is a binlog file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEvent(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = RawSpan(_unsafeStart: UnsafeRawPointer(input), byteCount: count)
  var framer = EventFramer(maximumEventLength: 1 << 20)
  var decoder = BinlogDecoder()
  // An error ends the file, as it does for a reader of one.
  try? framer.push(bytes) { event, offset in
    try decoder.decode(event, at: offset) { decoded, _ in
      precondition(decoded.end >= decoded.offset)
    }
  }
  return 0
}
