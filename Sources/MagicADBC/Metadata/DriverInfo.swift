import Arrow
import CArrowABI

/// What the driver and the database are, by the numbers of the specification.
enum DriverInfo {
  private enum Value {
    case text(String?)
    case bool(Bool)
    case number(Int64)

    /// The field of the union.
    var field: Int {
      switch self {
      case .text: 0
      case .bool: 1
      case .number: 2
      }
    }

    var text: String?? { if case .text(let text) = self { .some(text) } else { nil } }
    var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    var number: Int64? { if case .number(let number) = self { number } else { nil } }
  }

  /// The driver's version.
  static let version = "0.1.0"
  /// The version of the Arrow columnar format.
  private static let arrowVersion = "1.5.0"

  private static let values: [(code: UInt32, value: Value)] = [
    (0, .text("Magic")), (1, .text(version)), (2, .text(arrowVersion)),
    // SQL is understood, Substrait is not, of whatever version.
    (3, .bool(true)), (4, .bool(false)), (5, .text(nil)), (6, .text(nil)),
    (100, .text("Magic ADBC driver")), (101, .text(version)), (102, .text(arrowVersion)),
    (103, .number(Int64(ADBC_VERSION_1_1_0))),
  ]

  private static let valueFields = [
    Field(name: "string_value", type: .utf8), Field(name: "bool_value", type: .bool),
    Field(name: "int64_value", type: .int64), Field(name: "int32_bitmask", type: .int32),
    Field(name: "string_list", type: .list(Field(name: "item", type: .utf8))),
    Field(
      name: "int32_to_int32_list_map",
      type: .map(
        Field(
          name: "entries",
          type: .structure([
            Field(name: "key", type: .int32, isNullable: false),
            Field(name: "value", type: .list(Field(name: "item", type: .int32))),
          ]), isNullable: false), keysSorted: false)),
  ]

  static let schema = Schema(fields: [
    Field(name: "info_name", type: .uint32, isNullable: false),
    Field(name: "info_value", type: .denseUnion(valueFields)),
  ])

  /// The answer about the codes that are known of those asked for; nil asks for all.
  static func batch(_ codes: [UInt32]?) throws -> RecordBatch {
    let found = values.filter { codes?.contains($0.code) ?? true }
    let values = found.map(\.value)
    let children: [ArrayData] =
      [
        textColumn(values.compactMap(\.text)), booleanColumn(values.compactMap(\.bool)),
        numberColumn(values.compactMap(\.number), type: .int64),
      ] + valueFields[3...].map { ArrayData(emptyOf: $0.type) }
    return try RecordBatch(
      schema: schema,
      columns: [
        numberColumn(found.map(\.code), type: .uint32),
        unionColumn(valueFields, values.map(\.field), children: children),
      ], rowCount: found.count)
  }
}
