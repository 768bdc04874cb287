/// The words that tell what a statement does and what it reads.
enum Keyword: String, CaseIterable {
  case alter = "ALTER"
  case apply = "APPLY"
  case array = "ARRAY"
  case `as` = "AS"
  case distinct = "DISTINCT"
  case engine = "ENGINE"
  case except = "EXCEPT"
  case explain = "EXPLAIN"
  case final = "FINAL"
  case format = "FORMAT"
  case from = "FROM"
  case group = "GROUP"
  case having = "HAVING"
  case `in` = "IN"
  case infile = "INFILE"
  case intersect = "INTERSECT"
  case into = "INTO"
  case `is` = "IS"
  case join = "JOIN"
  case limit = "LIMIT"
  case not = "NOT"
  case offset = "OFFSET"
  case on = "ON"
  case order = "ORDER"
  case outfile = "OUTFILE"
  case parallel = "PARALLEL"
  case prewhere = "PREWHERE"
  case qualify = "QUALIFY"
  case sample = "SAMPLE"
  case select = "SELECT"
  case selraw = "SELRAW"
  case settings = "SETTINGS"
  case stream = "STREAM"
  case union = "UNION"
  case using = "USING"
  case `where` = "WHERE"
  case window = "WINDOW"
  case with = "WITH"

  private static let byBytes: [UInt128: Keyword] = Dictionary(
    uniqueKeysWithValues: allCases.map { (packed(Array($0.rawValue.utf8)[...]), $0) })

  /// The keyword that a word is, in any case.
  init?(_ word: ArraySlice<UInt8>) {
    guard word.count <= 16, let keyword = Self.byBytes[Self.packed(word)] else { return nil }
    self = keyword
  }

  /// Up to 16 bytes as a number; letters as capitals.
  private static func packed(_ word: ArraySlice<UInt8>) -> UInt128 {
    word.reduce(0) { packed, byte in
      let isSmall = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      return packed << 8 | UInt128(isSmall ? byte & 0xDF : byte)
    }
  }
}
