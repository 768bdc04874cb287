/// A message of the IPC format: a description, and the buffers that it describes.
public struct IPCMessage: Sendable {
  /// The FlatBuffer `Message`, padded to a multiple of 8 bytes. Arrow Flight sends it as
  /// `data_header`.
  public let header: [UInt8]
  /// The buffers of the body, each to be padded with zeros to a multiple of 8 bytes.
  public let body: [Buffer]
  /// The number of bytes of the body, with the padding.
  public let bodyByteCount: Int

  /// Appends the body, with its padding.
  public func appendBody(to bytes: inout [UInt8]) {
    for buffer in body {
      buffer.withUnsafeBytes { bytes.append(contentsOf: $0) }
      let padding = paddedByteCount(buffer.byteCount) - buffer.byteCount
      bytes.append(contentsOf: repeatElement(0, count: padding))
    }
  }

  /// Appends the message as it appears in a stream: marker, length, header and body.
  public func append(to bytes: inout [UInt8]) {
    appendHead(to: &bytes)
    appendBody(to: &bytes)
  }

  /// Appends what precedes the body in a stream.
  public func appendHead(to bytes: inout [UInt8]) {
    bytes.append(contentsOf: repeatElement(0xFF, count: 4))
    let count = UInt32(truncatingIfNeeded: header.count).littleEndian
    withUnsafeBytes(of: count) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: header)
  }
}

/// Writes record batches in the Arrow IPC streaming format
/// (https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format), uncompressed.
///
/// A stream is the schema, the batches, and the end; each step appends to bytes of the caller's.
public struct StreamWriter: Sendable {
  private let fields: [IPCField]
  public let schema: Schema
  /// The dictionaries that the reader has, by identifier.
  private var sentDictionaries: [Int64: ArrayData] = [:]

  public init(schema: Schema) {
    var nextID: Int64 = 0
    fields = schema.fields.map { IPCField(numbering: $0, nextID: &nextID) }
    self.schema = schema
  }

  /// The message that begins the stream.
  public var schemaMessage: IPCMessage {
    let table = encodeSchema(fields, metadata: schema.metadata)
    let header = encodeMessage(header: IPCHeader.schema, table, bodyByteCount: 0)
    return IPCMessage(header: header, body: [], bodyByteCount: 0)
  }

  /// The messages of a batch: the dictionaries that the reader does not have yet, and the batch.
  ///
  /// - Throws: `malformed` when the batch has other types than the stream.
  public mutating func messages(for batch: RecordBatch) throws(ArrowError) -> [IPCMessage] {
    guard
      batch.schema.fields == schema.fields
        || batch.schema.fields.map(\.type) == schema.fields.map(\.type)
    else { throw ArrowError(.malformed, "a record batch whose types are not those of its stream") }
    var messages: [IPCMessage] = []
    for (column, field) in zip(batch.columns, fields) where field.hasDictionary {
      appendDictionaries(of: column, field, to: &messages)
    }
    var encoder = BatchEncoder()
    let table = encoder.encode(batch.columns, rowCount: batch.rowCount)
    messages.append(message(IPCHeader.recordBatch, table, encoder))
    return messages
  }

  /// Appends the schema message.
  public func writeSchema(to bytes: inout [UInt8]) { schemaMessage.append(to: &bytes) }

  /// Appends the messages of a batch. See ``messages(for:)``.
  public mutating func write(_ batch: RecordBatch, to bytes: inout [UInt8]) throws(ArrowError) {
    for message in try messages(for: batch) { message.append(to: &bytes) }
  }

  /// Appends the mark at the end of a stream.
  public func writeEnd(to bytes: inout [UInt8]) {
    bytes.append(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
  }

  private func message(_ header: Int, _ table: FlatValue, _ encoder: BatchEncoder) -> IPCMessage {
    let bytes = encodeMessage(header: header, table, bodyByteCount: encoder.bodyByteCount)
    return IPCMessage(header: bytes, body: encoder.body, bodyByteCount: encoder.bodyByteCount)
  }

  /// Appends the dictionaries below `array` that differ from those sent, inner ones first.
  private mutating func appendDictionaries(
    of array: ArrayData, _ field: IPCField, to messages: inout [IPCMessage]
  ) {
    guard let id = field.dictionaryID, let dictionary = array.dictionary else {
      for (child, childField) in zip(array.children, field.children) where childField.hasDictionary
      {
        appendDictionaries(of: child, childField, to: &messages)
      }
      return
    }
    for (child, childField) in zip(dictionary.children, field.children)
    where childField.hasDictionary {
      appendDictionaries(of: child, childField, to: &messages)
    }
    if let sent = sentDictionaries[id], array.length == 0 || sent.sharesMemory(with: dictionary) {
      return
    }
    sentDictionaries[id] = dictionary
    var encoder = BatchEncoder()
    let batch = encoder.encode([dictionary], rowCount: dictionary.length)
    messages.append(
      message(IPCHeader.dictionaryBatch, .table([.long(id), batch, .bool(false)]), encoder))
  }
}

extension ArrayData {
  /// Whether two arrays are the same range of the same buffers.
  fileprivate func sharesMemory(with other: ArrayData) -> Bool {
    length == other.length && offset == other.offset && validity === other.validity
      && buffers.elementsEqual(other.buffers, by: ===)
      && children.elementsEqual(other.children) { $0.sharesMemory(with: $1) }
  }
}
