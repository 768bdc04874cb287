/// A name as SQL writes it.
public func quotedIdentifier(_ name: String) -> String {
  "`" + name.replacing("\\", with: "\\\\").replacing("`", with: "\\`") + "`"
}

/// A text as an SQL string literal.
func quotedString(_ text: String) -> String {
  "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
}
