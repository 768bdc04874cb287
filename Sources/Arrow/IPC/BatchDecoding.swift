import WireFormat

/// Takes the columns of a batch out of a message. Every length and position in it comes from
/// outside: the arrays are validated before anyone reads them.
struct BatchDecoder {
  private let nodes: [(Int64, Int64)]
  private let ranges: [(Int64, Int64)]
  private let body: Buffer
  private let compression: BodyCompression?
  private let dictionaries: [Int64: ArrayData]
  /// How many buffers of data each array of views has.
  private let viewBufferCounts: [Int64]
  /// For errors: where the batch is described.
  private let position: Int
  private var nextNode = 0
  private var nextRange = 0
  private var nextView = 0

  /// The greatest number of values in an array. Arrays of types that take no memory could
  /// otherwise have any.
  private static let lengthLimit = Int64(Int32.max)
  /// How many bytes the buffers may still grow to.
  private var uncompressedByteLimit = 1 << 30

  /// - Throws: `unsupported` for a compression that is not known.
  init(_ table: FlatTable, body: Buffer, dictionaries: [Int64: ArrayData]) throws(DecodeError) {
    compression = try table.table(3).map { compression throws(DecodeError) in
      try BodyCompression(compression)
    }
    nodes = try table.pairs(1)
    ranges = try table.pairs(2)
    viewBufferCounts = try table.int64s(4)
    position = table.position
    self.body = body.aligned
    self.dictionaries = dictionaries
  }

  /// The arrays of `fields`, validated.
  mutating func decode(_ fields: [IPCField]) throws(DecodeError) -> [ArrayData] {
    var columns: [ArrayData] = []
    for field in fields {
      let column = try array(field.field.type, field)
      do throws(ArrowError) {
        try column.validate(checksDictionary: false)
      } catch {
        throw DecodeError(.malformed, "column \(field.field.name): \(error.message)", at: position)
      }
      columns.append(column)
    }
    guard nextNode == nodes.count, nextRange == ranges.count else {
      throw malformed("arrays that belong to no field")
    }
    return columns
  }

  /// The values of a dictionary, validated.
  mutating func decodeDictionary(_ field: IPCField, values: DataType) throws(DecodeError)
    -> ArrayData
  {
    let plain = Field(name: field.field.name, type: values)
    let fields = [
      IPCField(
        field: plain, dictionaryID: nil, children: field.children, isView: field.isView)
    ]
    guard let array = try decode(fields).first else { throw malformed("dictionary") }
    return array
  }

  private func malformed(_ what: String) -> DecodeError {
    DecodeError(.malformed, what, at: position)
  }

  private mutating func buffer() throws(DecodeError) -> Buffer {
    guard nextRange < ranges.count else { throw malformed("missing buffer") }
    let (start, count) = ranges[nextRange]
    nextRange += 1
    guard start >= 0, count >= 0, start <= body.byteCount, count <= Int64(body.byteCount) - start,
      start % 8 == 0
    else { throw malformed("position of a buffer") }
    if count == 0 { return .empty }
    let buffer = body.slice(Int(start)..<Int(start + count))
    guard let compression else { return buffer }
    return try compression.decompress(buffer, limit: &uncompressedByteLimit, at: position)
  }

  private mutating func array(_ type: DataType, _ field: IPCField) throws(DecodeError) -> ArrayData
  {
    guard nextNode < nodes.count else { throw malformed("missing array") }
    let (length, _) = nodes[nextNode]
    nextNode += 1
    guard length >= 0, length <= Self.lengthLimit else { throw malformed("length of an array") }
    let count = Int(length)
    if field.isView, field.dictionaryID == nil { return try views(type, count) }
    if type.layout == .null { return ArrayData(type: type, length: count, nullCount: count) }
    let validity = type.layout.hasValidity ? try validity(count) : (bits: nil, nullCount: 0)
    var buffers: [Buffer] = []
    for _ in 0..<type.layout.bufferCount { buffers.append(try buffer()) }
    switch type.layout {
    case .variable32, .variable64, .list32, .list64:
      // Some writers leave the single offset of an empty array out.
      if count == 0 && buffers[0].byteCount == 0 { buffers[0] = Buffer(zeroed: 8) }
    case .null, .bits, .fixed, .fixedList, .structure, .union, .dictionary: break
    }
    var children: [ArrayData] = []
    var dictionary: ArrayData?
    if case .dictionary(_, let values) = type {
      dictionary = field.dictionaryID.flatMap { dictionaries[$0] } ?? ArrayData(emptyOf: values)
    } else {
      for child in field.children { children.append(try array(child.field.type, child)) }
    }
    return ArrayData(
      type: type, length: count, nullCount: validity.nullCount, validity: validity.bits,
      buffers: buffers, children: children, dictionary: dictionary)
  }

  /// Values that are given as views: 16 bytes for each, which have the value itself when it is short,
  /// and else say in which of the further buffers it lies.
  private mutating func views(_ type: DataType, _ count: Int) throws(DecodeError) -> ArrayData {
    let validity = try validity(count)
    let views = try buffer()
    guard nextView < viewBufferCounts.count,
      case let dataCount = viewBufferCounts[nextView], dataCount >= 0,
      dataCount <= ranges.count - nextRange, views.byteCount / 16 >= count
    else { throw malformed("views") }
    nextView += 1
    var data: [Buffer] = []
    for _ in 0..<dataCount { data.append(try buffer()) }
    let builder = BinaryBuilder(type: type)
    var total = 0
    for row in 0..<count {
      if let bits = validity.bits, !bits.bit(at: row) {
        builder.appendNull()
        continue
      }
      let (length, index, offset) = views.withUnsafeBytes { bytes in
        (
          Int(bytes.loadUnaligned(fromByteOffset: row * 16, as: Int32.self)),
          Int(bytes.loadUnaligned(fromByteOffset: row * 16 + 8, as: Int32.self)),
          Int(bytes.loadUnaligned(fromByteOffset: row * 16 + 12, as: Int32.self))
        )
      }
      guard length >= 0 else { throw malformed("length of a view") }
      total += length
      // Many views may share the same bytes, so the sum says nothing about what was sent.
      guard total <= 1 << 30 else { throw malformed("more than 1 GiB of texts in one batch") }
      if length <= 12 {
        views.withUnsafeBytes { bytes in
          let start = row * 16 + 4
          builder.append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
        }
      } else {
        guard data.indices.contains(index), offset >= 0, offset <= data[index].byteCount - length
        else { throw malformed("position of a view") }
        data[index].withUnsafeBytes { bytes in
          builder.append(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
        }
      }
    }
    return builder.finish()
  }

  /// The bitmap, and the nulls counted in it, because the number in the message may be wrong.
  private mutating func validity(_ length: Int) throws(DecodeError) -> (
    bits: Buffer?, nullCount: Int
  ) {
    let bits = try buffer()
    if bits.byteCount == 0 { return (nil, 0) }
    guard bits.byteCount >= bitmapByteCount(length) else { throw malformed("validity bitmap") }
    let nulls = length - bits.countSetBits(0..<length)
    return (nulls == 0 ? nil : bits, nulls)
  }
}
