import Arrow
import MagicAPI

/// What the engine's types are in ODBC's and JDBC's terms, for CommandGetXdbcTypeInfo.
struct TypeInfo {
  private let name: String
  /// What is said of columns of this type in results.
  private let terms: XDBCType
  private let size: Int32?
  private let quote: String?
  private let parameters: [String]?
  private let scales: ClosedRange<Int32>?

  /// - Parameters:
  ///   - type: that of the column in results.
  ///   - size: that of a type whose size the one in results does not tell.
  ///   - quote: what literals stand in.
  private init(
    _ name: String, _ type: DataType, size: Int32? = nil, quote: String? = nil,
    parameters: [String]? = nil, scales: ClosedRange<Int32>? = nil
  ) {
    self.name = name
    terms = XDBCType(type)
    self.size = size ?? terms.size
    self.quote = quote
    self.parameters = parameters
    self.scales = scales ?? terms.digits.map { Int32($0)...Int32($0) }
  }

  private static let item = Field(name: "item", type: .utf8)

  /// The types, ordered by code and name as the specification wants it.
  private static let all: [TypeInfo] = [
    TypeInfo("Bool", .bool), TypeInfo("Int8", .int8), TypeInfo("UInt8", .uint8),
    TypeInfo("Int16", .int16), TypeInfo("UInt16", .uint16), TypeInfo("Int32", .int32),
    TypeInfo("UInt32", .uint32), TypeInfo("Int64", .int64), TypeInfo("UInt64", .uint64),
    TypeInfo("Int128", .fixedSizeBinary(16)),
    TypeInfo("UInt128", .fixedSizeBinary(16)),
    TypeInfo("Int256", .fixedSizeBinary(32)),
    TypeInfo("UInt256", .fixedSizeBinary(32)),
    TypeInfo("Float32", .float32), TypeInfo("Float64", .float64),
    TypeInfo(
      "Decimal", .decimal256(precision: 76, scale: 0), parameters: ["precision", "scale"],
      scales: 0...76),
    TypeInfo("Date", .date32, quote: "'"), TypeInfo("Date32", .date32, quote: "'"),
    // Seconds.
    TypeInfo("DateTime", .uint32, quote: "'", parameters: ["timezone"]),
    TypeInfo(
      "DateTime64", .timestamp(.nanosecond, timeZone: nil), quote: "'",
      parameters: ["precision", "timezone"], scales: 0...9),
    TypeInfo(
      "Time64", .time64(.nanosecond), quote: "'", parameters: ["precision"], scales: 0...9),
    TypeInfo("String", .utf8, quote: "'"),
    TypeInfo("FixedString", .fixedSizeBinary(0xFF_FFFF), quote: "'", parameters: ["length"]),
    TypeInfo("UUID", .fixedSizeBinary(16), quote: "'"),
    TypeInfo("IPv4", .uint32, quote: "'"),
    TypeInfo("IPv6", .fixedSizeBinary(16), quote: "'"),
    // The numbers of the names.
    TypeInfo("Enum8", .int8, quote: "'", parameters: ["values"]),
    TypeInfo("Enum16", .int16, quote: "'", parameters: ["values"]),
    TypeInfo("LowCardinality", .utf8, quote: "'", parameters: ["type"]),
    TypeInfo("Array", .list(item), parameters: ["type"]),
    TypeInfo("Map", .structure([item]), parameters: ["key", "value"]),
    TypeInfo("Tuple", .structure([item]), parameters: ["types"]),
    TypeInfo("Variant", .denseUnion([item]), parameters: ["types"]),
    TypeInfo("JSON", .utf8, quote: "'"), TypeInfo("Dynamic", .utf8),
  ].sorted { ($0.terms.code, $0.name) < ($1.terms.code, $1.name) }

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
  private static let neverNull: Set<String> = [
    "Array", "Map", "Tuple", "LowCardinality", "Variant", "Dynamic",
  ]

  /// The columns of the answer about one type, or about all of them.
  static func columns(dataType: Int32?) -> [ArrayData] {
    let types = all.filter { dataType == nil || Int32($0.terms.code) == dataType }
    func numbers(_ value: (TypeInfo) -> Int32?) -> ArrayData {
      numberColumn(types.map(value), type: .int32)
    }
    func terms(_ value: (XDBCType) -> Int16?) -> ArrayData {
      numbers { value($0.terms).map { Int32($0) } }
    }
    let names = textColumn(types.map(\.name))
    let quotes = textColumn(types.map(\.quote))
    return [
      names, terms { $0.code }, numbers { $0.size }, quotes, quotes,
      listColumn(types.map(\.parameters), item: parameterField) { textColumn($0) },
      numbers { neverNull.contains($0.name) ? 0 : 1 },
      // Texts are told apart by the case of their letters.
      booleanColumn(types.map { $0.terms.code == XDBCType(.utf8).code }),
      // Every operator can be used in a condition.
      numbers { _ in 3 }, booleanColumn(types.map(\.terms.isUnsigned)),
      booleanColumn(types.map { _ in false }),
      booleanColumn(types.map { $0.terms.isUnsigned == nil ? nil : false }), names,
      numbers { $0.scales?.lowerBound }, numbers { $0.scales?.upperBound },
      terms { $0.generic ?? $0.code }, terms { $0.subcode }, terms { $0.radix },
      numbers { _ in nil },
    ]
  }
}
