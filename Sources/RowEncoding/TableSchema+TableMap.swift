import Binlog
import MySQLSchema

extension TableMap {
  /// What MariaDB calls the hidden columns that hold the hashes of long unique keys.
  static let hashColumnPrefix = "DB_ROW_HASH_"
}

extension TableSchema {
  /// The schema that a table map describes by itself, which `binlog_row_metadata=FULL` makes it do.
  ///
  /// What table maps do not tell stays open: MariaDB's UUID and INET columns are BINARY, its JSON
  /// columns are text, and no column is known to be generated.
  ///
  /// - Throws: `EncodingError` with code `missingMetadata` when the server wrote less.
  public init(tableMap: TableMap) throws(EncodingError) {
    let name = TableName(database: tableMap.database, table: tableMap.table)
    guard let names = tableMap.columnNames,
      let isUnsigned = tableMap.isUnsigned ?? Self.noIntegers(tableMap)
    else {
      throw EncodingError(
        .missingMetadata, table: name,
        "the binlog does not name the columns: set binlog_row_metadata=FULL at the source, or give --schema"
      )
    }
    var columns: [Column] = []
    for (index, wire) in tableMap.columnTypes.enumerated()
    where !names[index].hasPrefix(TableMap.hashColumnPrefix) {
      let type = try Self.columnType(
        wire, at: index, tableMap, isUnsigned: isUnsigned[index], table: name, column: names[index])
      columns.append(
        Column(
          name: names[index], type: type, isNullable: tableMap.nullability[index],
          isInvisible: tableMap.isInvisible?[index] ?? false))
    }
    self.init(name: name, columns: columns, primaryKey: tableMap.primaryKey ?? [])
    primaryKeyHasPrefix = tableMap.primaryKeyPrefixes?.contains { $0 != 0 } ?? false
  }

  /// A schema for a table map that does not fully describe its columns, for looking at a binlog,
  /// never for a copy. As far as the table map does not say more, columns are called `@1`, `@2`, …,
  /// integers are signed, texts are bytes, ENUM and SET are numbers.
  public init(positional tableMap: TableMap) throws(EncodingError) {
    let name = TableName(database: tableMap.database, table: tableMap.table)
    var columns: [Column] = []
    for (index, wire) in tableMap.columnTypes.enumerated() {
      let column = tableMap.columnNames?[index] ?? "@\(index + 1)"
      let hasCharset = tableMap.collations?[index] != nil
      let hasMembers = tableMap.members?[index].isEmpty == false
      let type: ColumnType
      switch wire {
      case .string where !hasCharset, .varchar where !hasCharset, .blob where !hasCharset,
        .compressedVarchar where !hasCharset, .compressedBlob where !hasCharset:
        type = .bytes
      case .enumeration(let byteCount) where !hasMembers:
        type = .integer(byteCount == 1 ? .tiny : .small, isUnsigned: true)
      case .set where !hasMembers: type = .integer(.big, isUnsigned: true)
      default:
        type = try Self.columnType(
          wire, at: index, tableMap, isUnsigned: tableMap.isUnsigned?[index] ?? false, table: name,
          column: column)
      }
      columns.append(Column(name: column, type: type, isNullable: tableMap.nullability[index]))
    }
    self.init(name: name, columns: columns, primaryKey: [])
  }

  /// Signedness for a table that has no numeric column, about which servers then write nothing.
  private static func noIntegers(_ tableMap: TableMap) -> [Bool]? {
    let hasIntegers = tableMap.columnTypes.contains {
      if case .integer = $0 { true } else { false }
    }
    return hasIntegers ? nil : Array(repeating: false, count: tableMap.columnTypes.count)
  }

  private static func columnType(
    _ wire: WireColumnType, at index: Int, _ tableMap: TableMap, isUnsigned: Bool, table: TableName,
    column: String
  ) throws(EncodingError) -> ColumnType {
    func missing(_ what: String) -> EncodingError {
      EncodingError(
        .missingMetadata, table: table, column: column,
        "the binlog does not give the \(what): set binlog_row_metadata=FULL at the source, or give --schema"
      )
    }
    func charset() throws(EncodingError) -> String {
      guard let collation = tableMap.collations?[index] else { throw missing("charset") }
      guard let charset = Charset.name(collation: collation) else {
        throw EncodingError(
          .unknownCharset, table: table, column: column,
          "collation number \(collation) is not known")
      }
      return charset
    }
    func memberTexts() throws(EncodingError) -> [String] {
      guard let members = tableMap.members?[index], !members.isEmpty else {
        throw missing("members")
      }
      guard let decoder = CharsetDecoder(charset: try charset()) else {
        throw EncodingError(
          .unknownCharset, table: table, column: column,
          "members in a charset that cannot be converted")
      }
      return members.map { decoder.string(from: $0) }
    }
    switch wire {
    case .integer(let byteCount):
      guard let width = IntegerWidth(rawValue: byteCount) else { break }
      return .integer(width, isUnsigned: isUnsigned)
    case .float: return .float
    case .double: return .double
    case .decimal(let precision, let scale): return .decimal(precision: precision, scale: scale)
    case .bit(let width): return .bit(width: width)
    case .year: return .year
    case .date: return .date
    case .oldTime: return .time(fractionalDigits: 0)
    case .oldDatetime: return .datetime(fractionalDigits: 0)
    case .oldTimestamp: return .timestamp(fractionalDigits: 0)
    case .time(let digits): return .time(fractionalDigits: digits)
    case .datetime(let digits): return .datetime(fractionalDigits: digits)
    case .timestamp(let digits): return .timestamp(fractionalDigits: digits)
    case .string(let maximumLength):
      let charset = try charset()
      return charset == "binary" ? .binary(length: maximumLength) : .string(charset: charset)
    case .varchar, .blob, .compressedVarchar, .compressedBlob:
      let charset = try charset()
      return charset == "binary" ? .bytes : .string(charset: charset)
    case .geometry: return .geometry
    case .json: return .json
    case .vector:
      // 16,383 is the most that a server allows.
      return .vector(dimensions: tableMap.vectorDimensions?[index] ?? 16_383)
    case .enumeration: return .enumeration(try memberTexts())
    case .set: return .set(try memberTexts())
    case .oldDecimal, .null, .unknown: break
    }
    throw EncodingError(
      .schemaMismatch, table: table, column: column, "columns of type \(wire) are not supported")
  }
}
