/// The names of charsets, and the charsets of collations, as MySQL and MariaDB number and name
/// them.
public enum Charset {
  /// The charset of a collation number, as table maps and result sets give it; nil for an unknown
  /// number.
  public static func name(collation id: UInt64) -> String? {
    switch id {
    case 0..<1024: return baseName(collation: Int(id))
    // MariaDB: the NO PAD variant of a collation has its number plus 1024.
    case 1024..<2048: return baseName(collation: Int(id) - 1024)
    // MariaDB: the UCA 14.0.0 collations, 256 numbers for each Unicode charset.
    case 2048..<3328:
      return ["utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32"][(Int(id) - 2048) / 256]
    default: return nil
    }
  }

  /// The charset of a collation's name; nil when the name has no charset in it (`uca1400_ai_ci`,
  /// `DEFAULT`).
  public static func name(collationName: String) -> String? {
    let name = collationName.lowercased()
    if name == "binary" { return name }
    guard name.contains("_"), !name.hasPrefix("uca") else { return nil }
    return canonicalName(String(name.prefix { $0 != "_" }))
  }

  /// How many bytes a character takes in a charset.
  static func characterWidths(_ charset: String) -> ClosedRange<Int> {
    switch canonicalName(charset) {
    case "utf8mb4", "gb18030": 1...4
    case "utf8mb3", "ujis", "eucjpms": 1...3
    case "gbk", "gb2312", "big5", "euckr", "sjis", "cp932": 1...2
    case "ucs2": 2...2
    case "utf16", "utf16le": 2...4
    case "utf32": 4...4
    default: 1...1
    }
  }

  /// The name in lower case, with `utf8` written out as `utf8mb3`, which it is an alias of.
  public static func canonicalName(_ name: String) -> String {
    let lowercased = name.lowercased()
    return lowercased == "utf8" ? "utf8mb3" : lowercased
  }

  private static func baseName(collation id: Int) -> String? {
    switch id {
    case 1, 84: "big5"
    case 2, 9, 21, 27, 77: "latin2"
    case 3, 69: "dec8"
    case 4, 80: "cp850"
    case 5, 8, 15, 31, 47, 48, 49, 94: "latin1"
    case 6, 72: "hp8"
    case 7, 74: "koi8r"
    case 10, 82: "swe7"
    case 11, 65: "ascii"
    case 12, 91: "ujis"
    case 13, 88: "sjis"
    case 14, 23, 50, 51, 52: "cp1251"
    case 16, 71: "hebrew"
    case 18, 89: "tis620"
    case 19, 85: "euckr"
    case 20, 41, 42, 79: "latin7"
    case 22, 75: "koi8u"
    case 24, 86: "gb2312"
    case 25, 70: "greek"
    case 26, 34, 44, 66, 99: "cp1250"
    case 28, 87: "gbk"
    case 29, 58, 59: "cp1257"
    case 30, 78: "latin5"
    case 32, 64: "armscii8"
    case 35, 90, 128...159, 640...671: "ucs2"
    case 36, 68: "cp866"
    case 37, 73: "keybcs2"
    case 38, 43: "macce"
    case 39, 53: "macroman"
    case 40, 81: "cp852"
    case 54, 55, 101...124, 672...703: "utf16"
    case 56, 62: "utf16le"
    case 57, 67: "cp1256"
    case 60, 61, 160...191, 736...767: "utf32"
    case 63: "binary"
    case 92, 93: "geostd8"
    case 95, 96: "cp932"
    case 97, 98: "eucjpms"
    case 33, 76, 83, 192...223, 576...607: "utf8mb3"
    case 45, 46, 224...247, 255...323, 608...639: "utf8mb4"
    case 248...250: "gb18030"
    default: nil
    }
  }
}
