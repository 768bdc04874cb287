import Arrow

/// A row that the source and the copy do not have alike.
public struct RowDifference: Hashable, Sendable, Codable {
  public enum Kind: String, Sendable, Codable {
    /// The source has the row, the copy does not.
    case missing
    /// The copy has the row, the source does not.
    case extra
    /// Both have it, with different values.
    case different
  }

  public var kind: Kind
  /// The key's columns as text.
  public var key: String
  /// The columns that differ, when both sides have the row.
  public var columns: [String]
  /// A hash of the source's row, by which a row in motion is told from a lasting difference.
  var sourceHash: Int
}

/// Compares two streams of rows that are ordered by the key, in one pass and bounded memory.
///
/// Without a key their order does not matter: then the sums of hashes of all rows are compared, which tell
/// that rows differ, but not which.
public struct TableComparison {
  /// How many differences are kept; the rest are only counted.
  public static let differencesKept = 1_000

  public private(set) var rowsCompared: UInt64 = 0
  public private(set) var differenceCount: UInt64 = 0
  /// The first differences in the order of the key.
  public private(set) var differences: [RowDifference] = []

  private let columns: [CellComparison]
  private let names: [String]
  private let key: [Int]
  private var source: RecordBatch?
  private var sourceRow = 0
  private var copy: RecordBatch?
  private var copyRow = 0
  private var sourceSum = RowSum()
  private var copySum = RowSum()

  /// - Parameters:
  ///   - schema: the visible columns as the source's side gives them.
  ///   - key: indices of the key's columns; empty for a table without one.
  public init(schema: Schema, key: [Int]) throws {
    columns = try schema.fields.map { try CellComparison($0.type) }
    names = schema.fields.map(\.name)
    self.key = key
  }

  /// Reads both sides to their end.
  ///
  /// - Parameters:
  ///   - nextSource: gives the next rows of the source, which may have further columns behind the
  ///     visible ones; nil at the end.
  ///   - nextCopy: the same for the copy.
  ///   - progress: is given how many rows have been compared, at each batch of the source.
  public mutating func run(
    source nextSource: () async throws -> RecordBatch?,
    copy nextCopy: () async throws -> RecordBatch?,
    progress: (UInt64) -> Void = { _ in }
  ) async throws {
    var sourceEnded = false
    var copyEnded = false
    while true {
      while !sourceEnded, sourceRow >= source?.rowCount ?? 0 {
        source = try await nextSource()
        sourceRow = 0
        sourceEnded = source == nil
        progress(rowsCompared)
      }
      while !copyEnded, copyRow >= copy?.rowCount ?? 0 {
        copy = try await nextCopy()
        copyRow = 0
        copyEnded = copy == nil
      }
      if source == nil && copy == nil { return noteSums() }
      if key.isEmpty { addToSums() } else { advance() }
    }
  }

  private mutating func addToSums() {
    if let source {
      for row in sourceRow..<source.rowCount { sourceSum.add(rowHash(source, row)) }
      rowsCompared += UInt64(source.rowCount - sourceRow)
      sourceRow = source.rowCount
    }
    if let copy {
      for row in copyRow..<copy.rowCount { copySum.add(rowHash(copy, row)) }
      copyRow = copy.rowCount
    }
  }

  private mutating func noteSums() {
    guard key.isEmpty, sourceSum != copySum else { return }
    differenceCount += 1
    differences.append(
      RowDifference(
        kind: .different,
        key:
          "a table without a key: \(sourceSum.count) rows at the source, \(copySum.count) in the copy",
        columns: [], sourceHash: sourceSum.hash))
  }

  /// Compares until one side needs its next batch.
  private mutating func advance() {
    guard let source else {
      while let copy, copyRow < copy.rowCount { noteExtra(copy) }
      return
    }
    guard let copy else {
      while sourceRow < source.rowCount { noteMissing(source) }
      return
    }
    while sourceRow < source.rowCount, copyRow < copy.rowCount {
      let order = keyOrder(source, copy)
      if order < 0 {
        noteMissing(source)
      } else if order > 0 {
        noteExtra(copy)
      } else {
        compareRow(source, copy)
      }
    }
  }

  private func keyOrder(_ source: RecordBatch, _ copy: RecordBatch) -> Int {
    for column in key {
      let order = columns[column].order(
        source.columns[column], sourceRow, copy.columns[column], copyRow)
      if order != 0 { return order }
    }
    return 0
  }

  private mutating func compareRow(_ source: RecordBatch, _ copy: RecordBatch) {
    let different = columns.indices.filter { column in
      columns[column].order(source.columns[column], sourceRow, copy.columns[column], copyRow) != 0
    }
    if !different.isEmpty {
      note(
        .different, source, sourceRow, columns: different.map { names[$0] },
        hash: rowHash(source, sourceRow))
    }
    sourceRow += 1
    copyRow += 1
    rowsCompared += 1
  }

  private mutating func noteMissing(_ source: RecordBatch) {
    note(.missing, source, sourceRow, columns: [], hash: rowHash(source, sourceRow))
    sourceRow += 1
    rowsCompared += 1
  }

  private mutating func noteExtra(_ copy: RecordBatch) {
    note(.extra, copy, copyRow, columns: [], hash: 0)
    copyRow += 1
    rowsCompared += 1
  }

  private mutating func note(
    _ kind: RowDifference.Kind, _ batch: RecordBatch, _ row: Int, columns: [String], hash: Int
  ) {
    differenceCount += 1
    guard differences.count < Self.differencesKept else { return }
    let text = key.map { "\(names[$0])=\(batch.columns[$0].text(at: row))" }
    differences.append(
      RowDifference(
        kind: kind, key: text.joined(separator: ", "), columns: columns, sourceHash: hash))
  }

  private func rowHash(_ batch: RecordBatch, _ row: Int) -> Int {
    var hasher = Hasher()
    for (comparison, column) in zip(columns, batch.columns) {
      comparison.hash(column, row, into: &hasher)
    }
    return hasher.finalize()
  }

  /// What differs in `later` as it did in `earlier` while the source's row stayed the same.
  public static func lasting(_ earlier: [RowDifference], _ later: [RowDifference])
    -> [RowDifference]
  {
    let known = Set(earlier.map { LastingKey(key: $0.key, sourceHash: $0.sourceHash) })
    return later.filter { known.contains(LastingKey(key: $0.key, sourceHash: $0.sourceHash)) }
  }

  private struct LastingKey: Hashable {
    var key: String
    var sourceHash: Int
  }
}

/// What many rows are together, in any order.
private struct RowSum: Equatable {
  private(set) var count: UInt64 = 0
  private(set) var hash = 0
  private var mixed: UInt64 = 0

  mutating func add(_ row: Int) {
    count += 1
    hash &+= row
    // A second sum, so that changes which cancel out in one are seen in the other.
    let bits = UInt64(bitPattern: Int64(row))
    mixed &+= (bits ^ bits >> 29) &* 0xBF58_476D_1CE4_E5B9 ^ bits >> 32
  }
}

extension ArrayData {
  /// The value at `index` as text for people and for hashing.
  func text(at index: Int) -> String {
    if isNull(at: index) { return "NULL" }
    switch type {
    case .int8: return withValues(of: Int8.self) { "\($0[index])" }
    case .int16: return withValues(of: Int16.self) { "\($0[index])" }
    case .int32, .date32, .time32: return withValues(of: Int32.self) { "\($0[index])" }
    case .int64, .timestamp, .time64, .duration:
      return withValues(of: Int64.self) { "\($0[index])" }
    case .uint8: return withValues(of: UInt8.self) { "\($0[index])" }
    case .uint16: return withValues(of: UInt16.self) { "\($0[index])" }
    case .uint32: return withValues(of: UInt32.self) { "\($0[index])" }
    case .uint64: return withValues(of: UInt64.self) { "\($0[index])" }
    case .float32: return withValues(of: Float.self) { "\($0[index])" }
    case .float64: return withValues(of: Double.self) { "\($0[index])" }
    case .list, .largeList:
      return "[" + listRange(at: index).map { children[0].text(at: $0) }.joined(separator: ",")
        + "]"
    case .utf8, .largeUtf8, .dictionary:
      return withBinaryValue(at: index) { "'" + String(decoding: $0, as: UTF8.self) + "'" }
    case .decimal128, .decimal256, .binary, .largeBinary, .fixedSizeBinary, .null, .bool,
      .fixedSizeList, .structure, .map, .denseUnion:
      return withBinaryValue(at: index) { bytes in
        "0x"
          + bytes.map { byte in
            String(byte >> 4, radix: 16, uppercase: true)
              + String(byte & 15, radix: 16, uppercase: true)
          }.joined()
      }
    }
  }
}
