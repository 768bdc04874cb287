extension Charset {
  /// Whether a charset has every character of the text, as far as is certain; an unknown charset
  /// has those of ASCII.
  static func holds(_ text: String, in charset: String?) -> Bool {
    let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
    guard let name = charset.map(canonicalName) else { return isASCII }
    switch name {
    case "utf8mb4", "utf16", "utf16le", "utf32", "binary": return true
    case "utf8mb3", "ucs2": return text.unicodeScalars.allSatisfy { $0.value <= 0xFFFF }
    default: break
    }
    guard let encoding = CharsetEncoding.all[name] else { return false }
    if isASCII, encoding.isASCIICompatible { return true }
    guard case .singleByte = encoding.form, let characters = singleByteCharacters(name)?.characters
    else { return false }
    return text.unicodeScalars.allSatisfy(characters.contains)
  }

  /// A text as servers keep it in a declaration: what its charset lacks becomes question marks. Charsets
  /// of several bytes, whose characters are not known here, are taken to have all.
  static func kept(_ text: String, in charset: String?) -> String {
    guard let name = charset.map(canonicalName), !holds(text, in: name) else { return text }
    let has: (Unicode.Scalar) -> Bool
    if name == "utf8mb3" || name == "ucs2" {
      has = { $0.value <= 0xFFFF }
    } else if let characters = singleByteCharacters(name)?.characters {
      has = characters.contains
    } else {
      return text
    }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { scalars.append(has(scalar) ? scalar : "?") }
    return String(scalars)
  }

  /// Whether a text in charset `old` keeps every character, valid or not, when the server
  /// converts it to charset `new`.
  static func keepsEveryText(from old: String, to new: String) -> Bool {
    let (old, new) = (canonicalName(old), canonicalName(new))
    if old == new { return true }
    // Of the charsets of several bytes, servers let only the Unicode ones keep nothing invalid.
    let isUnicode = ["utf8mb3", "utf8mb4", "ucs2", "utf16", "utf16le", "utf32"].contains(old)
    guard isUnicode || singleByteCharacters(old)?.isComplete == true else { return false }
    switch new {
    case "utf8mb4", "utf16", "utf16le", "utf32": return true
    case "utf8mb3", "ucs2": return !["utf8mb4", "utf16", "utf16le", "utf32"].contains(old)
    default: return false
    }
  }

  /// The characters of a charset of single bytes, and whether every byte is one; nil for others.
  private static func singleByteCharacters(_ name: String)
    -> (characters: Set<Unicode.Scalar>, isComplete: Bool)?
  {
    guard let encoding = CharsetEncoding.all[name], case .singleByte = encoding.form,
      let decoder = CharsetDecoder(charset: name)
    else { return nil }
    let text = decoder.string(from: Array(UInt8.min...UInt8.max))
    return (Set(text.unicodeScalars).subtracting(["\u{FFFD}"]), decoder.invalidCount == 0)
  }
}
