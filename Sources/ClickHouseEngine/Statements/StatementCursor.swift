/// A position in a statement that moves over what it recognises.
struct StatementCursor {
  let text: SQLText
  /// The next token.
  private(set) var index: Int

  init(_ text: SQLText, at index: Int = 0) {
    self.text = text
    self.index = index
  }

  /// Passes the words if they all come next; else stays and gives false.
  mutating func take(_ words: String...) -> Bool {
    guard text.hasWords(words, at: index) else { return false }
    index += words.count
    return true
  }

  /// Passes the next token if it is that symbol.
  mutating func takeSymbol(_ symbol: Unicode.Scalar) -> Bool {
    guard text.isSymbol(index, symbol) else { return false }
    index += 1
    return true
  }

  /// Passes a table's name; stays and gives nil when another thing comes next.
  mutating func takeName() -> WrittenName? {
    guard let (name, next) = text.name(at: index) else { return nil }
    index = next
    return name
  }

  /// Passes the names between commas; nil when one is missing.
  mutating func takeNames() -> [WrittenName]? {
    var names: [WrittenName] = []
    repeat {
      guard let name = takeName() else { return nil }
      names.append(name)
    } while takeSymbol(",")
    return names
  }

  /// Passes `ON CLUSTER name`; false when another thing comes next.
  mutating func takeCluster() -> Bool {
    guard take("ON", "CLUSTER") else { return false }
    if let (_, next) = text.path(at: index) {
      index = next
    } else if text.kind(index) == .string {
      index += 1
    } else if let close = text.closing(index), text.isSymbol(index, "{") {
      index = close + 1
    }
    return true
  }
}
