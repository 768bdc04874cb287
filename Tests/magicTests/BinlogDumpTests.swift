import Foundation
import MySQLSchema
import Testing
import WireFormat

@testable import magic

private let fixtures = URL(filePath: #filePath).appending(
  path: "../../../../shared/fixtures/binlog"
)
.standardizedFileURL.path(percentEncoded: false)

private let hasFixtures: Bool = {
  let exists = FileManager.default.fileExists(atPath: fixtures)
  if !exists { print("Skipping tests of binlog files: there is no folder \(fixtures)") }
  return exists
}()

@Suite(.enabled(if: hasFixtures)) struct BinlogDumpTests {
  @Test func compressedFileOfAnOldServer() throws {
    let lines = try dump("osheroff/mysql-bin.sakila.gz").lines
    #expect(lines.count == 47_310)
    #expect(
      lines.first {
        $0.contains(#""position":408726"#) && $0.contains(#""actor_id":141,"film_id":358,"#)
      }
        == #"{"file":"mysql-bin.sakila","position":408726,"timestamp":"2013-06-24T19:15:05Z","#
        + #""type":"insert","database":"sakila","table":"film_actor","#
        + #""after":{"actor_id":141,"film_id":358,"last_update":"2006-02-15 04:05:03"}}"#)
    // MySQL's sample database has this many rows.
    for (table, count) in [("actor", 200), ("film", 1000), ("payment", 16_049), ("rental", 16_044)]
    {
      #expect(
        lines.count { $0.contains(#""type":"insert","database":"sakila","table":"\#(table)""#) }
          == count)
    }
  }

  @Test func declarationsNameTheColumns() throws {
    let declaration = """
      USE test_db;
      CREATE TABLE buildings (
        building_no INT PRIMARY KEY, building_name VARCHAR(255), address VARCHAR(355)
      ) CHARSET latin1;
      """
    let lines = try dump("zalora/mysql-bin.03", schema: declaration).lines
    #expect(lines.count == 7)
    #expect(
      lines[2] == #"{"file":"mysql-bin.03","position":492,"timestamp":"2017-04-24T03:50:14Z","#
        + #""type":"update","database":"test_db","table":"buildings","#
        + #""before":{"building_no":3,"building_name":"foo","address":"bar"},"#
        + #""after":{"building_no":3,"building_name":"foo2","address":"bar2"}}"#)
  }

  @Test func columnsWithoutDeclarationHaveNumbers() throws {
    let lines = try dump("zalora/mysql-bin.03").lines
    #expect(lines[0].hasSuffix(#""after":{"@1":3,"@2":"Zm9v","@3":"YmFy"}}"#))
    let time = try dump("blackbeam/time_issue.000001").lines
    #expect(time[0].hasSuffix(#""table":"t","after":{"@1":"-507:48:27"}}"#))
  }

  @Test func transactionsHaveTheirGTID() throws {
    let lines = try dump("blackbeam/binlog_transaction_with_GTID_TAG.000001").lines
    #expect(lines.count == 1)
    #expect(lines[0].contains(#""gtid":""#))
  }

  @Test(arguments: [
    "gh-ost/mysql-bin.000066", "osheroff/mysql-bin.compressed", "canal/mysql-bin.000001",
  ])
  func everyLineIsAnObject(file: String) throws {
    let lines = try dump(file).lines
    #expect(!lines.isEmpty)
    for line in lines {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      #expect(object?["position"] is Int && object?["type"] is String)
    }
  }

  @Test func cutFileGivesItsBeginningAndThePlaceOfTheCut() throws {
    let whole = try dump("osheroff/mysql-bin.checksum-crc32")
    let bytes = try Data(contentsOf: URL(filePath: fixtures + "/osheroff/mysql-bin.checksum-crc32"))
    for length in stride(from: 5, to: bytes.count, by: 997) {
      let (lines, error) = try withTemporaryFile(bytes.prefix(length)) { try dump(path: $0) }
      #expect(lines == Array(whole.lines.prefix(lines.count)))
      // A cut between two events looks like a file that is still written.
      guard let error = error as? DecodeError else { continue }
      #expect(error.code == .truncated)
      #expect(error.file?.hasSuffix("mysql-bin.checksum-crc32") == true)
      #expect(error.offset <= length)
    }
  }

  @Test func damageIsLocated() throws {
    var bytes = try Data(contentsOf: URL(filePath: fixtures + "/osheroff/mysql-bin.checksum-crc32"))
    bytes[10_000] ^= 0xFF
    let (_, error) = try withTemporaryFile(bytes) { try dump(path: $0) }
    let located = try #require(error as? DecodeError)
    #expect((9_900...10_000).contains(located.offset))
  }

  @Test func cutCompressedFileIsAnError() throws {
    let bytes = try Data(contentsOf: URL(filePath: fixtures + "/osheroff/mysql-bin.sakila.gz"))
    let (lines, error) = try withTemporaryFile(bytes.prefix(20_000)) { try dump(path: $0) }
    #expect(!lines.isEmpty)
    #expect((error as? Failure)?.description.hasSuffix("unexpected end of file") == true)
  }

  private func dump(_ file: String, schema: String = "") throws -> (
    lines: [String], error: (any Error)?
  ) {
    let result = try dump(path: fixtures + "/" + file, schema: schema)
    if let error = result.error { throw error }
    return result
  }

  private func dump(path: String, schema: String = "") throws -> (
    lines: [String], error: (any Error)?
  ) {
    var dump = BinlogDump(tables: parseSchemaDump(Array(schema.utf8)).tables)
    let file = try BinlogFile(path: path, chunkByteCount: 1000)
    dump.begin(fileName: file.name, path: path)
    var failure: (any Error)?
    do {
      while try file.read({ try dump.append($0, at: $1) }) {}
    } catch {
      failure = error
    }
    let text = String(decoding: dump.line.take(), as: UTF8.self)
    return (text.split(separator: "\n").map(String.init), failure)
  }

  private func withTemporaryFile<Result>(_ bytes: Data, _ body: (String) throws -> Result) throws
    -> Result
  {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "magic-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "mysql-bin.checksum-crc32")
    try bytes.write(to: file)
    return try body(file.path(percentEncoded: false))
  }
}
