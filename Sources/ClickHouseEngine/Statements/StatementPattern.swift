extension SQLText {
  /// The statement with `?` in the place of each literal, and of each text between double quotes that
  /// is no plain name, and `?..` for several between commas; without comments, and cut after some thousand bytes.
  var pattern: String {
    var result: [UInt8] = []
    var end = 0
    var index = 0
    while index < tokens.count, result.count < Self.patternByteLimit {
      let token = tokens[index]
      if token.range.lowerBound > end, !result.isEmpty { result.append(UInt8(ascii: " ")) }
      if isLiteral(token) {
        let last = lastOfList(from: index)
        result += Array((last == index ? "?" : "?..").utf8)
        index = lastOfRows(from: last)
      } else {
        result += bytes[token.range]
      }
      end = tokens[index].range.upperBound
      index += 1
    }
    if index < tokens.count { result += Array("…".utf8) }
    return String(decoding: result, as: UTF8.self)
  }

  private static let patternByteLimit = 4096

  private func isLiteral(_ token: Token) -> Bool {
    switch token.kind {
    case .string, .number: true
    case .quotedName:
      // Elsewhere, this is how strings are written.
      bytes[token.range.lowerBound] == UInt8(ascii: "\"")
        && !bytes[token.range].dropFirst().dropLast().allSatisfy(isLetterDigitOrUnderscore)
    case .word, .symbol: false
    }
  }

  /// The last of the literals that follow a literal between commas; signs belong to numbers.
  private func lastOfList(from start: Int) -> Int {
    var last = start
    while isSymbol(last + 1, ",") {
      let isSigned = isSymbol(last + 2, "-") || isSymbol(last + 2, "+")
      let next = last + (isSigned ? 3 : 2)
      guard next < tokens.count, isLiteral(tokens[next]) else { break }
      last = next
    }
    return last
  }

  /// The last literal of the rows of nothing but literals that follow the one that a literal ends.
  private func lastOfRows(from end: Int) -> Int {
    var last = end
    while isSymbol(last + 1, ")"), isSymbol(last + 2, ","), isSymbol(last + 3, "(") {
      let isSigned = isSymbol(last + 4, "-") || isSymbol(last + 4, "+")
      let first = last + (isSigned ? 5 : 4)
      guard first < tokens.count, isLiteral(tokens[first]) else { break }
      let end = lastOfList(from: first)
      guard isSymbol(end + 1, ")") else { break }
      last = end
    }
    return last
  }
}

/// Whether a byte can stand in a name without quotes.
func isLetterDigitOrUnderscore(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
    true
  default: false
  }
}
