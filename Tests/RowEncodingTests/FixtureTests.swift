import Arrow
import Binlog
import Foundation
import MySQLSchema
import TestSupport
import Testing
import WireFormat

@testable import RowEncoding

/// The binlog files of real servers, in a folder beside the package.
private enum Fixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/fixtures/binlog").standardizedFileURL

  static let areUsable: Bool = {
    let exists = FileManager.default.fileExists(atPath: folder.path)
    if !exists { print("Skipping tests on binlog fixtures: \(folder.path) is absent.") }
    let hasTool = findProgram("mariadb-binlog") != nil
    if !hasTool { print("Skipping comparisons with mariadb-binlog: it is not installed.") }
    return exists && hasTool
  }()

  /// Files that mariadb-binlog cannot read to the end or whose rows it leaves out: MySQL's compressed
  /// transactions, its JSON, its tagged GTIDs.
  static let unreadable: Set = [
    "blackbeam/binlog_transaction_with_GTID_TAG.000001", "blackbeam/json-opaque.binlog",
    "osheroff/mysql-bin.compressed",
  ]

  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: path)))
  }

  /// The paths of all files that begin with the magic number, and the one that is packed.
  static let binlogs: [String] = {
    guard areUsable, let paths = FileManager.default.enumerator(atPath: folder.path) else {
      return []
    }
    return paths.compactMap { $0 as? String }.filter { path in
      if unreadable.contains(path) { return false }
      let handle = FileHandle(forReadingAtPath: folder.appending(path: path).path)
      defer { try? handle?.close() }
      return (try? handle?.read(upToCount: 4)) == Data([0xFE, 0x62, 0x69, 0x6E])
        || path.hasSuffix(".gz")
    }.sorted()
  }()
}

@Suite(.enabled(if: Fixtures.areUsable)) struct FixtureTests {
  /// Every cell of every row image equals what mariadb-binlog prints of it.
  @Test(arguments: Fixtures.binlogs) func cellsEqualThoseOfMariaDBBinlog(_ path: String)
    async throws
  {
    let source = Fixtures.folder.appending(path: path)
    let file = FileManager.default.temporaryDirectory.appending(path: "magic-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let log =
      path.hasSuffix(".gz")
      ? try await runProgram("/bin/gzip", ["-dc", source.path]) : try Data(contentsOf: source)
    try log.write(to: file)
    let tool = try #require(findProgram("mariadb-binlog"))
    let dump = try await runProgram(
      tool, ["--no-defaults", "--base64-output=DECODE-ROWS", "-vv", file.path])
    let expected = printedCells(dump)
    let actual = try decodedCells([UInt8](log))
    try #require(actual.count == expected.count)
    var differences: [String] = []
    for (actual, expected) in zip(actual, expected) where actual != expected.value {
      differences.append("\(expected.type): ours \(actual), printed \(expected.value)")
    }
    #expect(differences == [])
  }

  /// Every cell of every row image in a file, for tables known from their table maps only.
  private func decodedCells(_ log: [UInt8]) throws -> [String] {
    var cells: [String] = []
    var framer = EventFramer()
    var decoder = BinlogDecoder()
    try framer.push(log.span.bytes) { event, offset in
      try decoder.decode(event, at: offset) { decoded, bytes in
        guard case .rows(let change) = decoded.body else { return }
        var tableMap = change.tableMap
        // mariadb-binlog prints the bytes of texts, whatever their charset.
        tableMap.collations = nil
        let rowDecoder = try RowImageDecoder(table: TableSchema(positional: tableMap))
        try rowDecoder.prepare(for: tableMap)
        var reader = ByteReader(bytes.extracting(0..<change.images.upperBound))
        reader.offset = change.images.lowerBound
        var bitmaps: [ColumnBitmap] = []
        while !reader.isAtEnd {
          let isAfter = change.kind == .update && bitmaps.count % 2 == 1
          bitmaps.append(isAfter ? change.columnsPresentAfter : change.columnsPresent)
          try rowDecoder.appendImage(&reader, present: bitmaps[bitmaps.count - 1])
        }
        let batch = try rowDecoder.finish()
        for (row, present) in bitmaps.enumerated() {
          for (index, column) in batch.columns.enumerated() where present[index] {
            cells.append(cellText(column, row))
          }
        }
      }
    }
    return cells
  }

  @Test func decodesMySQLJSON() throws {
    #expect(
      try decodedCells(Fixtures.bytes("blackbeam/json-opaque.binlog")) == [
        #"{"a": "base64:type15:VQ=="}"#, #"{"b": "2012-03-18"}"#,
        #"{"c": "2012-03-18 11:30:45.000000"}"#, #"{"c": "87:31:46.654321"}"#,
        #"{"d": 123.456}"#, #"{"e": 9.00}"#, #"{"e": [0, 1, true, false]}"#, #"{"e": null}"#,
      ])
  }

  @Test func decodesTaggedAndCompressedTransactions() throws {
    #expect(
      try decodedCells(Fixtures.bytes("blackbeam/binlog_transaction_with_GTID_TAG.000001"))
        == ["3", "100", "250.00"])
    let films = try decodedCells(Fixtures.bytes("osheroff/mysql-bin.compressed"))
    try #require(films.count == 22)
    #expect(
      Array(films[0..<5]) == [
        "1", hex("Once Upon a Time in the West".utf8), "1968",
        hex("Italy".utf8), hex("Western".utf8),
      ])
    #expect(films[15] == hex("Western|Action".utf8))
  }

  private struct PrintedCell {
    var value: String
    var type: String
  }

  /// The cells that mariadb-binlog printed, each as ``cellText(_:_:)`` writes it.
  private func printedCells(_ dump: Data) -> [PrintedCell] {
    dump.split(separator: UInt8(ascii: "\n")).compactMap { line in
      guard line.starts(with: "###   @".utf8),
        let equals = line.firstIndex(of: UInt8(ascii: "=")),
        let comment = line.ranges(of: Array(" /* ".utf8)).last
      else { return nil }
      let type = String(decoding: line[comment.upperBound...], as: UTF8.self)
        .prefix { $0 != " " && $0 != "(" }
      let printed = line[line.index(after: equals)..<comment.lowerBound]
      return PrintedCell(value: value(printed, type: String(type)), type: String(type))
    }
  }

  private func value(_ printed: Data.SubSequence, type: String) -> String {
    let text = String(decoding: printed, as: UTF8.self)
    if text == "NULL" { return text }
    let unquoted = text.trimmingCharacters(in: ["'"])
    let numbers = unquoted.split { !$0.isNumber }.map { Int($0) ?? 0 }
    switch type {
    case "TINYINT", "SHORTINT", "MEDIUMINT", "INT", "LONGINT", "YEAR", "ENUM":
      return String(text.prefix { $0 != " " })
    case "FLOAT": return Float(text.trimmingCharacters(in: [" "])).map { "\($0)" } ?? text
    case "DOUBLE": return Double(text.trimmingCharacters(in: [" "])).map { "\($0)" } ?? text
    case "DECIMAL": return text
    case "SET", "BIT":
      return UInt64(unquoted.dropFirst(2), radix: 2).map { "\($0)" } ?? text
    case "DATE": return seconds(numbers).map { "\($0 / 86400)" } ?? "NULL"
    case "DATETIME": return instant(seconds(numbers), fraction: unquoted)
    case "TIMESTAMP":
      return instant(numbers[0] == 0 ? nil : numbers[0], fraction: unquoted)
    case "TIME":
      let total = (numbers[0] * 60 + numbers[1]) * 60 + numbers[2]
      let fraction = Int((fraction(unquoted) + "000000").prefix(6)) ?? 0
      return "\((unquoted.hasPrefix("-") ? -1 : 1) * (total * 1_000_000 + fraction))"
    default: return hex(unescaped(printed.dropFirst().dropLast()))
    }
  }

  /// Seconds since 1970 of year, month, day and possibly a time; nil when there is no such day.
  private func seconds(_ numbers: [Int]) -> Int? {
    var parts = tm()
    parts.tm_year = Int32(numbers[0] - 1900)
    parts.tm_mon = Int32(numbers[1] - 1)
    parts.tm_mday = Int32(numbers[2])
    if numbers.count > 3 {
      (parts.tm_hour, parts.tm_min, parts.tm_sec) = (
        Int32(numbers[3]), Int32(numbers[4]), Int32(numbers[5])
      )
    }
    let day = parts.tm_mday
    let seconds = timegm(&parts)
    return parts.tm_mday == day && numbers[1] > 0 ? seconds : nil
  }

  private func fraction(_ text: String) -> String {
    text.firstIndex(of: ".").map { String(text[text.index(after: $0)...]) } ?? ""
  }

  /// A DATETIME or TIMESTAMP in the unit that its number of digits asks for.
  private func instant(_ seconds: Int?, fraction text: String) -> String {
    guard let seconds else { return "NULL" }
    let digits = fraction(text)
    let unitDigits = digits.isEmpty ? 0 : digits.count <= 3 ? 3 : 6
    return "\(seconds)" + (digits + "000000").prefix(unitDigits)
  }

  /// The bytes of a quoted string, in which control characters are `\xNN`.
  private func unescaped(_ bytes: Data.SubSequence) -> [UInt8] {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"),
        let value = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16),
        value < 0x20
      {
        result.append(value)
        rest = rest.dropFirst(3)
      } else {
        result.append(byte)
      }
    }
    return result
  }
}
