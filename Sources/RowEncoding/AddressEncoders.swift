import Arrow
import Binlog
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

/// UUID: 16 bytes in the order of the text.
final class UUIDEncoder: ColumnEncoder {
  private let values = FixedSizeBinaryBuilder(width: 16)

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .string(maximumLength: 16) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    append(try reader.readPadded())
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
    append(value)
  }

  private func append(_ value: (high: UInt64, low: UInt64)) {
    withUnsafeBytes(of: (value.high.bigEndian, value.low.bigEndian)) { values.append($0) }
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

/// INET6: the text that the server prints.
final class IPv6Encoder: ColumnEncoder {
  private let values = BinaryBuilder(type: .utf8)

  init(_ column: Column, _ field: Field, _ context: ColumnContext) {
    super.init(column, field, values, context)
  }

  override func accept(_ wire: WireColumnType) -> Bool { wire == .string(maximumLength: 16) }

  override func decode(_ reader: inout ByteReader) throws(DecodeError) {
    writeAddress(try reader.readPadded())
    values.endValue()
  }

  override func appendText(_ cell: UnsafeRawBufferPointer) throws(DecodeError) {
    let isAddress = cell.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: ":"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard isAddress, (2...45).contains(cell.count) else {
      throw DecodeError(.malformed, "IPv6 address", at: 0)
    }
    values.append(cell)
  }

  /// Writes the form of RFC 5952, except that, as the server does, a single zero group is shortened
  /// too and an address of which only the last 32 bits are set ends in dotted form.
  private func writeAddress(_ value: (high: UInt64, low: UInt64)) {
    func group(_ index: Int) -> UInt16 {
      let half = index < 4 ? value.high : value.low
      return UInt16(truncatingIfNeeded: half >> UInt64((3 - index & 3) * 16))
    }
    var gap = 0..<0
    var start = 0
    for index in 0..<8 {
      if group(index) != 0 {
        start = index + 1
      } else if index + 1 - start > gap.count {
        gap = start..<(index + 1)
      }
    }
    let isMapped = gap == 0..<5 && group(5) == 0xFFFF
    let hexCount = gap == 0..<6 || isMapped ? 6 : 8
    for index in 0..<hexCount where !gap.contains(index) {
      if index == gap.upperBound && !gap.isEmpty {
        writeText("::")
      } else if index > 0 {
        writeText(":")
      }
      writeHex(group(index))
    }
    if gap.upperBound == hexCount { writeText("::") }
    if hexCount == 6 {
      if isMapped { writeText(":") }
      for index in 0..<4 {
        if index > 0 { writeText(".") }
        writeDecimal(UInt8(truncatingIfNeeded: value.low >> UInt64((3 - index) * 8)))
      }
    }
  }

  private func writeText(_ text: StaticString) {
    values.write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private func writeHex(_ value: UInt16) {
    var isLeading = true
    for shift: UInt16 in [12, 8, 4, 0] {
      let digit = UInt8(value >> shift & 15)
      if digit == 0 && isLeading && shift > 0 { continue }
      isLeading = false
      values.write(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }

  private func writeDecimal(_ value: UInt8) {
    if value >= 100 { values.write(UInt8(ascii: "0") + value / 100) }
    if value >= 10 { values.write(UInt8(ascii: "0") + value / 10 % 10) }
    values.write(UInt8(ascii: "0") + value % 10)
  }
}
