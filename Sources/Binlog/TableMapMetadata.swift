import WireFormat

extension TableMap.Content {
  /// The kinds of optional metadata, which MySQL 8, MySQL 9 and MariaDB 10.5 number alike.
  private enum MetadataField: UInt8 {
    case signedness = 1
    case defaultCharset = 2
    case columnCharset = 3
    case columnName = 4
    case setMembers = 5
    case enumMembers = 6
    case geometryType = 7
    case simplePrimaryKey = 8
    case primaryKeyWithPrefix = 9
    case enumAndSetDefaultCharset = 10
    case enumAndSetColumnCharset = 11
    case visibility = 12
    case vectorDimensions = 13
  }

  /// Reads the fields of type, length and value that end a TABLE_MAP event.
  mutating func readOptionalMetadata(_ reader: inout ByteReader, isMariaDB: Bool)
    throws(DecodeError)
  {
    while !reader.isAtEnd {
      let code: UInt8 = try reader.read()
      let start = reader.offset
      var field = ByteReader(try reader.readPackedBytes("optional metadata"))
      do throws(DecodeError) {
        // A later server may say more; each field stands for itself.
        guard let kind = MetadataField(rawValue: code) else { continue }
        try readMetadataField(kind, &field, isMariaDB)
        try field.expectEnd("optional metadata \(code)")
      } catch {
        throw error.located(inFile: nil, at: start)
      }
    }
  }

  private mutating func readMetadataField(
    _ kind: MetadataField, _ field: inout ByteReader, _ isMariaDB: Bool
  ) throws(DecodeError) {
    switch kind {
    case .signedness:
      isUnsigned = try readBits(&field, of: columns { $0.isNumeric(isMariaDB) })
    case .defaultCharset:
      try readDefaultCharset(&field, of: columns { $0.isCharacter(isMariaDB) })
    case .columnCharset:
      try readCharsets(&field, of: columns { $0.isCharacter(isMariaDB) })
    case .enumAndSetDefaultCharset:
      try readDefaultCharset(&field, of: columns { $0.isEnumeration || $0.isSet })
    case .enumAndSetColumnCharset:
      try readCharsets(&field, of: columns { $0.isEnumeration || $0.isSet })
    case .columnName:
      var names: [String] = []
      names.reserveCapacity(columnTypes.count)
      for _ in columnTypes {
        let length = try field.readLengthEncodedCount(atMost: 255, "column name")
        names.append(try field.readString(length))
      }
      columnNames = names
    case .setMembers: try readMembers(&field, of: columns(where: \.isSet))
    case .enumMembers: try readMembers(&field, of: columns(where: \.isEnumeration))
    case .geometryType:
      var types = [UInt64?](repeating: nil, count: columnTypes.count)
      for index in columns(where: \.isGeometry) {
        types[index] = try field.readPackedInteger("geometry type")
      }
      geometryTypes = types
    case .simplePrimaryKey: try readPrimaryKey(&field, hasPrefixes: false)
    case .primaryKeyWithPrefix: try readPrimaryKey(&field, hasPrefixes: true)
    case .visibility:
      isInvisible = try readBits(&field, of: Array(columnTypes.indices)).map { !$0 }
    case .vectorDimensions:
      var dimensions = [Int?](repeating: nil, count: columnTypes.count)
      for index in columns(where: \.isVector) {
        dimensions[index] = try field.readLengthEncodedCount(atMost: 16_383, "vector dimensions")
      }
      vectorDimensions = dimensions
    }
  }

  private func columns(where belongs: (WireColumnType) -> Bool) -> [Int] {
    columnTypes.indices.filter { belongs(columnTypes[$0]) }
  }

  /// Reads one bit for each of some columns, highest bit of the first byte first.
  private func readBits(_ field: inout ByteReader, of columns: [Int]) throws(DecodeError)
    -> [Bool]
  {
    var flags = [Bool](repeating: false, count: columnTypes.count)
    let bytes = try field.readArray((columns.count + 7) / 8)
    for (bit, column) in columns.enumerated() {
      flags[column] = bytes[bit >> 3] & (0x80 >> UInt8(bit & 7)) != 0
    }
    return flags
  }

  /// Reads a default collation and pairs of a column, counted among `columns`, and its own
  /// collation.
  private mutating func readDefaultCharset(_ field: inout ByteReader, of columns: [Int])
    throws(DecodeError)
  {
    var all = collations ?? Array(repeating: nil, count: columnTypes.count)
    let standard = try field.readPackedInteger("default collation")
    for column in columns { all[column] = standard }
    while !field.isAtEnd {
      let index = try field.readLengthEncodedCount(
        atMost: columns.count - 1, "column of a collation")
      all[columns[index]] = try field.readPackedInteger("collation")
    }
    collations = all
  }

  private mutating func readCharsets(_ field: inout ByteReader, of columns: [Int])
    throws(DecodeError)
  {
    var all = collations ?? Array(repeating: nil, count: columnTypes.count)
    for column in columns { all[column] = try field.readPackedInteger("collation") }
    collations = all
  }

  private mutating func readMembers(_ field: inout ByteReader, of columns: [Int])
    throws(DecodeError)
  {
    var all = members ?? Array(repeating: [], count: columnTypes.count)
    for column in columns {
      let count = try field.readLengthEncodedCount(atMost: 65_535, "count of members")
      var texts: [[UInt8]] = []
      for _ in 0..<count {
        let length = try field.readLengthEncodedCount(atMost: 65_535, "member")
        texts.append(try field.readArray(length))
      }
      all[column] = texts
    }
    members = all
  }

  private mutating func readPrimaryKey(_ field: inout ByteReader, hasPrefixes: Bool)
    throws(DecodeError)
  {
    var key: [Int] = []
    var prefixes: [Int] = []
    while !field.isAtEnd {
      key.append(
        try field.readLengthEncodedCount(atMost: columnTypes.count - 1, "column of the key"))
      let prefix = hasPrefixes ? try field.readLengthEncodedCount(atMost: 65_535, "key prefix") : 0
      prefixes.append(prefix)
    }
    primaryKey = key
    primaryKeyPrefixes = prefixes
  }
}

extension WireColumnType {
  /// Whether the column has a bit in the signedness field. MariaDB counts YEAR too.
  fileprivate func isNumeric(_ isMariaDB: Bool) -> Bool {
    switch self {
    case .integer, .float, .double, .decimal, .oldDecimal: true
    case .year: isMariaDB
    default: false
    }
  }

  /// Whether the column has a collation in the charset fields. MariaDB counts GEOMETRY as the BLOB
  /// that it is stored as, MySQL does so with VECTOR.
  fileprivate func isCharacter(_ isMariaDB: Bool) -> Bool {
    switch self {
    case .string, .varchar, .blob, .compressedVarchar, .compressedBlob: true
    case .geometry: isMariaDB
    case .vector: !isMariaDB
    default: false
    }
  }

  fileprivate var isEnumeration: Bool { if case .enumeration = self { true } else { false } }
  fileprivate var isSet: Bool { if case .set = self { true } else { false } }
  fileprivate var isGeometry: Bool { if case .geometry = self { true } else { false } }
  fileprivate var isVector: Bool { if case .vector = self { true } else { false } }
}
