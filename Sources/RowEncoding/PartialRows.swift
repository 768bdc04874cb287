import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// Appends rows whose images lack columns, or hold only what changed of a JSON document, and notes
/// what they lack.
final class PartialRows {
  /// Why a row lacks values, which tells where they come from.
  enum Kind {
    /// From the columns' defaults.
    case inserted
    /// From nowhere: the row is gone.
    case deleted
    /// From the row of the same key before it.
    case updated
    /// From the row of the old key. The row before this one marks that key.
    case moved
  }

  /// A change to the document that the row before has in a JSON column.
  struct Patch: Sendable {
    var row: Int
    var diffs: [JSONDiff]
  }

  /// What the rows of a batch lack.
  struct Lacks {
    /// The rows that lack something, in their order.
    var rows: [(row: Int, kind: Kind)] = []
    /// For each column the rows that lack its value, in their order.
    var missing: [[Int]]
    /// For each column the rows that have a change only, in their order.
    var patches: [[Patch]]
    /// The default of each column that an inserted row lacks.
    var defaults: [ArrayData?]

    init(columnCount: Int) {
      missing = Array(repeating: [], count: columnCount)
      patches = Array(repeating: [], count: columnCount)
      defaults = Array(repeating: nil, count: columnCount)
    }
  }

  private let rows: RowImageDecoder
  private let defaultValues: DefaultValues
  private var lacks: Lacks
  /// Where the cells of the images of one row lie; kept for their memory.
  private var before: ImageCells
  private var after: ImageCells
  /// About how many bytes the notes take.
  private(set) var byteCount = 0

  init(_ rows: RowImageDecoder, _ defaultValues: DefaultValues) {
    self.rows = rows
    self.defaultValues = defaultValues
    lacks = Lacks(columnCount: rows.columns.count)
    before = ImageCells(columnCount: rows.columns.count)
    after = before
  }

  /// Gives what the first `rowCount` rows lack, nil when they lack nothing, and becomes empty.
  func finish(rowCount: Int) -> Lacks? {
    guard byteCount > 0 else { return nil }
    var result = lacks
    lacks = Lacks(columnCount: rows.columns.count)
    byteCount = 0
    // A row that failed midway left notes, but is not in the batch.
    result.rows.removeAll { $0.row >= rowCount }
    for index in rows.columns.indices {
      result.missing[index].removeAll { $0 >= rowCount }
      result.patches[index].removeAll { $0.row >= rowCount }
    }
    return result.rows.isEmpty ? nil : result
  }

  // MARK: - Events

  /// Checks that the images of an event have what is needed to complete them, and makes the
  /// defaults that they need.
  func check(_ change: RowsEvent) throws(EncodingError) {
    let table = rows.table
    func lacks(_ column: Int, _ reason: String) -> EncodingError {
      EncodingError(
        .incompleteRowImage, table: table.name, column: table.columns[column].name,
        "\(reason): set binlog_row_image=FULL at the source")
    }
    switch change.kind {
    case .write:
      for column in table.columns.indices where !change.columnsPresent[column] {
        // Servers compute virtual columns at the replica, and do not always log them.
        if table.columns[column].isGenerated {
          throw lacks(column, "row images lack the generated column")
        }
        self.lacks.defaults[column] = try defaultValues.array(at: column)
      }
    case .delete, .update:
      let needed = table.primaryKey.isEmpty ? Array(table.columns.indices) : table.primaryKey
      if let column = needed.first(where: { !change.columnsPresent[$0] }) {
        // By such a key the server tells its rows, and leaves the other columns out.
        let key =
          table.primaryKey.isEmpty && table.hasFloatingPointKey
          ? " by a key of floating-point numbers" : ""
        throw lacks(
          column, "row images lack the column, without which the old row cannot be told\(key)")
      }
      guard change.kind == .update else { return }
      let isUnknown = { (column: Int) in
        !change.columnsPresent[column] && !change.columnsPresentAfter[column]
          && table.columns[column].isGenerated
      }
      if let column = table.columns.indices.first(where: isUnknown) {
        throw lacks(column, "row images lack the generated column, which may have changed")
      }
    }
  }

  func appendInserted(
    _ reader: inout ByteReader, _ change: RowsEvent, _ layout: RowLayout, column: inout Int
  ) throws(DecodeError) {
    before.clear()
    try layout.scan(&reader, present: change.columnsPresent, into: &after)
    try append(reader, at: rows.rowCount, .inserted, column: &column)
  }

  func appendDeleted(
    _ reader: inout ByteReader, _ change: RowsEvent, _ layout: RowLayout, column: inout Int
  ) throws(DecodeError) {
    after.clear()
    try layout.scan(&reader, present: change.columnsPresent, into: &before)
    try append(reader, at: rows.rowCount, .deleted, column: &column)
  }

  /// - Returns: whether the old row was appended too, before the new one.
  func appendUpdated(
    _ reader: inout ByteReader, _ change: RowsEvent, _ layout: RowLayout, isKey: [Bool],
    column: inout Int
  ) throws(DecodeError) -> Bool {
    try layout.scan(&reader, present: change.columnsPresent, into: &before)
    after.clear()
    if change.hasValueOptions { try layout.readPatchedColumns(&reader, into: &after) }
    try layout.scan(&reader, present: change.columnsPresentAfter, into: &after)
    let hasOtherKey =
      isKey.isEmpty ? true : try layout.keysDiffer(reader, before, after, isKey: isKey)
    guard hasOtherKey else {
      try append(reader, at: rows.rowCount, .updated, column: &column)
      return false
    }
    let new = after
    after.clear()
    try append(reader, at: rows.rowCount, .deleted, column: &column)
    after = new
    try append(reader, at: rows.rowCount + 1, .moved, column: &column)
    return true
  }

  // MARK: - Rows

  /// Appends the row whose cells are those of `after`, and of `before` where that has none.
  private func append(
    _ image: borrowing ByteReader, at row: Int, _ kind: Kind, column index: inout Int
  ) throws(DecodeError) {
    var isComplete = true
    index = 0
    while index < rows.columns.count {
      let column = rows.columns[index]
      let hasCell = after.cells[index] != .absent
      switch hasCell ? after.cells[index] : before.cells[index] {
      case .absent:
        column.builder.appendNull()
        lacks.missing[index].append(row)
        byteCount += MemoryLayout<Int>.size
        isComplete = false
      case .null: try column.appendNull()
      case .at(let offset):
        var reader = ByteReader(image.bytes)
        reader.offset = offset
        if hasCell && after.isPatched[index] {
          if try !appendPatched(column, &reader, at: row, index) { isComplete = false }
        } else {
          try column.decode(&reader)
        }
      }
      index &+= 1
    }
    if !isComplete {
      lacks.rows.append((row, kind))
      byteCount += MemoryLayout<(Int, Kind)>.stride
    }
  }

  /// Appends the document that results from the change at the reader.
  ///
  /// - Returns: whether the image has the document from before; otherwise the change is noted.
  private func appendPatched(
    _ column: ColumnEncoder, _ reader: inout ByteReader, at row: Int, _ index: Int
  ) throws(DecodeError) -> Bool {
    guard let encoder = column as? JSONEncoder else {
      throw DecodeError(
        .malformed, "partial update of a column that is not JSON", at: reader.offset)
    }
    let start = reader.offset
    let diffs = try encoder.decodeDiffs(&reader)
    switch before.cells[index] {
    case .absent:
      column.builder.appendNull()
      lacks.patches[index].append(Patch(row: row, diffs: diffs))
      byteCount += reader.offset - start + MemoryLayout<Patch>.size
      return false
    case .null: throw DecodeError(.malformed, "partial update of NULL", at: start)
    case .at(let offset):
      reader.offset = offset
      try encoder.decode(&reader, applying: diffs)
      return true
    }
  }
}

/// Where the cells of one row image lie.
struct ImageCells {
  enum Cell: Equatable {
    case absent
    case null
    /// The offset in the event.
    case at(Int)
  }

  var cells: [Cell]
  /// For each column whether its cell holds changes of a JSON document.
  var isPatched: [Bool]

  init(columnCount: Int) {
    cells = Array(repeating: .absent, count: columnCount)
    isPatched = Array(repeating: false, count: columnCount)
  }

  mutating func clear() {
    for index in cells.indices {
      cells[index] = .absent
      isPatched[index] = false
    }
  }
}

extension RowLayout {
  /// Finds the cells of an image that has only some columns, and moves past it.
  func scan(_ reader: inout ByteReader, present: ColumnBitmap, into cells: inout ImageCells)
    throws(DecodeError)
  {
    let nulls = try reader.readBytes((present.setCount + 7) / 8)
    var position = 0
    for (index, extent) in extents.enumerated() {
      guard index < cells.cells.count else {
        // The hidden columns at the end.
        if present[index] {
          if !nulls.bit(at: position) { try extent.skip(&reader) }
          position += 1
        }
        continue
      }
      guard present[index] else {
        cells.cells[index] = .absent
        continue
      }
      if nulls.bit(at: position) {
        cells.cells[index] = .null
      } else {
        cells.cells[index] = .at(reader.offset)
        try extent.skip(&reader)
      }
      position += 1
    }
  }

  /// Reads which columns of the image after it hold changes of documents.
  func readPatchedColumns(_ reader: inout ByteReader, into cells: inout ImageCells)
    throws(DecodeError)
  {
    let partialJSON: UInt64 = 1
    let start = reader.offset
    guard let options = try reader.readLengthEncodedInteger(), options <= partialJSON else {
      throw DecodeError(.unsupported, "options of a row image", at: start)
    }
    guard options == partialJSON else { return }
    // There is a bit for each JSON column, whether the image has the column or not.
    let bits = try reader.readBytes((jsonColumns.count + 7) / 8)
    for (position, column) in jsonColumns.enumerated() {
      cells.isPatched[column] = bits.bit(at: position)
    }
  }

  /// Whether the image after a change has other bytes in a column of the primary key. A column that
  /// it lacks is as before.
  func keysDiffer(
    _ image: borrowing ByteReader, _ before: ImageCells, _ after: ImageCells, isKey: [Bool]
  ) throws(DecodeError) -> Bool {
    for (index, isKey) in isKey.enumerated() where isKey && after.cells[index] != .absent {
      guard case .at(let old) = before.cells[index], case .at(let new) = after.cells[index] else {
        // NULL is no value of a key column; decoding it will fail.
        return true
      }
      let bytes = image.bytes
      let (oldEnd, newEnd) = (
        try end(ofCell: index, at: old, bytes), try end(ofCell: index, at: new, bytes)
      )
      if !bytes.extracting(old..<oldEnd).isEqual(to: bytes.extracting(new..<newEnd)) { return true }
    }
    return false
  }

  private func end(ofCell index: Int, at offset: Int, _ bytes: RawSpan) throws(DecodeError) -> Int {
    var reader = ByteReader(bytes)
    reader.offset = offset
    try extents[index].skip(&reader)
    return reader.offset
  }
}
