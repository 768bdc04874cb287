import Arrow
import MagicCore

/// How the values of an Arrow field are read by the engine, and become those of a column without any
/// being changed.
struct ExactConversion {
  /// How the values become those of the column.
  enum Kind {
    /// They are of the same type, but for nulls and repeated values.
    case none
    /// The engine converts them, and fails when it cannot do so exactly.
    case accurate
    /// The engine reads texts as values, and gives null for some that are none.
    case parsed
    /// The engine converts what it cannot: whether the way back gives the same value tells.
    case thereAndBack
  }

  /// The type as which the engine reads the values.
  let type: String
  let kind: Kind
  /// The most digits before the point that the column can have, when values may have more.
  var wholeDigits: Int?

  /// An expression for the converted values.
  ///
  /// - Parameters:
  ///   - column: the column to convert, as SQL.
  ///   - target: its type in the table.
  ///   - name: what an error calls it.
  func expression(_ column: String, to target: String, name: String) -> String {
    var result = column
    var faults: [String] = []
    switch kind {
    case .none: break
    case .accurate: result = "accurateCast(\(column), \(quotedString(target)))"
    case .parsed:
      result = "accurateCast(\(column), \(quotedString(target)))"
      faults.append("isNull(\(result)) AND isNotNull(\(column))")
    case .thereAndBack:
      result = "CAST(\(column), \(quotedString(target)))"
      faults.append("CAST(\(result), \(quotedString(type))) != \(column)")
    }
    if let wholeDigits {
      let bound = "1" + String(repeating: "0", count: wholeDigits)
      faults.append("abs(\(column)) >= CAST('\(bound)', 'Decimal(76, 0)')")
    }
    guard !faults.isEmpty else { return result }
    let message = "column \(name) cannot hold a value of the data exactly: it is \(target)"
    let fault = "ifNull(\(faults.joined(separator: " OR ")), 0)"
    return "if(throwIf(\(fault), \(quotedString(message))), "
      + "defaultValueOfArgumentType(\(result)), \(result))"
  }

  /// - Parameter isInner: whether the field is inside of another.
  /// - Throws: ``EngineError`` when values would be lost or changed.
  init(of field: Field, to target: String, isInner: Bool = false) throws {
    let column = TypeText(target)
    guard let found = try Self.find(field, column) else {
      throw EngineError(
        message: "column \(field.name) is \(target), and its data \(Self.description(of: field)), "
          + "which cannot always be converted without loss")
    }
    (type, kind, wholeDigits) = (found.type, found.kind, found.wholeDigits)
    let needsCheck =
      kind == .thereAndBack || kind == .parsed && column.isNullable || wholeDigits != nil
    if isInner, needsCheck || readsTime {
      throw EngineError(
        message: "column \(field.name): \(Self.description(of: field)) inside of another type "
          + "cannot become \(target) without loss")
    }
  }

  /// Whether the engine reads times of the day as such, and not as numbers.
  var readsTime: Bool { type.hasPrefix("Time64") }

  private init(_ type: String, _ kind: Kind = .none, wholeDigits: Int? = nil) {
    (self.type, self.kind, self.wholeDigits) = (type, kind, wholeDigits)
  }

  private static func description(of field: Field) -> String {
    field.extensionName.map { "\(field.type) (\($0))" } ?? "\(field.type)"
  }

  private static func find(_ field: Field, _ column: TypeText) throws -> ExactConversion? {
    switch field.type {
    case .list(let item), .largeList(let item), .fixedSizeList(let item, _):
      guard column.name == "Array", let inner = column.arguments.first else { return nil }
      return try wrapped([inner], of: [item]) { "Array(\($0[0]))" }
    case .structure(let fields): return try tuple(fields, column)
    case .map(let entries, _):
      let fields = entries.type.childFields
      guard column.name == "Map", fields.count == 2, column.arguments.count == 2 else { return nil }
      return try wrapped(column.arguments, of: fields) { "Map(\($0[0]), \($0[1]))" }
    case .dictionary(_, let values):
      let plain = Field(
        name: field.name, type: values, isNullable: field.isNullable, metadata: field.metadata)
      return try find(plain, column)
    default: return scalar(field, column)
    }
  }

  private static func tuple(_ fields: [Field], _ column: TypeText) throws -> ExactConversion? {
    let members = column.members
    guard column.name == "Tuple", members.count == fields.count else { return nil }
    if members.allSatisfy({ $0.name == nil }) {
      return try wrapped(members.map(\.type), of: fields) {
        "Tuple(\($0.joined(separator: ", ")))"
      }
    }
    var ordered: [Field] = []
    for member in members {
      guard let field = fields.first(where: { $0.name == member.name }) else { return nil }
      ordered.append(field)
    }
    return try wrapped(members.map(\.type), of: ordered) { types in
      let named = zip(ordered, types).map { "\(quotedIdentifier($0.name)) \($1)" }
      return "Tuple(\(named.joined(separator: ", ")))"
    }
  }

  /// A type that is made of others.
  private static func wrapped(
    _ targets: [String], of fields: [Field], _ type: ([String]) -> String
  ) throws -> ExactConversion {
    var types: [String] = []
    var kind = Kind.none
    for (field, target) in zip(fields, targets) {
      let inner = try ExactConversion(of: field, to: target, isInner: true)
      let isNested = !field.type.childFields.isEmpty
      types.append(field.isNullable && !isNested ? "Nullable(\(inner.type))" : inner.type)
      // A null that the column cannot hold is an error then.
      let mayFail = field.isNullable && !isNested && !TypeText(target).isNullable
      if inner.kind != .none || mayFail { kind = .accurate }
    }
    return ExactConversion(type(types), kind)
  }

  private static func scalar(_ field: Field, _ column: TypeText) -> ExactConversion? {
    switch field.type {
    case .null: return ExactConversion("String", column.name == "String" ? .none : .accurate)
    case .bool: return number("Bool", 1, column)
    case .int8: return number("Int8", 3, column)
    case .int16: return number("Int16", 5, column)
    case .int32: return number("Int32", 10, column)
    case .int64: return number("Int64", 19, column)
    case .uint8: return number("UInt8", 3, column)
    case .uint16: return number("UInt16", 5, column)
    case .uint32:
      // As which the engine gives these types out.
      if column.name == "IPv4" { return ExactConversion("IPv4") }
      if column.name == "DateTime" { return ExactConversion("UInt32", .accurate) }
      return number("UInt32", 10, column)
    case .uint64: return number("UInt64", 20, column)
    case .float32: return floating("Float32", column)
    case .float64: return floating("Float64", column)
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      return decimal(precision, scale, column)
    case .date32:
      switch column.name {
      case "Date32": return ExactConversion("Date32")
      case "Date": return ExactConversion("Date32", .thereAndBack)
      default: return nil
      }
    case .timestamp(let unit, _): return timestamp(unit, column)
    case .time32(let unit):
      switch (column.name, unit) {
      case ("Time", .second): return ExactConversion("Time")
      case ("Time64", _): return column.number(0) == 3 ? ExactConversion("Time64(3)") : nil
      case ("Time", _): return nil
      default: return number("Int32", 10, column)
      }
    case .time64(let unit):
      let scale = unit == .microsecond ? 6 : 9
      guard column.name == "Time64" else { return number("Int64", 19, column) }
      return column.number(0) == scale ? ExactConversion("Time64(\(scale))") : nil
    case .duration: return number("Int64", 19, column)
    case .utf8, .largeUtf8: return text(column)
    case .binary, .largeBinary:
      return ["String", "FixedString"].contains(column.name) ? text(column) : nil
    case .fixedSizeBinary(let width): return bytes(width, field, column)
    case .list, .largeList, .fixedSizeList, .structure, .map, .denseUnion, .dictionary: return nil
    }
  }

  private static let integers: Set<String> = [
    "Int8", "Int16", "Int32", "Int64", "Int128", "Int256", "UInt8", "UInt16", "UInt32", "UInt64",
    "UInt128", "UInt256",
  ]

  private static func number(
    _ type: String, _ digits: Int, _ column: TypeText
  ) -> ExactConversion? {
    if column.name == type { return ExactConversion(type) }
    if integers.contains(column.name) || column.name.hasPrefix("Float") {
      return ExactConversion(type, .accurate)
    }
    guard type != "Bool", let (precision, scale) = digitsOfDecimal(column) else { return nil }
    let whole = precision - scale
    return ExactConversion(type, .accurate, wholeDigits: whole < digits ? whole : nil)
  }

  private static func floating(_ type: String, _ column: TypeText) -> ExactConversion? {
    if column.name == type { return ExactConversion(type) }
    let isNumber = integers.contains(column.name) || ["Float32", "Float64"].contains(column.name)
    return isNumber ? ExactConversion(type, .accurate) : nil
  }

  private static func decimal(
    _ precision: Int, _ scale: Int, _ column: TypeText
  ) -> ExactConversion? {
    guard (1...76).contains(precision), (0...precision).contains(scale) else { return nil }
    let type = "Decimal(\(precision), \(scale))"
    if integers.contains(column.name) { return ExactConversion(type, .thereAndBack) }
    guard let (targetPrecision, targetScale) = digitsOfDecimal(column) else { return nil }
    if (targetPrecision, targetScale) == (precision, scale) { return ExactConversion(type) }
    let whole = targetPrecision - targetScale
    return ExactConversion(
      type, targetScale < scale ? .thereAndBack : .accurate,
      wholeDigits: whole < precision - scale ? whole : nil)
  }

  private static func digitsOfDecimal(_ column: TypeText) -> (precision: Int, scale: Int)? {
    guard column.name == "Decimal", let precision = column.number(0), let scale = column.number(1)
    else { return nil }
    return (precision, scale)
  }

  private static func timestamp(_ unit: TimeUnit, _ column: TypeText) -> ExactConversion? {
    let scale =
      switch unit {
      case .second: 0
      case .millisecond: 3
      case .microsecond: 6
      case .nanosecond: 9
      }
    let type = "DateTime64(\(scale), 'UTC')"
    switch column.name {
    case "DateTime64":
      guard let target = column.number(0) else { return nil }
      return ExactConversion(type, target < scale ? .thereAndBack : .accurate)
    case "DateTime", "Date", "Date32": return ExactConversion(type, .thereAndBack)
    default: return nil
    }
  }

  private static func text(_ column: TypeText) -> ExactConversion? {
    switch column.name {
    case "String": ExactConversion("String")
    case "FixedString", "Enum8", "Enum16", "UUID", "IPv4", "IPv6", "JSON":
      ExactConversion("String", .parsed)
    default: nil
    }
  }

  private static func bytes(
    _ width: Int, _ field: Field, _ column: TypeText
  ) -> ExactConversion? {
    if field.extensionName == ColumnTypes.uuidExtension {
      return column.name == "UUID" ? ExactConversion("UUID") : nil
    }
    switch (column.name, width) {
    case ("FixedString", column.number(0)): return ExactConversion("FixedString(\(width))")
    case ("String", _): return ExactConversion("String")
    // As which the engine gives these types out.
    case ("IPv6", 16), ("Int128", 16), ("UInt128", 16), ("Int256", 32), ("UInt256", 32):
      return ExactConversion(column.name)
    default: return nil
    }
  }
}
