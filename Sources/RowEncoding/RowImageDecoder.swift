import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// Turns rows of one table into Arrow columns: row images of the binlog, and rows of the text
/// protocol.
///
/// Each column of the table is a column of the batch. ``TableEncoder`` adds versions and marks.
public final class RowImageDecoder {
  public let table: TableSchema
  /// One field for each column of the table.
  public let schema: Schema
  let columns: [ColumnEncoder]
  private let state: EncodingState
  private var layout: RowLayout?
  /// The number of rows that were appended completely.
  public internal(set) var rowCount = 0
  /// What an append threw. The columns have different lengths from then on.
  private var failure: EncodingError?

  /// - Throws: ``EncodingError`` for a charset or a type that is not known.
  public init(table: TableSchema, options: EncodingOptions = EncodingOptions())
    throws(EncodingError)
  {
    self.table = table
    state = EncodingState(options: options)
    schema = Schema(fields: table.columns.indices.map { table.arrowField(at: $0) })
    var columns: [ColumnEncoder] = []
    for index in table.columns.indices { columns.append(try table.makeEncoder(at: index, state)) }
    if columns.isEmpty { throw EncodingError(.schemaMismatch, table: table.name, "no columns") }
    self.columns = columns
  }

  /// The number of bytes that the rows take.
  public var byteCount: Int { columns.reduce(0) { $0 + $1.builder.byteCount } }

  /// What was counted since the last ``takeCounters()``.
  public var counters: EncodingCounters { state.counters }

  /// Gives ``counters`` and sets them to zero.
  public func takeCounters() -> EncodingCounters {
    defer { state.counters = EncodingCounters() }
    return state.counters
  }

  /// Prepares for the row images that follow `tableMap`; quick when nothing changed.
  ///
  /// - Throws: ``EncodingError`` with code `schemaMismatch` when the table map is not of this table's schema.
  public func prepare(for tableMap: TableMap) throws(EncodingError) {
    if let failure { throw failure }
    _ = try currentLayout(for: tableMap)
  }

  func currentLayout(for tableMap: TableMap) throws(EncodingError) -> RowLayout {
    if layout?.isOf(tableMap) == true, let layout { return layout }
    layout = nil
    let new = try RowLayout(tableMap, table, columns)
    layout = new
    return new
  }

  /// Appends the row image at the reader. Columns that are not in it become NULL, even where the
  /// schema has NOT NULL: look at `present` before the value. A document that the image only has
  /// changes of becomes the text of these: `JSON_REPLACE($.a, 1)`.
  ///
  /// `hasValueOptions` is true for the after images of an event that has them.
  ///
  /// - Precondition: ``prepare(for:)`` was called for the table map of the image.
  public func appendImage(
    _ reader: inout ByteReader, present: ColumnBitmap, hasValueOptions: Bool = false
  ) throws(EncodingError) {
    if let failure { throw failure }
    var index = 0
    do throws(DecodeError) {
      var patched: [Bool] = []
      if hasValueOptions, let layout {
        var cells = ImageCells(columnCount: columns.count)
        try layout.readPatchedColumns(&reader, into: &cells)
        patched = cells.isPatched
      }
      let nulls = try reader.readBytes((present.setCount + 7) / 8)
      var position = 0
      while index < columns.count {
        let column = columns[index]
        if !present[index] {
          column.builder.appendNull()
        } else {
          if nulls.bit(at: position) {
            try column.appendNull()
          } else if !patched.isEmpty, patched[index], let encoder = column as? JSONEncoder {
            try encoder.decodeDiffText(&reader)
          } else {
            try column.decode(&reader)
          }
          position += 1
        }
        index += 1
      }
      for hidden in columns.count..<(layout?.extents.count ?? columns.count) where present[hidden] {
        if !nulls.bit(at: position) { try layout?.extents[hidden].skip(&reader) }
        position += 1
      }
    } catch {
      throw fail(error, at: index)
    }
    rowCount += 1
  }

  /// Appends a row of the text protocol.
  ///
  /// - Parameter row: gives the cell of each column, nil for NULL.
  public func appendText(row: (Int) -> UnsafeRawBufferPointer?) throws(EncodingError) {
    if let failure { throw failure }
    var index = 0
    do throws(DecodeError) {
      while index < columns.count {
        if let cell = row(index) {
          try columns[index].appendText(cell)
        } else {
          try columns[index].appendNull()
        }
        index += 1
      }
    } catch {
      throw fail(error, at: index)
    }
    rowCount += 1
  }

  /// Appends the full image at the reader, without counting the row. `index` tells the column in
  /// case of an error.
  @inline(__always)
  func decodeFullImage(_ reader: inout ByteReader, _ layout: RowLayout, column index: inout Int)
    throws(DecodeError)
  {
    let nulls = try reader.readBytes(layout.nullByteCount)
    index = 0
    if nulls.isAllZero {
      while index < columns.count {
        try columns[index].decode(&reader)
        index &+= 1
      }
    } else {
      while index < columns.count {
        if nulls.bit(at: index) {
          try columns[index].appendNull()
        } else {
          try columns[index].decode(&reader)
        }
        index &+= 1
      }
    }
    if layout.extents.count > columns.count {
      for hidden in columns.count..<layout.extents.count where !nulls.bit(at: hidden) {
        try layout.extents[hidden].skip(&reader)
      }
    }
  }

  /// Notes that an append failed and says why. Every append throws the same until ``finish()``.
  func fail(_ error: DecodeError, at index: Int) -> EncodingError {
    let failure = EncodingError(
      error.code == .truncated ? .malformedImage : .invalidValue, table: table.name,
      column: index < columns.count ? columns[index].column.name : nil, error.message, cause: error)
    self.failure = failure
    return failure
  }

  /// Throws what an earlier append threw.
  func checkNotFailed() throws(EncodingError) {
    if let failure { throw failure }
  }

  /// Gives the rows and becomes empty. After an error these are the rows before the one that
  /// failed.
  ///
  /// - Throws: ``EncodingError`` with code `batchTooLarge` when a column had 2 GiB or more; the rows are lost.
  public func finish() throws(EncodingError) -> RecordBatch {
    try finish(schema: schema, adding: [])
  }

  /// The same with further columns, which `schema` has at its end.
  func finish(schema: Schema, adding builders: [any ArrayBuilder]) throws(EncodingError)
    -> RecordBatch
  {
    let rows = 0..<rowCount
    let all = columns.map(\.builder) + builders
    let isTooLarge = all.contains { $0.hasRejectedValue }
    let arrays = all.map { $0.finish() }
    rowCount = 0
    failure = nil
    if !isTooLarge {
      do {
        return try RecordBatch(
          schema: schema, columns: arrays.map { $0.slice(rows) }, rowCount: rows.count)
      } catch {
        throw EncodingError(.batchTooLarge, table: table.name, error.message)
      }
    }
    throw EncodingError(.batchTooLarge, table: table.name, "a column of a batch has 2 GiB or more")
  }
}
