import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// Turns the cells of one column into an Arrow array, from row images and from text alike, so that
/// the copy and the stream cannot differ.
///
/// There is one subclass for each kind of column. It is asked once per layout of the table whether
/// it can read it, and afterwards decodes cell by cell without looking at types again.
class ColumnEncoder {
  let column: Column
  let field: Field
  let builder: any ArrayBuilder
  let context: ColumnContext

  init(_ column: Column, _ field: Field, _ builder: any ArrayBuilder, _ context: ColumnContext) {
    self.column = column
    self.field = field
    self.builder = builder
    self.context = context
  }

  /// Prepares for cells laid out as `wire` says; false when such cells cannot be of this column.
  func accept(_ wire: WireColumnType) -> Bool { preconditionFailure("implemented by subclasses") }

  /// Appends the cell at the reader, which is not NULL.
  func decode(_ reader: inout ByteReader) throws(DecodeError) {
    preconditionFailure("implemented by subclasses")
  }

  /// Appends a cell of the text protocol.
  func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    preconditionFailure("implemented by subclasses")
  }

  /// Prepares for text in the charset that a table map gives instead of the schema's; false when it
  /// is not known or the column cannot have one.
  func accept(charset: String) -> Bool { true }

  final func appendNull() throws(DecodeError) {
    guard field.isNullable else {
      throw DecodeError(.malformed, "NULL in a NOT NULL column", at: 0)
    }
    builder.appendNull()
  }
}

/// What the encoders of a table's columns share: the options and the counters.
final class EncodingState {
  let options: EncodingOptions
  var counters = EncodingCounters()

  init(options: EncodingOptions) { self.options = options }
}

/// What an encoder knows besides its column.
struct ColumnContext {
  let state: EncodingState
  /// Whether the column is part of the primary key, where a value may not be replaced: two
  /// different keys could become one.
  let isKey: Bool

  /// Counts a date that becomes NULL.
  func countZeroDate(at offset: Int) throws(DecodeError) {
    if isKey { throw DecodeError(.unsupported, "zero or partial date in a key column", at: offset) }
    if state.options.zeroDates == .stop {
      throw DecodeError(.unsupported, "zero or partial date (--zero-dates=stop)", at: offset)
    }
    state.counters.zeroDates += 1
  }

  /// Counts a text in which U+FFFD stands for bytes that are not in the column's charset.
  func countInvalidText(at offset: Int) throws(DecodeError) {
    if isKey {
      throw DecodeError(
        .unsupported, "text that is invalid in its charset in a key column", at: offset)
    }
    state.counters.invalidTexts += 1
  }
}
