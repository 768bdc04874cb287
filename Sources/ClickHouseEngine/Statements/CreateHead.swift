/// What a CREATE of a table, a view or a dictionary begins with, up to the name's clauses.
struct CreateHead {
  enum Kind {
    case table, view, materializedView, dictionary
  }

  let kind: Kind
  let orReplace: Bool
  let isTemporary: Bool
  let ifNotExists: Bool
  let isOnCluster: Bool
  let name: WrittenName
  /// The position after the head.
  let end: Int

  /// Nil when the statement creates something else.
  init?(_ text: SQLText) {
    var cursor = StatementCursor(text)
    let replaces = cursor.take("REPLACE")
    guard replaces || cursor.take("CREATE") else { return nil }
    orReplace = cursor.take("OR", "REPLACE") || replaces
    isTemporary = cursor.take("TEMPORARY")
    if cursor.take("TABLE") {
      kind = .table
    } else if cursor.take("MATERIALIZED", "VIEW") {
      kind = .materializedView
    } else if cursor.take("VIEW") || cursor.take("LIVE", "VIEW") || cursor.take("WINDOW", "VIEW") {
      kind = .view
    } else if cursor.take("DICTIONARY") {
      kind = .dictionary
    } else {
      return nil
    }
    ifNotExists = cursor.take("IF", "NOT", "EXISTS")
    guard let name = cursor.takeName() else { return nil }
    self.name = name
    let isOnCluster = cursor.takeCluster()
    if cursor.take("UUID"), text.kind(cursor.index) == .string {
      cursor = StatementCursor(text, at: cursor.index + 1)
    }
    self.isOnCluster = cursor.takeCluster() || isOnCluster
    end = cursor.index
  }
}

/// `CREATE MATERIALIZED VIEW …`.
struct CreateMaterializedView {
  let name: WrittenName
  /// The table after TO, which the view writes; nil when the view has a table of its own.
  let target: WrittenName?
  /// Whether the view runs on a schedule, and not on each insert.
  let isRefreshable: Bool
  /// All names after FROM, JOIN and the commas of FROM lists, also those of WITH clauses.
  let tables: [WrittenName]

  init?(_ text: SQLText, _ head: CreateHead) {
    guard head.kind == .materializedView else { return nil }
    name = head.name
    let query = text.definingQuery(from: head.end) ?? text.tokens.count
    let clauses = head.end..<query
    isRefreshable = text.clause("REFRESH", in: clauses) != nil
    target = text.clause("TO", in: clauses).flatMap { text.name(at: $0 + 1)?.name }
    tables = text.allSources(from: query)
  }
}

extension CreateHead {
  /// The table after `AS` or `CLONE AS`, whose columns a new table takes, and the position of AS.
  func likeTable(in text: SQLText) -> (name: WrittenName, position: Int)? {
    guard kind == .table, let position = text.clause("AS", in: end..<text.tokens.count),
      text.definingQuery(from: position) != position + 1,
      let (name, next) = text.name(at: position + 1), !text.isSymbol(next, "(")
    else { return nil }
    return (name, position)
  }
}
