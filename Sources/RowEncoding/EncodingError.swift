import MySQLSchema
import WireFormat

/// Why a table or a row of the source cannot become Arrow columns.
///
/// The message names tables, columns and settings, never values, so that it can be logged.
public struct EncodingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of failure; callers switch on this.
  public enum Code: String, Sendable {
    /// The charset of a column is not known.
    case unknownCharset
    /// The columns of a table map, or of a row, are not those of the schema.
    case schemaMismatch
    /// A table map lacks metadata that only `binlog_row_metadata=FULL` writes.
    case missingMetadata
    /// A row image lacks columns whose values cannot be found, which `binlog_row_image=FULL` would
    /// write.
    case incompleteRowImage
    /// The copy lacks a row that the source changed.
    case missingRow
    /// A row image ends before its columns do.
    case malformedImage
    /// A cell holds what the column's type cannot, or what the options refuse.
    case invalidValue
    /// More bytes were collected than a batch can hold.
    case batchTooLarge
  }

  /// The kind of failure.
  public var code: Code
  public var table: TableName
  /// The column's name, when one column is at fault.
  public var column: String?
  /// What was wrong, and what to do when something can be done.
  public var message: String
  /// The decoder's own error, when bytes were at fault. Its offset counts from the start of the
  /// event, or of the cell for text.
  public var cause: DecodeError?

  public init(
    _ code: Code, table: TableName, column: String? = nil, _ message: String,
    cause: DecodeError? = nil
  ) {
    self.code = code
    self.table = table
    self.column = column
    self.message = message
    self.cause = cause
  }

  public var description: String {
    let place = column.map { "\(table).\($0)" } ?? "\(table)"
    return "\(place): \(message)"
  }
}
