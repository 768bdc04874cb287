import Backup

/// The input is an archive, and a manifest.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBackup(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: input, count: count))
  readArchive(bytes)
  if let manifest = try? Manifest(decoding: bytes) {
    precondition((try? Manifest(decoding: manifest.encoded())) == manifest)
    precondition(manifest.loadOrder.joined().count <= manifest.tables.count)
  }
  let text = String(decoding: bytes, as: UTF8.self)
  if let part = PartName(text) { precondition(part.description == text) }
  return 0
}

/// What is read of an archive is in it.
private func readArchive(_ bytes: [UInt8]) {
  var position = 0
  var reader = TarReader { limit in
    let end = min(bytes.count, position + limit)
    defer { position = end }
    return Array(bytes[position..<end])
  }
  while let header = try? reader.next() {
    var count: UInt64 = 0
    while let part = try? reader.read(upTo: 100) { count += UInt64(part.count) }
    precondition(count <= header.byteCount && count <= bytes.count)
    guard header.name.utf8.count <= 100 else { fatalError("a long name") }
  }
}
