import MySQLSchema
import Testing

private func decode(_ charset: String, _ bytes: [UInt8]) throws -> (text: String, invalid: Int) {
  let decoder = try #require(CharsetDecoder(charset: charset))
  let text = decoder.string(from: bytes)
  return (text, decoder.invalidCount)
}

@Suite struct CharsetTests {
  @Test(arguments: [
    (8, "latin1"), (28, "gbk"), (33, "utf8mb3"), (45, "utf8mb4"), (63, "binary"), (83, "utf8mb3"),
    (95, "cp932"), (149, "ucs2"), (192, "utf8mb3"), (224, "utf8mb4"), (249, "gb18030"),
    (255, "utf8mb4"), (309, "utf8mb4"), (1032, "latin1"), (1270, "utf8mb4"), (2048, "utf8mb3"),
    (2304, "utf8mb4"), (2309, "utf8mb4"), (3271, "utf32"),
  ])
  func namesTheCharsetOfACollation(_ id: UInt64, charset: String) {
    #expect(Charset.name(collation: id) == charset)
  }

  @Test func knowsWhichNumbersAreFree() {
    for id: UInt64 in [17, 100, 400, 1041, 5000, .max] {
      #expect(Charset.name(collation: id) == nil)
    }
    #expect(Charset.name(collationName: "utf8_general_ci") == "utf8mb3")
    #expect(Charset.name(collationName: "uca1400_ai_ci") == nil)
  }

  // What a MariaDB 10.11 server makes of the same bytes.
  @Test(arguments: [
    ("latin1", [0x41, 0x80, 0x81, 0xE9], "A€\u{81}é"),
    ("latin2", [0xB1], "ą"), ("cp1251", [0xC6], "Ж"), ("koi8u", [0x95, 0xD6], "•ж"),
    ("greek", [0xE1, 0xA1], "αʽ"), ("hebrew", [0xE0, 0xAF], "א‾"),
    ("armscii8", [0xFF, 0xB2], "'Ա"),
    ("geostd8", [0x80, 0xC0], "€ა"), ("tis620", [0x80, 0xA1], "\u{80}ก"),
    ("swe7", [0x5B, 0x40], "ÄÉ"),
    ("macroman", [0xC6], "∆"), ("dec8", [0xA0], "\u{A0}"), ("cp866", [0xFC], "ⁿ"),
    ("gbk", [0xC4, 0xE3, 0x41], "你A"), ("gb2312", [0xC4, 0xE3], "你"),
    ("big5", [0xA7, 0x41, 0xC6, 0xA7], "你ぃ"),
    ("gb18030", [0x81, 0x30, 0x81, 0x30], "\u{80}"),
    ("sjis", [0x5C, 0x83, 0x5C, 0x81, 0x5F, 0xB1], "\\ソ\\ｱ"), ("cp932", [0x87, 0x40], "①"),
    ("ujis", [0xA1, 0xC1, 0x8F, 0xA2, 0xB7, 0x8E, 0xB1], "〜~ｱ"), ("eucjpms", [0xA1, 0xC1], "～"),
    ("euckr", [0x81, 0x41, 0xB0, 0xA1], "갂가"), ("ucs2", [0x00, 0x41, 0x4F, 0x60], "A你"),
    ("utf16", [0xD8, 0x3D, 0xDE, 0x00], "😀"), ("utf16le", [0x3D, 0xD8, 0x00, 0xDE], "😀"),
    ("utf32", [0x00, 0x01, 0xF6, 0x00], "😀"), ("utf8", [0xC3, 0xA9], "é"),
  ])
  func decodes(_ charset: String, _ bytes: [UInt8], expected: String) throws {
    let result = try decode(charset, bytes)
    #expect(result.text == expected)
    #expect(result.invalid == 0)
  }

  @Test func countsWhatStandsForNothing() throws {
    #expect(try decode("ascii", [0x41, 0x80, 0x42]) == ("A\u{FFFD}B", 1))
    #expect(try decode("gbk", [0xC4, 0xE3, 0xFF, 0x41, 0xC4]) == ("你\u{FFFD}A\u{FFFD}", 2))
    #expect(try decode("utf16", [0xD8, 0x3D, 0x00, 0x41, 0x00]) == ("\u{FFFD}A\u{FFFD}", 2))
    #expect(try decode("ucs2", [0xD8, 0x3D, 0xDE, 0x00]) == ("\u{FFFD}\u{FFFD}", 2))
    #expect(try decode("ujis", [0x8F]) == ("\u{FFFD}", 1))
    // A code without a character takes up its two bytes, so that what follows is read right.
    #expect(try decode("sjis", [0xFC, 0x9F, 0x9E, 0x96, 0x41]) == ("\u{FFFD}椁A", 1))
  }

  @Test func passesUTF8Through() throws {
    let decoder = try #require(CharsetDecoder(charset: "UTF8"))
    #expect(decoder.isPassThrough)
    #expect(decoder.charset == "utf8mb3")
    #expect(CharsetDecoder(charset: "keybcs2") == nil)
    #expect(CharsetDecoder(charset: "nonsense") == nil)
  }

  @Test func survivesEveryPairOfBytesInEveryCharset() throws {
    for charset in ["big5", "sjis", "ujis", "gb18030", "utf16", "utf32", "swe7", "euckr"] {
      let decoder = try #require(CharsetDecoder(charset: charset))
      for first in stride(from: UInt8(0), through: 252, by: 3) {
        var bytes: [UInt8] = []
        for second in UInt8.min...UInt8.max { bytes += [first, second, 0x30] }
        #expect(!decoder.string(from: bytes).isEmpty)
      }
    }
  }
}
