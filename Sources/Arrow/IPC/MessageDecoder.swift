import WireFormat

/// Decodes messages of the IPC format one by one, in the order in which they were written: what
/// ``StreamReader`` does after framing, and what Arrow Flight needs, which frames them itself.
public struct MessageDecoder: Sendable {
  private var ipcSchema: IPCSchema?
  private var dictionaries: [Int64: ArrayData] = [:]

  public init() {}

  /// The schema, once its message came.
  public var schema: Schema? { ipcSchema?.schema }

  /// Decodes a message; `nil` when it is not a record batch.
  ///
  /// - Throws: why it cannot be used. Offsets count from the start of `header`.
  public mutating func decode(header: [UInt8], body: Buffer) throws(DecodeError) -> RecordBatch? {
    let message = try FlatTable(root: header)
    guard let value = try message.table(2) else {
      throw DecodeError(.malformed, "message without content", at: message.position)
    }
    switch Int(try message.scalar(1, default: UInt8(0))) {
    case IPCHeader.schema:
      guard ipcSchema == nil else {
        throw DecodeError(.malformed, "second schema", at: message.position)
      }
      ipcSchema = try IPCSchema(value, byteCount: header.count)
      return nil
    case IPCHeader.dictionaryBatch:
      try decodeDictionary(value, body: body)
      return nil
    case IPCHeader.recordBatch:
      return try decodeBatch(value, body: body)
    case let number:
      throw DecodeError(.unsupported, "message of type \(number)", at: message.position)
    }
  }

  private func decodeBatch(_ table: FlatTable, body: Buffer) throws(DecodeError) -> RecordBatch {
    guard let ipcSchema else {
      throw DecodeError(.malformed, "record batch before the schema", at: table.position)
    }
    var decoder = try BatchDecoder(table, body: body, dictionaries: dictionaries)
    let columns = try decoder.decode(ipcSchema.fields)
    let rowCount = try table.scalar(0, default: Int64(0))
    guard rowCount >= 0, rowCount <= Int64(Int32.max) else {
      throw DecodeError(.malformed, "number of rows", at: table.position)
    }
    do throws(ArrowError) {
      return try RecordBatch(schema: ipcSchema.schema, columns: columns, rowCount: Int(rowCount))
    } catch {
      throw DecodeError(.malformed, error.message, at: table.position)
    }
  }

  private mutating func decodeDictionary(_ table: FlatTable, body: Buffer) throws(DecodeError) {
    let id = try table.scalar(0, default: Int64(0))
    guard let field = ipcSchema?.fields.lazy.compactMap({ $0.field(withDictionary: id) }).first,
      case .dictionary(_, let values) = field.field.type, let batch = try table.table(1)
    else { throw DecodeError(.malformed, "dictionary of no field", at: table.position) }
    var decoder = try BatchDecoder(batch, body: body, dictionaries: dictionaries)
    let decoded = try decoder.decodeDictionary(field, values: values)
    let isDelta = try table.bool(2)
    guard isDelta, let known = dictionaries[id] else {
      dictionaries[id] = decoded
      return
    }
    do throws(ArrowError) {
      dictionaries[id] = try known.appending(decoded)
    } catch {
      throw DecodeError(.unsupported, error.message, at: table.position)
    }
  }
}

extension IPCField {
  /// The field at or below this one whose dictionary has the identifier `id`.
  fileprivate func field(withDictionary id: Int64) -> IPCField? {
    if dictionaryID == id { return self }
    return children.lazy.compactMap { $0.field(withDictionary: id) }.first
  }
}
