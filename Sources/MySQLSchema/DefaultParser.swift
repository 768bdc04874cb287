extension DDLParser {
  /// What follows DEFAULT.
  mutating func defaultClause() throws(SQLSyntaxError) -> DefaultClause {
    var ahead = self
    if let clause = ahead.literalClause() {
      self = ahead
      return clause
    }
    try skipDefaultValue()
    return .expression
  }

  /// A literal that stands alone; nil for anything else.
  private mutating func literalClause() -> DefaultClause? {
    let isParenthesized = accept("(")
    let isNegative = token.keyword == "-"
    let hasSign = accept(anyOf: ["-", "+"])
    guard var literal = literalValue(isSigned: hasSign) else { return nil }
    if isParenthesized, !accept(")") { return nil }
    // What else may come is an operator, so that the literal was only the beginning.
    guard token.kind == .word || token.kind == .end || [",", ")", ";"].contains(token.keyword)
    else { return nil }
    guard let value = literal.value else { return .null }
    if isNegative, case .number(let digits) = value { literal.value = .number("-" + digits) }
    literal.isParenthesized = isParenthesized
    return .literal(literal)
  }

  /// The literal's value is nil when it is NULL.
  private mutating func literalValue(isSigned: Bool) -> SQLLiteral? {
    var literal = SQLLiteral()
    if token.kind == .word, !isSigned {
      let word = token.keyword
      switch word {
      case "NULL":
        advance()
        return literal
      case "TRUE", "FALSE":
        advance()
        literal.value = .number(word == "TRUE" ? "1" : "0")
        return literal
      case "DATE", "TIME", "TIMESTAMP":
        advance()
        guard token.kind == .string else { return nil }
        literal.value = .text(takeStrings())
        return literal
      case _ where word.hasPrefix("_"):
        literal.introducer = word.dropFirst().lowercased()
        advance()
        guard token.kind != .number else { return nil }
      default: return nil
      }
    }
    switch token.kind {
    case .number where literal.introducer == nil:
      literal.value = .number(lexer.text(of: token))
      advance()
    case .string where !isSigned: literal.value = .text(takeStrings())
    case .hexadecimal where !isSigned, .bits where !isSigned:
      // X'…' is a string in MariaDB where 0x… may be a number.
      let isNumber = lexer.bytes[token.range.lowerBound] | 0x20 != UInt8(ascii: "x")
      literal.value = .bytes(lexer.literalBytes(of: token), mayBeNumber: isNumber)
      advance()
    case .word, .quotedName, .number, .string, .hexadecimal, .bits, .symbol, .end, .unterminated:
      return nil
    }
    return literal
  }

  /// Strings that follow one another are one.
  private mutating func takeStrings() -> String {
    var text = ""
    while token.kind == .string {
      text += lexer.text(of: token)
      advance()
    }
    return text
  }

  /// Moves past a literal, an expression in parentheses, a function call or a CASE.
  mutating func skipDefaultValue() throws(SQLSyntaxError) {
    while accept("-") || accept("+") {}
    switch token.kind {
    case .symbol: try skipParenthesized()
    case .string, .number, .hexadecimal, .bits: try skipLiteral()
    case .word, .quotedName:
      if token.keyword == "CASE" { return try skipCase() }
      if accept("NEXT") {
        try expect("VALUE")
        try expect("FOR")
      }
      let isLiteralPrefix =
        token.keyword.hasPrefix("_") || Self.literalPrefixes.contains(token.keyword)
      advance()
      if isLiteralPrefix, token.kind != .word, token.kind != .symbol { return try skipLiteral() }
      while accept(".") { _ = try name() }
      if token.keyword == "(" { try skipParenthesized() }
    case .end, .unterminated: throw error("expected a default value")
    }
  }

  /// Strings that follow one another are one literal.
  private mutating func skipLiteral() throws(SQLSyntaxError) {
    let isString = token.kind == .string
    advance()
    while isString, token.kind == .string { advance() }
  }

  private mutating func skipCase() throws(SQLSyntaxError) {
    var depth = 0
    repeat {
      guard token.kind != .end, token.kind != .unterminated else { throw error("expected END") }
      if token.keyword == "CASE" { depth += 1 }
      if token.keyword == "END" { depth -= 1 }
      advance()
    } while depth > 0
  }

  private static let literalPrefixes: Set<String> = ["DATE", "TIME", "TIMESTAMP", "N", "X", "B"]
}
