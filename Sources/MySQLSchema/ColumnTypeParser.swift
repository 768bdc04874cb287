/// Reads a column type as `information_schema.COLUMNS.COLUMN_TYPE` or a definition gives it.
///
/// MariaDB reports a JSON column as `longtext` here; only its CHECK constraint tells the two apart.
///
/// - Parameters:
///   - text: The type, such as `int(10) unsigned` or `enum('a','b')`.
///   - charset: The column's charset, for the types that have one.
public func parseColumnType(_ text: String, charset: String? = nil) throws(SQLSyntaxError)
  -> ColumnType
{
  let bytes = Array(text.utf8)
  var parser = DDLParser(
    SQLLexer(bytes, range: bytes.indices, mode: SQLTextMode()), defaultDatabase: "")
  var type = try parser.columnType()
  while try parser.acceptTypeAttribute(of: &type) {}
  try parser.expectEnd()
  return try type.resolved(defaultCharset: charset)
}

/// A column type whose charset may still depend on the table's default.
struct DeclaredType: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    case fixed(ColumnType)
    /// CHAR, VARCHAR, TEXT; the length is that of CHAR, which becomes BINARY in charset `binary`.
    case characters(fixedLength: Int?)
    case enumeration([Member])
    case set([Member])
  }

  /// A member of ENUM or SET as it is written.
  enum Member: Hashable, Sendable {
    case text(String)
    case bytes([UInt8])
  }

  var kind: Kind
  var charset = CharsetClause()
  var detail = TypeDetail()
  /// The length of TEXT(n), which becomes the smallest kind that holds so many characters.
  var textLength: Int?
  /// LONGTEXT, which MariaDB's JSON is with a check.
  var isLongText = false

  init(_ type: ColumnType) { kind = .fixed(type) }
  init(kind: Kind, charset: String? = nil) {
    self.kind = kind
    self.charset = CharsetClause(name: charset)
  }

  func resolved(defaultCharset: String?) throws(SQLSyntaxError) -> ColumnType {
    let name = charset.name ?? defaultCharset.map(Charset.canonicalName)
    switch kind {
    case .fixed(let type): return type
    case .characters(let fixedLength):
      guard name == "binary" else { return .string(charset: name) }
      return fixedLength.map { .binary(length: $0) } ?? .bytes
    case .enumeration(let members): return .enumeration(try Self.texts(of: members, charset: name))
    case .set(let members): return .set(try Self.texts(of: members, charset: name))
    }
  }

  func resolvedDetail(defaultCharset: String?) -> TypeDetail {
    guard case .characters = kind else { return detail }
    var detail = detail
    let name = charset.name ?? defaultCharset.map(Charset.canonicalName)
    if let textLength {
      let width = name.map { Charset.characterWidths($0).upperBound } ?? 1
      detail.byteCapacity = TypeDetail.longCapacity(
        holding: textLength.multipliedReportingOverflow(by: width).partialValue)
    }
    if name == "binary" {
      detail.isFixedLength = false
      if let capacity = detail.characterCapacity { detail.byteCapacity = capacity }
      detail.characterCapacity = nil
    }
    return detail
  }

  private static func texts(of members: [Member], charset: String?) throws(SQLSyntaxError)
    -> [String]
  {
    var texts: [String] = []
    for member in members {
      switch member {
      case .text(let text):
        // The server drops trailing spaces of members, except those of bytes.
        let stored = Charset.kept(text, in: charset)
        texts.append(charset == "binary" ? stored : withoutTrailingSpaces(stored))
      case .bytes(let bytes):
        guard let decoder = CharsetDecoder(charset: charset ?? "utf8mb4") else {
          throw SQLSyntaxError(reason: "member in an unsupported charset", offset: 0)
        }
        texts.append(withoutTrailingSpaces(decoder.string(from: bytes)))
      }
    }
    return texts
  }

}

extension DDLParser {
  /// The name of a type and its parameters; attributes such as UNSIGNED and CHARACTER SET follow
  /// it.
  mutating func columnType() throws(SQLSyntaxError) -> DeclaredType {
    guard token.kind == .word else { throw error("expected a column type") }
    let word = token.keyword
    advance()
    if let width = Self.integerWidths[word] {
      _ = try parameters(atMost: 1)
      return DeclaredType(.integer(width, isUnsigned: false))
    }
    if let fixed = Self.typesWithoutParameters[word] {
      var type = DeclaredType(fixed)
      if fixed == .geometry {
        type.detail.geometryKind = word == "GEOMCOLLECTION" ? "GEOMETRYCOLLECTION" : word
      }
      if let index = ["TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"].firstIndex(of: word) {
        type.detail.byteCapacity = TypeDetail.longCapacities[index]
      }
      return type
    }
    switch word {
    case "CHAR", "CHARACTER", "NCHAR", "NATIONAL", "VARCHAR", "VARCHARACTER", "VARCHAR2",
      "NVARCHAR",
      "NVARCHAR2", "LONG", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "CLOB":
      return try characterType(word)
    case "ENUM": return DeclaredType(kind: .enumeration(try members()))
    case "SET": return DeclaredType(kind: .set(try members()))
    case "SERIAL": return DeclaredType(.integer(.big, isUnsigned: true))
    case "FLOAT", "DOUBLE", "REAL", "FLOAT8": return try floatingPoint(word)
    case "VARBINARY", "RAW", "BLOB": return try bytes(word)
    default: return DeclaredType(try typeWithParameters(word))
    }
  }

  private mutating func floatingPoint(_ word: String) throws(SQLSyntaxError) -> DeclaredType {
    if word != "FLOAT" { _ = accept("PRECISION") }
    let parameters = try parameters(atMost: 2)
    // FLOAT(p) is DOUBLE from 25 bits of precision on; FLOAT(m, d) never is.
    let isFloat =
      word == "FLOAT" && !(parameters.count == 1 && parameters[0] > 24)
      || word == "REAL" && lexer.mode.realAsFloat
    var type = DeclaredType(isFloat ? .float : .double)
    if parameters.count == 2 { type.detail.decimals = parameters[1] }
    return type
  }

  private mutating func bytes(_ word: String) throws(SQLSyntaxError) -> DeclaredType {
    let length = try parameters(atMost: 1).first
    var type = DeclaredType(.bytes)
    type.detail.byteCapacity =
      word == "BLOB" ? length.map(TypeDetail.longCapacity) ?? 65_535 : length
    return type
  }

  private mutating func typeWithParameters(_ word: String) throws(SQLSyntaxError) -> ColumnType {
    switch word {
    case "DECIMAL", "NUMERIC", "DEC", "FIXED": return try decimal(try parameters(atMost: 2))
    case "NUMBER":
      let parameters = try parameters(atMost: 2)
      return parameters.isEmpty ? .double : try decimal(parameters)
    case "BIT": return .bit(width: try parameter(1...64, default: 1, zeroMeansDefault: true))
    case "YEAR":
      _ = try parameters(atMost: 1)
      return .year
    case "TIME": return .time(fractionalDigits: try parameter(0...6, default: 0))
    case "DATETIME": return .datetime(fractionalDigits: try parameter(0...6, default: 0))
    case "TIMESTAMP": return .timestamp(fractionalDigits: try parameter(0...6, default: 0))
    case "BINARY": return .binary(length: try parameter(0...255, default: 1))
    case "VECTOR": return .vector(dimensions: try parameter(1...65_532, default: 2048))
    default: throw error("unknown column type \(word)")
    }
  }

  /// Moves past an attribute that belongs to the type and takes it in, if one comes next.
  mutating func acceptTypeAttribute(of type: inout DeclaredType) throws(SQLSyntaxError) -> Bool {
    switch token.keyword {
    case "UNSIGNED", "ZEROFILL":
      // ZEROFILL makes a column unsigned.
      if case .fixed(.integer(let width, _)) = type.kind {
        type.kind = .fixed(.integer(width, isUnsigned: true))
      } else {
        type.detail.isUnsigned = true
      }
    case "SIGNED": break
    case "BINARY": break  // The charset's binary collation.
    case "ASCII": type.charset = CharsetClause(name: "latin1")
    case "UNICODE": type.charset = CharsetClause(name: "ucs2")
    case "BYTE": type.charset = CharsetClause(name: "binary")
    default: return try type.charset.accept(from: &self)
    }
    advance()
    return true
  }

  // MARK: Families of types

  private func decimal(_ parameters: [Int]) throws(SQLSyntaxError) -> ColumnType {
    let first = parameters.first ?? 0
    let precision = first == 0 ? 10 : first
    let scale = parameters.count > 1 ? parameters[1] : 0
    guard precision <= 65, scale <= 38, scale <= precision else {
      throw error("precision or scale out of range")
    }
    return .decimal(precision: precision, scale: scale)
  }

  private mutating func characterType(_ word: String) throws(SQLSyntaxError) -> DeclaredType {
    var isVarying = word.hasPrefix("VARCHAR") || word.hasPrefix("NVARCHAR")
    switch word {
    case "LONG":
      // LONG VARBINARY is MEDIUMBLOB; LONG and LONG VARCHAR are MEDIUMTEXT.
      var type = DeclaredType(kind: .characters(fixedLength: nil))
      if accept("VARBINARY") { type = DeclaredType(.bytes) }
      let isChar = accept(anyOf: ["VARCHAR", "VARCHARACTER", "CHAR", "CHARACTER"])
      if isChar { _ = accept("VARYING") }
      type.detail.byteCapacity = TypeDetail.longCapacities[2]
      return type
    case "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "CLOB":
      let length = try parameters(atMost: 1).first
      var type = DeclaredType(kind: .characters(fixedLength: nil))
      type.isLongText = word == "LONGTEXT"
      let index = ["TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"].firstIndex(of: word)
      type.detail.byteCapacity = TypeDetail.longCapacities[index ?? 3]
      if word == "TEXT" { type.textLength = length }
      return type
    case "NATIONAL":
      isVarying = accept(anyOf: ["VARCHAR", "VARCHARACTER"])
      if !isVarying, !accept(anyOf: ["CHAR", "CHARACTER"]) { throw error("expected CHAR") }
    case "NCHAR": isVarying = accept(anyOf: ["VARCHAR", "VARCHARACTER"])
    default: break
    }
    if accept("VARYING") { isVarying = true }
    let length = try parameter(0...Int(Int32.max), default: 1)
    var type = DeclaredType(
      kind: .characters(fixedLength: isVarying ? nil : length),
      charset: word.hasPrefix("N") ? "utf8mb3" : nil)
    type.detail.characterCapacity = length
    type.detail.isFixedLength = !isVarying
    return type
  }

  private mutating func members() throws(SQLSyntaxError) -> [DeclaredType.Member] {
    try expect("(")
    var members: [DeclaredType.Member] = []
    repeat {
      // A charset introducer: the text was converted from it together with the whole statement.
      if token.kind == .word, token.keyword.hasPrefix("_") { advance() }
      switch token.kind {
      case .string: members.append(.text(lexer.text(of: token)))
      case .hexadecimal, .bits: members.append(.bytes(lexer.literalBytes(of: token)))
      case .word, .quotedName, .number, .symbol, .end, .unterminated:
        throw error("expected a member")
      }
      advance()
    } while accept(",")
    try expect(")")
    guard members.count <= 65_535 else { throw error("too many members") }
    return members
  }

  // MARK: Parameters

  /// The integers in parentheses after a type's name, if any.
  private mutating func parameters(atMost limit: Int) throws(SQLSyntaxError) -> [Int] {
    guard accept("(") else { return [] }
    var values = [try unsignedInteger()]
    while accept(",") { values.append(try unsignedInteger()) }
    try expect(")")
    guard values.count <= limit else { throw error("too many parameters of a column type") }
    return values
  }

  private mutating func parameter(
    _ range: ClosedRange<Int>, default: Int, zeroMeansDefault: Bool = false
  ) throws(SQLSyntaxError) -> Int {
    guard let value = try parameters(atMost: 1).first else { return `default` }
    if value == 0, zeroMeansDefault { return `default` }
    guard range.contains(value) else { throw error("parameter of a column type out of range") }
    return value
  }

  private static let integerWidths: [String: IntegerWidth] = [
    "TINYINT": .tiny, "INT1": .tiny, "SMALLINT": .small, "INT2": .small, "MEDIUMINT": .medium,
    "MIDDLEINT": .medium, "INT3": .medium, "INT": .int, "INTEGER": .int, "INT4": .int,
    "BIGINT": .big, "INT8": .big,
  ]
  private static let typesWithoutParameters: [String: ColumnType] = [
    "BOOL": .integer(.tiny, isUnsigned: false), "BOOLEAN": .integer(.tiny, isUnsigned: false),
    "FLOAT4": .float, "DATE": .date, "TINYBLOB": .bytes, "MEDIUMBLOB": .bytes, "LONGBLOB": .bytes,
    "JSON": .json, "UUID": .uuid, "INET4": .inet4, "INET6": .inet6, "GEOMETRY": .geometry,
    "POINT": .geometry, "LINESTRING": .geometry, "POLYGON": .geometry, "MULTIPOINT": .geometry,
    "MULTILINESTRING": .geometry, "MULTIPOLYGON": .geometry, "GEOMETRYCOLLECTION": .geometry,
    "GEOMCOLLECTION": .geometry,
  ]
}
