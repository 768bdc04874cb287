/// How a charset of the server corresponds to an encoding of the C library.
///
/// The differences were found by converting every code of every charset on a MariaDB 10.11 server
/// and with glibc 2.36.
struct CharsetEncoding {
  enum Form {
    case singleByte
    /// Leads 0x81 to 0xFE begin two bytes.
    case doubleByte
    /// Shift_JIS: 0xA1 to 0xDF are single bytes.
    case shiftJIS
    /// EUC: 0x8F begins three bytes, 0x8E and 0xA1 to 0xFE two.
    case extendedUnix
    /// UCS-2 and UTF-16.
    case wide16
    case wide32
  }

  /// Consecutive codes that the server maps to consecutive characters.
  struct Override {
    var code: UInt32
    var scalar: UInt32
    var count: UInt32

    init(_ code: UInt32, _ scalar: UInt32, _ count: UInt32 = 1) {
      self.code = code
      self.scalar = scalar
      self.count = count
    }
  }

  var iconvName: String
  var form: Form
  var overrides: [Override] = []
  /// Whether bytes below 0x80 are ASCII when no byte is above.
  var isASCIICompatible = true

  private static func single(_ iconvName: String, _ overrides: [Override] = []) -> CharsetEncoding {
    CharsetEncoding(iconvName: iconvName, form: .singleByte, overrides: overrides)
  }

  private static func wide(_ iconvName: String, _ form: Form) -> CharsetEncoding {
    CharsetEncoding(iconvName: iconvName, form: form, isASCIICompatible: false)
  }

  /// How many of the bytes belong to the sequence at their start, which stands for no character: a whole
  /// one where it has the form of a character, so that what follows is read as the server reads it.
  func lengthOfUnknown(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
    let length = characterLength(lead: bytes[bytes.startIndex])
    guard length <= bytes.count else { return form == .wide16 || form == .wide32 ? bytes.count : 1 }
    let firstTrail: UInt8 =
      switch form {
      case .singleByte, .wide16, .wide32: 0
      case .doubleByte, .shiftJIS: 0x40
      case .extendedUnix: 0xA1
      }
    return bytes.prefix(length).dropFirst().allSatisfy { $0 >= firstTrail } ? length : 1
  }

  /// The number of bytes of the character that begins with `lead`.
  func characterLength(lead: UInt8) -> Int {
    switch form {
    case .singleByte: 1
    case .doubleByte: lead > 0x80 && lead < 0xFF ? 2 : 1
    case .shiftJIS: (0x81...0x9F).contains(lead) || (0xE0...0xFC).contains(lead) ? 2 : 1
    case .extendedUnix: lead == 0x8F ? 3 : lead == 0x8E || (0xA1...0xFE).contains(lead) ? 2 : 1
    case .wide16: 2
    case .wide32: 4
    }
  }

  static func leadByte(of code: UInt32) -> UInt8 {
    UInt8(truncatingIfNeeded: code > 0xFFFF ? code >> 16 : code > 0xFF ? code >> 8 : code)
  }

  /// The UTF-8 of each character in ``overrides``, by its code.
  func overriddenCharacters() -> [UInt32: [UInt8]] {
    var characters: [UInt32: [UInt8]] = [:]
    for run in overrides {
      for index in 0..<run.count {
        guard let scalar = Unicode.Scalar(run.scalar + index) else { continue }
        characters[run.code + index] = Array(String(scalar).utf8)
      }
    }
    return characters
  }

  /// The charsets other than UTF-8 by their names; `keybcs2` is missing because glibc has no tables
  /// of it.
  static let all: [String: CharsetEncoding] = [
    "ascii": single("ASCII"),
    // The server's latin1 is Windows-1252 with control characters in its five gaps.
    "latin1": single(
      "CP1252", [.init(0x81, 0x81), .init(0x8D, 0x8D), .init(0x8F, 0x8F, 2), .init(0x9D, 0x9D)]),
    "latin2": single("ISO-8859-2"),
    "latin5": single("ISO-8859-9"),
    "latin7": single("ISO-8859-13"),
    "cp850": single("CP850"),
    "cp852": single("CP852"),
    "cp866": single("CP866", [.init(0xFC, 0x207F), .init(0xFD, 0xB2)]),
    "cp1250": single("CP1250"),
    "cp1251": single("CP1251"),
    "cp1256": single("CP1256"),
    "cp1257": single("CP1257"),
    "koi8r": single("KOI8-R"),
    "koi8u": single("KOI8-U", [.init(0x95, 0x2022)]),
    "greek": single("ISO-8859-7", [.init(0xA1, 0x2BD), .init(0xA2, 0x2BC)]),
    "hebrew": single("ISO-8859-8", [.init(0xAF, 0x203E)]),
    "armscii8": single(
      "ARMSCII-8",
      [
        .init(0xA1, 0x2741), .init(0xA2, 0xA7), .init(0xAD, 0x55F), .init(0xFE, 0x2019),
        .init(0xFF, 0x27),
      ]),
    "geostd8": single("GEORGIAN-PS", [.init(0x80, 0x20AC), .init(0xFD, 0x2116)]),
    "tis620": single("TIS-620", [.init(0x80, 0x80, 32)]),
    "macroman": single("MACINTOSH", [.init(0xC6, 0x2206), .init(0xF0, 0xF8FF)]),
    "macce": single("MAC-CENTRALEUROPE"),
    "hp8": single("HP-ROMAN8"),
    "dec8": single("DEC-MCS", [.init(0xA0, 0xA0)]),
    "swe7": CharsetEncoding(
      iconvName: "SEN_850200_B", form: .singleByte,
      overrides: [
        .init(0x24, 0x24), .init(0x40, 0xC9), .init(0x5E, 0xDC), .init(0x60, 0xE9),
        .init(0x7E, 0xFC),
      ], isASCIICompatible: false),
    "ucs2": wide("UCS-2BE", .wide16),
    "utf16": wide("UTF-16BE", .wide16),
    "utf16le": wide("UTF-16LE", .wide16),
    "utf32": wide("UTF-32BE", .wide32),
    "gb2312": CharsetEncoding(iconvName: "GB2312", form: .doubleByte),
    "gbk": CharsetEncoding(iconvName: "GBK", form: .doubleByte),
    "gb18030": CharsetEncoding(iconvName: "GB18030", form: .doubleByte),
    "euckr": CharsetEncoding(iconvName: "CP949", form: .doubleByte),
    "cp932": CharsetEncoding(iconvName: "CP932", form: .shiftJIS),
    "eucjpms": CharsetEncoding(iconvName: "EUC-JP-MS", form: .extendedUnix),
    "sjis": CharsetEncoding(
      iconvName: "SJIS", form: .shiftJIS,
      overrides: [.init(0x5C, 0x5C), .init(0x7E, 0x7E), .init(0x815F, 0x5C)]),
    "ujis": CharsetEncoding(
      iconvName: "EUC-JP-MS", form: .extendedUnix,
      overrides: [
        .init(0xA1C0, 0x5C), .init(0xA1C1, 0x301C), .init(0xA1C2, 0x2016), .init(0xA1DD, 0x2212),
        .init(0xA1F1, 0xA2, 2), .init(0xA2CC, 0xAC), .init(0x8F_A2B7, 0x7E),
        .init(0x8F_A2C3, 0xA6),
      ]),
    "big5": CharsetEncoding(
      iconvName: "BIG5", form: .doubleByte,
      overrides: [
        .init(0xA145, 0x2022), .init(0xA14E, 0xFF64), .init(0xA1C2, 0x203E), .init(0xA1E3, 0x223C),
        .init(0xA1F2, 0x2641), .init(0xA1F3, 0x2609), .init(0xA241, 0xFF0F), .init(0xA242, 0xFF3C),
        .init(0xA244, 0xA5), .init(0xA246, 0xA2, 2), .init(0xC6A1, 0x30FE),
        .init(0xC6A2, 0x309D, 2),
        .init(0xC6A4, 0x3005), .init(0xC6A5, 0x3041, 83), .init(0xC6F8, 0x30A1, 7),
        .init(0xC740, 0x30A8, 63), .init(0xC7A1, 0x30E7, 16), .init(0xC7B1, 0x414, 2),
        .init(0xC7B3, 0x401), .init(0xC7B4, 0x416, 7), .init(0xC7BB, 0x423, 19),
        .init(0xC7CE, 0x451), .init(0xC7CF, 0x436, 26), .init(0xC7E9, 0x2460, 10),
        .init(0xC7F3, 0x2474, 10),
      ]),
  ]
}
