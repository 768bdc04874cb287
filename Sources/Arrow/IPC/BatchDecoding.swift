import WireFormat

/// Takes the columns of a batch out of a message. Every length and position in it comes from
/// outside: the arrays are validated before anyone reads them.
struct BatchDecoder {
  private let nodes: [(Int64, Int64)]
  private let ranges: [(Int64, Int64)]
  private let body: Buffer
  private let dictionaries: [Int64: ArrayData]
  /// For errors: where the batch is described.
  private let position: Int
  private var nextNode = 0
  private var nextRange = 0

  /// The greatest number of values in an array. Arrays of types that take no memory could
  /// otherwise have any.
  private static let lengthLimit = Int64(Int32.max)

  /// - Throws: `unsupported` for compressed bodies.
  init(_ table: FlatTable, body: Buffer, dictionaries: [Int64: ArrayData]) throws(DecodeError) {
    guard try table.table(3) == nil else {
      throw DecodeError(.unsupported, "compressed record batches", at: table.position)
    }
    nodes = try table.pairs(1)
    ranges = try table.pairs(2)
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
    let fields = [IPCField(field: plain, dictionaryID: nil, children: field.children)]
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
    return count == 0 ? .empty : body.slice(Int(start)..<Int(start + count))
  }

  private mutating func array(_ type: DataType, _ field: IPCField) throws(DecodeError) -> ArrayData
  {
    guard nextNode < nodes.count else { throw malformed("missing array") }
    let (length, _) = nodes[nextNode]
    nextNode += 1
    guard length >= 0, length <= Self.lengthLimit else { throw malformed("length of an array") }
    let count = Int(length)
    if type.layout == .null { return ArrayData(type: type, length: count, nullCount: count) }
    let validity = try validity(count)
    var buffers: [Buffer] = []
    for _ in 0..<type.layout.bufferCount { buffers.append(try buffer()) }
    switch type.layout {
    case .variable32, .variable64, .list32, .list64:
      // Some writers leave the single offset of an empty array out.
      if count == 0 && buffers[0].byteCount == 0 { buffers[0] = Buffer(zeroed: 8) }
    case .null, .bits, .fixed, .fixedList, .structure, .dictionary: break
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
