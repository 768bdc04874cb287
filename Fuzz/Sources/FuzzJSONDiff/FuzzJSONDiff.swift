import Binlog
import WireFormat

/// The input is the length of a JSON text, the text, and the cell of a partial update of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSONDiff(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: input, count: count))
  guard let length = bytes.first.map(Int.init), length < count else { return 0 }
  let text = Array(bytes[1..<(1 + length)])
  let cell = Array(bytes[(1 + length)...])
  guard let diffs = try? JSONDiff.decode(cell.span.bytes) else { return 0 }
  for diff in diffs {
    precondition(!diff.description.isEmpty)
    precondition((try? JSONPath(Array(diff.path.description.utf8))) == diff.path)
  }
  if let result = try? text.applying(diffs) {
    let added = diffs.reduce(0) { $0 + 8 * $1.path.description.utf8.count + $1.value.count + 4 }
    // Changes cannot stand for more than they are; a text without spaces gets some.
    precondition(result.count <= 2 * text.count + added)
  }
  return 0
}
