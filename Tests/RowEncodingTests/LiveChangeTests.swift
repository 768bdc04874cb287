import Arrow
import Binlog
import Foundation
import MySQLSchema
import TestSupport
import Testing
import WireFormat

@testable import RowEncoding

@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveChangeTests {
  private static let schema = table(
    [
      column("n", .integer(.int, isUnsigned: false)),
      column("code", .string(charset: "utf8mb4"), isNullable: false),
      column("at", .datetime(fractionalDigits: 3), isNullable: false),
      column("price", .decimal(precision: 12, scale: 2)),
      column("part", .binary(length: 3), isNullable: false),
    ], primaryKey: [4, 1])

  /// The newest rows that are not marked, by version, are the rows of the table, whatever happened to it.
  @Test func newestRowsAreTheTable() async throws {
    let server = try await MariaDBServer.start(options: [
      "--default-time-zone=+00:00", "--binlog-row-event-max-size=1024", "--log-bin-compress",
    ])
    var statements = """
      CREATE DATABASE d;
      CREATE TABLE d.t (n INT, code VARCHAR(20) NOT NULL, at DATETIME(3) NOT NULL,
        price DECIMAL(12,2), part BINARY(3) NOT NULL, PRIMARY KEY (part, code))
        CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
      USE d;

      """
    var random = SeededGenerator(state: 7)
    for _ in 0..<400 {
      let code = "k\(Int.random(in: 0..<40, using: &random))"
      let part = "part = '\(Int.random(in: 0..<3, using: &random))'"
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        statements += """
          REPLACE INTO t VALUES (\(Int.random(in: -9...9, using: &random)), '\(code)',
            '2024-02-29 12:00:00.123', NULL, '\(Int.random(in: 0..<3, using: &random))');

          """
      case 5: statements += "UPDATE t SET n = n + 1, price = n * 1.25 WHERE \(part);\n"
      case 6: statements += "UPDATE IGNORE t SET code = UPPER(code) WHERE code = '\(code)';\n"
      case 7: statements += "UPDATE IGNORE t SET part = '7' WHERE code = '\(code)' AND \(part);\n"
      case 8: statements += "DELETE FROM t WHERE code = '\(code)' AND \(part);\n"
      default: statements += "UPDATE t SET at = '2030-01-01' WHERE code LIKE '%3' AND \(part);\n"
      }
    }
    try await server.sql(statements)
    let copied = try await server.rows(
      "SELECT HEX(CAST(n AS CHAR)), HEX(code), HEX(CAST(at AS CHAR)), HEX(CAST(price AS CHAR)), "
        + "HEX(part) FROM d.t")
    let log = try [UInt8](Data(contentsOf: server.folder.appending(path: "data/mysql-bin.000001")))
    await server.stop()

    let encoder = try TableEncoder(schema: Self.schema)
    for row in copied {
      try appendText(encoder, row.map { $0 == "NULL" ? nil : bytes($0) })
    }
    let expected = try rows(encoder.finish()).map { Array($0[..<5]) }.sorted {
      $0.description < $1.description
    }

    var framer = EventFramer()
    var decoder = BinlogDecoder()
    var version: UInt64 = 1
    try framer.push(log.span.bytes) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        guard case .rows(let change) = decoded.body, change.tableMap.table == "t" else { return }
        try encoder.append(change, in: bytes, nextVersion: &version)
      }
    }
    var newest: [[String]: (version: UInt64, row: [String]?)] = [:]
    for row in try rows(encoder.finish()) {
      let (version, isDeleted) = (try #require(UInt64(row[5])), row[6] == "1")
      let key = [row[4], row[1]]
      if version >= newest[key]?.version ?? 0 {
        // One change gives a key one row only.
        #expect(version != newest[key]?.version)
        newest[key] = (version, isDeleted ? nil : Array(row[..<5]))
      }
    }
    let actual = newest.values.compactMap(\.row).sorted { $0.description < $1.description }
    #expect(expected.count > 10)
    #expect(actual == expected)
  }
}
