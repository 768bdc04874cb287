import Arrow
import Binlog
import MySQLSchema
import WireFormat

/// CHAR, VARCHAR, TEXT and MariaDB's JSON: text that becomes UTF-8.
final class TextEncoder: ColumnEncoder {
  private let values: BinaryBuilder
  /// Converts from the column's charset; nil when that is UTF-8 already.
  private var decoder: CharsetDecoder?
  private var charset = ""
  private var prefixByteCount = 1
  private var isCompressed = false

  /// - Parameter charset: the schema's; without one a table map has to tell.
  /// - Returns: nil when `charset` is unknown.
  init?(_ column: Column, _ field: Field, _ context: ColumnContext, charset: String?) {
    values = BinaryBuilder(type: .utf8)
    super.init(column, field, values, context)
    if let charset, !accept(charset: charset) { return nil }
  }

  override func accept(charset: String) -> Bool {
    if charset == self.charset { return true }
    guard charset != "binary", let decoder = CharsetDecoder(charset: charset) else { return false }
    self.charset = charset
    self.decoder = decoder.isPassThrough ? nil : decoder
    return true
  }

  override func accept(_ wire: WireColumnType) -> Bool {
    switch wire {
    case .string, .varchar, .blob, .compressedVarchar, .compressedBlob: break
    default: return false
    }
    isCompressed = wire.isCompressed
    prefixByteCount = wire.extent?.prefixByteCount ?? 1
    return true
  }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let cell = try reader.readCell(prefixByteCount: prefixByteCount)
    if isCompressed {
      let bytes = try decompress(cell, endingAt: reader.offset)
      try bytes.span.bytes.withUnsafeBytes { bytes throws(DecodeError) in
        try append(bytes, at: start)
      }
    } else if decoder == nil && cell.isASCII {
      values.append(cell)
    } else {
      try cell.withUnsafeBytes { bytes throws(DecodeError) in try append(bytes, at: start) }
    }
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    if charset == "" { throw DecodeError(.unsupported, "text in an unknown charset", at: 0) }
    try append(cell, at: 0)
  }

  private func append(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DecodeError) {
    if let decoder {
      let invalidCount = decoder.invalidCount
      decoder.withUTF8(of: bytes) { values.append($0) }
      if decoder.invalidCount != invalidCount { try context.countInvalidText(at: offset) }
    } else if bytes.isValidUTF8 {
      values.append(bytes)
    } else {
      try context.countInvalidText(at: offset)
      for byte in String(decoding: bytes, as: UTF8.self).utf8 { values.write(byte) }
      values.endValue()
    }
  }
}

extension RawSpan {
  /// Whether every byte is below 0x80.
  @inline(__always)
  var isASCII: Bool {
    var offset = 0
    var bits: UInt64 = 0
    while offset &+ 32 <= byteCount {
      bits |= unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
      bits |= unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 8, as: UInt64.self)
      bits |= unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 16, as: UInt64.self)
      bits |= unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 24, as: UInt64.self)
      offset &+= 32
    }
    while offset &+ 8 <= byteCount {
      bits |= unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
      offset &+= 8
    }
    while offset < byteCount {
      bits |= UInt64(unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
      offset &+= 1
    }
    return bits & 0x8080_8080_8080_8080 == 0
  }
}

extension UnsafeRawBufferPointer {
  fileprivate var isValidUTF8: Bool {
    withMemoryRebound(to: UInt8.self) { bytes in
      do {
        _ = try UTF8Span(validating: Span(_unsafeElements: bytes))
        return true
      } catch {
        return false
      }
    }
  }
}
