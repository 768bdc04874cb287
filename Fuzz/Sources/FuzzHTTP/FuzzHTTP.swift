@testable import HTTPServer

/// The input is what a request has in its URL and its body: parameters, a statement with rows, a
/// form, compressed blocks.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let buffer = UnsafeBufferPointer(start: input, count: count)
  let bytes = Array(buffer)
  let text = String(decoding: bytes, as: UTF8.self)
  if let parameters = try? URLParameters(text[...]) {
    for name in parameters.names { precondition(parameters[name] != nil) }
  }
  checkScanner(bytes)
  _ = MultipartForm.boundary(contentType: text)
  if let form = try? MultipartForm(bytes, boundary: "B") {
    precondition(form.parts.map(\.content.count).reduce(0, +) <= count)
  }
  var rest = UnsafeRawBufferPointer(buffer)
  while let block = try? CompressedBlock.first(in: rest) {
    precondition(block.byteCount > 0)
    rest = UnsafeRawBufferPointer(rebasing: rest[block.byteCount...])
  }
  checkBlock(UnsafeRawBufferPointer(buffer))
  return 0
}

/// What is said of the beginning of a text holds for the whole of it.
private func checkScanner(_ bytes: [UInt8]) {
  let whole = StatementScanner.scan(bytes, isComplete: true)
  if case .format(let position) = whole { precondition(position <= bytes.count) }
  if case .values(let position) = whole { precondition(position <= bytes.count) }
  switch StatementScanner.scan(Array(bytes.prefix(bytes.count / 2)), isComplete: false) {
  case .format(let position): precondition(whole == .format(rowsAt: position))
  case .values(let position): precondition(whole == .values(rowsAt: position))
  case .undecided, .statement: break
  }
}

/// A block that is made of bytes gives them back.
private func checkBlock(_ bytes: UnsafeRawBufferPointer) {
  var block: [UInt8] = []
  CompressedBlock.append(bytes, to: &block)
  let content = block.withUnsafeBytes { try? CompressedBlock.first(in: $0)?.content }
  precondition(content == Array(bytes))
}
