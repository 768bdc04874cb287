/// A name as SQL writes it, whatever characters it has.
public func quotedIdentifier(_ name: String) -> String { quoted(name, with: "`") }

/// A text as an SQL string literal.
public func quotedString(_ text: String) -> String { quoted(text, with: "'") }

private func quoted(_ text: String, with quote: Unicode.Scalar) -> String {
  var result = String.UnicodeScalarView()
  result.append(quote)
  for scalar in text.unicodeScalars {
    if scalar == "\0" {
      // Statements are C strings, which a zero byte would end.
      result.append(contentsOf: "\\0".unicodeScalars)
      continue
    }
    if scalar == "$", quote == "'" {
      // Elsewhere in the statement there may be a `$tag$` without an end, which it must not find here.
      result.append(contentsOf: "\\x24".unicodeScalars)
      continue
    }
    if scalar == quote || scalar == "\\" { result.append("\\") }
    result.append(scalar)
  }
  result.append(quote)
  return String(result)
}

extension TableReference {
  /// The name as SQL writes it.
  public var quoted: String { "\(quotedIdentifier(database)).\(quotedIdentifier(table))" }
}
