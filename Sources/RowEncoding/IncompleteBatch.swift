import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// Rows of a ``TableEncoder`` some of which were changed without the source logging all of their
/// values. What is missing is in the copy.
///
/// Rows of one key build on one another in their order: only the first of them needs the copy.
public struct IncompleteBatch: Sendable {
  /// What to do when the copy lacks a row that is needed.
  public enum MissingRows: Sendable {
    /// It is an error with code `missingRow`.
    case refuse
    /// The table is still being copied, and the row will come: until then the values are NULL, or
    /// the type's zero.
    case fillWithDefaults
  }

  /// The keys of the rows that are needed, each once: the columns of the primary key in key order.
  public let keys: RecordBatch
  private let table: TableSchema
  /// The batch with nulls in place of what is missing, but for the key columns, which are complete.
  private let batch: RecordBatch
  private let lacks: PartialRows.Lacks
  /// For each row the row that it builds on.
  private let origins: [Origin]

  /// The row that has what a row lacks.
  private enum Origin {
    case none
    /// The columns' defaults.
    case defaults
    /// NULL, or the type's zero.
    case blank
    /// An earlier row of the batch.
    case row(Int)
    /// The row of the copy with the key at this position in ``keys``.
    case copy(Int)
    /// The batch deleted the row before.
    case deleted
  }

  init(_ batch: RecordBatch, _ lacks: PartialRows.Lacks, of table: TableSchema)
    throws(EncodingError)
  {
    self.table = table
    self.lacks = lacks
    var columns = batch.columns
    for index in table.primaryKey where !lacks.missing[index].isEmpty {
      // Only inserted rows lack key columns.
      columns[index] = try Self.arrow(table) { () throws(ArrowError) in
        let parts = [columns[index], try lacks.defaultArray(at: index, like: columns[index])]
        var positions = Array(0..<batch.rowCount)
        for row in lacks.missing[index] { positions[row] = batch.rowCount }
        return try ArrayData.gather(positions, from: parts)
      }
    }
    let keyColumns = table.primaryKey.map { columns[$0] }
    let (origins, firstRows) = try Self.arrow(table) { () throws(ArrowError) in
      Self.origins(lacks, rowKeys: try KeyTable(keyColumns, rowCount: batch.rowCount), batch)
    }
    self.origins = origins
    (self.batch, keys) = try Self.arrow(table) { () throws(ArrowError) in
      (
        try RecordBatch(schema: batch.schema, columns: columns, rowCount: batch.rowCount),
        try RecordBatch(
          schema: Schema(fields: table.primaryKey.map { batch.schema.fields[$0] }),
          columns: keyColumns.map { column throws(ArrowError) in
            try ArrayData.gather(firstRows, from: [column])
          }, rowCount: firstRows.count)
      )
    }
  }

  /// The number of rows.
  public var rowCount: Int { batch.rowCount }

  /// Finds what each incomplete row builds on.
  ///
  /// - Returns: also the first row of each key that is needed from the copy.
  private static func origins(
    _ lacks: PartialRows.Lacks, rowKeys: KeyTable, _ batch: RecordBatch
  ) -> (origins: [Origin], firstRows: [Int]) {
    var origins = [Origin](repeating: .none, count: batch.rowCount)
    var firstRows: [Int] = []
    // What the batch knows of each key so far; nil before its first row.
    var states = [Origin?](repeating: nil, count: rowKeys.keyCount)
    // What the row before, if it marks a key, took away.
    var removed = Origin.none
    var next = 0
    batch.columns[batch.columns.count - 1].withValues(of: UInt8.self) { marks in
      for row in 0..<batch.rowCount {
        let key = rowKeys.keys[row]
        var kind: PartialRows.Kind?
        if next < lacks.rows.count, lacks.rows[next].row == row {
          kind = lacks.rows[next].kind
          next += 1
        }
        /// What the key has before this row.
        func current() -> Origin {
          if let state = states[key] { return state }
          firstRows.append(row)
          return .copy(firstRows.count - 1)
        }
        switch kind {
        case nil: break
        case .inserted: origins[row] = .defaults
        case .deleted: origins[row] = .blank
        case .updated: origins[row] = current()
        case .moved: origins[row] = removed
        }
        let isMoved = next < lacks.rows.count && lacks.rows[next] == (row + 1, .moved)
        if isMoved { removed = current() }
        states[key] = marks[row] == 0 ? .row(row) : .deleted
      }
    }
    return (origins, firstRows)
  }

  /// The complete rows.
  ///
  /// - Parameters:
  ///   - base: the visible columns of the rows that the copy has for ``keys``, in any order.
  ///     Dictionaries may be others than the encoder's, or texts in their place.
  ///   - missingRows: what to do about rows that `base` lacks.
  /// - Throws: ``EncodingError``.
  public func completed(with base: RecordBatch, missingRows: MissingRows = .refuse)
    throws(EncodingError) -> RecordBatch
  {
    try completed(with: Optional(base), missingRows: missingRows)
  }

  func completed(with base: RecordBatch?, missingRows: MissingRows) throws(EncodingError)
    -> RecordBatch
  {
    let baseColumns = try conform(base)
    let baseRows = try baseRows(baseColumns, count: base?.rowCount ?? 0)
    var columns = batch.columns
    for index in table.columns.indices where !lacks.isComplete(at: index) {
      if table.primaryKey.contains(index) { continue }
      var completion = try ColumnCompletion(
        batch.columns[index], base: baseColumns[index], lacks, at: index, table)
      columns[index] = try complete(&completion, at: index, baseRows, missingRows)
    }
    return try Self.arrow(table) { () throws(ArrowError) in
      try RecordBatch(schema: batch.schema, columns: columns, rowCount: batch.rowCount)
    }
  }

  /// Fills one column, whose rows build on earlier ones.
  private func complete(
    _ completion: inout ColumnCompletion, at column: Int, _ baseRows: [Int?],
    _ missingRows: MissingRows
  ) throws(EncodingError) -> ArrayData {
    let (missing, patches) = (lacks.missing[column], lacks.patches[column])
    var nextPatch = 0
    for row in missing {
      while nextPatch < patches.count, patches[nextPatch].row < row {
        try apply(patches[nextPatch], in: &completion, baseRows, missingRows)
        nextPatch += 1
      }
      completion.positions[row] = try position(row, in: completion, baseRows, missingRows)
    }
    for patch in patches[nextPatch...] {
      try apply(patch, in: &completion, baseRows, missingRows)
    }
    return try Self.arrow(table) { () throws(ArrowError) in try completion.array() }
  }

  private func apply(
    _ patch: PartialRows.Patch, in completion: inout ColumnCompletion, _ baseRows: [Int?],
    _ missingRows: MissingRows
  ) throws(EncodingError) {
    let position = try position(patch.row, in: completion, baseRows, missingRows)
    try completion.apply(patch, to: position)
  }

  /// Where the value lies that a row lacks.
  private func position(
    _ row: Int, in completion: borrowing ColumnCompletion, _ baseRows: [Int?],
    _ missingRows: MissingRows
  ) throws(EncodingError) -> Int {
    switch origins[row] {
    case .row(let earlier): return completion.positions[earlier]
    case .copy(let key):
      if let baseRow = baseRows[key] { return completion.baseStart + baseRow }
    case .defaults: return completion.defaultPosition
    case .blank: return completion.blankPosition
    case .deleted, .none: break
    }
    switch missingRows {
    case .refuse: throw missingRow(origins[row])
    case .fillWithDefaults: return completion.blankPosition
    }
  }

  private func missingRow(_ origin: Origin) -> EncodingError {
    let reason =
      if case .deleted = origin { "the source changed a row that it had deleted before" } else {
        "the copy lacks a row that the source changed"
      }
    return EncodingError(
      .missingRow, table: table.name, "\(reason): the table has to be copied again")
  }

  /// The copy's columns in the form of the encoder's.
  private func conform(_ base: RecordBatch?) throws(EncodingError) -> [ArrayData] {
    guard let base else {
      return table.columns.indices.map { batch.columns[$0].slice(0..<0) }
    }
    guard base.columns.count == table.columns.count else {
      throw EncodingError(
        .schemaMismatch, table: table.name,
        "the copy has \(base.columns.count) columns, the schema \(table.columns.count)")
    }
    var columns: [ArrayData] = []
    for (index, column) in base.columns.enumerated() {
      guard let conforming = column.conforming(to: batch.columns[index]) else {
        throw EncodingError(
          .schemaMismatch, table: table.name, column: table.columns[index].name,
          "the copy has \(column.type), the encoder \(batch.columns[index].type)")
      }
      columns.append(conforming)
    }
    return columns
  }

  /// For each of ``keys`` the row of the copy.
  private func baseRows(_ base: [ArrayData], count: Int) throws(EncodingError) -> [Int?] {
    if count == 0 { return Array(repeating: nil, count: keys.rowCount) }
    return try Self.arrow(table) { () throws(ArrowError) in
      let baseKeys = try KeyTable(table.primaryKey.map { base[$0] }, rowCount: count)
      return try baseKeys.rows(of: keys.columns)
    }
  }

  private static func arrow<Result>(
    _ table: TableSchema, _ body: () throws(ArrowError) -> Result
  ) throws(EncodingError) -> Result {
    do {
      return try body()
    } catch {
      throw EncodingError(.batchTooLarge, table: table.name, error.message)
    }
  }
}

extension PartialRows.Lacks {
  /// Whether every row has its value of a column.
  func isComplete(at column: Int) -> Bool { missing[column].isEmpty && patches[column].isEmpty }

  /// The default of a column, or no values when no row needs it.
  func defaultArray(at column: Int, like array: ArrayData) throws(ArrowError) -> ArrayData {
    guard let value = defaults[column] else { return array.slice(0..<0) }
    guard let conforming = value.conforming(to: array) else {
      throw ArrowError(.malformed, "a default of \(value.type) for \(array.type)")
    }
    return conforming
  }
}

/// One column while it is completed: where each row's value lies.
///
/// Positions count through the batch, the copy, the default, the blank and the patched documents.
private struct ColumnCompletion {
  var positions: [Int]
  private let parts: [ArrayData]
  private var patchedTexts: [[UInt8]] = []
  private let table: TableSchema
  private let column: Int

  init(
    _ values: ArrayData, base: ArrayData, _ lacks: PartialRows.Lacks, at column: Int,
    _ table: TableSchema
  ) throws(EncodingError) {
    self.table = table
    self.column = column
    positions = Array(0..<values.length)
    do {
      parts = [
        values, base, try lacks.defaultArray(at: column, like: values),
        values.blank(isNullable: table.arrowField(at: column).isNullable),
      ]
    } catch {
      throw EncodingError(
        .schemaMismatch, table: table.name, column: table.columns[column].name, error.message)
    }
  }

  var baseStart: Int { parts[0].length }
  var defaultPosition: Int { baseStart + parts[1].length }
  var blankPosition: Int { defaultPosition + parts[2].length }

  /// Changes the document at `position`.
  mutating func apply(_ patch: PartialRows.Patch, to position: Int) throws(EncodingError) {
    if position == blankPosition {
      positions[patch.row] = position
      return
    }
    do throws(DecodeError) {
      let text = try document(at: position).applying(patch.diffs)
      positions[patch.row] = blankPosition + 1 + patchedTexts.count
      patchedTexts.append(text)
    } catch {
      throw EncodingError(
        .invalidValue, table: table.name, column: table.columns[column].name,
        "a partial update does not fit the document in the copy: \(error.message)", cause: error)
    }
  }

  private func document(at position: Int) throws(DecodeError) -> [UInt8] {
    if position > blankPosition { return patchedTexts[position - blankPosition - 1] }
    var position = position
    for part in parts {
      if position < part.length {
        if part.isNull(at: position) {
          throw DecodeError(.malformed, "partial update of NULL", at: 0)
        }
        return part.withBinaryValue(at: position) { [UInt8]($0) }
      }
      position -= part.length
    }
    throw DecodeError(.malformed, "no document", at: 0)
  }

  func array() throws(ArrowError) -> ArrayData {
    if patchedTexts.isEmpty { return try ArrayData.gather(positions, from: parts) }
    let patched = BinaryBuilder(type: .utf8)
    for text in patchedTexts { text.withUnsafeBytes { patched.append($0) } }
    if patched.hasRejectedValue {
      throw ArrowError(.unsupported, "documents of more than 2 GiB together")
    }
    return try ArrayData.gather(positions, from: parts + [patched.finish()])
  }
}
