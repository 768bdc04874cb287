import Arrow
import MagicCore

/// A value of Arrow data as an expression of its exact value and type.
struct SQLLiteral {
  let text: String

  /// - Throws: ``EngineError`` when the engine has no such values.
  init(_ column: ArrayData, at row: Int, _ field: Field) throws {
    if let dictionary = column.dictionary, let entry = column.dictionaryIndex(at: row) {
      let values = Field(name: field.name, type: dictionary.type, metadata: field.metadata)
      text = try SQLLiteral(dictionary, at: entry, values).text
    } else if column.isNull(at: row) {
      text = try Self.null(field)
    } else {
      text = try Self.value(column, at: row, field)
    }
  }

  private static func null(_ field: Field) throws -> String {
    switch field.type {
    // The engine has no null lists, structs and maps, but NULL can be compared with one, or be a
    // column's default.
    case .null, .list, .largeList, .fixedSizeList, .structure, .map: "NULL"
    default: cast("NULL", "Nullable(\(try typeName(field)))")
    }
  }

  private static func cast(_ value: String, _ type: String) -> String {
    "CAST(\(value), \(quotedString(type)))"
  }

  private static func value(_ column: ArrayData, at row: Int, _ field: Field) throws -> String {
    let type = try typeName(field)
    func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T {
      column.withValues(of: T.self) { $0[row] }
    }
    switch column.type {
    case .bool: return column.bool(at: row) ? "true" : "false"
    case .int8: return cast("\(integer(Int8.self))", type)
    case .int16: return cast("\(integer(Int16.self))", type)
    case .int32: return cast("\(integer(Int32.self))", type)
    case .int64, .duration: return cast("\(integer(Int64.self))", type)
    case .uint8: return cast("\(integer(UInt8.self))", type)
    case .uint16: return cast("\(integer(UInt16.self))", type)
    case .uint32:
      let number = cast("\(integer(UInt32.self))", "UInt32")
      return type == "UInt32" ? number : cast(number, type)
    case .uint64: return cast("\(integer(UInt64.self))", type)
    case .float32:
      // As a double it is exact, whichever way its digits are read.
      return cast("\(Double(column.withValues(of: Float.self) { $0[row] }))", type)
    case .float64: return cast("\(column.withValues(of: Double.self) { $0[row] })", type)
    case .decimal128(_, let scale), .decimal256(_, let scale):
      return cast(quotedString(decimal(column, at: row, scale: scale)), type)
    case .date32:
      let days = integer(Int32.self)
      guard (-719_162...2_932_896).contains(days) else {
        throw EngineError(
          message: "a date that is \(days) days from 1970 is not of the years 1 to 9999")
      }
      return cast("\(days)", type)
    case .time32(let unit):
      return cast(quotedString(try time(Int64(integer(Int32.self)), unit)), type)
    case .time64(let unit): return cast(quotedString(try time(integer(Int64.self), unit)), type)
    case .timestamp:
      return "reinterpret(\(cast("\(integer(Int64.self))", "Int64")), \(quotedString(type)))"
    case .utf8, .binary, .largeUtf8, .largeBinary:
      return column.withBinaryValue(at: row) { quotedString(bytes: $0) }
    case .fixedSizeBinary: return fixedBytes(column, at: row, type)
    case .list(let item), .largeList(let item), .fixedSizeList(let item, _):
      let items = try column.listRange(at: row).map {
        try SQLLiteral(column.children[0], at: $0, item).text
      }
      return cast("[\(items.joined(separator: ", "))]", type)
    case .structure(let fields):
      let values = try zip(column.children, fields).map {
        try SQLLiteral($0, at: column.offset + row, $1).text
      }
      return cast("tuple(\(values.joined(separator: ", ")))", type)
    case .map(let entries, _):
      let pairs = column.children[0]
      let values = try column.listRange(at: row).flatMap { entry in
        try zip(pairs.children, entries.type.childFields).map {
          try SQLLiteral($0, at: pairs.offset + entry, $1).text
        }
      }
      return cast("map(\(values.joined(separator: ", ")))", type)
    case .null, .denseUnion, .dictionary: throw unsupported(field)
    }
  }

  private static func unsupported(_ field: Field) -> EngineError {
    EngineError(
      message: "the parameter \(field.name) is of an Arrow type that has no literal: a union")
  }

  // MARK: Types

  /// The engine's type of the values that are not null.
  private static func typeName(_ field: Field) throws -> String {
    switch field.type {
    case .null: return "Nothing"
    case .time32(.second): return "Time"
    case .time32(let unit), .time64(let unit): return "Time64(\(unit.fractionDigitCount))"
    case .timestamp(let unit, let zone):
      return "DateTime64(\(unit.fractionDigitCount), \(quotedString(zoneName(zone))))"
    case .list(let item), .largeList(let item), .fixedSizeList(let item, _):
      return "Array(\(try memberTypeName(item)))"
    case .structure(let fields):
      let members = try fields.map { "\(quotedIdentifier($0.name)) \(try memberTypeName($0))" }
      return "Tuple(\(members.joined(separator: ", ")))"
    case .map(let entries, _):
      let (key, value) = (entries.type.childFields[0], entries.type.childFields[1])
      return "Map(\(try typeName(key)), \(try memberTypeName(value)))"
    case .dictionary(_, let values):
      return try typeName(Field(name: field.name, type: values, metadata: field.metadata))
    case .denseUnion: throw unsupported(field)
    default:
      var field = field
      field.isNullable = false
      return try ColumnTypes.clickHouseType(of: field)
    }
  }

  /// The engine's type of what is within a list, struct or map.
  private static func memberTypeName(_ field: Field) throws -> String {
    let type = try typeName(field)
    switch field.type {
    case .null: return "Nullable(Nothing)"
    case .list, .largeList, .fixedSizeList, .structure, .map: return type
    default: return field.isNullable ? "Nullable(\(type))" : type
    }
  }

  /// Clock times without a zone are those of UTC, as everywhere here. The engine knows zones by name
  /// only, and an instant is the same in all of them.
  private static func zoneName(_ zone: String?) -> String {
    guard let zone, let first = zone.unicodeScalars.first, first != "+", first != "-" else {
      return "UTC"
    }
    return zone
  }

  // MARK: Values

  private static func decimal(_ column: ArrayData, at row: Int, scale: Int) -> String {
    let (magnitude, isNegative) = column.decimal(at: row)
    var limbs = [magnitude.3, magnitude.2, magnitude.1, magnitude.0]
    var digits: [UInt8] = []
    while limbs.contains(where: { $0 != 0 }) {
      var rest: UInt64 = 0
      for index in limbs.indices {
        (limbs[index], rest) = UInt64(10).dividingFullWidth((rest, limbs[index]))
      }
      digits.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest))
    }
    while digits.count <= scale { digits.append(UInt8(ascii: "0")) }
    if scale > 0 { digits.insert(UInt8(ascii: "."), at: scale) }
    return (isNegative ? "-" : "") + String(decoding: digits.reversed(), as: UTF8.self)
  }

  private static func time(_ value: Int64, _ unit: TimeUnit) throws -> String {
    let digits = unit.fractionDigitCount
    let parts = (0..<digits).reduce(Int64(1)) { product, _ in product * 10 }
    guard value >= 0, value / parts < 86_400 else {
      throw EngineError(message: "a time of day is from 0 to 24 hours")
    }
    func padded(_ number: Int64, _ width: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(width - text.count, 0)) + text
    }
    let seconds = value / parts
    let clock = [seconds / 3_600, seconds / 60 % 60, seconds % 60].map { padded($0, 2) }
      .joined(separator: ":")
    return digits == 0 ? clock : clock + "." + padded(value % parts, digits)
  }

  private static func fixedBytes(_ column: ArrayData, at row: Int, _ type: String) -> String {
    column.withBinaryValue(at: row) { bytes in
      switch type {
      case "UUID":
        var text = bytes.map(hexadecimal).joined()
        for position in [20, 16, 12, 8] {
          text.insert("-", at: text.index(text.startIndex, offsetBy: position))
        }
        return cast(quotedString(text), type)
      case "IPv6":
        return "toIPv6(IPv6NumToString(\(cast(quotedString(bytes: bytes), "FixedString(16)"))))"
      default: return cast(quotedString(bytes: bytes), type)
      }
    }
  }
}

/// Bytes as an SQL string literal, whatever they are.
func quotedString(bytes: UnsafeRawBufferPointer) -> String {
  var result: [UInt8] = [UInt8(ascii: "'")]
  for byte in bytes {
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
    // A `$tag$` without an end elsewhere in the statement must not find it here.
    case 0x20..<0x7F where byte != UInt8(ascii: "$"): result.append(byte)
    default: result += Array("\\x\(hexadecimal(byte))".utf8)
    }
  }
  result.append(UInt8(ascii: "'"))
  return String(decoding: result, as: UTF8.self)
}

private func hexadecimal(_ byte: UInt8) -> String {
  (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
}
