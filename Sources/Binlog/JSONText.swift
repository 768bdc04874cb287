import WireFormat

/// Appends the text of a value in MySQL's binary JSON format, exactly as MySQL 8 prints it.
///
/// `docs/binlog.md` says how each kind of value is printed. Bytes of the value that nothing refers
/// to are not an error: servers leave such holes when they update a document in place.
///
/// - Parameters:
///   - value: the value of a JSON column as it is in a row image, without its length. No bytes at
///     all are the JSON null, as for the server.
///   - text: receives UTF-8; on an error a part of the text may have been appended.
/// - Throws: `limitExceeded` when the value is nested more than 100 deep or refers to the same
///   bytes so often that the text would be many times as long as the value; `truncated` or
///   `malformed` when the bytes contradict the format.
public func appendJSONText(of value: RawSpan, to text: inout [UInt8]) throws(DecodeError) {
  if value.isEmpty {
    text.append(contentsOf: "null".utf8)
    return
  }
  var reader = ByteReader(value)
  let type: UInt8 = try reader.read()
  var writer = JSONTextWriter(limit: text.count + 1024 + 16 * value.byteCount)
  try writer.append(type: type, from: reader, to: &text)
}

/// Prints binary JSON.
///
/// Format: the comment at the head of MySQL's `json_binary.h`.
private struct JSONTextWriter {
  /// The deepest nesting of arrays and objects that a server stores.
  static let maximumDepth = 100

  /// The size of the text at which printing stops. Offsets may lead to the same bytes from many
  /// places, so that a small value could otherwise stand for an endless text.
  let limit: Int
  private var depth = 0

  init(limit: Int) { self.limit = limit }

  /// Prints a value that begins at the reader's offset.
  mutating func append(type: UInt8, from start: borrowing ByteReader, to text: inout [UInt8])
    throws(DecodeError)
  {
    guard text.count <= limit else {
      throw DecodeError(.limitExceeded, "length of a JSON text", at: start.offset)
    }
    var reader = ByteReader(start.bytes)
    reader.offset = start.offset
    switch type {
    case 0x00: try appendContainer(reader, isObject: true, isLarge: false, to: &text)
    case 0x01: try appendContainer(reader, isObject: true, isLarge: true, to: &text)
    case 0x02: try appendContainer(reader, isObject: false, isLarge: false, to: &text)
    case 0x03: try appendContainer(reader, isObject: false, isLarge: true, to: &text)
    case 0x04: try appendLiteral(reader.read(), to: &text)
    case 0x05: text.append(decimal: try reader.read(Int16.self))
    case 0x06: text.append(decimal: try reader.read(UInt16.self))
    case 0x07: text.append(decimal: try reader.read(Int32.self))
    case 0x08: text.append(decimal: try reader.read(UInt32.self))
    case 0x09: text.append(decimal: try reader.read(Int64.self))
    case 0x0A: text.append(decimal: try reader.read(UInt64.self))
    case 0x0B: try text.appendJSONDouble(Double(bitPattern: reader.read()))
    case 0x0C: text.appendJSONString(try reader.readJSONData())
    case 0x0F:
      let fieldType: UInt8 = try reader.read()
      try text.appendJSONOpaque(fieldType: fieldType, try reader.readJSONData())
    default: throw DecodeError(.malformed, "type of a JSON value", at: start.offset)
    }
  }

  private func appendLiteral(_ code: UInt8, to text: inout [UInt8]) throws(DecodeError) {
    switch code {
    case 0: text.append(contentsOf: "null".utf8)
    case 1: text.append(contentsOf: "true".utf8)
    case 2: text.append(contentsOf: "false".utf8)
    default: throw DecodeError(.malformed, "JSON literal", at: 0)
    }
  }

  /// Prints an array or object, whose offsets count from the reader's offset.
  private mutating func appendContainer(
    _ reader: borrowing ByteReader, isObject: Bool, isLarge: Bool, to text: inout [UInt8]
  ) throws(DecodeError) {
    guard depth < Self.maximumDepth else {
      throw DecodeError(.limitExceeded, "depth of a JSON value", at: reader.offset)
    }
    depth += 1
    let layout = ContainerLayout(isObject: isObject, isLarge: isLarge)
    let bytes = try layout.bytes(from: reader)
    var head = ByteReader(bytes)
    let count = try layout.readCount(&head)
    text.append(UInt8(ascii: isObject ? "{" : "["))
    for index in 0..<count {
      if index > 0 { text.append(contentsOf: ", ".utf8) }
      if isObject {
        text.appendJSONString(try layout.key(index, in: bytes))
        text.append(contentsOf: ": ".utf8)
      }
      head.offset = layout.valueEntry(index, of: count)
      let type: UInt8 = try head.read()
      // Small values lie in the entry itself, others at the offset that it has.
      if !layout.isInlined(type) { head.offset = Int(try layout.readOffset(&head)) }
      guard head.offset <= bytes.byteCount else {
        throw DecodeError(.malformed, "offset of a JSON value", at: reader.offset)
      }
      try append(type: type, from: head, to: &text)
    }
    text.append(UInt8(ascii: isObject ? "}" : "]"))
    depth -= 1
  }
}

/// Where the parts of an array or object lie: count, size, key entries, value entries, keys,
/// values.
private struct ContainerLayout {
  let isObject: Bool
  let isLarge: Bool

  private var offsetSize: Int { isLarge ? 4 : 2 }
  private var headSize: Int { 2 * offsetSize }
  private var keyEntrySize: Int { isObject ? offsetSize + 2 : 0 }
  private var valueEntrySize: Int { offsetSize + 1 }

  func readOffset(_ reader: inout ByteReader) throws(DecodeError) -> UInt32 {
    isLarge ? try reader.read(UInt32.self) : UInt32(try reader.read(UInt16.self))
  }

  /// The container's bytes, as many as it says that it has.
  @_lifetime(copy reader)
  func bytes(from reader: borrowing ByteReader) throws(DecodeError) -> RawSpan {
    var head = ByteReader(reader.bytes)
    head.offset = reader.offset
    let start = head.offset
    _ = try readOffset(&head)
    let size = Int(try readOffset(&head))
    head.offset = start
    return try head.readBytes(size)
  }

  /// The number of elements, for all of which there are entries.
  func readCount(_ head: inout ByteReader) throws(DecodeError) -> Int {
    let count = Int(try readOffset(&head))
    try head.skip(offsetSize)
    guard count <= head.remaining / (keyEntrySize + valueEntrySize) else {
      throw DecodeError(.truncated, "entries of a JSON value", at: head.offset)
    }
    return count
  }

  func valueEntry(_ index: Int, of count: Int) -> Int {
    headSize + count * keyEntrySize + index * valueEntrySize
  }

  @_lifetime(copy bytes)
  func key(_ index: Int, in bytes: RawSpan) throws(DecodeError) -> RawSpan {
    var reader = ByteReader(bytes)
    reader.offset = headSize + index * keyEntrySize
    let offset = Int(try readOffset(&reader))
    let length = Int(try reader.read(UInt16.self))
    guard offset <= bytes.byteCount else {
      throw DecodeError(.malformed, "offset of a JSON key", at: reader.offset)
    }
    reader.offset = offset
    return try reader.readBytes(length)
  }

  /// Whether a value of a type is in its entry: literals and integers that fit where the offset
  /// would be.
  func isInlined(_ type: UInt8) -> Bool {
    switch type {
    case 0x04, 0x05, 0x06: true
    case 0x07, 0x08: isLarge
    default: false
    }
  }
}

extension ByteReader {
  /// Reads bytes with their length before them in groups of seven bits, lowest first.
  @_lifetime(copy self)
  fileprivate mutating func readJSONData() throws(DecodeError) -> RawSpan {
    let start = offset
    var length: UInt64 = 0
    for index in 0..<5 {
      let byte: UInt8 = try read()
      length |= UInt64(byte & 0x7F) << UInt64(7 * index)
      if byte & 0x80 == 0 { return try readBytes(Int(length)) }
    }
    throw DecodeError(.malformed, "length of JSON data", at: start)
  }
}
