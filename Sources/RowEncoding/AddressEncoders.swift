import Arrow
import Binlog
import Glibc
import MySQLSchema
import WireFormat

// MariaDB's UUID, INET6 and INET4 travel as BINARY(16) and BINARY(4) in the order of their text,
// without the zero bytes at the end.

extension ByteReader {
  /// Reads a cell of up to 16 bytes and fills it up with zero bytes, as two big-endian numbers.
  fileprivate mutating func readPadded() throws(DecodeError) -> (high: UInt64, low: UInt64) {
    let start = offset
    let length = Int(try read(UInt8.self))
    guard length <= 16 else {
      throw DecodeError(.malformed, "more bytes than the column has", at: start)
    }
    var value: (high: UInt64, low: UInt64) = (0, 0)
    if length > 0 {
      let count = min(length, 8)
      value.high = try readBigEndianUInt(byteCount: count) << UInt64(64 - count * 8)
    }
    if length > 8 {
      let count = length - 8
      value.low = try readBigEndianUInt(byteCount: count) << UInt64(64 - count * 8)
    }
    return value
  }
}

extension FixedSizeBinaryBuilder {
  fileprivate func append(_ value: (high: UInt64, low: UInt64)) {
    withUnsafeBytes(of: (value.high.bigEndian, value.low.bigEndian)) { append($0) }
  }
}

/// UUID: 16 bytes in the order of the text.
final class UUIDEncoder: ColumnEncoder {
  private let values = FixedSizeBinaryBuilder(width: 16)

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .string(maximumLength: 16) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(try reader.readPadded())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    var value: (high: UInt64, low: UInt64) = (0, 0)
    for position in 0..<32 {
      if position >= 8 && position <= 20 && position % 4 == 0 {
        try cursor.expect(UInt8(ascii: "-"), "UUID")
      }
      guard let digit = cursor.hexDigit() else { throw cursor.error("UUID") }
      if position < 16 {
        value.high = value.high << 4 | UInt64(digit)
      } else {
        value.low = value.low << 4 | UInt64(digit)
      }
    }
    try cursor.expectEnd("UUID")
    values.append(value)
  }
}

/// INET4: the address as a number, first byte highest.
final class IPv4Encoder: ColumnEncoder {
  private let values: PrimitiveBuilder<UInt32>

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    values = PrimitiveBuilder(type: field.type)
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .string(maximumLength: 4) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    let start = reader.offset
    let value = try reader.readPadded()
    guard value.high & 0xFFFF_FFFF == 0, value.low == 0 else {
      throw DecodeError(.malformed, "more bytes than the column has", at: start)
    }
    values.append(UInt32(value.high >> 32))
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var cursor = TextCursor(cell)
    var value: UInt32 = 0
    for position in 0..<4 {
      if position > 0 { try cursor.expect(UInt8(ascii: "."), "IPv4 address") }
      guard let byte = UInt8(exactly: try cursor.number("IPv4 address")) else {
        throw cursor.error("IPv4 address")
      }
      value = value << 8 | UInt32(byte)
    }
    try cursor.expectEnd("IPv4 address")
    values.append(value)
  }
}

/// INET6: 16 bytes in the order of the text.
final class IPv6Encoder: ColumnEncoder {
  private let values = FixedSizeBinaryBuilder(width: 16)

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .string(maximumLength: 16) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    values.append(try reader.readPadded())
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    var address = in6_addr()
    let isAddress = withUnsafeTemporaryAllocation(
      byteCount: Int(INET6_ADDRSTRLEN), alignment: 1
    ) { text in
      // Room for the zero byte at the end.
      guard cell.count < text.count, !cell.contains(0) else { return false }
      text.copyMemory(from: cell)
      text[cell.count] = 0
      return inet_pton(AF_INET6, text.baseAddress, &address) == 1
    }
    guard isAddress else { throw DecodeError(.malformed, "IPv6 address", at: 0) }
    withUnsafeBytes(of: address) { values.append($0) }
  }
}
