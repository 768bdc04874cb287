import Foundation
import MySQLSchema
import Testing

/// The folder of files that real servers produced, beside the package; nil when it is not there.
private let fixtures: URL? = {
  let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let folder = package.deletingLastPathComponent().appending(path: "shared/fixtures")
  if FileManager.default.fileExists(atPath: folder.path) { return folder }
  print("skipping the fixture tests: there is no \(folder.path)")
  return nil
}()

private func dump(_ path: String) throws -> SchemaDump {
  let folder = try #require(fixtures)
  return parseSchemaDump(
    [UInt8](try Data(contentsOf: folder.appending(path: path))), defaultDatabase: "d")
}

/// The tables by name, without what only one of two files gives or what only later changes depend
/// on.
private func summary(_ dump: SchemaDump) -> [TableName: TableSchema] {
  Dictionary(
    uniqueKeysWithValues: dump.tables.map { table in
      var table = table
      table.storageEngine = nil
      table.defaultCharset = nil
      // The server of these files makes TIMESTAMP columns NOT NULL on its own, with a default.
      for index in table.columns.indices {
        if case .timestamp = table.columns[index].type {
          table.columns[index].isNullable = true
          table.columns[index].default = .none
          if table.primaryKeyIsUniqueKey, table.primaryKey.contains(index) {
            table.primaryKey = []
            table.primaryKeyIsUniqueKey = false
          }
        }
      }
      return (table.name, table)
    })
}

private func files(in folder: String) throws -> [String] {
  let root = try #require(fixtures)
  return try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
    .filter { $0.hasSuffix(".sql") }.sorted().map { "\(folder)/\($0)" }
}

@Suite(.enabled(if: fixtures != nil)) struct FixtureTests {
  /// Runs the statements of each `test` file and compares with the tables that must result.
  @Test func endsInTheTablesThatMustResult() throws {
    let paths = try files(in: "ddl/canal/table") + files(in: "ddl/canal/alter")
    for path in paths where path.contains("test_") {
      let made = try dump(path)
      let expected = try dump(path.replacingOccurrences(of: "test_", with: "mysql_"))
      #expect(made.problems.isEmpty && expected.problems.isEmpty, "\(path): \(made.problems)")
      let (tables, expectedTables) = (summary(made), summary(expected))
      #expect(Set(tables.keys) == Set(expectedTables.keys), "\(path)")
      for (name, table) in tables { #expect(table == expectedTables[name], "\(path): \(name)") }
    }
  }

  @Test func understandsEveryTable() throws {
    for path in try files(in: "ddl/flink-cdc") + files(in: "sql/maxwell/schema") {
      let result = try dump(path)
      #expect(result.problems.isEmpty, "\(path): \(result.problems)")
      #expect(!result.tables.isEmpty || path.hasSuffix("exclusion_snapshot.sql"), "\(path)")
    }
  }

  /// The statements of Maxwell's tests stand on lines of their own, between the rows expected of them.
  @Test func understandsEveryStatementAboutTables() throws {
    var count = 0
    for folder in ["sql/maxwell/json", "sql/maxwell/rows"] {
      let root = try #require(fixtures).appending(path: folder)
      for file in try FileManager.default.contentsOfDirectory(atPath: root.path).sorted() {
        let text = try String(contentsOf: root.appending(path: file), encoding: .utf8)
        let pattern =
          /(?im)^\s*((create|alter|drop|rename)\s+(table|index|database)[^;]*?)(;|\n\s*\n|\z)/
        for match in text.matches(of: pattern) {
          let parsed = parseDDL(String(match.1), defaultDatabase: "d")
          if case .unrecognized(let reason, _) = parsed {
            Issue.record("\(file): \(reason): \(match.1)")
          }
          count += 1
        }
      }
    }
    #expect(count > 20, "\(count)")
  }

  @Test func readsEveryTypeOfMySQL8() throws {
    let table = try #require(try dump("ddl/flink-cdc/column_type_test_mysql8.sql").tables.first)
    let types = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, $0.type) })
    #expect(table.columns.count == 59)
    #expect(types["id"] == .integer(.big, isUnsigned: true))
    #expect(types["medium_un_z_c"] == .integer(.medium, isUnsigned: true))
    #expect(types["real_c"] == .double)
    #expect(types["decimal_un_z_c"] == .decimal(precision: 8, scale: 4))
    #expect(types["big_decimal_c"] == .decimal(precision: 65, scale: 1))
    #expect(types["bit_c"] == .bit(width: 64))
    #expect(types["time_c"] == .time(fractionalDigits: 0))
    #expect(types["file_uuid"] == .binary(length: 16))
    #expect(types["text_c"] == .string(charset: "utf8mb3"))
    #expect(types["enum_c"] == .enumeration(["red", "white"]))
    #expect(types["set_c"] == .set(["a", "b"]))
    #expect(types["geometrycollection_c"] == .geometry)
    #expect(types["varchar_len0_c"] == .string(charset: "utf8mb3"))
    #expect(table.primaryKey == [0])
  }

  @Test func readsEveryCharset() throws {
    let tables = try dump("ddl/flink-cdc/charset_test.sql").tables
    for table in tables {
      let charset = Charset.canonicalName(String(table.name.table.prefix { $0 != "_" }))
      #expect(table.columns[1].type == .string(charset: charset), "\(table.name)")
      #expect(table.primaryKey == [0])
    }
    #expect(tables.count > 10)
  }
}
