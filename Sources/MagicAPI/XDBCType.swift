import Arrow

/// What ODBC and JDBC say about a column of results, whatever interface tells it.
public struct XDBCType: Hashable, Sendable {
  /// The type's number (`XdbcDataType`); 0 for one that they do not know.
  public var code: Int16
  /// Digits of numbers (bits of floating-point ones), characters of dates, bytes of binaries.
  public var size: Int32?
  /// Digits after the point.
  public var digits: Int16?
  /// What the size of a number counts: digits or bits.
  public var radix: Int16?
  /// Whether a number has no sign; nil for what is no number.
  public var isUnsigned: Bool?
  /// The generic number of types of dates.
  public var generic: Int16?
  /// Which of the types of dates it is.
  public var subcode: Int16?

  /// An unsigned integer has the number of the next wider type, which holds all its values.
  public init(_ type: DataType) {
    switch type {
    case .bool: self.init(code: -7, size: 1)
    case .int8: self.init(integer: -6, digits: 3)
    case .uint8: self.init(integer: 5, digits: 3, isUnsigned: true)
    case .int16: self.init(integer: 5, digits: 5)
    case .uint16: self.init(integer: 4, digits: 5, isUnsigned: true)
    case .int32: self.init(integer: 4, digits: 10)
    case .uint32: self.init(integer: -5, digits: 10, isUnsigned: true)
    case .int64, .duration: self.init(integer: -5, digits: 19)
    case .uint64: self.init(integer: -5, digits: 20, isUnsigned: true)
    case .float32: self.init(code: 7, size: 24, radix: 2, isUnsigned: false)
    case .float64: self.init(code: 8, size: 53, radix: 2, isUnsigned: false)
    case .decimal128(let precision, let scale), .decimal256(let precision, let scale):
      self.init(
        code: 3, size: Int32(clamping: precision), digits: Int16(clamping: scale), radix: 10,
        isUnsigned: false)
    case .date32: self.init(code: 91, size: 10, generic: 9, subcode: 1)
    case .time32(let unit), .time64(let unit):
      let digits = unit.fractionDigitCount
      self.init(code: 92, size: Int32(9 + digits), digits: Int16(digits), generic: 9, subcode: 2)
    case .timestamp(let unit, _):
      let digits = unit.fractionDigitCount
      self.init(
        code: 93, size: unit == .second ? 19 : Int32(20 + digits), digits: Int16(digits),
        generic: 9, subcode: 3)
    case .utf8, .largeUtf8: self.init(code: 12)
    case .binary, .largeBinary: self.init(code: -3)
    case .fixedSizeBinary(let width): self.init(code: -2, size: Int32(clamping: width))
    case .dictionary(_, let values): self.init(values)
    case .null, .list, .largeList, .fixedSizeList, .structure, .map, .denseUnion:
      self.init(code: 0)
    }
  }

  private init(integer code: Int16, digits: Int32, isUnsigned: Bool = false) {
    self.init(code: code, size: digits, digits: 0, radix: 10, isUnsigned: isUnsigned)
  }

  private init(
    code: Int16, size: Int32? = nil, digits: Int16? = nil, radix: Int16? = nil,
    isUnsigned: Bool? = nil, generic: Int16? = nil, subcode: Int16? = nil
  ) {
    self.code = code
    self.size = size
    self.digits = digits
    self.radix = radix
    self.isUnsigned = isUnsigned
    self.generic = generic
    self.subcode = subcode
  }
}
