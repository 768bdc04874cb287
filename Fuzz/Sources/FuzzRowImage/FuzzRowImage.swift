import Arrow
import Binlog
import MySQLSchema
import RowEncoding
import WireFormat

/// The input is a binlog file. Its rows are encoded by the schema that each table map gives, and by
/// schemas that need not fit it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRowImage(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = RawSpan(_unsafeStart: UnsafeRawPointer(input), byteCount: count)
  var framer = EventFramer(maximumEventLength: 1 << 20)
  var decoder = BinlogDecoder()
  try? framer.push(bytes) { event, offset in
    try decoder.decode(event, at: offset) { decoded, content in
      guard case .rows(let change) = decoded.body else { return }
      let encoders = fixedEncoders + described(by: change.tableMap)
      for encoder in encoders { encode(change, content, encoder) }
    }
  }
  return 0
}

private func encode(_ change: RowsEvent, _ content: RawSpan, _ encoder: TableEncoder) {
  var version: UInt64 = 1
  let isComplete = (try? encoder.append(change, in: content, nextVersion: &version)) != nil
  guard let rows = try? encoder.finishRows(), isComplete else { return }
  switch rows {
  case .complete(let batch): check(batch, encoder)
  case .incomplete(let incomplete):
    let fields = TableEncoder.arrowSchema(for: encoder.table).fields
    let nothing = try? RecordBatch(
      schema: Schema(fields: fields), columns: fields.map { ArrayData(emptyOf: $0.type) },
      rowCount: 0)
    guard let nothing,
      let batch = try? incomplete.completed(with: nothing, missingRows: .fillWithDefaults)
    else { return }
    check(batch, encoder)
    // The rows themselves as those of the copy.
    let visible = try? RecordBatch(
      schema: Schema(fields: fields), columns: Array(batch.columns[..<fields.count]),
      rowCount: batch.rowCount)
    if let visible, let batch = try? incomplete.completed(with: visible) { check(batch, encoder) }
  }
}

private func check(_ batch: RecordBatch, _ encoder: TableEncoder) {
  precondition(batch.columns.count == encoder.storageSchema.fields.count)
  for column in batch.columns {
    precondition(column.length == batch.rowCount)
    precondition((try? column.validate()) != nil)
  }
}

private func described(by tableMap: TableMap) -> [TableEncoder] {
  let schemas = [try? TableSchema(tableMap: tableMap), try? TableSchema(positional: tableMap)]
  return schemas.compactMap { $0 }.compactMap { try? TableEncoder(schema: $0) }
}

/// Encoders of the corpus's tables. They are used on libFuzzer's one thread only.
private nonisolated(unsafe) let fixedEncoders: [TableEncoder] = [
  """
  create table d.t (id int primary key, a tinyint unsigned, b bigint, c decimal(65,30), f float,
    g double, h bit(10), i year, j date, k time(3), l datetime(6), m timestamp(2) null, n char(5),
    o varchar(300) character set latin1, p text, q binary(4), r varbinary(9), s blob,
    t enum('x','y'), u set('p','q'), v point, w inet6, x uuid, y json, z text compressed)
    charset utf8mb4
  """,
  """
  create table d.t (id int primary key, name varchar(20), price decimal(10,2), made datetime(6),
    doc json) charset gbk
  """,
].compactMap { statement in
  guard case .createTable(let create) = parseDDL(statement, defaultDatabase: "d"),
    case .definition(let schema) = create.source
  else { return nil }
  return try? TableEncoder(schema: schema)
}
