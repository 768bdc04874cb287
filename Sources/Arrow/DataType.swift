/// The unit of a time of day, a timestamp or a duration.
public enum TimeUnit: Int, Hashable, Sendable, Codable, CaseIterable {
  case second, millisecond, microsecond, nanosecond

  /// The digits of a second's fraction.
  public var fractionDigitCount: Int { rawValue * 3 }
}

/// A logical type of the Arrow columnar format.
///
/// Extension types are not here: they are ``Field`` metadata over a storage type.
public indirect enum DataType: Hashable, Sendable, Codable {
  case null
  case bool
  case int8, int16, int32, int64
  case uint8, uint16, uint32, uint64
  case float32, float64
  /// Exact decimals of up to 38 digits in 16 bytes, two's complement.
  case decimal128(precision: Int, scale: Int)
  /// Exact decimals of up to 76 digits in 32 bytes, two's complement.
  case decimal256(precision: Int, scale: Int)
  /// Days since 1970-01-01 in 32 bits.
  case date32
  /// Time since midnight in 32 bits; the unit is seconds or milliseconds.
  case time32(TimeUnit)
  /// Time since midnight in 64 bits; the unit is microseconds or nanoseconds.
  case time64(TimeUnit)
  /// Time since 1970-01-01 in 64 bits: UTC when there is a time zone, wall clock when not.
  case timestamp(TimeUnit, timeZone: String?)
  /// Elapsed time in 64 bits.
  case duration(TimeUnit)
  /// Text. Readers must expect invalid UTF-8 from sources that do not check it.
  case utf8
  case binary
  /// ``utf8`` with 64-bit offsets.
  case largeUtf8
  /// ``binary`` with 64-bit offsets.
  case largeBinary
  /// Byte strings that all have this length.
  case fixedSizeBinary(Int)
  case list(Field)
  /// ``list(_:)`` with 64-bit offsets.
  case largeList(Field)
  /// Lists that all have this length.
  case fixedSizeList(Field, Int)
  case structure([Field])
  /// Lists of entries; the field is the entries' struct of a key and a value.
  case map(Field, keysSorted: Bool)
  /// Values that are each of the type of one of the fields. A buffer of 8-bit positions of fields
  /// and one of 32-bit positions in the child of that field; nulls are the children's own.
  case denseUnion([Field])
  /// Values held once and referred to by integers of the index type.
  case dictionary(index: DataType, values: DataType)
}

/// How the values of a type lie in memory, which is all that readers, validation and the
/// interfaces need to know about it.
@usableFromInline
enum Layout: Hashable, Sendable {
  /// No buffers at all; every value is null.
  case null
  /// One buffer of bits.
  case bits
  /// One buffer of values of this many bytes.
  case fixed(Int)
  /// A buffer of 32-bit or 64-bit offsets, and a buffer of bytes.
  case variable32, variable64
  /// A buffer of 32-bit or 64-bit offsets, and one child.
  case list32, list64
  /// One child with this many values for each list.
  case fixedList(Int)
  /// One child for each field.
  case structure
  /// A buffer of fields' positions, a buffer of 32-bit positions in their children, and no
  /// validity; one child for each field.
  case union
  /// One buffer of indices of this many bytes, and a dictionary.
  case dictionary(Int)

  /// The number of buffers besides validity.
  var bufferCount: Int {
    switch self {
    case .null, .fixedList, .structure: 0
    case .bits, .fixed, .list32, .list64, .dictionary: 1
    case .variable32, .variable64, .union: 2
    }
  }

  /// Whether arrays have a validity bitmap.
  var hasValidity: Bool { self != .null && self != .union }
}

extension DataType {
  /// The memory layout of the type.
  @usableFromInline var layout: Layout {
    switch self {
    case .null: .null
    case .bool: .bits
    case .int8, .uint8: .fixed(1)
    case .int16, .uint16: .fixed(2)
    case .int32, .uint32, .float32, .date32, .time32: .fixed(4)
    case .int64, .uint64, .float64, .time64, .timestamp, .duration: .fixed(8)
    case .decimal128: .fixed(16)
    case .decimal256: .fixed(32)
    case .fixedSizeBinary(let width): .fixed(width)
    case .utf8, .binary: .variable32
    case .largeUtf8, .largeBinary: .variable64
    case .list, .map: .list32
    case .largeList: .list64
    case .fixedSizeList(_, let size): .fixedList(size)
    case .structure: .structure
    case .denseUnion: .union
    case .dictionary(let index, _): .dictionary(index.integerByteCount ?? 0)
    }
  }

  /// The fields of the children, in order.
  public var childFields: [Field] {
    switch self {
    case .list(let item), .largeList(let item), .fixedSizeList(let item, _): [item]
    case .map(let entries, _): [entries]
    case .structure(let fields), .denseUnion(let fields): fields
    case .null, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
      .float32, .float64, .decimal128, .decimal256, .date32, .time32, .time64, .timestamp,
      .duration, .utf8, .binary, .largeUtf8, .largeBinary, .fixedSizeBinary, .dictionary:
      []
    }
  }

  /// The width of an integer type in bytes; `nil` for every other type.
  var integerByteCount: Int? {
    switch self {
    case .int8, .uint8: 1
    case .int16, .uint16: 2
    case .int32, .uint32: 4
    case .int64, .uint64: 8
    case .null, .bool, .float32, .float64, .decimal128, .decimal256, .date32, .time32, .time64,
      .timestamp, .duration, .utf8, .binary, .largeUtf8, .largeBinary, .fixedSizeBinary, .list,
      .largeList,
      .fixedSizeList, .structure, .map, .denseUnion, .dictionary:
      nil
    }
  }
}
