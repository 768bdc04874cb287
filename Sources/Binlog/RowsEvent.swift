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
  /// Where the row images lie, as offsets into the bytes of the event.
  public var images: Range<Int>

  public init(
    kind: Kind, tableMap: TableMap, isStatementEnd: Bool, columnsPresent: ColumnBitmap,
    columnsPresentAfter: ColumnBitmap, images: Range<Int>
  ) {
    self.kind = kind
    self.tableMap = tableMap
    self.isStatementEnd = isStatementEnd
    self.columnsPresent = columnsPresent
    self.columnsPresentAfter = columnsPresentAfter
    self.images = images
  }
}

/// One bit for each column of a table, lowest bit of the first byte first.
public struct ColumnBitmap: Hashable, Sendable {
  public let count: Int
  private let bytes: [UInt8]

  /// - Parameter bytes: at least `(count + 7) / 8` bytes; bits past `count` are ignored.
  public init(count: Int, bytes: [UInt8]) {
    precondition(bytes.count >= (count + 7) / 8)
    self.count = count
    var bytes = Array(bytes.prefix((count + 7) / 8))
    // Equal bitmaps have equal bytes.
    if count & 7 != 0 { bytes[bytes.count - 1] &= (1 << UInt8(count & 7)) - 1 }
    self.bytes = bytes
  }

  public subscript(index: Int) -> Bool {
    index < count && bytes[index >> 3] & (1 << UInt8(index & 7)) != 0
  }

  /// How many bits are set.
  public var setCount: Int { bytes.reduce(0) { $0 + $1.nonzeroBitCount } }
  /// Whether every bit is set.
  public var isFull: Bool { setCount == count }
}
