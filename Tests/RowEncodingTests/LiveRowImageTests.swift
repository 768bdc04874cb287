import Arrow
import Binlog
import Foundation
import MySQLSchema
import TestSupport
import Testing
import WireFormat

@testable import RowEncoding

/// What a MariaDB server writes under every `binlog_row_image`, completed from a copy.
@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveRowImageTests {
  private static let schema = table(
    [
      column("n", .integer(.int, isUnsigned: false)),
      column("code", .string(charset: "utf8mb4"), isNullable: false),
      column("at", .datetime(fractionalDigits: 3), isNullable: false),
      column("price", .decimal(precision: 12, scale: 2)),
      column("part", .binary(length: 3), isNullable: false),
      column("kind", .enumeration(["a", "ü", ""]), isNullable: false),
      column("tags", .set(["x", "y", "z"])),
      column("body", .string(charset: "latin1")),
      column("raw", .bytes, isNullable: false),
      column("bits", .bit(width: 9)),
      Column(
        name: "twice", type: .integer(.int, isUnsigned: false), isNullable: true,
        isGenerated: true),
    ], primaryKey: [4, 1])

  private static let definition = """
    CREATE TABLE d.t (n INT DEFAULT 5, code VARCHAR(20) NOT NULL DEFAULT 'é',
      at DATETIME(3) NOT NULL DEFAULT '2001-02-03', price DECIMAL(12,2) DEFAULT 1.5,
      part BINARY(3) NOT NULL DEFAULT 'p', kind ENUM('a', 'ü', '') NOT NULL,
      tags SET('x', 'y', 'z') DEFAULT 'x,z', body TEXT CHARACTER SET latin1 DEFAULT 'ü',
      raw BLOB NOT NULL, bits BIT(9) DEFAULT b'101', twice INT AS (n * 2) STORED,
      PRIMARY KEY (part, code)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci
    """

  private static let defaults: [DefaultValue] = [
    .value(Array("5".utf8)), .value(Array("é".utf8)), .value(Array("2001-02-03 00:00:00.000".utf8)),
    .value(Array("1.50".utf8)), .value([0x70, 0, 0]), .value(Array("1".utf8)),
    .value(Array("5".utf8)), .value(Array("ü".utf8)), .value([]), .value([0, 5]), .unknown,
  ]

  private static func statements(_ random: inout SeededGenerator) -> String {
    var statements = "CREATE DATABASE d;\n\(definition);\nUSE d;\nSET sql_mode = '';\n"
    for _ in 0..<600 {
      let image = ["MINIMAL", "MINIMAL", "NOBLOB", "FULL"].randomElement(using: &random) ?? ""
      statements += "SET binlog_row_image = '\(image)';\n"
      let code = "'k\(Int.random(in: 0..<40, using: &random))'"
      let part = "part = '\(Int.random(in: 0..<3, using: &random))'"
      let number = Int.random(in: -9...9, using: &random)
      let digit = Int.random(in: 0..<3, using: &random)
      switch Int.random(in: 0..<14, using: &random) {
      case 0..<2:
        statements += """
          INSERT INTO t (n, code, part) VALUES (\(number), \(code), '\(digit)')
            ON DUPLICATE KEY UPDATE n = n - 1, body = CONCAT(body, n);
          """
      case 2:
        statements += """
          INSERT IGNORE INTO t (code, part, kind, tags, body, raw, bits, price, at) VALUES
            (\(code), '\(digit)', 'ü', 'y', 'text', x'00ff', 7, NULL, '2020-02-02 02:02:02.222'),
            (CONCAT(\(code), 'x'), '\(digit)', '', '', NULL, 'r', NULL, -3, '1999-01-01');
          """
      case 3: statements += "INSERT IGNORE INTO t (part) VALUES ('\(digit)');"
      case 4: statements += "INSERT IGNORE INTO t (code) VALUES (\(code));"
      case 5: statements += "UPDATE t SET n = n + 1, price = n * 1.25 WHERE \(part);"
      case 6: statements += "UPDATE IGNORE t SET code = UPPER(code) WHERE code = \(code);"
      case 7:
        statements += "UPDATE IGNORE t SET part = '7', n = 1 WHERE code = \(code) AND \(part);"
      case 8: statements += "DELETE FROM t WHERE code = \(code) AND \(part);"
      case 9: statements += "UPDATE t SET body = CONCAT(code, 'é'), tags = 'z' WHERE \(part);"
      case 10: statements += "UPDATE t SET raw = CONCAT(raw, x'80'), kind = 'a' WHERE code > 'k3';"
      case 11: statements += "UPDATE t SET price = NULL, bits = NULL WHERE code = \(code);"
      case 12:
        statements += """
          BEGIN; UPDATE t SET n = 77 WHERE code = \(code); DELETE FROM t WHERE code = \(code);
          INSERT INTO t (code, part) VALUES (\(code), '\(digit)');
          UPDATE t SET kind = 'ü' WHERE code = \(code); COMMIT;
          """
      default: statements += "UPDATE t SET at = '2030-01-01' WHERE code LIKE '%3' AND \(part);"
      }
      statements += "\n"
    }
    return statements
  }

  private static let selection = """
    SELECT HEX(CAST(n AS CHAR)), HEX(code), HEX(CAST(at AS CHAR)), HEX(CAST(price AS CHAR)),
      HEX(part), HEX(CAST(kind + 0 AS CHAR)), HEX(CAST(tags + 0 AS CHAR)), HEX(body), HEX(raw),
      IF(bits IS NULL, NULL, LPAD(HEX(bits), 4, '0')), HEX(CAST(twice AS CHAR)) FROM d.t
    """

  @Test func completedRowsAreTheTable() async throws {
    let server = try await MariaDBServer.start(options: [
      "--default-time-zone=+00:00", "--binlog-row-event-max-size=1024",
    ])
    var random = SeededGenerator(state: 11)
    let log: [UInt8]
    let copied: [[String]]
    do {
      try await server.sql(Self.statements(&random))
      copied = try await server.rows(Self.selection)
      log = try [UInt8](Data(contentsOf: server.folder.appending(path: "data/mysql-bin.000001")))
      await server.stop()
    } catch {
      await server.stop()
      throw error
    }
    let encoder = try TableEncoder(schema: Self.schema, defaults: Self.defaults)
    for row in copied {
      try appendText(encoder, row.map { $0 == "NULL" ? nil : bytes($0) })
    }
    let expected = try rows(encoder.finish()).map { Array($0[..<11]) }.sorted {
      $0.description < $1.description
    }

    var copy = SimulatedCopy(schema: Self.schema)
    var framer = EventFramer()
    var decoder = BinlogDecoder()
    var version: UInt64 = 1
    var partialEvents = 0
    try framer.push(log.span.bytes) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        guard case .rows(let change) = decoded.body, change.tableMap.table == "t" else { return }
        if !change.columnsPresent.isFull { partialEvents += 1 }
        try encoder.append(change, in: bytes, nextVersion: &version)
        if Int.random(in: 0..<12, using: &random) == 0 { try copy.publish(encoder) }
      }
    }
    try copy.publish(encoder)
    let actual = copy.rows.values.map(\.cells).sorted { $0.description < $1.description }
    #expect(expected.count > 10)
    #expect(partialEvents > 100)
    #expect(copy.askedFor > 20)
    #expect(actual == expected)
  }
}

/// The rows of a table by their keys, as a copy keeps them.
struct SimulatedCopy {
  struct Row {
    var version: UInt64
    var batch: RecordBatch
    var index: Int
    var cells: [String]
  }

  let schema: TableSchema
  var rows: [[String]: Row] = [:]
  /// The number of rows that incomplete batches needed.
  var askedFor = 0

  init(schema: TableSchema) { self.schema = schema }

  /// The rows with some keys.
  func base(_ keys: RecordBatch) throws -> RecordBatch {
    let wanted = RowEncodingTests.rows(keys).compactMap { rows[$0] }
    let fields = TableEncoder.arrowSchema(for: schema).fields
    let columns = try fields.indices.map { column in
      let parts = wanted.map { $0.batch.columns[column].slice($0.index..<$0.index + 1) }
      if parts.isEmpty { return ArrayData(emptyOf: fields[column].type) }
      return try ArrayData.gather(Array(parts.indices), from: parts)
    }
    return try RecordBatch(schema: Schema(fields: fields), columns: columns, rowCount: wanted.count)
  }

  mutating func publish(_ encoder: TableEncoder) throws {
    let batch: RecordBatch
    switch try encoder.finishRows() {
    case .complete(let complete): batch = complete
    case .incomplete(let incomplete):
      #expect(incomplete.keys.rowCount > 0)
      let keys = RowEncodingTests.rows(incomplete.keys)
      #expect(Set(keys).count == keys.count)
      askedFor += keys.count
      batch = try incomplete.completed(with: base(incomplete.keys))
    }
    for column in batch.columns { try column.validate() }
    for (index, cells) in RowEncodingTests.rows(batch).enumerated() {
      let width = schema.columns.count
      let version = try #require(UInt64(cells[width]))
      let key = schema.primaryKey.map { cells[$0] }
      if cells[width + 1] == "1" {
        rows[key] = nil
      } else {
        rows[key] = Row(
          version: version, batch: batch, index: index, cells: Array(cells[..<width]))
      }
    }
  }
}
