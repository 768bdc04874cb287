import Arrow
import Binlog
import MySQLSchema
import Testing
import WireFormat

@testable import RowEncoding

/// id INT, extra JSON, doc JSON, with a key of `id`; images are those of PARTIAL_UPDATE_ROWS.
private let documents = table([
  column("id", .integer(.int, isUnsigned: false), isNullable: false),
  column("extra", .json), column("doc", .json),
])

private let documentsMap = tableMap([
  .integer(byteCount: 4), .json(lengthBytes: 4), .json(lengthBytes: 4),
])

/// The cell of an object `{"a": value}`.
private func object(_ value: UInt8) -> [UInt8] {
  [13, 0, 0, 0, 0, 1, 0, 12, 0, 11, 0, 1, 0, 5, value, 0, 0x61]
}

private func int(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0] }

/// A cell that holds changes.
private func changes(_ diffs: [UInt8]...) -> [UInt8] {
  let all = diffs.flatMap { $0 }
  return [UInt8(all.count), 0, 0, 0] + all
}

private func path(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
/// A new value of 16 bits.
private func number(_ value: UInt8) -> [UInt8] { [3, 5, value, 0] }

@Suite struct PartialJSONTests {
  private var version: UInt64 = 1

  /// Appends updates whose before images have the columns of `bits`, the after images those of
  /// `after`.
  private mutating func append(
    _ encoder: TableEncoder, _ bits: UInt8, after: UInt8, _ images: [UInt8]
  ) throws {
    var change = event(.update, documentsMap, images: images)
    change.hasValueOptions = true
    change.columnsPresent = ColumnBitmap(count: 3, bytes: [bits])
    change.columnsPresentAfter = ColumnBitmap(count: 3, bytes: [after])
    try encoder.append(change, in: images.span.bytes, nextVersion: &version)
  }

  private func base(_ document: String?) throws -> RecordBatch {
    try TableEncoder.batch(
      of: documents, utf8Row: [Array("5".utf8), nil, document.map { Array($0.utf8) }])
  }

  @Test mutating func documentsOfTheBeforeImageAreChanged() throws {
    let encoder = try TableEncoder(schema: documents)
    let before = [0] + int(5) + object(1) + object(2)
    // Only the second document is written as a change; then both, one of which stays as it is.
    try append(
      encoder, 0b111, after: 0b111,
      before + [1, 0b10, 0] + int(5) + object(7) + changes([0] + path("$.a") + number(9)))
    try append(
      encoder, 0b111, after: 0b111,
      before + [1, 0b11, 0] + int(6)
        + changes([1] + path("$.bb") + number(3), [2] + path("$.a")) + changes())
    // No changes at all: the options are 0 and there are no bits.
    try append(encoder, 0b111, after: 0b111, before + [0, 0] + int(5) + object(4) + object(5))
    #expect(
      try rows(encoder.finish()) == [
        ["5", #"{"a": 7}"#, #"{"a": 9}"#, "1", "0"], ["5", #"{"a": 1}"#, #"{"a": 2}"#, "2", "1"],
        ["6", #"{"bb": 3}"#, #"{"a": 2}"#, "2", "0"], ["5", #"{"a": 4}"#, #"{"a": 5}"#, "3", "0"],
      ])
  }

  @Test mutating func documentsOfTheCopyAreChanged() throws {
    let encoder = try TableEncoder(schema: documents)
    let set = { (member: String, value: UInt8) in changes([0] + path(member) + number(value)) }
    // The bit of the document that the image lacks comes first all the same.
    try append(
      encoder, 0b001, after: 0b100, [0] + int(5) + [1, 0b10, 0] + set("$.a", 1))
    try append(
      encoder, 0b001, after: 0b101, [0] + int(5) + [1, 0b10, 0] + int(6) + set("$.b[1]", 2))
    try append(encoder, 0b001, after: 0b010, [0] + int(6) + [1, 0b00, 1])
    try append(encoder, 0b001, after: 0b100, [0] + int(6) + [1, 0b10, 0] + set("$.a", 3))
    try append(encoder, 0b001, after: 0b100, [0] + int(6) + [1, 0b00, 0] + object(4))
    try append(encoder, 0b001, after: 0b100, [0] + int(6) + [1, 0b10, 0] + set("$.a", 5))
    let batch: IncompleteBatch
    switch try encoder.finishRows() {
    case .incomplete(let incomplete): batch = incomplete
    case .complete: throw Complete()
    }
    #expect(rows(batch.keys) == [["5"]])
    #expect(
      try rows(batch.completed(with: base(#"{"a": "x", "b": [1.50, 7]}"#))).map { [$0[0], $0[2]] }
        == [
          ["5", #"{"a": 1, "b": [1.50, 7]}"#], ["5", "NULL"], ["6", #"{"a": 1, "b": [1.50, 2]}"#],
          ["6", #"{"a": 1, "b": [1.50, 2]}"#], ["6", #"{"a": 3, "b": [1.50, 2]}"#],
          ["6", #"{"a": 4}"#], ["6", #"{"a": 5}"#],
        ])
    for document in [nil, "{}", "[1]"] {
      let error = #expect(throws: EncodingError.self) { try batch.completed(with: base(document)) }
      #expect(error?.code == .invalidValue)
      #expect(error?.column == "doc")
    }
    let nothing = try base("{}").slice(0..<0)
    #expect(
      try rows(batch.completed(with: nothing, missingRows: .fillWithDefaults)).map { $0[2] } == [
        "NULL", "NULL", "NULL", "NULL", "NULL", #"{"a": 4}"#, #"{"a": 5}"#,
      ])
  }

  private struct Complete: Error {}

  @Test mutating func refusesChangesOfNothing() throws {
    let change = changes([0] + path("$.a") + number(1))
    for (before, after) in [
      // NULL; other options; a change that does not fit; truncated bits.
      ([4] + int(5) + object(1), [1, 0b10, 0] + int(5) + object(1) + change),
      ([0] + int(5) + object(1) + object(1), [2, 0b10, 0] + int(5) + object(1) + change),
      (
        [0] + int(5) + object(1) + object(1),
        [1, 0b10, 0] + int(5) + object(1) + changes([2] + path("$.b"))
      ), ([0] + int(5) + object(1) + object(1), [1]),
    ] as [([UInt8], [UInt8])] {
      let encoder = try TableEncoder(schema: documents)
      #expect(throws: EncodingError.self) {
        try append(encoder, 0b111, after: 0b111, before + after)
      }
      #expect(try encoder.finish().rowCount == 0)
    }
  }

  @Test func printsChanges() throws {
    let decoder = try RowImageDecoder(table: documents)
    try decoder.prepare(for: documentsMap)
    let image: [UInt8] =
      [1, 0b10, 0] + int(5)
      + changes([0] + path("$.a") + number(1), [2] + path(#"$."b c""#))
    var reader = ByteReader(image.span.bytes)
    try decoder.appendImage(
      &reader, present: ColumnBitmap(count: 3, bytes: [0b101]), hasValueOptions: true)
    #expect(
      try rows(decoder.finish()) == [
        ["5", "NULL", #"JSON_REPLACE($."a", 1), JSON_REMOVE($."b c")"#]
      ])
  }
}
