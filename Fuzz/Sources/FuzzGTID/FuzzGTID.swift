import Binlog
import WireFormat

/// The input is GTID sets and positions as text, and a GTID set as a server sends it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzGTID(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: input, count: count))
  let text = String(decoding: bytes, as: UTF8.self)
  if let set = try? GTIDSet(text) { checkRoundTrip(set) }
  if let set = try? GTIDSet(decoding: bytes.span.bytes) { checkRoundTrip(set) }
  if let position = try? MariaDBGTIDPosition(text) {
    precondition((try? MariaDBGTIDPosition(position.description)) == position)
  }
  return 0
}

private func checkRoundTrip(_ set: GTIDSet) {
  precondition((try? GTIDSet(set.description)) == set)
  precondition((try? GTIDSet(decoding: set.encoded().span.bytes)) == set)
  precondition(set.contains(set))
}
