import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// JSON, as the text that the server prints: MySQL sends its binary form, MariaDB text.
final class JSONEncoder: ColumnEncoder {
  private let values: BinaryBuilder
  private var prefixByteCount = 4

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = BinaryBuilder(type: .utf8)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    guard case .blob = wire else { return false }
    prefixByteCount = wire.extent?.prefixByteCount ?? 4
    return true
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(try reader.readCell(prefixByteCount: prefixByteCount))
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    values.append(cell)
  }
}
