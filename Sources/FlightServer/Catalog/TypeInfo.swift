import Arrow

/// What the engine's types are in ODBC's and JDBC's terms, for CommandGetXdbcTypeInfo.
struct TypeInfo {
  /// The numbers that ODBC and JDBC give to types (`XdbcDataType`).
  private enum Code {
    static let varchar: Int32 = 12
    static let bit: Int32 = -7
    static let tinyint: Int32 = -6
    static let bigint: Int32 = -5
    static let binary: Int32 = -2
    static let other: Int32 = 0
    static let decimal: Int32 = 3
    static let integer: Int32 = 4
    static let smallint: Int32 = 5
    static let real: Int32 = 7
    static let double: Int32 = 8
    static let datetime: Int32 = 9
    static let date: Int32 = 91
    static let timestamp: Int32 = 93
  }

  private var name: String
  private var code: Int32
  /// Digits of numbers (bits of floating-point ones), characters of dates.
  private var size: Int32?
  private var quote: String?
  private var parameters: [String]?
  private var isUnsigned: Bool?
  private var scales: ClosedRange<Int32>?
  private var radix: Int32?
  /// The generic code, and the subcode, of types of dates.
  private var generic: Int32?
  private var subcode: Int32?
  private var isCaseSensitive = false

  private static func integer(
    _ name: String, _ code: Int32, digits: Int32, isUnsigned: Bool
  ) -> TypeInfo {
    TypeInfo(
      name: name, code: code, size: digits, isUnsigned: isUnsigned, scales: 0...0, radix: 10)
  }

  private static func text(
    _ name: String, _ code: Int32 = Code.varchar, size: Int32? = nil, parameters: [String]? = nil
  ) -> TypeInfo {
    TypeInfo(
      name: name, code: code, size: size, quote: "'", parameters: parameters, isCaseSensitive: true)
  }

  private static func floating(_ name: String, _ code: Int32, bits: Int32) -> TypeInfo {
    TypeInfo(name: name, code: code, size: bits, isUnsigned: false, radix: 2)
  }

  private static func moment(
    _ name: String, _ code: Int32, size: Int32, parameters: [String]? = nil,
    scales: ClosedRange<Int32>? = nil, subcode: Int32
  ) -> TypeInfo {
    TypeInfo(
      name: name, code: code, size: size, quote: "'", parameters: parameters, scales: scales,
      generic: Code.datetime, subcode: subcode)
  }

  /// The types, ordered by code and name as the specification wants it. An unsigned integer has the
  /// code of the next wider one, which holds all its values.
  private static let all: [TypeInfo] = [
    TypeInfo(name: "Bool", code: Code.bit, size: 1),
    integer("Int8", Code.tinyint, digits: 3, isUnsigned: false),
    integer("UInt8", Code.smallint, digits: 3, isUnsigned: true),
    integer("Int16", Code.smallint, digits: 5, isUnsigned: false),
    integer("UInt16", Code.integer, digits: 5, isUnsigned: true),
    integer("Int32", Code.integer, digits: 10, isUnsigned: false),
    integer("UInt32", Code.bigint, digits: 10, isUnsigned: true),
    integer("Int64", Code.bigint, digits: 19, isUnsigned: false),
    integer("UInt64", Code.bigint, digits: 20, isUnsigned: true),
    floating("Float32", Code.real, bits: 24),
    floating("Float64", Code.double, bits: 53),
    TypeInfo(
      name: "Decimal", code: Code.decimal, size: 76, parameters: ["precision", "scale"],
      isUnsigned: false, scales: 0...76, radix: 10),
    moment("Date", Code.date, size: 10, subcode: 1),
    moment("Date32", Code.date, size: 10, subcode: 1),
    moment(
      "DateTime", Code.timestamp, size: 19, parameters: ["timezone"], scales: 0...0, subcode: 3),
    moment(
      "DateTime64", Code.timestamp, size: 29, parameters: ["precision", "timezone"], scales: 0...9,
      subcode: 3),
    text("String"),
    text("FixedString", Code.binary, parameters: ["length"]),
    text("UUID", size: 36),
    text("IPv4", size: 15),
    text("IPv6", size: 39),
    text("Enum8", parameters: ["values"]),
    text("Enum16", parameters: ["values"]),
    text("LowCardinality", parameters: ["type"]),
    TypeInfo(name: "Array", code: Code.other, parameters: ["type"]),
    TypeInfo(name: "Map", code: Code.other, parameters: ["key", "value"]),
    TypeInfo(name: "Tuple", code: Code.other, parameters: ["types"]),
    text("JSON"),
  ].sorted { ($0.code, $0.name) < ($1.code, $1.name) }

  static let fields: [Field] = [
    CatalogQuery.field("type_name", isNullable: false),
    CatalogQuery.field("data_type", .int32, isNullable: false),
    CatalogQuery.field("column_size", .int32), CatalogQuery.field("literal_prefix"),
    CatalogQuery.field("literal_suffix"),
    CatalogQuery.field("create_params", .list(parameterField)),
    CatalogQuery.field("nullable", .int32, isNullable: false),
    CatalogQuery.field("case_sensitive", .bool, isNullable: false),
    CatalogQuery.field("searchable", .int32, isNullable: false),
    CatalogQuery.field("unsigned_attribute", .bool),
    CatalogQuery.field("fixed_prec_scale", .bool, isNullable: false),
    CatalogQuery.field("auto_increment", .bool), CatalogQuery.field("local_type_name"),
    CatalogQuery.field("minimum_scale", .int32), CatalogQuery.field("maximum_scale", .int32),
    CatalogQuery.field("sql_data_type", .int32, isNullable: false),
    CatalogQuery.field("datetime_subcode", .int32), CatalogQuery.field("num_prec_radix", .int32),
    CatalogQuery.field("interval_precision", .int32),
  ]
  private static let parameterField = Field(name: "item", type: .utf8, isNullable: false)

  /// Types that cannot be made nullable.
  private static let neverNull: Set<String> = ["Array", "Map", "Tuple", "LowCardinality"]

  /// The columns of the answer about one type, or about all of them.
  static func columns(dataType: Int32?) -> [ArrayData] {
    let types = all.filter { dataType == nil || $0.code == dataType }
    func numbers(_ value: (TypeInfo) -> Int32?) -> ArrayData {
      numberColumn(types.map(value), type: .int32)
    }
    let names = textColumn(types.map(\.name))
    let quotes = textColumn(types.map(\.quote))
    return [
      names, numbers { $0.code }, numbers { $0.size }, quotes, quotes,
      listColumn(types.map(\.parameters), item: parameterField) { textColumn($0) },
      numbers { neverNull.contains($0.name) ? 0 : 1 },
      booleanColumn(types.map(\.isCaseSensitive)),
      // Every operator can be used in a condition.
      numbers { _ in 3 }, booleanColumn(types.map(\.isUnsigned)),
      booleanColumn(types.map { _ in false }),
      booleanColumn(types.map { $0.isUnsigned == nil ? nil : false }), names,
      numbers { $0.scales?.lowerBound }, numbers { $0.scales?.upperBound },
      numbers { $0.generic ?? $0.code }, numbers { $0.subcode }, numbers { $0.radix },
      numbers { _ in nil },
    ]
  }
}
