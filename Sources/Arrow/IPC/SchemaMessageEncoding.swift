// Schemas as `Schema.fbs` of the Arrow format defines them
// (https://arrow.apache.org/docs/format/Columnar.html#schema-message).

/// The FlatBuffer of a message.
func encodeMessage(header: Int, _ value: FlatValue, bodyByteCount: Int) -> [UInt8] {
  FlatBufferWriter.encode(
    .table([
      .short(IPCHeader.version), .byte(header), value, .long(Int64(bodyByteCount)),
    ]))
}

/// The `Schema` table of the fields.
func encodeSchema(_ fields: [IPCField], metadata: [String: String]) -> FlatValue {
  .table([.short(0), .tables(fields.map(encodeField)), encodeMetadata(metadata)])
}

private func encodeField(_ field: IPCField) -> FlatValue {
  var valueType = field.field.type
  var dictionary: FlatValue?
  if case .dictionary(let index, let values) = field.field.type {
    valueType = values
    dictionary = .table([.long(field.dictionaryID ?? 0), encodeType(index).table, .bool(false)])
  }
  let (type, table) = encodeType(valueType)
  return .table([
    .text(field.field.name), .bool(field.field.isNullable), .byte(type.rawValue), table, dictionary,
    .tables(field.children.map(encodeField)), encodeMetadata(field.field.metadata),
  ])
}

private func encodeMetadata(_ metadata: [String: String]) -> FlatValue? {
  if metadata.isEmpty { return nil }
  return .tables(
    metadata.sorted { $0.key < $1.key }.map { .table([.text($0.key), .text($0.value)]) })
}

private func encodeType(_ type: DataType) -> (type: IPCType, table: FlatValue) {
  func integer(_ bits: Int, isSigned: Bool) -> (IPCType, FlatValue) {
    (.int, .table([.int(bits), .bool(isSigned)]))
  }
  func decimal(_ precision: Int, _ scale: Int, bits: Int) -> (IPCType, FlatValue) {
    (.decimal, .table([.int(precision), .int(scale), .int(bits)]))
  }
  return switch type {
  case .null: (.null, .table([]))
  case .bool: (.bool, .table([]))
  case .int8: integer(8, isSigned: true)
  case .int16: integer(16, isSigned: true)
  case .int32: integer(32, isSigned: true)
  case .int64: integer(64, isSigned: true)
  case .uint8: integer(8, isSigned: false)
  case .uint16: integer(16, isSigned: false)
  case .uint32: integer(32, isSigned: false)
  case .uint64: integer(64, isSigned: false)
  case .float32: (.floatingPoint, .table([.short(1)]))
  case .float64: (.floatingPoint, .table([.short(2)]))
  case .decimal128(let precision, let scale): decimal(precision, scale, bits: 128)
  case .decimal256(let precision, let scale): decimal(precision, scale, bits: 256)
  case .date32: (.date, .table([.short(0)]))
  case .time32(let unit): (.time, .table([.short(unit.rawValue), .int(32)]))
  case .time64(let unit): (.time, .table([.short(unit.rawValue), .int(64)]))
  case .timestamp(let unit, let timeZone):
    (.timestamp, .table([.short(unit.rawValue), timeZone.map { .text($0) }]))
  case .duration(let unit): (.duration, .table([.short(unit.rawValue)]))
  case .utf8: (.utf8, .table([]))
  case .binary: (.binary, .table([]))
  case .largeUtf8: (.largeUtf8, .table([]))
  case .largeBinary: (.largeBinary, .table([]))
  case .fixedSizeBinary(let width): (.fixedSizeBinary, .table([.int(width)]))
  case .list: (.list, .table([]))
  case .largeList: (.largeList, .table([]))
  case .fixedSizeList(_, let size): (.fixedSizeList, .table([.int(size)]))
  case .structure: (.structure, .table([]))
  // Without a list of numbers, those of the fields are their positions.
  case .denseUnion: (.union, .table([.short(IPCUnionMode.dense)]))
  case .map(_, let keysSorted): (.map, .table([.bool(keysSorted)]))
  // The format has no dictionary whose values are themselves encoded; the fields in them can be.
  case .dictionary(_, let values): encodeType(values)
  }
}
