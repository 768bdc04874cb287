import Arrow
import MagicAPI

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

  /// The column of a list of columns.
  static func column(_ columns: [ColumnObject]) -> ArrayData {
    let terms = columns.map { XDBCType($0.field.type) }
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
