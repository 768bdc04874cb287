import Arrow
import Binlog
import Foundation
import MySQLSchema
import TestSupport
import Testing
import WireFormat

@testable import RowEncoding

/// Values of compressed columns and of compressed events, in every size that changes their form.
@Suite(.enabled(if: MariaDBServer.isAvailable)) struct LiveCompressionTests {
  private static let sizes = [
    0, 1, 2, 99, 100, 101, 127, 128, 250, 254, 255, 256, 257, 1000, 4095, 4096, 16_383, 65_000,
    65_535, 65_536, 100_000, 1 << 20, 16_777_215, 16_777_216,
  ]

  /// The columns with the most bytes that each holds.
  private static let columns: [(name: String, type: String, limit: Int)] = [
    ("vc", "VARCHAR(200) CHARACTER SET latin1", 200), ("vl", "VARCHAR(16000)", 16_000),
    ("vb", "VARBINARY(250)", 250), ("tt", "TINYTEXT", 254), ("tb", "TINYBLOB", 254),
    ("t", "TEXT", 65_534), ("b", "BLOB", 65_534), ("mt", "MEDIUMTEXT", 16_777_214),
    ("mb", "MEDIUMBLOB", 16_777_214), ("lt", "LONGTEXT", 20_000_000),
    ("lb", "LONGBLOB", 20_000_000),
  ]

  private static let schema = table(
    [column("id", .integer(.int, isUnsigned: false), isNullable: false)]
      + columns.map { name, type, _ in
        let isText = type.hasPrefix("VARCHAR") || type.hasSuffix("TEXT")
        let charset = type.hasSuffix("latin1") ? "latin1" : "utf8mb4"
        return column(name, isText ? .string(charset: charset) : .bytes)
      })

  private static let definition =
    "CREATE TABLE t (id INT PRIMARY KEY, "
    + columns.map { name, type, _ in
      // The attribute comes before the charset.
      let words = type.split(separator: " ", maxSplits: 1)
      return "\(name) \(words[0]) COMPRESSED" + (words.count > 1 ? " \(words[1])" : "")
    }.joined(separator: ", ") + ") CHARACTER SET utf8mb4"

  /// Rows of every size, of bytes that compress well and of bytes that do not.
  private static func inserts(from id: inout Int) -> String {
    var statements = ""
    // The largest ones only once.
    let isFirst = id == 0
    for size in sizes where isFirst || size <= 1 << 20 {
      let columns = columns.filter { size <= $0.limit }
      let names = columns.map(\.name).joined(separator: ", ")
      let text = "REPEAT('abcdefgh', \(size / 8)), REPEAT('x', \(size % 8))"
      var values = ["CONCAT(\(text))"]
      if size < 100_000 {
        values.append(
          "LEFT(REPEAT(CONCAT(SHA2(\(size), 512), SHA2(\(size) + 1, 512)), 300), \(size))")
      }
      for value in values {
        id += 1
        statements += "SET @v = \(value); INSERT INTO t (id, \(names)) VALUES (\(id)"
        statements += String(repeating: ", @v", count: columns.count) + ");\n"
      }
    }
    return statements
  }

  private static let settings = [
    "", "SET column_compression_threshold = 0;",
    "SET column_compression_zlib_wrap = ON, column_compression_zlib_level = 9;",
    "SET column_compression_zlib_level = 0;",
    "SET column_compression_zlib_level = 1, column_compression_zlib_strategy = 'HUFFMAN_ONLY';",
  ]

  @Test(arguments: [
    [], ["--log-bin-compress=1", "--log-bin-compress-min-len=10"],
  ]) func everySize(_ options: [String]) async throws {
    let server = try await MariaDBServer.start(
      options: options + ["--max-binlog-size=1G", "--innodb-log-file-size=256M"])
    var statements = "CREATE DATABASE d; USE d; SET sql_mode = ''; \(Self.definition);\n"
    var id = 0
    for setting in Self.settings {
      statements += setting + "\n" + Self.inserts(from: &id)
    }
    let log: [UInt8]
    let sums: [[String]]
    do {
      try await server.sql(statements)
      let sum = Self.columns.map { "CRC32(\($0.name)), LENGTH(\($0.name))" }
      sums = try await server.rows(
        "SELECT id, \(sum.joined(separator: ", ")) FROM d.t ORDER BY id")
      log = try [UInt8](Data(contentsOf: server.folder.appending(path: "data/mysql-bin.000001")))
      await server.stop()
    } catch {
      await server.stop()
      throw error
    }
    #expect(sums.count == id)
    let encoder = try TableEncoder(schema: Self.schema)
    var framer = EventFramer()
    var decoder = BinlogDecoder()
    var version: UInt64 = 1
    var actual: [[String]] = []
    var compressedColumns = 0
    try framer.push(log.span.bytes) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        guard case .rows(let change) = decoded.body else { return }
        compressedColumns = change.tableMap.columnTypes.count { type in
          switch type {
          case .compressedVarchar, .compressedBlob: true
          default: false
          }
        }
        try encoder.append(change, in: bytes, nextVersion: &version)
        actual += sumsOfRows(try encoder.finish())
      }
    }
    #expect(compressedColumns == Self.columns.count)
    #expect(actual == sums)
  }

  /// The id of each row, and what the server's CRC32 and LENGTH give for the other columns.
  private func sumsOfRows(_ batch: RecordBatch) -> [[String]] {
    (0..<batch.rowCount).map { row in
      [cellText(batch.columns[0], row)]
        + batch.columns[1...Self.columns.count].flatMap { column in
          if column.isNull(at: row) { return ["NULL", "NULL"] }
          return column.withBinaryValue(at: row) { bytes in
            ["\(crc32([UInt8](bytes).span.bytes))", "\(bytes.count)"]
          }
        }
    }
  }

  /// Events of row images from a few bytes to some hundred thousand, compressed as a whole.
  @Test func eventsOfEverySize() async throws {
    let server = try await MariaDBServer.start(options: [
      "--log-bin-compress=1", "--log-bin-compress-min-len=10",
      "--binlog-row-event-max-size=4294967040",
    ])
    let log: [UInt8]
    do {
      var statements = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT);\n"
      for (id, size) in (Array(0..<300) + [1000, 5000, 70_000, 1 << 20]).enumerated() {
        statements += "INSERT INTO d.t VALUES (\(id), REPEAT('é', \(size)));\n"
      }
      statements += "UPDATE d.t SET v = CONCAT(v, 'z'); DELETE FROM d.t;\n"
      try await server.sql(statements)
      log = try [UInt8](Data(contentsOf: server.folder.appending(path: "data/mysql-bin.000001")))
      await server.stop()
    } catch {
      await server.stop()
      throw error
    }
    let encoder = try TableEncoder(
      schema: table([
        column("id", .integer(.int, isUnsigned: false), isNullable: false),
        column("v", .string(charset: "utf8mb4")),
      ]))
    var framer = EventFramer()
    var decoder = BinlogDecoder()
    var version: UInt64 = 1
    var lengths: [RowsEvent.Kind: [Int]] = [:]
    var compressed = 0
    try framer.push(log.span.bytes) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        guard case .rows(let change) = decoded.body else { return }
        if decoded.header.typeCode >= 166 { compressed += 1 }
        try encoder.append(change, in: bytes, nextVersion: &version)
        let batch = try encoder.finish()
        for row in 0..<batch.rowCount {
          let length = batch.columns[1].withBinaryValue(at: row) { $0.count }
          lengths[change.kind, default: []].append(length)
        }
      }
    }
    let sizes = (Array(0..<300) + [1000, 5000, 70_000, 1 << 20]).map { 2 * $0 }
    #expect(lengths[.write] == sizes)
    #expect(lengths[.update] == sizes.map { $0 + 1 })
    #expect(lengths[.delete] == sizes.map { $0 + 1 })
    #expect(compressed > 290)
  }
}
