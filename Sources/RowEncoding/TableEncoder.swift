import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// Turns the row changes of one table into batches for storage: the columns of the table, the
/// version of each row and its delete mark.
///
/// One encoder serves one version of the table's schema. It belongs to one task at a time.
public final class TableEncoder {
  /// The name of the column of versions.
  public static let versionColumn = "_INTERNAL_VERSION"
  /// The name of the column of delete marks: 1 for a row that is gone, 0 for one that is there.
  public static let markColumn = "_INTERNAL_DELMARK"

  /// The columns of the table, then ``versionColumn`` and ``markColumn``.
  public let storageSchema: Schema
  private let rows: RowImageDecoder
  private let versions = PrimitiveBuilder<UInt64>(type: .uint64)
  private let marks = PrimitiveBuilder<UInt8>(type: .uint8)
  /// For each column up to the last of the primary key, whether it belongs to the key.
  private let isKey: [Bool]
  private let partialRows: PartialRows

  /// Makes an encoder.
  ///
  /// `defaults` is what each column has in an inserted row whose image lacks it, as
  /// `binlog_row_image=MINIMAL` writes rows; empty when that is not known of any.
  ///
  /// - Throws: ``EncodingError`` for a charset or a type that is not known.
  public init(
    schema table: TableSchema, options: EncodingOptions = EncodingOptions(),
    defaults: [DefaultValue] = []
  ) throws(EncodingError) {
    rows = try RowImageDecoder(table: table, options: options)
    let key = Set(table.primaryKey)
    isKey = (0..<((key.max() ?? -1) + 1)).map(key.contains)
    partialRows = PartialRows(rows, DefaultValues(table, defaults, options))
    storageSchema = Schema(
      fields: rows.schema.fields + [
        Field(name: Self.versionColumn, type: .uint64, isNullable: false),
        Field(name: Self.markColumn, type: .uint8, isNullable: false),
      ])
  }

  /// The Arrow schema of a table's columns, without version and mark.
  public static func arrowSchema(for table: TableSchema) -> Schema {
    Schema(fields: table.columns.indices.map { table.arrowField(at: $0) })
  }

  public var table: TableSchema { rows.table }
  /// The number of rows collected.
  public var rowCount: Int { rows.rowCount }
  /// The number of bytes that they take. A column holds less than 2 GiB: finish the batch well
  /// before.
  public var byteCount: Int {
    rows.byteCount + versions.byteCount + marks.byteCount + partialRows.byteCount
  }
  /// What was counted since the last ``takeCounters()``.
  public var counters: EncodingCounters { rows.counters }

  /// Gives ``counters`` and sets them to zero.
  public func takeCounters() -> EncodingCounters { rows.takeCounters() }

  /// Appends the row changes of an event.
  ///
  /// A write gives the row, a delete the row with its mark set. An update gives the new row and,
  /// when it changes the key or the table has none, before it the old row with its mark set.
  ///
  /// Row images may lack columns. An inserted row then has their defaults, an updated row what it
  /// had before, which ``finishRows()`` may have to ask for. A row with its mark set has NULL in
  /// columns that its image lacks, or the type's zero.
  ///
  /// `event` has the bytes that the event's ranges refer to. `nextVersion` is the version of the
  /// first row change; each one moves it on by one.
  ///
  /// - Throws: ``EncodingError``. The encoder then refuses further rows until it is finished.
  public func append(_ change: RowsEvent, in event: RawSpan, nextVersion: inout UInt64)
    throws(EncodingError)
  {
    try rows.checkNotFailed()
    let layout = try rows.currentLayout(for: change.tableMap)
    let isComplete =
      change.columnsPresent.isFull && change.columnsPresentAfter.isFull && !change.hasValueOptions
    if !isComplete { try partialRows.check(change) }
    var column = 0
    do throws(DecodeError) {
      guard change.images.upperBound <= event.byteCount else {
        throw DecodeError(.truncated, "row images", at: event.byteCount)
      }
      var reader = ByteReader(event.extracting(0..<change.images.upperBound))
      reader.offset = change.images.lowerBound
      if !isComplete {
        try appendPartial(&reader, change, layout, &nextVersion, column: &column)
        return
      }
      switch change.kind {
      case .write: try appendImages(&reader, layout, mark: 0, &nextVersion, column: &column)
      case .delete: try appendImages(&reader, layout, mark: 1, &nextVersion, column: &column)
      case .update: try appendUpdates(&reader, layout, &nextVersion, column: &column)
      }
    } catch {
      throw rows.fail(error, at: column)
    }
  }

  private func appendImages(
    _ reader: inout ByteReader, _ layout: RowLayout, mark: UInt8, _ nextVersion: inout UInt64,
    column: inout Int
  ) throws(DecodeError) {
    while !reader.isAtEnd {
      try appendImage(&reader, layout, version: nextVersion, mark: mark, column: &column)
      nextVersion &+= 1
      rows.rowCount += 1
    }
  }

  private func appendUpdates(
    _ reader: inout ByteReader, _ layout: RowLayout, _ nextVersion: inout UInt64,
    column: inout Int
  ) throws(DecodeError) {
    while !reader.isAtEnd {
      var before = reader
      try layout.skipImage(&reader)
      let replacesRow =
        isKey.isEmpty ? true : try layout.keysDiffer(before, reader, isKey: isKey)
      if replacesRow {
        try appendImage(&before, layout, version: nextVersion, mark: 1, column: &column)
      }
      try appendImage(&reader, layout, version: nextVersion, mark: 0, column: &column)
      nextVersion &+= 1
      rows.rowCount += replacesRow ? 2 : 1
    }
  }

  @inline(__always)
  private func appendImage(
    _ reader: inout ByteReader, _ layout: RowLayout, version: UInt64, mark: UInt8,
    column: inout Int
  ) throws(DecodeError) {
    try rows.decodeFullImage(&reader, layout, column: &column)
    versions.append(version)
    marks.append(mark)
  }

  private func appendPartial(
    _ reader: inout ByteReader, _ change: RowsEvent, _ layout: RowLayout,
    _ nextVersion: inout UInt64, column: inout Int
  ) throws(DecodeError) {
    while !reader.isAtEnd {
      let newRows: (gone: Bool, living: Bool)
      switch change.kind {
      case .write:
        try partialRows.appendInserted(&reader, change, layout, column: &column)
        newRows = (false, true)
      case .delete:
        try partialRows.appendDeleted(&reader, change, layout, column: &column)
        newRows = (true, false)
      case .update:
        newRows = (
          try partialRows.appendUpdated(&reader, change, layout, isKey: isKey, column: &column),
          true
        )
      }
      for (isThere, mark) in [(newRows.gone, UInt8(1)), (newRows.living, 0)] where isThere {
        versions.append(nextVersion)
        marks.append(mark)
        rows.rowCount += 1
      }
      nextVersion &+= 1
    }
  }

  /// Appends a row of the text protocol, as the initial copy reads it; `row` gives the cell of each
  /// column, nil for NULL.
  public func appendText(row: (Int) -> UnsafeRawBufferPointer?, version: UInt64)
    throws(EncodingError)
  {
    try rows.appendText(row: row)
    versions.append(version)
    marks.append(0)
  }

  /// Gives the rows and becomes empty. After an error these are the rows before the change that
  /// failed.
  ///
  /// - Throws: ``EncodingError`` with code `batchTooLarge` when a column had 2 GiB or more, or
  ///   `malformedImage` when images contradict each other; the rows are lost.
  public func finishRows() throws(EncodingError) -> EncodedRows {
    let lacks = partialRows.finish(rowCount: rowCount)
    let batch = try rows.finish(schema: storageSchema, adding: [versions, marks])
    guard let lacks else { return .complete(batch) }
    let incomplete = try IncompleteBatch(batch, lacks, of: table)
    if incomplete.keys.rowCount > 0 { return .incomplete(incomplete) }
    return .complete(try incomplete.completed(with: nil, missingRows: .refuse))
  }

  /// Gives the rows, none of which needs values that only the copy has, and becomes empty. After an
  /// error these are the rows before the change that failed.
  ///
  /// - Throws: what ``finishRows()`` throws, and ``EncodingError`` with code `incompleteRowImage`
  ///   when values of a row are missing; the rows are lost.
  public func finish() throws(EncodingError) -> RecordBatch {
    switch try finishRows() {
    case .complete(let batch): return batch
    case .incomplete:
      throw EncodingError(
        .incompleteRowImage, table: table.name,
        "row images lack columns: set binlog_row_image=FULL at the source")
    }
  }
}

/// Rows of a ``TableEncoder``.
public enum EncodedRows: Sendable {
  /// The columns of the table, version and mark.
  case complete(RecordBatch)
  /// Some values have to come from the copy first.
  case incomplete(IncompleteBatch)
}
