import Arrow

/// A column as metadata tell of it: with the terms of ODBC and JDBC.
struct ColumnObject {
  var field: Field
  /// From 1 on.
  var position: Int
  /// The engine's type, as it prints it.
  var typeName: String?

  static let fields = [
    Field(name: "column_name", type: .utf8, isNullable: false),
    Field(name: "ordinal_position", type: .int32), Field(name: "remarks", type: .utf8),
    Field(name: "xdbc_data_type", type: .int16), Field(name: "xdbc_type_name", type: .utf8),
    Field(name: "xdbc_column_size", type: .int32),
    Field(name: "xdbc_decimal_digits", type: .int16),
    Field(name: "xdbc_num_prec_radix", type: .int16), Field(name: "xdbc_nullable", type: .int16),
    Field(name: "xdbc_column_def", type: .utf8), Field(name: "xdbc_sql_data_type", type: .int16),
    Field(name: "xdbc_datetime_sub", type: .int16),
    Field(name: "xdbc_char_octet_length", type: .int32),
    Field(name: "xdbc_is_nullable", type: .utf8), Field(name: "xdbc_scope_catalog", type: .utf8),
    Field(name: "xdbc_scope_schema", type: .utf8), Field(name: "xdbc_scope_table", type: .utf8),
    Field(name: "xdbc_is_autoincrement", type: .bool),
    Field(name: "xdbc_is_generatedcolumn", type: .bool),
  ]

  /// What ODBC and JDBC say about a type.
  private struct TypeTerms {
    /// The type's number.
    var code: Int16
    /// Digits of numbers (bits of floating-point ones), characters of dates, bytes of binaries.
    var size: Int32?
    /// Digits after the point.
    var digits: Int16?
    var radix: Int16?
    /// The generic number, and the subcode, of types of dates.
    var generic: Int16?
    var subcode: Int16?

    static func integer(_ code: Int16, digits: Int32) -> TypeTerms {
      TypeTerms(code: code, size: digits, digits: 0, radix: 10)
    }
  }

  /// An unsigned integer has the number of the next wider type, which holds all its values.
  private static func terms(_ type: DataType) -> TypeTerms {
    switch type {
    case .bool: TypeTerms(code: -7, size: 1)
    case .int8: .integer(-6, digits: 3)
    case .uint8: .integer(5, digits: 3)
    case .int16: .integer(5, digits: 5)
    case .uint16: .integer(4, digits: 5)
    case .int32: .integer(4, digits: 10)
    case .uint32: .integer(-5, digits: 10)
    case .int64: .integer(-5, digits: 19)
    case .uint64: .integer(-5, digits: 20)
    case .float32: TypeTerms(code: 7, size: 24, radix: 2)
    case .float64: TypeTerms(code: 8, size: 53, radix: 2)
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      TypeTerms(
        code: 3, size: Int32(clamping: precision), digits: Int16(clamping: scale), radix: 10)
    case .date32: TypeTerms(code: 91, size: 10, generic: 9, subcode: 1)
    case .time32: TypeTerms(code: 92, size: 12, generic: 9, subcode: 2)
    case .time64: TypeTerms(code: 92, size: 15, generic: 9, subcode: 2)
    case .timestamp(let unit, _):
      TypeTerms(
        code: 93, size: unit == .second ? 19 : 20 + Int32(unit.digits), digits: unit.digits,
        generic: 9, subcode: 3)
    case .duration: .integer(-5, digits: 19)
    case .utf8, .largeUtf8: TypeTerms(code: 12)
    case .binary, .largeBinary: TypeTerms(code: -3)
    case .fixedSizeBinary(let width): TypeTerms(code: -2, size: Int32(clamping: width))
    case .dictionary(_, let values): terms(values)
    case .null, .list, .largeList, .fixedSizeList, .structure, .map, .denseUnion:
      TypeTerms(code: 1111)
    }
  }

  /// The column of a list of columns.
  static func column(_ columns: [ColumnObject]) -> ArrayData {
    let terms = columns.map { Self.terms($0.field.type) }
    let noText = textColumn(columns.map { _ in nil })
    let types = numberColumn(terms.map(\.code), type: .int16)
    return structureColumn(
      fields,
      [
        textColumn(columns.map(\.field.name)),
        numberColumn(columns.map { Int32(clamping: $0.position) }, type: .int32), noText, types,
        textColumn(columns.map(\.typeName)), numberColumn(terms.map(\.size), type: .int32),
        numberColumn(terms.map(\.digits), type: .int16),
        numberColumn(terms.map(\.radix), type: .int16),
        numberColumn(columns.map { Int16($0.field.isNullable ? 1 : 0) }, type: .int16), noText,
        numberColumn(terms.map { $0.generic ?? $0.code }, type: .int16),
        numberColumn(terms.map(\.subcode), type: .int16),
        numberColumn(columns.map { _ in Int32?.none }, type: .int32),
        textColumn(columns.map { $0.field.isNullable ? "YES" : "NO" }), noText, noText, noText,
        booleanColumn(columns.map { _ in false }), booleanColumn(columns.map { _ in nil }),
      ], count: columns.count)
  }
}

extension TimeUnit {
  /// The digits of a second's fraction.
  fileprivate var digits: Int16 {
    switch self {
    case .second: 0
    case .millisecond: 3
    case .microsecond: 6
    case .nanosecond: 9
    }
  }
}
