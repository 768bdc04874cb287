import WireFormat

/// A schema as a message describes it.
struct IPCSchema: Sendable {
  let schema: Schema
  let fields: [IPCField]

  /// Reads the `Schema` table of a message of `byteCount` bytes.
  ///
  /// - Throws: `unsupported` for types that ``DataType`` does not have and for big-endian data,
  ///   `limitExceeded` for types that are nested too deeply, `malformed`.
  init(_ table: FlatTable, byteCount: Int) throws(DecodeError) {
    guard try table.scalar(0, default: Int16(0)) == 0 else {
      throw DecodeError(.unsupported, "big-endian data", at: table.position)
    }
    var decoder = SchemaDecoder(budget: 16 * byteCount)
    fields = try decoder.fields(table.tables(1), depth: 0)
    schema = Schema(fields: fields.map(\.field), metadata: try decoder.metadata(table.tables(2)))
  }
}

/// Reads fields within a budget, because references that share their target could make few bytes
/// describe a schema of any size.
private struct SchemaDecoder {
  var budget: Int

  private mutating func spend(_ cost: Int, at position: Int) throws(DecodeError) {
    budget -= cost
    if budget < 0 { throw DecodeError(.limitExceeded, "size of a schema", at: position) }
  }

  private mutating func text(_ table: FlatTable, _ slot: Int) throws(DecodeError) -> String {
    let text = try table.text(slot) ?? ""
    try spend(text.utf8.count, at: table.position)
    return text
  }

  mutating func metadata(_ pairs: [FlatTable]) throws(DecodeError) -> [String: String] {
    var metadata: [String: String] = [:]
    for pair in pairs {
      try spend(8, at: pair.position)
      metadata[try text(pair, 0)] = try text(pair, 1)
    }
    return metadata
  }

  mutating func fields(_ tables: [FlatTable], depth: Int) throws(DecodeError) -> [IPCField] {
    var fields: [IPCField] = []
    for table in tables {
      try spend(8, at: table.position)
      guard depth < DataType.depthLimit else {
        throw DecodeError(.limitExceeded, "depth of the types", at: table.position)
      }
      fields.append(try field(table, depth: depth))
    }
    return fields
  }

  private mutating func field(_ table: FlatTable, depth: Int) throws(DecodeError) -> IPCField {
    let children = try fields(table.tables(5), depth: depth + 1)
    var type = try type(
      number: Int(table.scalar(2, default: UInt8(0))), table.table(3),
      children: children.map(\.field), at: table.position)
    var dictionaryID: Int64?
    if let dictionary = try table.table(4) {
      dictionaryID = try dictionary.scalar(0, default: 0)
      let index = try dictionary.table(1).map(integer) ?? .int32
      type = .dictionary(index: index, values: type)
    }
    do throws(ArrowError) {
      try type.validateParameters()
    } catch {
      throw DecodeError(.malformed, error.message, at: table.position)
    }
    let field = Field(
      name: try text(table, 0), type: type, isNullable: try table.bool(1),
      metadata: try metadata(table.tables(6)))
    let kind = IPCType(rawValue: Int(try table.scalar(2, default: UInt8(0))))
    return IPCField(
      field: field, dictionaryID: dictionaryID, children: children,
      isView: kind == .utf8View || kind == .binaryView)
  }

  private mutating func type(
    number: Int, _ table: FlatTable?, children: [Field], at position: Int
  ) throws(DecodeError) -> DataType {
    guard let kind = IPCType(rawValue: number), let table else {
      throw DecodeError(.unsupported, "type \(number)", at: position)
    }
    func child() throws(DecodeError) -> Field {
      guard children.count == 1, let child = children.first else {
        throw DecodeError(.malformed, "children of a list", at: position)
      }
      return child
    }
    let type: DataType
    switch kind {
    case .null: type = .null
    case .bool: type = .bool
    case .int: type = try integer(table)
    case .floatingPoint: type = try floatingPoint(table)
    case .decimal: type = try decimal(table)
    case .date: type = try date(table)
    case .time: type = try time(table)
    case .timestamp:
      let timeZone = try table.text(1)
      try spend(timeZone?.utf8.count ?? 0, at: position)
      type = .timestamp(try unit(table, default: 0), timeZone: timeZone)
    case .duration: type = .duration(try unit(table, default: 1))
    case .utf8, .utf8View: type = .utf8
    case .binary, .binaryView: type = .binary
    case .largeUtf8: type = .largeUtf8
    case .largeBinary: type = .largeBinary
    case .fixedSizeBinary: type = .fixedSizeBinary(Int(try table.scalar(0, default: Int32(0))))
    case .list: return .list(try child())
    case .largeList: return .largeList(try child())
    case .fixedSizeList:
      return .fixedSizeList(try child(), Int(try table.scalar(0, default: Int32(0))))
    case .structure: return .structure(children)
    case .union:
      let numbers = try table.int32s(1)
      guard try table.scalar(0, default: Int16(0)) == IPCUnionMode.dense,
        numbers == nil || numbers == children.indices.map(Int32.init)
      else {
        throw DecodeError(
          .unsupported, "a union that is sparse or whose fields are not numbered in their order",
          at: position)
      }
      return .denseUnion(children)
    case .map: return .map(try child(), keysSorted: try table.bool(0))
    }
    guard children.isEmpty else {
      throw DecodeError(.malformed, "children of the type \(type)", at: position)
    }
    return type
  }
}

private func integer(_ table: FlatTable) throws(DecodeError) -> DataType {
  let bits = try table.scalar(0, default: Int32(0))
  switch (bits, try table.bool(1)) {
  case (8, true): return .int8
  case (16, true): return .int16
  case (32, true): return .int32
  case (64, true): return .int64
  case (8, false): return .uint8
  case (16, false): return .uint16
  case (32, false): return .uint32
  case (64, false): return .uint64
  default: throw DecodeError(.malformed, "integers of \(bits) bits", at: table.position)
  }
}

private func floatingPoint(_ table: FlatTable) throws(DecodeError) -> DataType {
  switch try table.scalar(0, default: Int16(0)) {
  case 1: return .float32
  case 2: return .float64
  default: throw DecodeError(.unsupported, "half-precision numbers", at: table.position)
  }
}

private func decimal(_ table: FlatTable) throws(DecodeError) -> DataType {
  let precision = Int(try table.scalar(0, default: Int32(0)))
  let scale = Int(try table.scalar(1, default: Int32(0)))
  switch try table.scalar(2, default: Int32(128)) {
  case 128: return .decimal128(precision: precision, scale: scale)
  case 256: return .decimal256(precision: precision, scale: scale)
  case let bits: throw DecodeError(.unsupported, "decimals of \(bits) bits", at: table.position)
  }
}

private func date(_ table: FlatTable) throws(DecodeError) -> DataType {
  guard try table.scalar(0, default: Int16(1)) == 0 else {
    throw DecodeError(.unsupported, "dates in milliseconds", at: table.position)
  }
  return .date32
}

private func time(_ table: FlatTable) throws(DecodeError) -> DataType {
  let unit = try unit(table, default: 1)
  switch try table.scalar(1, default: Int32(32)) {
  case 32: return .time32(unit)
  case 64: return .time64(unit)
  case let bits: throw DecodeError(.malformed, "times of \(bits) bits", at: table.position)
  }
}

private func unit(_ table: FlatTable, default value: Int16) throws(DecodeError) -> TimeUnit {
  guard let unit = TimeUnit(rawValue: Int(try table.scalar(0, default: value))) else {
    throw DecodeError(.malformed, "time unit", at: table.position)
  }
  return unit
}
