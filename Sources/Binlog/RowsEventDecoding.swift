import WireFormat

/// The head of a rows event, before its table map is looked up.
struct RowsEventHead {
  /// The table id of an event without a table, which servers write to end a statement.
  private static let noTable: UInt64 = 0xFF_FFFF
  private static let statementEnd: UInt16 = 1

  var kind: RowsEvent.Kind
  var tableID: UInt64
  var flags: UInt16
  var columnsPresent: ColumnBitmap
  var columnsPresentAfter: ColumnBitmap
  var hasValueOptions: Bool

  /// Reads up to the first row image.
  init(type: EventType, from reader: inout ByteReader, postHeaderLength: Int) throws(DecodeError) {
    let hasExtraData: Bool
    switch type {
    case .writeRows: (kind, hasExtraData) = (.write, true)
    case .updateRows, .partialUpdateRows: (kind, hasExtraData) = (.update, true)
    case .deleteRows: (kind, hasExtraData) = (.delete, true)
    case .writeRowsV1: (kind, hasExtraData) = (.write, false)
    case .updateRowsV1: (kind, hasExtraData) = (.update, false)
    case .deleteRowsV1: (kind, hasExtraData) = (.delete, false)
    default: throw DecodeError(.malformed, "rows event type", at: 4)
    }
    hasValueOptions = type == .partialUpdateRows
    tableID = try reader.readTableID(postHeaderLength: postHeaderLength)
    flags = try reader.read()
    let tableIDAndFlags = postHeaderLength == 6 ? 6 : 8
    let known = hasExtraData ? tableIDAndFlags + 2 : tableIDAndFlags
    if hasExtraData { try Self.skipExtraData(&reader) }
    try reader.skipPostHeader(length: postHeaderLength, known: known, "rows event")
    let count = try reader.readLengthEncodedCount(
      atMost: TableMap.Content.maximumColumnCount, "column count")
    let byteCount = (count + 7) / 8
    columnsPresent = ColumnBitmap(count: count, try reader.readBytes(byteCount))
    columnsPresentAfter =
      kind == .update
      ? ColumnBitmap(count: count, try reader.readBytes(byteCount)) : columnsPresent
  }

  /// Skips the partition and other notes of version 2, whose length counts itself.
  private static func skipExtraData(_ reader: inout ByteReader) throws(DecodeError) {
    let length = Int(try reader.read(UInt16.self))
    guard length >= 2 else {
      throw DecodeError(.malformed, "extra data of a rows event", at: reader.offset - 2)
    }
    try reader.skip(length - 2)
  }

  /// Finds the table map and takes the rest of the event as row images.
  func resolve(_ tableMaps: borrowing TableMapCache, from reader: inout ByteReader)
    throws(DecodeError) -> EventBody
  {
    let start = reader.offset
    try reader.skip(reader.remaining)
    guard let tableMap = tableMaps[tableID] else {
      if tableID == Self.noTable && start == reader.offset { return .ignorable }
      throw DecodeError(.malformed, "rows event whose table id has no table map", at: 19)
    }
    guard columnsPresent.count == tableMap.columnTypes.count else {
      throw DecodeError(.malformed, "column count of a rows event", at: 19)
    }
    // Rows that take no bytes could not be counted.
    let hasColumns = columnsPresent.setCount > 0 || columnsPresentAfter.setCount > 0
    guard hasColumns || start == reader.offset else {
      throw DecodeError(.malformed, "row images without columns", at: start)
    }
    return .rows(
      RowsEvent(
        kind: kind, tableMap: tableMap, isStatementEnd: flags & Self.statementEnd != 0,
        columnsPresent: columnsPresent, columnsPresentAfter: columnsPresentAfter,
        hasValueOptions: hasValueOptions, images: start..<reader.offset))
  }
}
