import Arrow
import MagicCore

extension SQLText {
  /// A `?` or `$n` that stands in the place of a value.
  struct Placeholder: Hashable {
    /// The position of its token.
    let index: Int
    /// Which of the values it stands for, from 0.
    let number: Int
  }

  /// The places of values, in the order of the text.
  ///
  /// ClickHouse has the operator `condition ? a : b`. A `?` is that operator when what stands before
  /// it can be the end of an expression and a `:` follows in the same brackets, before a comma; else
  /// it is a place. `$1` is a name like any other to ClickHouse, but one that nobody gives.
  ///
  /// - Throws: ``EngineError`` when there are both `?` and `$n`.
  func placeholders() throws -> [Placeholder] {
    var result: [Placeholder] = []
    var operators: Set<Int> = []
    var isNumbered: Bool?
    let alternatives = tokensBeforeAlternative
    for index in tokens.indices {
      let first = bytes[tokens[index].range.lowerBound]
      let number: Int
      if first == UInt8(ascii: "?"), kind(index) == .symbol {
        let isAfterPlace = result.last?.index == index - 1
        if isAfterPlace || !operators.contains(index - 1) && endsExpression(index - 1),
          alternatives.contains(index)
        {
          operators.insert(index)
          continue
        }
        number = result.count
      } else if first == UInt8(ascii: "$"), kind(index) == .word,
        let position = Int(text(index..<index + 1).dropFirst()), (1...65_535).contains(position)
      {
        number = position - 1
      } else {
        continue
      }
      let isThisNumbered = first == UInt8(ascii: "$")
      guard isNumbered ?? isThisNumbered == isThisNumbered else {
        throw EngineError(message: "write all places of values as ?, or all as $1, $2, …")
      }
      isNumbered = isThisNumbered
      result.append(Placeholder(index: index, number: number))
    }
    return result
  }

  /// Each `?` after which, in the same brackets and before a comma, a `:` follows that is no part of a
  /// cast.
  private var tokensBeforeAlternative: Set<Int> {
    var result: Set<Int> = []
    // Whether such a `:` follows, by the number of open brackets; from the end on.
    var follows: [Bool] = []
    for index in tokens.indices.reversed() where kind(index) == .symbol {
      let level = tokens[index].depth
      while follows.count <= level { follows.append(false) }
      // What is deeper belongs to brackets that are over.
      follows.removeSubrange((level + 1)...)
      if isSymbol(index, ",") {
        follows[level] = false
      } else if isSymbol(index, ":") {
        if !isCast(index), !isCast(index - 1) { follows[level] = true }
      } else if isSymbol(index, "?"), follows[level] {
        result.insert(index)
      }
    }
    return result
  }

  /// Whether `::` begins at a position.
  private func isCast(_ index: Int) -> Bool {
    isSymbol(index, ":") && isSymbol(index + 1, ":")
      && tokens[index].range.upperBound == tokens[index + 1].range.lowerBound
  }

  /// The number of values that the statement takes.
  func positionalParameterCount() throws -> Int {
    (try placeholders().map(\.number).max() ?? -1) + 1
  }

  /// The statement with values in their places; nil when it has no places.
  ///
  /// - Parameter values: one row; nil when there are none.
  func binding(_ values: RecordBatch?) throws -> SQLText? {
    let places = try placeholders()
    let count = (places.map(\.number).max() ?? -1) + 1
    guard let values else {
      guard count > 0 else { return nil }
      throw EngineError(message: "the statement takes \(count) values, and none are given")
    }
    guard values.rowCount == 1 else {
      throw EngineError(message: "the values of a statement are one row, not \(values.rowCount)")
    }
    guard values.columns.count == count else {
      throw EngineError(
        message: "the statement takes \(count) values, and \(values.columns.count) are given")
    }
    if count == 0 { return nil }
    let literals = try zip(values.schema.fields, values.columns).map { field, column in
      try SQLLiteral(column, at: 0, field).text
    }
    return SQLText(
      replacing(places.map { (tokens[$0.index].range, " " + literals[$0.number] + " ") }))
  }

  /// The statement with NULL in the places of values, to see what it gives; nil without places.
  func bindingNulls() throws -> SQLText? {
    let places = try placeholders()
    if places.isEmpty { return nil }
    return SQLText(
      replacing(
        places.map { place in
          // A number of rows cannot be NULL.
          let isCount = ["LIMIT", "OFFSET"].contains(word(place.index - 1))
          return (tokens[place.index].range, isCount ? " 1 " : " NULL ")
        }))
  }
}
