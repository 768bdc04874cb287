import Arrow
import MagicCore

// The engine's String holds any bytes and comes as Arrow's utf8, which other programs take for text.
// ClickHouse's setting makes it binary; the engine's record batches do not follow it.
extension StatementScope {
  /// Whether the statement's context asks for texts as bytes.
  var wantsBinaryTexts: Bool {
    ["0", "false"].contains(context.settings["output_format_arrow_string_as_string"])
  }
}

extension Schema {
  /// The schema with `binary` in the place of `utf8` everywhere.
  var withBinaryTexts: Schema {
    Schema(fields: fields.map(\.withBinaryTexts), metadata: metadata)
  }
}

extension Field {
  fileprivate var withBinaryTexts: Field {
    Field(name: name, type: type.withBinaryTexts, isNullable: isNullable, metadata: metadata)
  }
}

extension DataType {
  fileprivate var withBinaryTexts: DataType {
    switch self {
    case .utf8: .binary
    case .largeUtf8: .largeBinary
    case .list(let item): .list(item.withBinaryTexts)
    case .largeList(let item): .largeList(item.withBinaryTexts)
    case .fixedSizeList(let item, let size): .fixedSizeList(item.withBinaryTexts, size)
    case .map(let entries, let keysSorted): .map(entries.withBinaryTexts, keysSorted: keysSorted)
    case .structure(let fields): .structure(fields.map(\.withBinaryTexts))
    case .denseUnion(let fields): .denseUnion(fields.map(\.withBinaryTexts))
    case .dictionary(let index, let values):
      .dictionary(index: index, values: values.withBinaryTexts)
    default: self
    }
  }
}

extension ArrayData {
  /// The same buffers under other types.
  fileprivate var withBinaryTexts: ArrayData {
    ArrayData(
      type: type.withBinaryTexts, length: length, nullCount: nullCount, offset: offset,
      validity: validity, buffers: buffers, children: children.map(\.withBinaryTexts),
      dictionary: dictionary?.withBinaryTexts)
  }
}

/// Gives out texts as bytes.
struct BinaryTextReader: RecordBatchReader {
  private let reader: any RecordBatchReader
  let schema: Schema

  init(_ reader: any RecordBatchReader) {
    self.reader = reader
    schema = reader.schema.withBinaryTexts
  }

  func next() async throws -> RecordBatch? {
    guard let batch = try await reader.next() else { return nil }
    do {
      return try RecordBatch(
        schema: schema, columns: batch.columns.map(\.withBinaryTexts), rowCount: batch.rowCount)
    } catch {
      throw EngineError(message: error.description)
    }
  }

  func cancel() async { await reader.cancel() }
}
