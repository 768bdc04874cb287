import Arrow
import Foundation
import MagicAPI
import SwiftProtobuf
import Testing

@testable import FlightServer

@Suite struct CatalogTests {
  let call = Call(
    caller: Caller(user: "ana", role: .reader, interface: "flight"), service: FakeService())

  func rows(_ command: some SwiftProtobuf.Message) async throws -> RecordBatch {
    let query = try CatalogQuery(
      try Google_Protobuf_Any(message: command), configuration: FlightConfiguration())
    let batch = try await query.rows(call)
    for column in batch.columns { try column.validate() }
    return batch
  }

  func texts(_ batch: RecordBatch, _ name: String) throws -> [String?] {
    let column = try #require(batch.column(name))
    return (0..<column.length).map { row in
      column.isNull(at: row)
        ? nil : column.withBinaryValue(at: row) { String(decoding: $0, as: UTF8.self) }
    }
  }

  @Test func tablesHaveTheColumnsOfTheSpecification() async throws {
    var command = ProtoCommandGetTables()
    command.includeSchema = true
    let batch = try await rows(command)
    #expect(
      batch.schema.fields.map(\.name) == [
        "catalog_name", "db_schema_name", "table_name", "table_type", "table_schema",
      ])
    #expect(batch.schema.fields.map(\.isNullable) == [true, true, false, false, false])
    #expect(try texts(batch, "table_name") == ["orders", "seen"])
    #expect(try texts(batch, "table_type") == ["TABLE", "VIEW"])
    let bytes = batch.columns[4].withBinaryValue(at: 0) { [UInt8]($0) }
    var reader = StreamReader()
    try reader.push(bytes)
    let field = try #require(reader.schema?.fields.first)
    #expect(field.name == "a" && field.type == .int64)
    #expect(field.metadata["ARROW:FLIGHT:SQL:TYPE_NAME"] == "Int64")
    command.catalog = "nope"
    #expect(try await rows(command).rowCount == 0)
    command = ProtoCommandGetTables()
    command.tableTypes = ["NO SUCH"]
    #expect(try await rows(command).rowCount == 0)
    command.tableTypes = ["VIEW", "NO SUCH"]
    #expect(try texts(try await rows(command), "table_name") == ["seen"])
  }

  @Test func keysAreNumberedInTheirOrder() async throws {
    var command = ProtoCommandGetPrimaryKeys()
    command.table = "orders"
    let batch = try await rows(command)
    #expect(try texts(batch, "column_name") == ["b", "a"])
    #expect(batch.columns[5].withValues(of: Int32.self) { Array($0) } == [1, 2])
    #expect(try await rows(ProtoCommandGetImportedKeys()).rowCount == 0)
    #expect(try await rows(ProtoCommandGetCrossReference()).schema.fields.count == 13)
  }

  @Test func schemasMatchPatterns() async throws {
    var command = ProtoCommandGetDbSchemas()
    #expect(try texts(try await rows(command), "db_schema_name") == ["default", "shop"])
    command.dbSchemaFilterPattern = "s%"
    #expect(try texts(try await rows(command), "db_schema_name") == ["shop"])
  }

  @Test(arguments: [
    ("abc", "abc", true), ("abc", "a%", true), ("abc", "%", true), ("", "%", true), ("", "", true),
    ("abc", "a_c", true), ("abc", "a_", false), ("a%", #"a\%"#, true), ("ab", #"a\%"#, false),
    ("abcabc", "%bc", true), ("abcab", "%bc", false), ("x", #"x\"#, false),
  ])
  func likePatterns(text: String, pattern: String, matches: Bool) {
    #expect(text.isLike(pattern) == matches)
  }

  @Test func everyCodeOfSqlInfoIsAnswered() async throws {
    var command = ProtoCommandGetSqlInfo()
    let all = try await rows(command)
    let codes = all.columns[0].withValues(of: UInt32.self) { Array($0) }
    #expect(codes == Array(0...11) + [100, 101] + Array(500...576))
    command.info = [9999, 8, 508]
    let some = try await rows(command)
    #expect(some.columns[0].withValues(of: UInt32.self) { Array($0) } == [8, 508])
    #expect(some.columns[1].unionPosition(at: 0) == (3, 0))
    #expect(some.columns[1].unionPosition(at: 1) == (4, 0))
  }

  @Test func typesAreInOrder() async throws {
    let batch = try await rows(ProtoCommandGetXdbcTypeInfo())
    let codes = batch.columns[1].withValues(of: Int32.self) { Array($0) }
    #expect(codes == codes.sorted())
    var command = ProtoCommandGetXdbcTypeInfo()
    command.dataType = -5
    #expect(
      try texts(try await rows(command), "type_name") == [
        "DateTime", "IPv4", "Int64", "UInt32", "UInt64",
      ])
    command.dataType = -2
    #expect(
      try texts(try await rows(command), "type_name") == [
        "FixedString", "IPv6", "Int128", "Int256", "UInt128", "UInt256", "UUID",
      ])
    command.dataType = -6
    #expect(try texts(try await rows(command), "type_name") == ["Enum8", "Int8"])
    command.dataType = 0
    #expect(
      try texts(try await rows(command), "type_name") == ["Array", "Map", "Tuple", "Variant"])
  }
}
