import Arrow
import MySQLSchema

extension Field {
  /// The metadata key under which DATETIME and TIMESTAMP columns keep their number of fractional
  /// digits.
  public static let precisionKey = "magic.precision"
  /// The extension name of IPv6 addresses in 16 bytes.
  public static let ipv6ExtensionName = "magic.ipv6"
  /// The extension name of IPv4 addresses as integers.
  public static let ipv4ExtensionName = "magic.ipv4"
  /// The canonical extension name of UUIDs.
  public static let uuidExtensionName = "arrow.uuid"
}

extension ColumnType {
  /// The Arrow type that holds the column's values, as `docs/type-mapping.md` lays down.
  var arrowType: DataType {
    switch self {
    case .integer(.tiny, let isUnsigned): isUnsigned ? .uint8 : .int8
    case .integer(.small, let isUnsigned): isUnsigned ? .uint16 : .int16
    case .integer(.medium, let isUnsigned), .integer(.int, let isUnsigned):
      isUnsigned ? .uint32 : .int32
    case .integer(.big, let isUnsigned): isUnsigned ? .uint64 : .int64
    case .float: .float32
    case .double: .float64
    case .decimal(let precision, let scale):
      precision <= 38
        ? .decimal128(precision: precision, scale: scale)
        : .decimal256(precision: precision, scale: scale)
    case .bit: .uint64
    case .date: .date32
    case .datetime(let digits), .timestamp(let digits):
      .timestamp(SubsecondUnit(digits: digits).timeUnit, timeZone: "UTC")
    case .time: .int64
    case .year: .uint16
    case .string, .json: .utf8
    case .binary, .bytes, .geometry: .binary
    case .enumeration(let members): MemberTexts.numbered(members).arrowType
    case .set(let members): .list(Self.item(MemberTexts(members).arrowType))
    case .inet4: .uint32
    case .uuid, .inet6: .fixedSizeBinary(16)
    case .vector: .list(Self.item(.float32))
    }
  }

  /// The field of a list's items, which are never NULL.
  static func item(_ type: DataType) -> Field {
    Field(name: "item", type: type, isNullable: false)
  }

  var fieldMetadata: [String: String] {
    switch self {
    case .datetime(let digits), .timestamp(let digits): [Field.precisionKey: "\(digits)"]
    case .inet4: [Field.extensionNameKey: Field.ipv4ExtensionName]
    case .inet6: [Field.extensionNameKey: Field.ipv6ExtensionName]
    case .uuid: [Field.extensionNameKey: Field.uuidExtensionName]
    case .integer, .float, .double, .decimal, .bit, .date, .time, .year, .string, .binary, .bytes,
      .enumeration, .set, .json, .geometry, .vector:
      [:]
    }
  }

  /// Whether the server stores values that no calendar knows in such columns, which become NULL.
  var mayBecomeNull: Bool {
    switch self {
    case .date, .datetime, .timestamp: true
    case .integer, .float, .double, .decimal, .bit, .time, .year, .string, .binary, .bytes,
      .enumeration, .set, .json, .geometry, .inet4, .inet6, .uuid, .vector:
      false
    }
  }
}

extension DataType {
  /// The type of text that refers to a list of `valueCount` texts.
  static func dictionary(_ valueCount: Int) -> DataType {
    .dictionary(index: valueCount > Int(Int16.max) ? .int32 : .int16, values: .utf8)
  }
}

extension TableSchema {
  /// The Arrow field of a column: dates outside the key are nullable whatever the source says.
  func arrowField(at index: Int) -> Field {
    let column = columns[index]
    let becomesNull = column.type.mayBecomeNull && !primaryKey.contains(index)
    return Field(
      name: column.name, type: column.type.arrowType, isNullable: column.isNullable || becomesNull,
      metadata: column.type.fieldMetadata)
  }
}
