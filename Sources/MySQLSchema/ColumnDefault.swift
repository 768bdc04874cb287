/// What a column gets in rows that do not give it a value, as its definition says.
public enum ColumnDefault: Hashable, Sendable, Codable {
  /// The definition gives no default, and the column cannot be NULL: rows that are there when the
  /// column is added get the type's implicit value.
  case none
  case null
  /// A literal, as the text that the source's text protocol gives for it in the forms that a copy
  /// selects: ENUM and SET as numbers, FLOAT and DOUBLE as a decimal that gives the same bits back,
  /// BIT, BINARY, VARBINARY and BLOB as their bytes.
  ///
  /// Text is UTF-8 whatever the column's charset is.
  case literal([UInt8])
  /// An expression, or a literal whose value in this column is not certain: only the source knows.
  case expression
}

/// What a type's declaration says beyond ``ColumnType``: which values fit, but not how the copy
/// stores them.
public struct TypeDetail: Hashable, Sendable, Codable {
  /// CHAR, whose values lose the spaces at their end.
  public var isFixedLength: Bool
  /// The most characters that CHAR(n) and VARCHAR(n) hold.
  public var characterCapacity: Int?
  /// The most bytes that a TEXT, BLOB or VARBINARY holds.
  public var byteCapacity: Int?
  /// UNSIGNED of DECIMAL, FLOAT and DOUBLE, which then refuse negative values.
  public var isUnsigned: Bool
  /// The decimals to which FLOAT(m, d) and DOUBLE(m, d) round.
  public var decimals: Int?
  /// Which kind of geometry, in upper case.
  public var geometryKind: String?

  public init(
    isFixedLength: Bool = false, characterCapacity: Int? = nil, byteCapacity: Int? = nil,
    isUnsigned: Bool = false, decimals: Int? = nil, geometryKind: String? = nil
  ) {
    self.isFixedLength = isFixedLength
    self.characterCapacity = characterCapacity
    self.byteCapacity = byteCapacity
    self.isUnsigned = isUnsigned
    self.decimals = decimals
    self.geometryKind = geometryKind
  }

  /// The capacities of TINYTEXT, TEXT, MEDIUMTEXT and LONGTEXT, and of the BLOB family, in bytes.
  static let longCapacities = [255, 65_535, 16_777_215, 4_294_967_295]

  /// The capacity of the smallest TEXT or BLOB that holds so many bytes.
  static func longCapacity(holding byteCount: Int) -> Int {
    longCapacities.first { $0 >= byteCount } ?? 4_294_967_295
  }
}
