import WireFormat

/// The status variables of a QUERY event: the part of the session's state that the statement
/// depends on.
public struct QueryStatus: Hashable, Sendable {
  public var sqlMode: UInt64?
  /// The number of `character_set_client`'s default collation: the charset of the statement's
  /// bytes.
  public var clientCollation: UInt16?
  public var connectionCollation: UInt16?
  public var serverCollation: UInt16?
  /// The default collation of the database, with which CREATE TABLE makes columns.
  public var databaseCollation: UInt16?
  /// The collation that a bare `utf8mb4` means in MySQL 8.
  public var defaultCollationForUTF8MB4: UInt16?
  public var timeZone: String?
  /// The number of the transaction that the statement, as DDL, is.
  public var transactionID: UInt64?

  public init() {}

  init(from reader: inout ByteReader, byteCount: Int) throws(DecodeError) {
    let base = reader.offset
    var variables = ByteReader(try reader.readBytes(byteCount))
    do throws(DecodeError) {
      while !variables.isAtEnd {
        guard try readVariable(&variables) else { return }
      }
    } catch {
      throw error.located(inFile: nil, at: base)
    }
  }

  /// Reads one variable.
  ///
  /// - Returns: false for a variable of a later server. Its length is not known, so that nothing
  ///   after it can be read; servers skip the rest too, and number new variables after all others.
  private mutating func readVariable(_ reader: inout ByteReader) throws(DecodeError) -> Bool {
    switch try reader.read(UInt8.self) {
    case 0: try reader.skip(4)  // flags2
    case 1: sqlMode = try reader.read()
    case 2: try reader.skip(Int(try reader.read(UInt8.self)) + 1)  // catalog, NUL-terminated
    case 3: try reader.skip(4)  // auto_increment_increment and _offset
    case 4:
      clientCollation = try reader.read()
      connectionCollation = try reader.read()
      serverCollation = try reader.read()
    case 5: timeZone = try reader.readShortString()
    case 6: try reader.skip(Int(try reader.read(UInt8.self)))  // catalog
    case 7: try reader.skip(2)  // lc_time_names
    case 8: databaseCollation = try reader.read()
    case 9: try reader.skip(8)  // tables of a multi-table update
    case 10: try reader.skip(4)  // length of the original event
    case 11:  // invoker: user and host
      try reader.skip(Int(try reader.read(UInt8.self)))
      try reader.skip(Int(try reader.read(UInt8.self)))
    case 12: try Self.skipDatabaseNames(&reader)
    case 13: try reader.skip(3)  // microseconds
    case 16: try reader.skip(1)  // explicit_defaults_for_timestamp
    case 17, 129: transactionID = try reader.read()
    case 18: defaultCollationForUTF8MB4 = try reader.read()
    case 19, 20: try reader.skip(1)  // sql_require_primary_key, default_table_encryption
    case 128: try reader.skip(3)  // MariaDB: microseconds
    case 130: try Self.skipGTIDFlags(&reader)
    case 131: try reader.skip(4 * Int(try reader.read(UInt8.self)))  // character_set_collations
    default: return false
    }
    return true
  }

  /// Skips the names of the databases that the statement changes.
  private static func skipDatabaseNames(_ reader: inout ByteReader) throws(DecodeError) {
    let tooManyToList = 254
    let count = Int(try reader.read(UInt8.self))
    if count == tooManyToList { return }
    for _ in 0..<count {
      while try reader.read(UInt8.self) != 0 {}
    }
  }

  /// Skips MariaDB's copy of the flags of the GTID event, for ALTER TABLE in two phases.
  private static func skipGTIDFlags(_ reader: inout ByteReader) throws(DecodeError) {
    let flags = MariaDBGTIDEvent.ExtraFlags(rawValue: try reader.read())
    if flags.refersToStart { try reader.skip(8) }
  }

  /// A statement's bytes as text.
  ///
  /// Bytes that are valid UTF-8 are taken as such; others as cp1252 when the client's charset was
  /// latin1. What remains invalid becomes U+FFFD: a reader that knows more charsets has the bytes.
  public func decode(_ statement: [UInt8]) -> String {
    if let text = String(validating: statement, as: UTF8.self) { return text }
    switch clientCollation {
    case 5, 8, 15, 31, 47, 48, 49, 94: return decodeCP1252(statement)
    default: return String(decoding: statement, as: UTF8.self)
    }
  }
}

/// Decodes MySQL's latin1, which is cp1252 with the five unassigned bytes as C1 controls.
private func decodeCP1252(_ bytes: [UInt8]) -> String {
  var text = String.UnicodeScalarView()
  for byte in bytes {
    let code = (0x80...0x9F).contains(byte) ? cp1252Upper[Int(byte) - 0x80] : UInt16(byte)
    text.append(Unicode.Scalar(code) ?? "\u{FFFD}")
  }
  return String(text)
}

/// The code points of the bytes 0x80 to 0x9F.
private let cp1252Upper: [UInt16] = [
  0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
  0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
]
