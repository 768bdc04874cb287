import ClickHouseEngine

/// Splits SQL text at the `;` between statements.
struct StatementSplitter {
  /// The statements that a `;` ends, without it and without what comes before their first token;
  /// empty ones are left out.
  private(set) var statements: [String] = []
  /// What follows the last `;`: a statement not ended yet, or a blank.
  let rest: String
  /// Whether `rest` has nothing but space and comments.
  let isRestBlank: Bool

  /// Splits `text`.
  init(_ text: String) {
    let bytes = Array(text.utf8)
    var tokenizer = Tokenizer(bytes)
    var afterLast = 0
    var start: Int?
    while let token = tokenizer.next() {
      let isEnd = token.kind == .symbol && bytes[token.range.lowerBound] == UInt8(ascii: ";")
      if !isEnd {
        start = start ?? token.range.lowerBound
        continue
      }
      if let start {
        statements.append(String(decoding: bytes[start..<token.range.lowerBound], as: UTF8.self))
      }
      start = nil
      afterLast = token.range.upperBound
    }
    rest = String(decoding: bytes[afterLast...], as: UTF8.self)
    isRestBlank = start == nil
  }
}
