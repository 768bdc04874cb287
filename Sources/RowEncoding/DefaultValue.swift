import Arrow
import MySQLSchema
import WireFormat

/// What a column has in a row that is inserted without it.
public enum DefaultValue: Hashable, Sendable {
  /// A cell as the text protocol gives it, but with texts in UTF-8; nil for NULL.
  case value([UInt8]?)
  /// Not known, or an expression, whose values servers always write into row images.
  case unknown
}

/// The defaults of a table's columns as arrays, made when a row first needs them: a default that is
/// refused, like a zero date, must not disturb a table whose rows never use it.
final class DefaultValues {
  private let table: TableSchema
  private let values: [DefaultValue]
  private let options: EncodingOptions
  private var arrays: [Int: ArrayData] = [:]

  init(_ table: TableSchema, _ values: [DefaultValue], _ options: EncodingOptions) {
    self.table = table
    self.values = values
    self.options = options
  }

  /// One value of the column's type.
  ///
  /// - Throws: ``EncodingError`` when there is none.
  func array(at index: Int) throws(EncodingError) -> ArrayData {
    if let array = arrays[index] { return array }
    guard index < values.count, case .value(let cell) = values[index] else {
      throw EncodingError(
        .incompleteRowImage, table: table.name, column: table.columns[index].name,
        "the image of an inserted row lacks the column, and its default is not known: set binlog_row_image=FULL at the source"
      )
    }
    let array = try table.utf8Column(at: index, cell, EncodingState(options: options))
    arrays[index] = array
    return array
  }
}

extension TableEncoder {
  /// One row of a table's columns, without version and mark.
  ///
  /// `cells` has a cell of the text protocol for each column, but with texts in UTF-8; nil for
  /// NULL.
  ///
  /// - Throws: ``EncodingError`` for a cell that is not of its column's type.
  public static func batch(
    of table: TableSchema, utf8Row cells: [[UInt8]?], options: EncodingOptions = EncodingOptions()
  ) throws(EncodingError) -> RecordBatch {
    let state = EncodingState(options: options)
    var columns: [ArrayData] = []
    for (index, cell) in zip(table.columns.indices, cells) {
      columns.append(try table.utf8Column(at: index, cell, state))
    }
    do {
      return try RecordBatch(schema: arrowSchema(for: table), columns: columns, rowCount: 1)
    } catch {
      throw EncodingError(.schemaMismatch, table: table.name, error.message)
    }
  }
}

extension TableSchema {
  /// A column of one value.
  fileprivate func utf8Column(at index: Int, _ cell: [UInt8]?, _ state: EncodingState)
    throws(EncodingError) -> ArrayData
  {
    var table = self
    if case .string = columns[index].type {
      table.columns[index].type = .string(charset: "utf8mb4")
    }
    let encoder = try table.makeEncoder(at: index, state)
    do throws(DecodeError) {
      if let cell {
        try cell.span.bytes.withUnsafeBytes { bytes throws(DecodeError) in
          try encoder.appendText(bytes)
        }
      } else {
        try encoder.appendNull()
      }
    } catch {
      throw EncodingError(
        .invalidValue, table: name, column: columns[index].name, error.message, cause: error)
    }
    return encoder.builder.finish()
  }
}
