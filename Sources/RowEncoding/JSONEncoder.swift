import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// JSON, as the text that the server prints: MySQL sends its binary form, MariaDB text.
final class JSONEncoder: ColumnEncoder {
  private let values: BinaryBuilder
  private var prefixByteCount = 4
  private var isBinary = false
  /// The text of a binary value; kept for its memory.
  private var text: [UInt8] = []

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = BinaryBuilder(type: .utf8)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    switch wire {
    case .json: isBinary = true
    case .blob: isBinary = false
    default: return false
    }
    prefixByteCount = wire.extent?.prefixByteCount ?? 4
    return true
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let cell = try reader.readCell(prefixByteCount: prefixByteCount)
    guard isBinary else { return values.append(cell) }
    text.removeAll(keepingCapacity: true)
    do throws(DecodeError) {
      try appendJSONText(of: cell, to: &text)
    } catch {
      throw error.located(inFile: nil, at: reader.offset - cell.byteCount)
    }
    text.withUnsafeBytes { values.append($0) }
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    values.append(cell)
  }
}
