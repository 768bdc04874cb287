/// A table map event: which table the following row images belong to and how their cells are laid
/// out.
///
/// Servers repeat a map before each statement; its copies share what it says. Everything after
/// ``nullability`` is optional metadata, of which a server writes as much as `binlog_row_metadata`
/// says.
public struct TableMap: Hashable, Sendable {
  /// What a table map says; the properties of the map explain it.
  struct Content: Hashable, Sendable {
    var tableID: UInt64
    var flags: UInt16
    var database: String
    var table: String
    var columnTypes: [WireColumnType]
    var nullability: [Bool]
    var isUnsigned: [Bool]?
    var collations: [UInt64?]?
    var columnNames: [String]?
    var members: [[[UInt8]]]?
    var geometryTypes: [UInt64?]?
    var primaryKey: [Int]?
    var primaryKeyPrefixes: [Int]?
    var isInvisible: [Bool]?
    var vectorDimensions: [Int?]?
  }

  private final class Box: Sendable {
    let content: Content
    init(_ content: Content) { self.content = content }
  }

  private var box: Box

  init(_ content: Content) { box = Box(content) }

  /// A map without optional metadata.
  public init(
    tableID: UInt64, flags: UInt16, database: String, table: String,
    columnTypes: [WireColumnType], nullability: [Bool]
  ) {
    self.init(
      Content(
        tableID: tableID, flags: flags, database: database, table: table,
        columnTypes: columnTypes, nullability: nullability))
  }

  private mutating func edit(_ change: (inout Content) -> Void) {
    var content = box.content
    change(&content)
    box = Box(content)
  }

  public var tableID: UInt64 { box.content.tableID }
  public var flags: UInt16 { box.content.flags }
  public var database: String { box.content.database }
  public var table: String { box.content.table }
  /// One entry for each column, in the table's order.
  public var columnTypes: [WireColumnType] {
    get { box.content.columnTypes }
    set { edit { $0.columnTypes = newValue } }
  }
  /// One entry for each column: whether it may be NULL.
  public var nullability: [Bool] { box.content.nullability }

  /// For each column whether it is unsigned; `nil` when the server did not say. Non-numeric columns
  /// are false.
  public var isUnsigned: [Bool]? {
    get { box.content.isUnsigned }
    set { edit { $0.isUnsigned = newValue } }
  }
  /// For each column its collation number (a character column, ENUM or SET), or `nil`; the array is
  /// nil when the server did not say.
  public var collations: [UInt64?]? {
    get { box.content.collations }
    set { edit { $0.collations = newValue } }
  }
  public var columnNames: [String]? {
    get { box.content.columnNames }
    set { edit { $0.columnNames = newValue } }
  }
  /// For each column the members of its ENUM or SET as raw bytes in the column's charset; empty for
  /// other columns.
  public var members: [[[UInt8]]]? {
    get { box.content.members }
    set { edit { $0.members = newValue } }
  }
  /// For each column the geometry type, or nil.
  public var geometryTypes: [UInt64?]? {
    get { box.content.geometryTypes }
    set { edit { $0.geometryTypes = newValue } }
  }
  /// Indices of the primary key's columns, in key order.
  public var primaryKey: [Int]? {
    get { box.content.primaryKey }
    set { edit { $0.primaryKey = newValue } }
  }
  /// For each key column, parallel to ``primaryKey``, the prefix length in characters (0: the whole
  /// column).
  public var primaryKeyPrefixes: [Int]? {
    get { box.content.primaryKeyPrefixes }
    set { edit { $0.primaryKeyPrefixes = newValue } }
  }
  public var isInvisible: [Bool]? {
    get { box.content.isInvisible }
    set { edit { $0.isInvisible = newValue } }
  }
  /// For each column the dimensions of its VECTOR, or nil.
  public var vectorDimensions: [Int?]? {
    get { box.content.vectorDimensions }
    set { edit { $0.vectorDimensions = newValue } }
  }

  public static func == (left: TableMap, right: TableMap) -> Bool {
    left.box === right.box || left.box.content == right.box.content
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(box.content) }
}

/// How the cells of a column are laid out in a row image: the type code and its metadata, resolved.
public enum WireColumnType: Hashable, Sendable {
  /// TINY, SHORT, INT24, LONG, LONGLONG: 1, 2, 3, 4 or 8 bytes.
  case integer(byteCount: Int)
  case float
  case double
  case decimal(precision: Int, scale: Int)
  /// The DECIMAL of servers before 5.0, as text; never in row images of supported servers.
  case oldDecimal
  case bit(width: Int)
  case year
  /// DATE and NEWDATE: 3 bytes.
  case date
  /// TIME before 5.6: 3 bytes.
  case oldTime
  /// DATETIME before 5.6: 8 bytes.
  case oldDatetime
  /// TIMESTAMP before 5.6: 4 bytes.
  case oldTimestamp
  case time(fractionalDigits: Int)
  case datetime(fractionalDigits: Int)
  case timestamp(fractionalDigits: Int)
  /// CHAR and BINARY (and MariaDB's UUID, INET6 and INET4): length prefix of 1 byte, or 2 when
  /// `maximumLength` > 255.
  case string(maximumLength: Int)
  /// VARCHAR and VARBINARY: length prefix of 1 byte, or 2 when `maximumLength` > 255.
  case varchar(maximumLength: Int)
  /// BLOB and TEXT: the length prefix takes `lengthBytes` bytes (1 to 4).
  case blob(lengthBytes: Int)
  /// MariaDB's VARCHAR and VARBINARY COMPRESSED: laid out as ``varchar(maximumLength:)``, each
  /// value in the form that ``decompressColumnValue(_:)`` reads.
  case compressedVarchar(maximumLength: Int)
  /// MariaDB's BLOB and TEXT COMPRESSED: laid out as ``blob(lengthBytes:)``, each value likewise.
  case compressedBlob(lengthBytes: Int)
  case geometry(lengthBytes: Int)
  /// MySQL's binary JSON.
  case json(lengthBytes: Int)
  case vector(lengthBytes: Int)
  /// ENUM as its index in 1 or 2 bytes.
  case enumeration(byteCount: Int)
  /// SET as a bit mask in 1 to 8 bytes.
  case set(byteCount: Int)
  case null
  /// A type that this decoder does not know, such as the hidden columns of MySQL's multi-valued
  /// indexes. What a column's metadata mean depends on the types before it: when one column of a
  /// table is unknown, all of them are.
  case unknown(code: UInt8)
}
