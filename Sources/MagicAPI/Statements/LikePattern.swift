extension String {
  /// Whether the text matches a pattern of SQL's LIKE: `%` is any text, `_` any character.
  public func isLike(_ pattern: String) -> Bool {
    var reachable = [true] + [Bool](repeating: false, count: count)
    let text = Array(self)
    var characters = pattern.makeIterator()
    while let character = characters.next() {
      var next = [Bool](repeating: false, count: reachable.count)
      let literal = character == "\\" ? characters.next() ?? character : character
      let isEscaped = character == "\\"
      if literal == "%" && !isEscaped {
        let first = reachable.firstIndex(of: true) ?? reachable.count
        for position in first..<reachable.count { next[position] = true }
      } else {
        for (position, letter) in text.enumerated() where reachable[position] {
          next[position + 1] = (literal == "_" && !isEscaped) || letter == literal
        }
      }
      reachable = next
    }
    return reachable.last ?? false
  }
}

/// A pattern of SQL's LIKE that matches one text only.
public func likePattern(_ text: String) -> String {
  text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
}
