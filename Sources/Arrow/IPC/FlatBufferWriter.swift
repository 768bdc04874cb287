/// A value of a FlatBuffer, built as a tree and encoded at once.
indirect enum FlatValue {
  /// An integer or a boolean of 1, 2, 4 or 8 bytes.
  case scalar(Int64, byteCount: Int)
  case text(String)
  /// The fields by their slot, which is their position in the schema; absent ones are `nil`.
  case table([FlatValue?])
  /// A vector of tables.
  case tables([FlatValue])
  /// A vector of structs of 8-byte integers.
  case structs([[Int64]])

  static func bool(_ value: Bool) -> FlatValue { .scalar(value ? 1 : 0, byteCount: 1) }
  static func byte(_ value: Int) -> FlatValue { .scalar(Int64(value), byteCount: 1) }
  static func short(_ value: Int) -> FlatValue { .scalar(Int64(value), byteCount: 2) }
  static func int(_ value: Int) -> FlatValue { .scalar(Int64(value), byteCount: 4) }
  static func long(_ value: Int64) -> FlatValue { .scalar(value, byteCount: 8) }
}

/// Encodes a tree of values as a FlatBuffer (https://flatbuffers.dev/internals/).
///
/// References may only point forwards, so that parents are written before their children and
/// patched afterwards.
struct FlatBufferWriter {
  private var bytes: [UInt8] = []

  /// The encoding of a root table, padded to a multiple of 8 bytes.
  static func encode(_ root: FlatValue) -> [UInt8] {
    var writer = FlatBufferWriter()
    writer.append(0, byteCount: 4)
    writer.pointToNext(writer.write(root), from: 0)
    writer.pad(to: 8)
    return writer.bytes
  }

  private mutating func append(_ value: Int64, byteCount: Int) {
    for index in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
  }

  private mutating func overwrite(_ value: Int64, byteCount: Int, at position: Int) {
    for index in 0..<byteCount {
      bytes[position + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }

  private mutating func pad(to alignment: Int, plus extra: Int = 0) {
    while (bytes.count + extra) % alignment != 0 { bytes.append(0) }
  }

  private mutating func pointToNext(_ target: Int, from position: Int) {
    overwrite(Int64(target - position), byteCount: 4, at: position)
  }

  /// Writes a value that is referred to, and gives its position.
  private mutating func write(_ value: FlatValue) -> Int {
    switch value {
    case .scalar(let value, let byteCount):
      pad(to: byteCount)
      append(value, byteCount: byteCount)
      return bytes.count - byteCount
    case .text(let text):
      pad(to: 4)
      let position = bytes.count
      append(Int64(text.utf8.count), byteCount: 4)
      bytes.append(contentsOf: text.utf8)
      bytes.append(0)
      return position
    case .table(let slots):
      return writeTable(slots)
    case .tables(let tables):
      pad(to: 4)
      let position = bytes.count
      append(Int64(tables.count), byteCount: 4)
      for _ in tables { append(0, byteCount: 4) }
      for (index, table) in tables.enumerated() {
        pointToNext(write(table), from: position + 4 + 4 * index)
      }
      return position
    case .structs(let structs):
      pad(to: 8, plus: 4)
      let position = bytes.count
      append(Int64(structs.count), byteCount: 4)
      for value in structs.joined() { append(value, byteCount: 8) }
      return position
    }
  }

  /// A table follows its vtable: the sizes of both, and where each field lies, 0 when absent.
  private mutating func writeTable(_ slots: [FlatValue?]) -> Int {
    var fieldOffsets: [Int] = []
    var tableByteCount = 4
    for slot in slots {
      let byteCount: Int
      switch slot {
      case .none:
        fieldOffsets.append(0)
        continue
      case .scalar(_, let size): byteCount = size
      case .text, .table, .tables, .structs: byteCount = 4
      }
      tableByteCount = (tableByteCount + byteCount - 1) / byteCount * byteCount
      fieldOffsets.append(tableByteCount)
      tableByteCount += byteCount
    }
    let vtableByteCount = 4 + 2 * slots.count
    pad(to: 8, plus: vtableByteCount)
    append(Int64(vtableByteCount), byteCount: 2)
    append(Int64(tableByteCount), byteCount: 2)
    for offset in fieldOffsets { append(Int64(offset), byteCount: 2) }
    let position = bytes.count
    append(Int64(vtableByteCount), byteCount: 4)
    bytes.append(contentsOf: repeatElement(0, count: tableByteCount - 4))
    for (slot, offset) in zip(slots, fieldOffsets) {
      switch slot {
      case .none: break
      case .scalar(let value, let byteCount):
        overwrite(value, byteCount: byteCount, at: position + offset)
      case .some(let value):
        pointToNext(write(value), from: position + offset)
      }
    }
    return position
  }
}
