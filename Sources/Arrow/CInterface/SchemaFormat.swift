// The format strings of the C Data Interface
// (https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings).

extension TimeUnit {
  var formatLetter: String {
    switch self {
    case .second: "s"
    case .millisecond: "m"
    case .microsecond: "u"
    case .nanosecond: "n"
    }
  }

  init?(formatLetter: Substring) {
    guard let unit = Self.allCases.first(where: { $0.formatLetter == formatLetter }) else {
      return nil
    }
    self = unit
  }
}

extension DataType {
  /// The format string; of a dictionary-encoded type, that of its indices.
  var formatString: String {
    switch self {
    case .null: "n"
    case .bool: "b"
    case .int8: "c"
    case .uint8: "C"
    case .int16: "s"
    case .uint16: "S"
    case .int32: "i"
    case .uint32: "I"
    case .int64: "l"
    case .uint64: "L"
    case .float32: "f"
    case .float64: "g"
    case .decimal128(let precision, let scale): "d:\(precision),\(scale)"
    case .decimal256(let precision, let scale): "d:\(precision),\(scale),256"
    case .date32: "tdD"
    case .time32(let unit), .time64(let unit): "tt\(unit.formatLetter)"
    case .timestamp(let unit, let timeZone): "ts\(unit.formatLetter):\(timeZone ?? "")"
    case .duration(let unit): "tD\(unit.formatLetter)"
    case .utf8: "u"
    case .binary: "z"
    case .largeUtf8: "U"
    case .largeBinary: "Z"
    case .fixedSizeBinary(let width): "w:\(width)"
    case .list: "+l"
    case .largeList: "+L"
    case .fixedSizeList(_, let size): "+w:\(size)"
    case .structure: "+s"
    case .map: "+m"
    case .denseUnion(let fields): "+ud:" + unionIDs(fields)
    case .dictionary(let index, _): index.formatString
    }
  }

  /// The type that a format string describes.
  ///
  /// - Parameter children: the fields of the children, which the string leaves out.
  /// - Throws: `unsupported` for types that ``DataType`` does not have, `malformed` when the
  ///   children do not fit the type.
  init(formatString format: String, children: [Field], keysSorted: Bool) throws(ArrowError) {
    if let plain = Self.parameterless[format] ?? ViewLayout.formats[format] {
      self = plain
    } else if let nested = try Self.nested(format, children: children, keysSorted: keysSorted) {
      self = nested
      try validateParameters()
      return
    } else if let parameterized = Self.parameterized(format) {
      self = parameterized
      try validateParameters()
    } else {
      throw ArrowError(.unsupported, "type with the format string \(format)")
    }
    guard children.isEmpty else { throw ArrowError(.malformed, "children of the type \(self)") }
  }

  private static let parameterless: [String: DataType] = {
    let types: [DataType] =
      [
        .null, .bool, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64, .float32,
        .float64, .date32, .utf8, .binary, .largeUtf8, .largeBinary,
      ] + [.second, .millisecond].map { .time32($0) }
      + [.microsecond, .nanosecond].map { .time64($0) }
      + TimeUnit.allCases.map { .duration($0) }
    return Dictionary(uniqueKeysWithValues: types.map { ($0.formatString, $0) })
  }()

  private static func nested(_ format: String, children: [Field], keysSorted: Bool)
    throws(ArrowError) -> DataType?
  {
    if format == "+s" { return .structure(children) }
    if format.hasPrefix("+ud:") {
      guard format == "+ud:" + unionIDs(children) else {
        throw ArrowError(.unsupported, "a union whose fields are not numbered in their order")
      }
      return .denseUnion(children)
    }
    guard format.hasPrefix("+") else { return nil }
    guard children.count == 1, let child = children.first else {
      throw ArrowError(.malformed, "\(children.count) children of the type \(format)")
    }
    switch format {
    case "+l": return .list(child)
    case "+L": return .largeList(child)
    case "+m": return .map(child, keysSorted: keysSorted)
    default:
      guard format.hasPrefix("+w:"), let size = Int(format.dropFirst(3)) else { return nil }
      return .fixedSizeList(child, size)
    }
  }

  private static func parameterized(_ format: String) -> DataType? {
    let parts = format.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    let (kind, parameters) = (parts[0], parts[1])
    switch kind {
    case "w":
      return Int(parameters).map { .fixedSizeBinary($0) }
    case "d":
      let numbers = parameters.split(separator: ",").map { Int($0) }
      guard numbers.count == 2 || numbers.count == 3, let precision = numbers[0],
        let scale = numbers[1]
      else { return nil }
      if numbers.count == 2 || numbers[2] == 128 {
        return .decimal128(precision: precision, scale: scale)
      }
      return numbers[2] == 256 ? .decimal256(precision: precision, scale: scale) : nil
    default:
      guard kind.hasPrefix("ts"), let unit = TimeUnit(formatLetter: kind.dropFirst(2)) else {
        return nil
      }
      return .timestamp(unit, timeZone: parameters.isEmpty ? nil : String(parameters))
    }
  }
}

/// The numbers of a union's fields, which are their positions.
private func unionIDs(_ fields: [Field]) -> String {
  fields.indices.map(String.init).joined(separator: ",")
}
