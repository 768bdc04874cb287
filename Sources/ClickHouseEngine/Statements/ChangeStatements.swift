/// `UPDATE name SET …`.
struct UpdateStatement {
  let text: SQLText
  let name: WrittenName
  /// What each column becomes; the columns are without the table's name and quotes.
  let assignments: [(column: String, expression: String)]
  /// The expression after WHERE.
  let condition: String?
  /// What follows SETTINGS.
  let settings: String?
  /// Whether it has `IN PARTITION`.
  let isInPartition: Bool
  let isOnCluster: Bool

  /// Nil when it is another statement or a wrong one.
  init?(_ text: SQLText) {
    var cursor = StatementCursor(text)
    guard cursor.take("UPDATE"), let name = cursor.takeName() else { return nil }
    isOnCluster = cursor.takeCluster()
    guard cursor.take("SET"), let tail = ChangeTail(text, from: cursor.index) else { return nil }
    let items = text.split(cursor.index..<tail.start, depth: 0)
    let assignments = items.compactMap { Self.assignment($0, of: name, in: text) }
    guard assignments.count == items.count else { return nil }
    self.text = text
    self.name = name
    self.assignments = assignments
    condition = tail.condition
    settings = tail.settings
    isInPartition = tail.isInPartition
  }

  private static func assignment(_ item: Range<Int>, of name: WrittenName, in text: SQLText)
    -> (column: String, expression: String)?
  {
    guard let (parts, equals) = text.path(at: item.lowerBound), text.isSymbol(equals, "="),
      equals + 1 < item.upperBound
    else { return nil }
    var column = parts[...]
    // Other names before a dot are part of a nested column's name.
    if column.count > 2, column[0] == name.database, column[1] == name.table {
      column = column.dropFirst(2)
    } else if column.count > 1, column[0] == name.table {
      column = column.dropFirst()
    }
    return (column.joined(separator: "."), text.text(equals + 1..<item.upperBound))
  }
}

/// `DELETE FROM name …`.
struct DeleteStatement {
  let text: SQLText
  let name: WrittenName
  /// The expression after WHERE.
  let condition: String?
  /// What follows SETTINGS.
  let settings: String?
  /// Whether it has `IN PARTITION`.
  let isInPartition: Bool
  let isOnCluster: Bool

  /// Nil when it is another statement or a wrong one.
  init?(_ text: SQLText) {
    var cursor = StatementCursor(text)
    guard cursor.take("DELETE", "FROM"), let name = cursor.takeName() else { return nil }
    isOnCluster = cursor.takeCluster()
    guard let tail = ChangeTail(text, from: cursor.index), tail.start == cursor.index else {
      return nil
    }
    self.text = text
    self.name = name
    condition = tail.condition
    settings = tail.settings
    isInPartition = tail.isInPartition
  }
}

/// The clauses that end an UPDATE or a DELETE.
private struct ChangeTail {
  /// The position of the first of them; the end when there are none.
  let start: Int
  let condition: String?
  let settings: String?
  let isInPartition: Bool

  /// Nil when a clause is empty.
  init?(_ text: SQLText, from start: Int) {
    let end = text.tokens.count
    let settings = text.settingsClause(from: start)
    // Whatever stands before it: a change without its condition would be a change of all rows.
    let condition = (start..<(settings ?? end)).first {
      text.tokens[$0].depth == 0 && text.word($0) == "WHERE" && !text.isSymbol($0 - 1, ".")
    }
    let partition = text.clause("IN", "PARTITION", in: start..<(condition ?? settings ?? end))
    self.start = partition ?? condition ?? settings ?? end
    self.condition = condition.map { text.text($0 + 1..<(settings ?? end)) }
    self.settings = settings.map { text.text($0 + 1..<end) }
    isInPartition = partition != nil
    if self.condition == "" { return nil }
  }
}

extension SQLText {
  /// The position of the SETTINGS clause of a statement that ends with it.
  func settingsClause(from start: Int) -> Int? {
    tokens.indices.dropFirst(start).first {
      tokens[$0].depth == 0 && word($0) == "SETTINGS" && identifier($0 + 1) != nil
        && isSymbol($0 + 2, "=") && ($0 == start || endsExpression($0 - 1))
    }
  }
}
