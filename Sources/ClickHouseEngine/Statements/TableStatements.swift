/// A statement on one table that other tables can take the place of: OPTIMIZE, DESCRIBE,
/// SHOW CREATE, CHECK and ATTACH.
struct TableStatement {
  let text: SQLText
  let name: WrittenName
  let isOnCluster: Bool
  /// What follows the name, and ON CLUSTER.
  let rest: String

  /// Takes the name that comes next; nil when there is none or a table function.
  fileprivate init?(_ cursor: StatementCursor) {
    var cursor = cursor
    guard let name = cursor.takeName() else { return nil }
    text = cursor.text
    self.name = name
    isOnCluster = cursor.takeCluster()
    rest = text.text(cursor.index..<text.tokens.count)
  }

  /// The same statement for another table.
  func rewritten(name target: String) -> String { text.replacing([(name.range, target)]) }
}

/// A DROP, a DETACH or a TRUNCATE.
struct DropStatement {
  enum Kind {
    case table, view, dictionary
    /// The names are databases.
    case database
  }

  let kind: Kind
  /// One name or more.
  let names: [WrittenName]
  let isOnCluster: Bool

  /// Takes what comes after the kind; nil when no name does.
  fileprivate init?(_ kind: Kind, _ cursor: StatementCursor) {
    var cursor = cursor
    _ = cursor.take("IF", "EXISTS")
    _ = cursor.take("IF", "EMPTY")
    guard let names = cursor.takeNames() else { return nil }
    self.kind = kind
    self.names = names
    isOnCluster = cursor.takeCluster()
  }
}

extension Statement {
  /// `DROP` or `DETACH` and what it concerns; nil for what is no table, view or database.
  static func drop(_ text: SQLText) -> DropStatement? {
    var cursor = StatementCursor(text, at: 1)
    if cursor.take("TABLE") { return DropStatement(.table, cursor) }
    if cursor.take("VIEW") { return DropStatement(.view, cursor) }
    if cursor.take("DICTIONARY") { return DropStatement(.dictionary, cursor) }
    if cursor.take("DATABASE") { return DropStatement(.database, cursor) }
    return nil
  }

  static func truncate(_ text: SQLText) -> Statement? {
    var cursor = StatementCursor(text, at: 1)
    let isOfDatabase =
      cursor.take("DATABASE") || cursor.take("ALL", "TABLES", "FROM")
      || cursor.take("TABLES", "FROM")
    if isOfDatabase {
      _ = cursor.take("IF", "EXISTS")
      return text.identifier(cursor.index).map { .truncateAll(database: $0) }
    }
    guard !cursor.take("TEMPORARY") else { return nil }
    _ = cursor.take("TABLE")
    return DropStatement(.table, cursor).map { .truncate($0) }
  }

  static func rename(_ text: SQLText) -> Statement? {
    var cursor = StatementCursor(text, at: 1)
    guard !cursor.take("DICTIONARY") else { return nil }
    let isOfDatabases = cursor.take("DATABASE")
    _ = cursor.take("TABLE")
    _ = cursor.take("IF", "EXISTS")
    guard let pairs = pairs(from: cursor, between: "TO") else { return nil }
    guard isOfDatabases else { return .rename(pairs) }
    return .renameDatabases(pairs.map { (from: $0.from.table, to: $0.to.table) })
  }

  static func exchange(_ text: SQLText) -> Statement? {
    var cursor = StatementCursor(text, at: 1)
    guard cursor.take("TABLES") else { return nil }
    return pairs(from: cursor, between: "AND").map { .exchange($0.map { ($0.from, $0.to) }) }
  }

  private static func pairs(from start: StatementCursor, between word: String)
    -> [(from: WrittenName, to: WrittenName)]?
  {
    var cursor = start
    var pairs: [(from: WrittenName, to: WrittenName)] = []
    repeat {
      guard let from = cursor.takeName(), cursor.take(word), let to = cursor.takeName() else {
        return nil
      }
      pairs.append((from, to))
    } while cursor.takeSymbol(",")
    return pairs
  }

  static func optimize(_ text: SQLText) -> TableStatement? {
    var cursor = StatementCursor(text, at: 1)
    return cursor.take("TABLE") ? TableStatement(cursor) : nil
  }

  static func describe(_ text: SQLText) -> TableStatement? {
    var cursor = StatementCursor(text, at: 1)
    // A query can be described without brackets.
    guard !["SELECT", "SELRAW", "WITH"].contains(text.word(1)) else { return nil }
    if text.tokens.count > 2 { _ = cursor.take("TABLE") }
    return TableStatement(cursor).flatMap { $0.rest.hasPrefix("(") ? nil : $0 }
  }

  static func showCreate(_ text: SQLText) -> TableStatement? {
    var cursor = StatementCursor(text, at: 1)
    let isCreate = cursor.take("CREATE")
    if cursor.take("TABLE") || cursor.take("VIEW") { return TableStatement(cursor) }
    // `SHOW CREATE USER name` and its like have a name after another word.
    guard isCreate, let (_, next) = text.name(at: cursor.index),
      text.identifier(next) == nil || ["FORMAT", "INTO", "SETTINGS"].contains(text.word(next))
    else { return nil }
    return TableStatement(cursor)
  }

  static func check(_ text: SQLText) -> TableStatement? {
    var cursor = StatementCursor(text, at: 1)
    return cursor.take("TABLE") ? TableStatement(cursor) : nil
  }

  static func attach(_ text: SQLText) -> TableStatement? {
    var cursor = StatementCursor(text, at: 1)
    guard cursor.take("TABLE") || cursor.take("VIEW") || cursor.take("MATERIALIZED", "VIEW") else {
      return nil
    }
    _ = cursor.take("IF", "NOT", "EXISTS")
    return TableStatement(cursor)
  }
}
