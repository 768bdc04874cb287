import Arrow
import MagicCore

// The engine does not read Arrow's null type, which columns of nothing but NULL have.
extension Schema {
  var withoutNullTypes: Schema {
    var schema = self
    for index in schema.fields.indices where schema.fields[index].type == .null {
      schema.fields[index].type = .utf8
    }
    return schema
  }
}

extension RecordBatch {
  func withoutNullTypes(_ schema: Schema) throws -> RecordBatch {
    let columns = columns.map { column in
      guard column.type == .null else { return column }
      let builder = BinaryBuilder(type: .utf8)
      for _ in 0..<column.length { builder.appendNull() }
      return builder.finish()
    }
    do {
      return try RecordBatch(schema: schema, columns: columns, rowCount: rowCount)
    } catch {
      throw EngineError(message: error.description)
    }
  }
}
