import LatchService
import Latches

/// The input is a journal, and resources and wishes as text.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLatches(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: input, count: count))
  if let contents = try? Journal.read(bytes) {
    // What can be read can be gone on with.
    for isSameClock in [true, false] {
      var table = LatchTable(
        from: contents.snapshot, at: contents.time, isSameClock: isSameClock)
      _ = table.advance(to: contents.time + .seconds(1))
    }
  }
  let text = String(decoding: bytes, as: UTF8.self)
  if let resource = try? Resource(text: text) {
    precondition((try? Resource(text: resource.description)) == resource)
  }
  if let wish = try? Wish(text: text) { precondition((try? Wish(text: wish.description)) == wish) }
  return 0
}
