import Arrow
import ClickHouseEngine
import Foundation
import MagicCore
import Testing

/// A replicated table with an integer column `id` and others.
func replicated(
  _ id: UInt64, _ name: String, _ fields: [Field] = [Field(name: "name", type: .utf8)],
  key: [Int] = [0]
) -> TableDefinition {
  TableDefinition(
    id: id, name: TableReference(database: "shop", table: name),
    schema: Schema(fields: [Field(name: "id", type: .int32, isNullable: false)] + fields),
    primaryKey: key)
}

/// Row versions of a replicated table.
///
/// - Parameters:
///   - columns: those of the table.
///   - deletes: the positions of the rows with a delete mark.
func changes(
  _ table: TableDefinition, _ columns: [ArrayData], versions: [UInt64], deletes: Set<Int> = []
) throws -> RecordBatch {
  var fields = table.schema.fields
  for index in columns.indices { fields[index].type = columns[index].type }
  fields += [
    Field(name: HiddenColumn.version, type: .uint64, isNullable: false),
    Field(name: HiddenColumn.deleteMark, type: .uint8, isNullable: false),
  ]
  return try RecordBatch(
    schema: Schema(fields: fields),
    columns: columns + [
      values(versions.map { UInt64?($0) }, .uint64),
      values(versions.indices.map { UInt8?(deletes.contains($0) ? 1 : 0) }, .uint8),
    ], rowCount: versions.count)
}

/// The same of a table with the columns `id` and `name`.
func named(
  _ table: TableDefinition, _ rows: [(Int32, String?)], versions: ClosedRange<UInt64>,
  deletes: Set<Int> = []
) throws -> RecordBatch {
  try changes(
    table, [integers(rows.map(\.0), .int32), strings(rows.map(\.1))], versions: Array(versions),
    deletes: deletes)
}

extension MutableTables {
  /// Publishes one batch of one table.
  func publish(_ table: TableDefinition, _ batch: RecordBatch) async throws {
    try await publish([(table, batch)], checkpoint: Array("{}".utf8))
  }
}

extension StatementPath {
  /// A statement's whole result as TSV, at a snapshot.
  func text(_ statement: String, snapshot: CommitPin) async throws -> String {
    var context = StatementContext()
    context.commitPoint = snapshot
    let result = try await run(statement, format: "TSV", context: context)
    var bytes: [UInt8] = []
    while let chunk = try await result.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }
}
