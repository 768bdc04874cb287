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
    guard isBinary else {
      return values.append(try reader.readCell(prefixByteCount: prefixByteCount))
    }
    try decodeText(&reader)
    text.withUnsafeBytes { values.append($0) }
  }

  /// Appends the cell at the reader, a document, after changes to it.
  func decode(_ reader: inout ByteReader, applying diffs: [JSONDiff]) throws(DecodeError) {
    let start = reader.offset
    try decodeText(&reader)
    do throws(DecodeError) {
      let result = try text.applying(diffs)
      result.withUnsafeBytes { values.append($0) }
    } catch {
      throw error.located(inFile: nil, at: start)
    }
  }

  /// Reads a cell that holds changes to a document.
  func decodeDiffs(_ reader: inout ByteReader) throws(DecodeError) -> [JSONDiff] {
    let cell = try reader.readCell(prefixByteCount: prefixByteCount)
    do throws(DecodeError) {
      return try JSONDiff.decode(cell)
    } catch {
      throw error.located(inFile: nil, at: reader.offset - cell.byteCount)
    }
  }

  /// Appends what a cell changes, as text.
  func decodeDiffText(_ reader: inout ByteReader) throws(DecodeError) {
    let diffs = try decodeDiffs(&reader)
    let text = Array(diffs.map(\.description).joined(separator: ", ").utf8)
    values.append(text.span.bytes)
  }

  /// Reads a binary cell into ``text``.
  private func decodeText(_ reader: inout ByteReader) throws(DecodeError) {
    let cell = try reader.readCell(prefixByteCount: prefixByteCount)
    text.removeAll(keepingCapacity: true)
    do throws(DecodeError) {
      try appendJSONText(of: cell, to: &text)
    } catch {
      throw error.located(inFile: nil, at: reader.offset - cell.byteCount)
    }
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    values.append(cell)
  }
}
