import Arrow

/// How columns of Arrow data are declared in ClickHouse.
///
/// The texts are spelled as ClickHouse itself prints them in `system.columns`.
public enum ColumnTypes {
  /// The metadata key of a timestamp field that tells its number of decimals, when that is not the
  /// unit's own.
  public static let precisionKey = "magic.precision"
  /// The extension name of an IPv6 address in `fixedSizeBinary(16)`.
  public static let ipv6Extension = "magic.ipv6"
  /// The extension name of an IPv4 address in `uint32`.
  public static let ipv4Extension = "magic.ipv4"
  /// The extension name of a UUID in `fixedSizeBinary(16)`.
  public static let uuidExtension = "arrow.uuid"

  /// The ClickHouse type that holds every value of a field.
  ///
  /// A list that may be null becomes an array of nullable items, because ClickHouse has no
  /// nullable arrays; a null list is stored as `[NULL]`, which no list of non-null items is.
  ///
  /// - Throws: ``EngineError`` when ClickHouse has no such type.
  public static func clickHouseType(of field: Field) throws -> String {
    switch field.type {
    case .list(let item), .largeList(let item), .fixedSizeList(let item, _):
      return "Array(\(try clickHouseType(of: try storedItem(item, of: field))))"
    case .structure(let fields):
      try requireNotNull(field)
      let members = try fields.map { field in
        "\(identifier(field.name)) \(try clickHouseType(of: field))"
      }
      return "Tuple(\(members.joined(separator: ", ")))"
    case .map(let entries, _):
      try requireNotNull(field)
      guard case .structure(let fields) = entries.type, fields.count == 2 else {
        throw unsupported(field)
      }
      return "Map(\(try clickHouseType(of: fields[0])), \(try clickHouseType(of: fields[1])))"
    case .dictionary(_, let values):
      let inner = try scalarType(
        Field(name: field.name, type: values, metadata: field.metadata))
      return "LowCardinality(\(field.isNullable ? "Nullable(\(inner))" : inner))"
    case .null, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
      .float32, .float64, .decimal128, .decimal256, .date32, .time32, .time64, .timestamp,
      .duration,
      .utf8, .binary, .largeUtf8, .largeBinary, .fixedSizeBinary, .denseUnion:
      let type = try scalarType(field)
      return field.isNullable ? "Nullable(\(type))" : type
    }
  }

  /// The columns of a table, as `CREATE TABLE` takes them between its parentheses.
  ///
  /// - Throws: ``EngineError`` when ClickHouse has no such type.
  public static func columnList(of schema: Schema) throws -> String {
    try schema.fields.map { "\(quotedIdentifier($0.name)) \(try clickHouseType(of: $0))" }
      .joined(separator: ", ")
  }

  /// The item of a list as it is stored: nullable when the list is.
  public static func storedItem(_ item: Field, of list: Field) throws -> Field {
    guard list.isNullable else { return item }
    guard !item.isNullable else {
      throw EngineError(
        message: "column \(list.name): ClickHouse cannot tell a null list from a list of one null; "
          + "make the list or its items non-null")
    }
    var item = item
    item.isNullable = true
    return item
  }

  private static func scalarType(_ field: Field) throws -> String {
    switch field.type {
    case .bool: return "Bool"
    case .int8: return "Int8"
    case .int16: return "Int16"
    case .int32: return "Int32"
    case .int64: return "Int64"
    case .uint8: return "UInt8"
    case .uint16: return "UInt16"
    case .uint32: return field.extensionName == ipv4Extension ? "IPv4" : "UInt32"
    case .uint64: return "UInt64"
    case .float32: return "Float32"
    case .float64: return "Float64"
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      guard (1...76).contains(precision), (0...precision).contains(scale) else {
        throw unsupported(field)
      }
      return "Decimal(\(precision), \(scale))"
    case .date32: return "Date32"
    case .timestamp(let unit, _): return "DateTime64(\(try precision(field, unit)), 'UTC')"
    case .duration: return "Int64"
    case .utf8, .binary, .largeUtf8, .largeBinary: return "String"
    case .fixedSizeBinary(let width):
      switch (field.extensionName, width) {
      case (uuidExtension, 16): return "UUID"
      case (ipv6Extension, 16): return "IPv6"
      default:
        guard width > 0 else { throw unsupported(field) }
        return "FixedString(\(width))"
      }
    case .null, .time32, .time64, .list, .largeList, .fixedSizeList, .structure, .map, .denseUnion,
      .dictionary:
      throw unsupported(field)
    }
  }

  private static func precision(_ field: Field, _ unit: TimeUnit) throws -> Int {
    let whole =
      switch unit {
      case .second: 0
      case .millisecond: 3
      case .microsecond: 6
      case .nanosecond: 9
      }
    guard let text = field.metadata[precisionKey] else { return whole }
    guard let precision = Int(text), (0...whole).contains(precision) else {
      throw EngineError(
        message: "column \(field.name): \(precisionKey) is \(text), not a number up to \(whole)")
    }
    return precision
  }

  /// A tuple member's name, which ClickHouse quotes only when it must.
  private static func identifier(_ name: String) -> String {
    let isPlain =
      name.utf8.first.map { !(0x30...0x39).contains($0) } == true
      && name.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
          || $0 == 0x5F
      }
    return isPlain ? name : quotedIdentifier(name)
  }

  private static func requireNotNull(_ field: Field) throws {
    if field.isNullable {
      throw EngineError(
        message: "column \(field.name): ClickHouse stores no null structs and maps")
    }
  }

  private static func unsupported(_ field: Field) -> EngineError {
    EngineError(message: "column \(field.name): ClickHouse has no type for Arrow's \(field.type)")
  }
}
