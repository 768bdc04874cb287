import Arrow
import MySQLSchema

/// Writes the cells of decoded rows as JSON, by the types that the source declared.
struct CellPrinter {
  let table: TableSchema

  /// Writes the value at `row` of the column at `index`.
  func write(_ values: ArrayData, row: Int, column index: Int, to line: inout JSONLine) {
    guard !values.isNull(at: row) else {
      line.raw("null")
      return
    }
    switch table.columns[index].type {
    case .integer, .bit, .year:
      line.raw(Self.integer(values, at: row))
    case .float:
      line.raw(values.withValues(of: Float.self) { Self.number($0[row].description) })
    case .double:
      line.raw(values.withValues(of: Double.self) { Self.number($0[row].description) })
    case .decimal(_, let scale):
      let (magnitude, isNegative) = values.decimal(at: row)
      line.string(
        ValueText.decimal(magnitude: magnitude, isNegative: isNegative, scale: scale))
    case .date:
      line.string(ValueText.date(days: values.withValues(of: Int32.self) { Int($0[row]) }))
    case .datetime(let digits), .timestamp(let digits):
      let ticks = values.withValues(of: Int64.self) { Int($0[row]) }
      line.string(
        ValueText.datetime(
          microseconds: ticks * Self.microsecondsPerTick(values.type), fractionalDigits: digits))
    case .time(let digits):
      let microseconds = values.withValues(of: Int64.self) { Int($0[row]) }
      line.string(ValueText.time(microseconds: microseconds, fractionalDigits: digits))
    case .string, .json, .enumeration:
      values.withBinaryValue(at: row) { line.string($0) }
    case .binary, .bytes, .geometry:
      values.withBinaryValue(at: row) { line.base64($0) }
    case .inet4:
      let address = values.withValues(of: UInt32.self) { $0[row] }
      line.string(
        stride(from: 24, through: 0, by: -8).map { String(address >> UInt32($0) & 255) }
          .joined(separator: "."))
    case .inet6:
      line.string(values.withBinaryValue(at: row) { ValueText.ipv6($0) })
    case .uuid:
      line.string(values.withBinaryValue(at: row) { ValueText.uuid($0) })
    case .set:
      writeList(values, at: row, to: &line) { members, item, line in
        members.withBinaryValue(at: item) { line.string($0) }
      }
    case .vector:
      writeList(values, at: row, to: &line) { numbers, item, line in
        line.raw(numbers.withValues(of: Float.self) { Self.number($0[item].description) })
      }
    }
  }

  private func writeList(
    _ values: ArrayData, at row: Int, to line: inout JSONLine,
    _ writeItem: (ArrayData, Int, inout JSONLine) -> Void
  ) {
    line.open("[")
    for item in values.listRange(at: row) { writeItem(values.children[0], item, &line) }
    line.close("]")
  }

  /// JSON has no numbers for what is not finite; neither has the source.
  private static func number(_ text: String) -> String {
    text == "inf" || text == "-inf" || text == "nan" ? "null" : text
  }

  private static func integer(_ values: ArrayData, at row: Int) -> String {
    func text<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> String {
      values.withValues(of: T.self) { String($0[row]) }
    }
    return switch values.type {
    case .int8: text(Int8.self)
    case .int16: text(Int16.self)
    case .int32: text(Int32.self)
    case .int64: text(Int64.self)
    case .uint8: text(UInt8.self)
    case .uint16: text(UInt16.self)
    case .uint32: text(UInt32.self)
    case .uint64: text(UInt64.self)
    default: "null"
    }
  }

  private static func microsecondsPerTick(_ type: DataType) -> Int {
    switch type {
    case .timestamp(.second, _): 1_000_000
    case .timestamp(.millisecond, _): 1_000
    default: 1
    }
  }
}
