import Arrow
import Binlog
import MySQLSchema
import Testing
import WireFormat

@testable import RowEncoding

/// id INT, size ENUM, note TEXT or NULL, tags SET, count INT NOT NULL; the key is `id`.
private let items = table([
  column("id", .integer(.int, isUnsigned: false), isNullable: false),
  column("size", .enumeration(["s", "l"])),
  column("note", .string(charset: "utf8mb4")),
  column("tags", .set(["x", "y"])),
  column("count", .integer(.int, isUnsigned: false), isNullable: false),
])

private let itemsMap = tableMap([
  .integer(byteCount: 4), .enumeration(byteCount: 1), .blob(lengthBytes: 1), .set(byteCount: 1),
  .integer(byteCount: 4),
])

/// The cell of an INT.
private func int(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0] }
/// The cell of a TEXT.
private func text(_ value: String) -> [UInt8] { [UInt8(value.utf8.count)] + Array(value.utf8) }

/// A living row of the copy: 5, "l", "old", "x,y", 7.
private let fullImage: [UInt8] = [0] + int(5) + [2] + text("old") + [3] + int(7)

@Suite struct PartialRowTests {
  private var version: UInt64 = 10

  /// Appends a change whose images have the columns that the bits say.
  private mutating func append(
    _ encoder: TableEncoder, _ kind: RowsEvent.Kind, _ bits: UInt8, after: UInt8? = nil,
    _ images: [UInt8], map: TableMap = itemsMap
  ) throws {
    var change = event(kind, map, images: images)
    let count = map.columnTypes.count
    change.columnsPresent = ColumnBitmap(count: count, bytes: [bits])
    change.columnsPresentAfter = ColumnBitmap(count: count, bytes: [after ?? bits])
    try encoder.append(change, in: images.span.bytes, nextVersion: &version)
  }

  private func incomplete(_ encoder: TableEncoder) throws -> IncompleteBatch {
    switch try encoder.finishRows() {
    case .incomplete(let batch): return batch
    case .complete(let batch): throw UnexpectedlyComplete(rows: rows(batch))
    }
  }

  private struct UnexpectedlyComplete: Error { var rows: [[String]] }

  /// The row of the copy, and rows of other keys.
  private func base() throws -> RecordBatch {
    let encoder = try TableEncoder(schema: items)
    for id in ["4", "5", "6"] {
      let cells = [id, "2", "old", "3", "7"].map { Array($0.utf8) as [UInt8]? }
      try appendText(encoder, cells)
    }
    let batch = try encoder.finish()
    return try RecordBatch(
      schema: TableEncoder.arrowSchema(for: items), columns: Array(batch.columns[..<5]),
      rowCount: 3)
  }

  @Test mutating func rowsOfOneKeyBuildOnEachOther() throws {
    let encoder = try TableEncoder(schema: items)
    // The note changes; then the count; the key; the size of the moved row; the row goes.
    try append(encoder, .update, 0b00001, after: 0b00100, [0] + int(5) + [0] + text("new"))
    try append(encoder, .update, 0b00001, after: 0b10000, [0] + int(5) + [0] + int(8))
    try append(encoder, .update, 0b00001, after: 0b00001, [0] + int(5) + [0] + int(9))
    try append(encoder, .update, 0b00001, after: 0b00010, [0] + int(9) + [0, 1])
    try append(encoder, .delete, 0b00001, [0] + int(9))
    // The old key comes back as a whole row, from which another change goes on.
    try append(encoder, .write, 0b11111, fullImage)
    try append(encoder, .update, 0b00001, after: 0b10000, [0] + int(5) + [0] + int(1))
    #expect(encoder.rowCount == 8)
    let batch = try incomplete(encoder)
    #expect(rows(batch.keys) == [["5"]])
    #expect(batch.keys.schema.fields.map(\.name) == ["id"])
    #expect(batch.rowCount == 8)
    let completed = try batch.completed(with: base())
    #expect(completed.schema == encoder.storageSchema)
    #expect(
      rows(completed) == [
        ["5", "l", "new", "[x, y]", "7", "10", "0"],
        ["5", "l", "new", "[x, y]", "8", "11", "0"],
        ["5", "NULL", "NULL", "NULL", "0", "12", "1"],
        ["9", "l", "new", "[x, y]", "8", "12", "0"],
        ["9", "s", "new", "[x, y]", "8", "13", "0"],
        ["9", "NULL", "NULL", "NULL", "0", "14", "1"],
        ["5", "l", "old", "[x, y]", "7", "15", "0"],
        ["5", "l", "old", "[x, y]", "1", "16", "0"],
      ])
    for column in completed.columns { try column.validate() }
    #expect(completed.columns[4].nullCount == 0)
    // The encoder is empty, and whole again.
    try append(encoder, .write, 0b11111, fullImage)
    #expect(try rows(encoder.finish()) == [["5", "l", "old", "[x, y]", "7", "17", "0"]])
  }

  @Test mutating func rowsThatTheBatchHasNeedNoCopy() throws {
    let encoder = try TableEncoder(schema: items)
    try append(encoder, .write, 0b11111, fullImage)
    try append(encoder, .update, 0b00001, after: 0b00100, [0] + int(5) + [1])
    try append(encoder, .delete, 0b00001, [0] + int(6))
    #expect(
      try rows(encoder.finish()) == [
        ["5", "l", "old", "[x, y]", "7", "10", "0"], ["5", "l", "NULL", "[x, y]", "7", "11", "0"],
        ["6", "NULL", "NULL", "NULL", "0", "12", "1"],
      ])
  }

  /// As `binlog_row_image=FULL_NODUP` writes: what the after image lacks is in the before image.
  @Test mutating func columnsThatDidNotChangeComeFromTheBeforeImage() throws {
    let encoder = try TableEncoder(schema: items)
    try append(encoder, .update, 0b11111, after: 0b00100, fullImage + [0] + text("new"))
    try append(encoder, .update, 0b11111, after: 0b00001, fullImage + [0] + int(6))
    #expect(
      try rows(encoder.finish()) == [
        ["5", "l", "new", "[x, y]", "7", "10", "0"],
        ["5", "l", "old", "[x, y]", "7", "11", "1"],
        ["6", "l", "old", "[x, y]", "7", "11", "0"],
      ])
  }

  @Test mutating func insertedRowsHaveDefaults() throws {
    let defaults: [DefaultValue] = [
      .value(Array("3".utf8)), .value(Array("1".utf8)), .value(Array("é".utf8)), .value(nil),
      .unknown,
    ]
    var schema = items
    schema.columns[2].type = .string(charset: "latin1")
    let encoder = try TableEncoder(schema: schema, defaults: defaults)
    try append(encoder, .write, 0b10000, [0] + int(1) + [0] + int(2))
    // The key that the default gave is known for the change after it.
    try append(encoder, .update, 0b00001, after: 0b01000, [0] + int(3) + [0, 2])
    #expect(
      try rows(encoder.finish()) == [
        ["3", "s", "é", "NULL", "1", "10", "0"], ["3", "s", "é", "NULL", "2", "11", "0"],
        ["3", "s", "é", "[y]", "2", "12", "0"],
      ])
    let error = #expect(throws: EncodingError.self) {
      try append(encoder, .write, 0b00001, [0] + int(1))
    }
    #expect(error?.code == .incompleteRowImage)
    #expect(error?.column == "count")
  }

  @Test mutating func rowsThatTheCopyLacks() throws {
    let encoder = try TableEncoder(schema: items)
    for _ in 0..<2 {
      try append(encoder, .update, 0b00001, after: 0b00100, [0] + int(7) + [0] + text("a"))
      try append(encoder, .update, 0b00001, after: 0b01000, [0] + int(7) + [0, 1])
      let batch = try incomplete(encoder)
      let error = #expect(throws: EncodingError.self) { try batch.completed(with: base()) }
      #expect(error?.code == .missingRow)
      #expect(error?.description.hasPrefix("d.t: the copy lacks a row") == true)
      version = 10
      #expect(
        try rows(batch.completed(with: base(), missingRows: .fillWithDefaults)) == [
          ["7", "NULL", "a", "NULL", "0", "10", "0"], ["7", "NULL", "a", "[x]", "0", "11", "0"],
        ])
    }
    try append(encoder, .delete, 0b00001, [0] + int(7))
    try append(encoder, .update, 0b00001, after: 0b01000, [0] + int(7) + [0, 1])
    let error = #expect(throws: EncodingError.self) { try encoder.finish() }
    #expect(error?.description.contains("had deleted before") == true)
  }

  @Test mutating func finishRefusesWhatNeedsTheCopy() throws {
    let encoder = try TableEncoder(schema: items)
    try append(encoder, .update, 0b00001, after: 0b00100, [0] + int(7) + [0] + text("a"))
    let error = #expect(throws: EncodingError.self) { try encoder.finish() }
    #expect(error?.code == .incompleteRowImage)
    #expect(encoder.rowCount == 0)
  }

  /// The copy may have texts where the encoder has dictionaries, and dictionaries in another order.
  @Test mutating func copiesWithOtherDictionaries() throws {
    let encoder = try TableEncoder(schema: items)
    try append(encoder, .update, 0b00001, after: 0b00100, [0] + int(5) + [0] + text("new"))
    let batch = try incomplete(encoder)
    let whole = try base()
    let words = DictionaryBuilder(values: [Array("y".utf8), Array("l".utf8), Array("x".utf8)])
    for index in [1, 1, 1] { words.append(index: index) }
    let tags = ListBuilder(
      item: Field(name: "item", type: .utf8, isNullable: false),
      child: BinaryBuilder(type: .utf8))
    for tag in ["x", "y", "x"] {
      (tags.child as? BinaryBuilder)?.append(Array(tag.utf8).span.bytes)
      tags.endList()
    }
    for sizes in [words.finish(), textColumn(["s", "l", "s"])] {
      let tags = tags.count > 0 ? tags.finish() : whole.columns[3]
      let columns = [whole.columns[0], sizes, whole.columns[2], tags, whole.columns[4]]
      let fields = zip(whole.schema.fields, columns).map { Field(name: $0.name, type: $1.type) }
      let other = try RecordBatch(schema: Schema(fields: fields), columns: columns, rowCount: 3)
      let completed = try batch.completed(with: other)
      let isList = tags.type != whole.columns[3].type
      #expect(
        rows(completed) == [["5", "l", "new", isList ? "[y]" : "[x, y]", "7", "10", "0"]])
      #expect(completed.schema == encoder.storageSchema)
    }
    let unknown = [
      whole.columns[0], textColumn(["s", "xl", "s"]), whole.columns[2], whole.columns[3],
      whole.columns[4],
    ]
    let fields = zip(whole.schema.fields, unknown).map { Field(name: $0.name, type: $1.type) }
    let error = #expect(throws: EncodingError.self) {
      try batch.completed(
        with: RecordBatch(schema: Schema(fields: fields), columns: unknown, rowCount: 3))
    }
    #expect(error?.code == .schemaMismatch)
    #expect(error?.column == "size")
  }

  @Test mutating func generatedColumnsAreNotGuessed() throws {
    var schema = items
    schema.columns[4].isGenerated = true
    let encoder = try TableEncoder(schema: schema)
    let error = #expect(throws: EncodingError.self) {
      try append(encoder, .update, 0b00001, after: 0b00100, [0] + int(5) + [0] + text("new"))
    }
    #expect(error?.code == .incompleteRowImage)
    #expect(error?.column == "count")
    // With its value in the image there is nothing to guess.
    try append(encoder, .update, 0b00001, after: 0b10100, [0] + int(5) + [0] + text("new") + int(3))
    #expect(
      try rows(incomplete(encoder).completed(with: base())) == [
        ["5", "l", "new", "[x, y]", "3", "10", "0"]
      ])
  }

  @Test mutating func tablesWithoutAKey() throws {
    var schema = items
    schema.primaryKey = []
    let encoder = try TableEncoder(
      schema: schema, defaults: Array(repeating: .value(Array("1".utf8)), count: 5))
    try append(encoder, .update, 0b11111, fullImage + fullImage)
    try append(encoder, .update, 0b11111, after: 0b00001, fullImage + [0] + int(6))
    try append(encoder, .write, 0b00001, [0] + int(2))
    #expect(encoder.rowCount == 5)
    #expect(
      try rows(encoder.finish()) == [
        ["5", "l", "old", "[x, y]", "7", "10", "1"], ["5", "l", "old", "[x, y]", "7", "10", "0"],
        ["5", "l", "old", "[x, y]", "7", "11", "1"], ["6", "l", "old", "[x, y]", "7", "11", "0"],
        ["2", "s", "1", "[x]", "1", "12", "0"],
      ])
    for kind in [RowsEvent.Kind.update, .delete] {
      let error = #expect(throws: EncodingError.self) {
        try append(encoder, kind, 0b00001, after: 0b11111, [])
      }
      #expect(error?.code == .incompleteRowImage)
    }
  }

  @Test mutating func refusesTruncatedImages() throws {
    let image = [0] + int(5) + [0] + text("new")
    for length in 1..<image.count {
      let encoder = try TableEncoder(schema: items)
      try append(encoder, .update, 0b00001, after: 0b00100, image)
      let error = #expect(throws: EncodingError.self) {
        try append(encoder, .update, 0b00001, after: 0b00100, Array(image[..<length]))
      }
      #expect(error?.code == .malformedImage)
      // The row before it is there, without traces of the one that failed.
      #expect(try rows(incomplete(encoder).completed(with: base())).count == 1)
    }
  }

  @Test func rowsOfTexts() throws {
    var schema = items
    schema.columns[2].type = .string(charset: "gbk")
    let cells = ["1", "2", "中", nil, "4"].map { $0.map { Array($0.utf8) } }
    let batch = try TableEncoder.batch(of: schema, utf8Row: cells)
    #expect(batch.schema == TableEncoder.arrowSchema(for: schema))
    #expect(rows(batch) == [["1", "l", "中", "NULL", "4"]])
    #expect(throws: EncodingError.self) {
      try TableEncoder.batch(of: schema, utf8Row: [nil] + cells.dropFirst())
    }
    #expect(throws: EncodingError.self) {
      try TableEncoder.batch(of: schema, utf8Row: Array(cells.dropLast()))
    }
  }
}
