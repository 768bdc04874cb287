import Binlog
import WireFormat

/// The input is a value in MySQL's binary JSON.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let value = RawSpan(_unsafeStart: UnsafeRawPointer(input), byteCount: count)
  var text: [UInt8] = []
  if (try? appendJSONText(of: value, to: &text)) != nil {
    precondition(count == 0 || !text.isEmpty)
  }
  return 0
}
