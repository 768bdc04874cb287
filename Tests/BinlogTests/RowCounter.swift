import Binlog
import WireFormat

/// How many rows an event has, found by walking over its cells.
func countRows(_ rows: RowsEvent, _ bytes: [UInt8]) throws -> Int {
  var reader = ByteReader(bytes.span.bytes.extracting(rows.images))
  var count = 0
  while !reader.isAtEnd {
    try skipImage(&reader, rows.columnsPresent, rows.tableMap.columnTypes)
    if rows.kind == .update {
      try skipImage(&reader, rows.columnsPresentAfter, rows.tableMap.columnTypes)
    }
    count += 1
  }
  return count
}

private func skipImage(
  _ reader: inout ByteReader, _ present: ColumnBitmap, _ types: [WireColumnType]
) throws(DecodeError) {
  let columns = types.indices.filter { present[$0] }
  let nullBytes = try reader.readBytes((columns.count + 7) / 8).withUnsafeBytes { [UInt8]($0) }
  let nulls = ColumnBitmap(count: columns.count, bytes: nullBytes)
  for (index, column) in columns.enumerated() where !nulls[index] {
    try skipCell(&reader, types[column])
  }
}

private func skipCell(_ reader: inout ByteReader, _ type: WireColumnType) throws(DecodeError) {
  switch type {
  case .integer(let count), .enumeration(let count), .set(let count): try reader.skip(count)
  case .float, .oldTimestamp: try reader.skip(4)
  case .double, .oldDatetime: try reader.skip(8)
  case .decimal(let precision, let scale):
    let partial = [0, 1, 1, 2, 2, 3, 3, 4, 4]
    let whole = precision - scale
    try reader.skip(whole / 9 * 4 + partial[whole % 9] + scale / 9 * 4 + partial[scale % 9])
  case .bit(let width): try reader.skip((width + 7) / 8)
  case .year: try reader.skip(1)
  case .date, .oldTime: try reader.skip(3)
  case .time(let digits): try reader.skip(3 + (digits + 1) / 2)
  case .datetime(let digits): try reader.skip(5 + (digits + 1) / 2)
  case .timestamp(let digits): try reader.skip(4 + (digits + 1) / 2)
  case .string(let maximum), .varchar(let maximum), .compressedVarchar(let maximum):
    try reader.skip(Int(try reader.readUInt(byteCount: maximum > 255 ? 2 : 1)))
  case .blob(let lengthBytes), .geometry(let lengthBytes), .json(let lengthBytes),
    .vector(let lengthBytes), .compressedBlob(let lengthBytes):
    try reader.skip(Int(try reader.readUInt(byteCount: lengthBytes)))
  case .oldDecimal, .null, .unknown: break
  }
}
