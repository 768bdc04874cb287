/// A write, update or delete rows event (v1 or v2): the head is decoded, the row images are not.
public struct RowsEvent: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Each row is one after image.
    case write
    /// Each row is a before image followed by an after image.
    case update
    /// Each row is one before image.
    case delete
  }

  public var kind: Kind
  /// The table map that the event's table id refers to.
  public var tableMap: TableMap
  /// Whether this is the last rows event of its statement (STMT_END_F).
  public var isStatementEnd: Bool
  /// The columns present in the before image, or in the only image of a write or delete.
  public var columnsPresent: ColumnBitmap
  /// The columns present in the after image; equal to ``columnsPresent`` except in updates.
  public var columnsPresentAfter: ColumnBitmap
  /// Whether value options come before each after image, which may then hold changes of JSON
  /// documents instead of documents (`binlog_row_value_options=PARTIAL_JSON`).
  public var hasValueOptions: Bool
  /// Where the row images lie, as offsets into the bytes of the event.
  public var images: Range<Int>

  public init(
    kind: Kind, tableMap: TableMap, isStatementEnd: Bool, columnsPresent: ColumnBitmap,
    columnsPresentAfter: ColumnBitmap, hasValueOptions: Bool = false, images: Range<Int>
  ) {
    self.kind = kind
    self.tableMap = tableMap
    self.isStatementEnd = isStatementEnd
    self.columnsPresent = columnsPresent
    self.columnsPresentAfter = columnsPresentAfter
    self.hasValueOptions = hasValueOptions
    self.images = images
  }
}

/// One bit for each column of a table, lowest bit of the first byte first.
public struct ColumnBitmap: Hashable, Sendable {
  public let count: Int
  /// The bits of the first 64 columns. Few tables have more, and then no memory is allotted.
  private let first: UInt64
  /// The bits of the other columns.
  private let others: [UInt8]

  /// Reads a bitmap from at least `(count + 7) / 8` bytes; bits past `count` are ignored.
  public init(count: Int, bytes: [UInt8]) { self.init(count: count, bytes.span.bytes) }

  init(count: Int, _ bytes: RawSpan) {
    precondition(bytes.byteCount >= (count + 7) / 8)
    self.count = count
    var first: UInt64 = 0
    for index in 0..<min(8, bytes.byteCount) {
      first |=
        UInt64(bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) << (8 * UInt64(index))
    }
    // Equal bitmaps have equal bits.
    self.first = count < 64 ? first & ((1 << UInt64(count)) - 1) : first
    var others: [UInt8] = []
    if count > 64 {
      others = bytes.extracting(8..<(count + 7) / 8).withUnsafeBytes { [UInt8]($0) }
      if count & 7 != 0 { others[others.count - 1] &= (1 << UInt8(count & 7)) - 1 }
    }
    self.others = others
  }

  public subscript(index: Int) -> Bool {
    if index < 64 { return index < count && first & (1 << UInt64(index)) != 0 }
    return index < count && others[(index >> 3) - 8] & (1 << UInt8(index & 7)) != 0
  }

  /// How many bits are set.
  public var setCount: Int { others.reduce(first.nonzeroBitCount) { $0 + $1.nonzeroBitCount } }
  /// Whether every bit is set.
  public var isFull: Bool { setCount == count }
}
