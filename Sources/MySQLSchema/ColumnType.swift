/// The type of a column as a MySQL-family server declares it.
///
/// `docs/type-mapping.md` says what each becomes in the copy.
public enum ColumnType: Hashable, Sendable, Codable {
  /// TINYINT, SMALLINT, MEDIUMINT, INT, BIGINT and BOOL.
  case integer(IntegerWidth, isUnsigned: Bool)
  case float
  case double
  /// DECIMAL(precision, scale): precision 1 to 65, scale 0 to 38 and at most the precision.
  case decimal(precision: Int, scale: Int)
  /// BIT(width): 1 to 64 bits.
  case bit(width: Int)
  case date
  /// DATETIME(n), n being the number of fractional digits of the second, 0 to 6.
  case datetime(fractionalDigits: Int)
  case timestamp(fractionalDigits: Int)
  case time(fractionalDigits: Int)
  case year
  /// CHAR, VARCHAR and the TEXT family; `charset` is the charset's name (`utf8mb4`, `latin1`, …),
  /// or nil when the declaration does not say and the table's default is unknown.
  case string(charset: String?)
  /// BINARY(length): values are padded with zero bytes to this length.
  case binary(length: Int)
  /// VARBINARY and the BLOB family.
  case bytes
  /// ENUM with its members in order, as UTF-8.
  case enumeration([String])
  /// SET with its members in order, as UTF-8.
  case set([String])
  case json
  /// GEOMETRY and its subtypes.
  case geometry
  case inet4
  case inet6
  case uuid
  /// VECTOR(dimensions) of 32-bit floats.
  case vector(dimensions: Int)
}

/// The width of an integer column; the raw value is its size in bytes.
public enum IntegerWidth: Int, Hashable, Sendable, Codable {
  case tiny = 1
  case small = 2
  case medium = 3
  case int = 4
  case big = 8
}
