import Arrow

/// The types of columns that hold every value of Arrow fields, for a table that is made for them.
public enum DeclaredType {
  /// The type of a field's column, in SQL. `isInKey` says whether the column identifies a row: it
  /// holds no nulls then.
  ///
  /// - Throws: ``EngineError`` when ClickHouse has no such type.
  public static func of(_ field: Field, isInKey: Bool = false) throws -> String {
    switch field.type {
    case .list(let item), .largeList(let item), .fixedSizeList(let item, _):
      return "Array(\(try of(item)))"
    case .structure(let fields):
      let members = try fields.map { "\(quotedIdentifier($0.name)) \(try of($0))" }
      return "Tuple(\(members.joined(separator: ", ")))"
    case .map(let entries, _):
      let fields = entries.type.childFields
      guard fields.count == 2 else {
        throw EngineError(message: "column \(field.name) is a map without keys and values")
      }
      return "Map(\(try of(fields[0], isInKey: true)), \(try of(fields[1])))"
    case .dictionary(_, let values):
      let isText = [.utf8, .largeUtf8, .binary, .largeBinary].contains(values)
      var plain = Field(
        name: field.name, type: values, isNullable: field.isNullable, metadata: field.metadata)
      guard isText else { return try of(plain, isInKey: isInKey) }
      plain.isNullable = field.isNullable && !isInKey
      return "LowCardinality(\(plain.isNullable ? "Nullable(String)" : "String"))"
    default:
      let type = try scalar(field)
      return field.isNullable && !isInKey ? "Nullable(\(type))" : type
    }
  }

  private static func scalar(_ field: Field) throws -> String {
    switch field.type {
    case .null: return "String"
    case .time32: return "Int32"
    case .time64: return "Int64"
    case .timestamp(let unit, nil):
      var zoned = field
      zoned.type = .timestamp(unit, timeZone: "UTC")
      return try scalar(zoned).replacing(", 'UTC'", with: "")
    default:
      var plain = field
      plain.isNullable = false
      return try ColumnTypes.clickHouseType(of: plain)
    }
  }
}
