import Arrow
import Binlog
import MySQLSchema
import Testing
import WireFormat

@testable import RowEncoding

/// Every kind of column with a layout that it accepts.
private let everyKind: [(ColumnType, WireColumnType)] = [
  (.integer(.tiny, isUnsigned: false), .integer(byteCount: 1)),
  (.integer(.medium, isUnsigned: false), .integer(byteCount: 3)),
  (.integer(.big, isUnsigned: true), .set(byteCount: 5)), (.float, .float), (.double, .double),
  (.decimal(precision: 65, scale: 30), .decimal(precision: 65, scale: 30)),
  (.decimal(precision: 1, scale: 1), .decimal(precision: 1, scale: 1)),
  (.bit(width: 7), .bit(width: 7)), (.year, .year), (.date, .date),
  (.datetime(fractionalDigits: 0), .oldDatetime),
  (.datetime(fractionalDigits: 5), .datetime(fractionalDigits: 5)),
  (.timestamp(fractionalDigits: 0), .oldTimestamp),
  (.timestamp(fractionalDigits: 3), .timestamp(fractionalDigits: 3)),
  (.time(fractionalDigits: 0), .oldTime), (.time(fractionalDigits: 6), .time(fractionalDigits: 6)),
  (.string(charset: "utf8mb4"), .varchar(maximumLength: 20)),
  (.string(charset: "sjis"), .varchar(maximumLength: 300)),
  (.string(charset: "utf16"), .compressedVarchar(maximumLength: 20)),
  (.binary(length: 9), .string(maximumLength: 9)), (.bytes, .blob(lengthBytes: 1)),
  (.bytes, .compressedBlob(lengthBytes: 1)), (.geometry, .geometry(lengthBytes: 1)),
  (.json, .json(lengthBytes: 1)), (.enumeration(["a", "", "b"]), .enumeration(byteCount: 1)),
  (.set(["a", "b", "c"]), .set(byteCount: 1)), (.uuid, .string(maximumLength: 16)),
  (.inet4, .string(maximumLength: 4)), (.inet6, .string(maximumLength: 16)),
  (.vector(dimensions: 4), .vector(lengthBytes: 1)),
]

@Suite struct RobustnessTests {
  /// Whatever the bytes are, the outcome is an error or a valid batch.
  @Test(arguments: 0..<everyKind.count) func randomImages(_ kind: Int) throws {
    let (type, wire) = everyKind[kind]
    var random = SeededGenerator(state: UInt64(kind))
    for _ in 0..<3000 {
      // Small bytes make lengths that fit.
      let isSmall = random.next() % 2 == 0
      var images: [UInt8] = (0..<Int.random(in: 1...40, using: &random)).map { _ in
        UInt8.random(in: 0...(isSmall ? 12 : 255), using: &random)
      }
      images[0] &= 1
      let encoder = try TableEncoder(schema: table([column("c", type)], primaryKey: [0]))
      var version: UInt64 = 0
      let change: RowsEvent.Kind = random.next() % 2 == 0 ? .update : .write
      do {
        try encoder.append(
          event(change, tableMap([wire]), images: images), in: images.span.bytes,
          nextVersion: &version)
      } catch {
        #expect(error.cause != nil)
      }
      let batch = try encoder.finish()
      for column in batch.columns { try column.validate() }
      #expect(rows(batch).count == batch.rowCount)
    }
  }

  @Test(arguments: 0..<everyKind.count) func randomText(_ kind: Int) throws {
    let type = everyKind[kind].0
    var random = SeededGenerator(state: UInt64(kind))
    let alphabet = Array("0123456789-:. eE+af".utf8) + [0x00, 0x80, 0xFF]
    let encoder = try TableEncoder(schema: table([column("c", type)], primaryKey: []))
    for _ in 0..<3000 {
      let text = (0..<Int.random(in: 0...24, using: &random)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
      }
      do {
        try appendText(encoder, [text])
        #expect(encoder.rowCount == 1)
      } catch {
        #expect((error as? EncodingError)?.cause != nil)
      }
      for column in try encoder.finish().columns { try column.validate() }
    }
  }
}
