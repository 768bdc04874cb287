import Arrow
import MySQLSchema

extension TableSchema {
  /// Makes the encoder of one column.
  func makeEncoder(at index: Int, _ state: EncodingState) throws(EncodingError) -> ColumnEncoder {
    let column = columns[index]
    try checkRange(of: column)
    let field = arrowField(at: index)
    let context = ColumnContext(state: state, isKey: primaryKey.contains(index))
    switch column.type {
    case .integer(.tiny, _): return TinyIntEncoder(column, field, context)
    case .integer(.small, _): return SmallIntEncoder(column, field, context)
    case .integer(.medium, _): return MediumIntEncoder(column, field, context)
    case .integer(.int, _): return IntEncoder(column, field, context)
    case .integer(.big, _): return BigIntEncoder(column, field, context)
    case .float: return FloatEncoder(column, field, context)
    case .double: return DoubleEncoder(column, field, context)
    case .decimal(let precision, let scale):
      guard let layout = DecimalLayout(precision: precision, scale: scale) else {
        throw unsupported(column)
      }
      return DecimalEncoder(
        column, field, context, precision: precision, scale: scale, layout: layout)
    case .bit(let width): return BitEncoder(column, field, context, width: width)
    case .date: return DateEncoder(column, field, context)
    case .datetime(let digits):
      return DatetimeEncoder(column, field, context, fractionalDigits: digits)
    case .timestamp(let digits):
      return TimestampEncoder(column, field, context, fractionalDigits: digits)
    case .time(let digits): return TimeEncoder(column, field, context, fractionalDigits: digits)
    case .year: return YearEncoder(column, field, context)
    case .string(let charset):
      guard let encoder = TextEncoder(column, field, context, charset: charset) else {
        throw EncodingError(
          .unknownCharset, table: name, column: column.name,
          "text in charset \(charset ?? "") cannot be converted to UTF-8")
      }
      return encoder
    case .binary(let length): return FixedBytesEncoder(column, field, context, length: length)
    case .bytes: return BytesEncoder(column, field, context)
    case .enumeration(let members):
      return EnumerationEncoder(column, field, context, members: members)
    case .set(let members): return SetEncoder(column, field, context, members: members)
    case .json: return JSONEncoder(column, field, context)
    case .geometry:
      // Four bytes of SRID come before the well-known binary.
      return BytesEncoder(column, field, context, droppedByteCount: 4)
    case .inet4: return IPv4Encoder(column, field, context)
    case .inet6: return IPv6Encoder(column, field, context)
    case .uuid: return UUIDEncoder(column, field, context)
    case .vector(let dimensions):
      return VectorEncoder(column, field, context, dimensions: dimensions)
    }
  }

  /// Refuses parameters that no server declares, on which the encoders rely.
  private func checkRange(of column: Column) throws(EncodingError) {
    let isInRange =
      switch column.type {
      case .decimal(let precision, let scale):
        DecimalLayout(precision: precision, scale: scale) != nil
      case .bit(let width): (1...64).contains(width)
      case .datetime(let digits), .timestamp(let digits), .time(let digits):
        (0...6).contains(digits)
      case .binary(let length): (0...65_535).contains(length)
      case .enumeration(let members): members.count <= 65_535
      case .set(let members): members.count <= 64
      case .integer, .float, .double, .date, .year, .string, .bytes, .json, .geometry, .inet4,
        .inet6, .uuid, .vector:
        true
      }
    if !isInRange { throw unsupported(column) }
  }

  private func unsupported(_ column: Column) -> EncodingError {
    EncodingError(
      .schemaMismatch, table: name, column: column.name, "no server has a column of this type")
  }
}
