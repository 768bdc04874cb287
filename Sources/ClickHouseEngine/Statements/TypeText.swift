/// A type as the engine prints it, taken apart.
struct TypeText {
  /// The whole, as the engine prints it.
  let text: String
  /// What stands before the brackets.
  let name: String
  /// What stands between the commas in the brackets.
  let arguments: [String]
  /// Whether values may be null.
  let isNullable: Bool

  /// Takes a type apart without its `Nullable` and `LowCardinality`, and without the function of a
  /// `SimpleAggregateFunction`.
  init(_ text: String) {
    let (name, arguments) = Self.parts(of: text)
    switch (name, arguments.last) {
    case ("Nullable", let inner?):
      let inner = TypeText(inner)
      (self.text, self.name, self.arguments) = (inner.text, inner.name, inner.arguments)
      isNullable = true
    case ("LowCardinality", let inner?), ("SimpleAggregateFunction", let inner?):
      self = TypeText(inner)
    default:
      (self.text, self.name, self.arguments, isNullable) = (text, name, arguments, false)
    }
  }

  private static func parts(of text: String) -> (name: String, arguments: [String]) {
    let text = SQLText(text)
    guard let name = text.identifier(0), text.isSymbol(1, "("), let close = text.closing(1) else {
      return (text.text(text.tokens.indices), [])
    }
    return (name, close > 2 ? text.split(2..<close, depth: 1).map { text.text($0) } : [])
  }

  /// An argument that is a number.
  func number(_ index: Int) -> Int? {
    arguments.indices.contains(index) ? Int(arguments[index]) : nil
  }

  /// The members of a `Tuple`; their names are nil when it has none.
  var members: [(name: String?, type: String)] {
    arguments.map { argument in
      let text = SQLText(argument)
      guard text.tokens.count > 1, let name = text.identifier(0), !text.isSymbol(1, "(") else {
        return (nil, argument)
      }
      return (name, text.text(1..<text.tokens.count))
    }
  }
}
