import MagicCore

/// What statements begin with: the verb and the names that it is about.
extension StatementScanner {
  /// What right a statement takes, and the position at which the rest of it begins.
  ///
  /// Whatever is not known to take less is for administrators.
  mutating func scanHead() -> (kind: StatementInspection.Kind, next: Int) {
    kind(at: 0) ?? (.administer, 0)
  }

  private mutating func kind(at start: Int) -> (StatementInspection.Kind, Int)? {
    switch text.word(start) {
    case "SELECT", "SELRAW", "FROM": (.read, start)
    case "": text.isSymbol(start, "(") && text.opensQuery(start) ? (.read, start) : nil
    case "WITH":
      if let verb = insertAfterWith(from: start) {
        insertTarget(at: verb + 2).map { _ in (.write, start) }
      } else {
        (.read, start)
      }
    case "INSERT", "UPSERT", "IMPORT":
      text.word(start + 1) == "INTO" ? insertTarget(at: start + 2).map { (.write, $0) } : nil
    case "UPDATE": target(at: start + 1).map { (.write, $0) }
    case "DELETE":
      text.word(start + 1) == "FROM" ? target(at: start + 2).map { (.write, $0) } : nil
    case "CREATE", "REPLACE": created(at: start).map { (.declare, $0) }
    case "ALTER": altered(at: start).map { (.declare, $0) }
    case "DROP": dropped(at: start + 1).map { (.declare, $0) }
    case "TRUNCATE": truncated(at: start + 1).map { (.declare, $0) }
    case "RENAME":
      pairs(at: afterWords(start + 1, ["TABLE", "DATABASE"]), "TO", of: start + 1)
        .map { (.declare, $0) }
    case "EXCHANGE":
      text.word(start + 1) == "TABLES"
        ? pairs(at: start + 2, "AND", of: start + 1).map { (.declare, $0) } : nil
    case "OPTIMIZE":
      text.word(start + 1) == "TABLE" ? target(at: start + 2).map { (.declare, $0) } : nil
    case "SHOW": shown(at: start + 1).map { (.read, $0) }
    case "DESCRIBE", "DESC": described(at: start + 1).map { (.read, $0) }
    case "EXISTS":
      source(at: afterWords(start + 1, ["TEMPORARY"]), anyKind: true).map { (.read, $0) }
    case "CHECK":
      text.word(start + 1) == "TABLE" ? checked(at: start + 1).map { (.read, $0) } : nil
    case "EXPLAIN": explained(at: start + 1)
    case "SET": sessionSettings(at: start + 1).map { (.session, $0) }
    case "USE":
      source(at: afterWords(start + 1, ["DATABASE"]), isDatabase: true).map { (.session, $0) }
    case "BEGIN", "COMMIT", "ROLLBACK": text.tokens.count <= start + 2 ? (.session, start + 1) : nil
    case "START": text.word(start + 1) == "TRANSACTION" ? (.session, start + 2) : nil
    case "KILL": killedStatement != nil ? (.kill, text.tokens.count) : nil
    default: nil
    }
  }

  /// The id in `KILL QUERY WHERE query_id = '…'`.
  var killedStatement: String? {
    guard text.hasWords(["KILL", "QUERY", "WHERE"], at: 0),
      text.identifier(3) == "query_id", text.isSymbol(4, "="), let id = text.string(5)
    else { return nil }
    var rest = 6
    if ["SYNC", "ASYNC", "TEST"].contains(text.word(rest)) { rest += 1 }
    if text.word(rest) == "FORMAT", text.identifier(rest + 1) != nil { rest += 2 }
    return rest == text.tokens.count ? id : nil
  }

  // MARK: Names

  /// Takes a table's name as one that is written or declared; gives the position after it.
  private mutating func target(at index: Int) -> Int? {
    guard let (parts, next) = scanPath(at: index), parts.count <= 2 else { return nil }
    targets.append(
      parts.count == 2 ? Name(database: parts[0], table: parts[1]) : Name(table: parts[0]))
    return next
  }

  private mutating func databaseTarget(at index: Int) -> Int? {
    guard let (parts, next) = scanPath(at: index), parts.count == 1 else { return nil }
    targets.append(Name(database: parts[0]))
    return next
  }

  private mutating func targets(at index: Int, areDatabases: Bool = false) -> Int? {
    var position = index
    while true {
      let next = areDatabases ? databaseTarget(at: position) : target(at: position)
      guard let next else { return nil }
      guard text.isSymbol(next, ",") else { return next }
      position = next + 1
    }
  }

  private mutating func pairs(at index: Int, _ word: String, of kind: Int) -> Int? {
    let areDatabases = text.word(kind) == "DATABASE"
    var position = index
    while true {
      let first = areDatabases ? databaseTarget(at: position) : target(at: position)
      guard let first, text.word(first) == word else { return nil }
      let second = areDatabases ? databaseTarget(at: first + 1) : target(at: first + 1)
      guard let second else { return nil }
      guard text.isSymbol(second, ",") else { return second }
      position = second + 1
    }
  }

  /// Takes the name of something that is looked at, which may stand after the word of its kind.
  private mutating func source(
    at index: Int, anyKind: Bool = false, isDatabase: Bool = false
  ) -> Int? {
    var start = index
    var isDatabase = isDatabase
    if anyKind, ["TABLE", "VIEW", "DICTIONARY", "DATABASE"].contains(text.word(start)),
      text.tokens.count > start + 1
    {
      isDatabase = text.word(start) == "DATABASE"
      start += 1
    }
    guard let (parts, next) = scanPath(at: start), parts.count <= 2, !text.isSymbol(next, "(")
    else { return nil }
    if isDatabase {
      guard parts.count == 1 else { return nil }
      sources.append(Name(database: parts[0]))
    } else if parts.count == 2 {
      sources.append(Name(database: parts[0], table: parts[1]))
    }
    return next
  }

  /// The position after those of the words that stand there.
  private func afterWords(_ index: Int, _ words: [String]) -> Int {
    var position = index
    for word in words where text.word(position) == word { position += 1 }
    return position
  }

  // MARK: Statements

  private func insertAfterWith(from start: Int) -> Int? {
    text.tokens.indices.dropFirst(start).first {
      text.depth($0) == 0 && ["INSERT", "UPSERT", "IMPORT"].contains(text.word($0))
        && text.word($0 + 1) == "INTO"
    }
  }

  private mutating func insertTarget(at index: Int) -> Int? {
    let name = afterWords(index, ["TABLE"])
    guard text.word(name) == "FUNCTION" else { return target(at: name) }
    return text.identifier(name + 1) == nil ? nil : name + 1
  }

  private mutating func created(at start: Int) -> Int? {
    var position = start + 1
    if text.word(start) == "CREATE" { position = afterWords(position, ["OR", "REPLACE"]) }
    position = afterWords(position, ["TEMPORARY"])
    let kind = text.word(position)
    switch kind {
    case "TABLE", "VIEW", "DATABASE": position += 1
    case "MATERIALIZED" where text.word(position + 1) == "VIEW": position += 2
    case "INDEX":
      guard let (_, name) = scanPath(at: afterWords(position + 1, ["IF", "NOT", "EXISTS"])),
        text.word(name) == "ON"
      else { return nil }
      return target(at: name + 1)
    default: return nil
    }
    position = afterWords(position, ["IF", "NOT", "EXISTS"])
    if kind == "DATABASE" { return databaseTarget(at: position) }
    guard let next = target(at: position) else { return nil }
    guard kind == "MATERIALIZED" else { return next }
    let query = text.definingQuery(from: next) ?? text.tokens.count
    for index in next..<query where text.depth(index) == 0 && text.word(index) == "TO" {
      guard target(at: index + 1) != nil else { return nil }
    }
    return next
  }

  private mutating func altered(at start: Int) -> Int? {
    let position = afterWords(start + 1, ["TEMPORARY"])
    guard text.word(position) == "TABLE",
      let next = target(at: afterWords(position + 1, ["IF", "EXISTS"]))
    else { return nil }
    for command in text.split(next..<text.tokens.count, depth: 0) {
      var first = command.lowerBound
      if text.isSymbol(first, "(") { first += 1 }
      switch text.word(first) {
      case "FETCH", "FREEZE", "UNFREEZE": return nil
      default: break
      }
      for index in command {
        switch text.word(index) {
        case "SETTING" where ["MODIFY", "RESET"].contains(text.word(index - 1)):
          guard takeSettings(from: index + 1) != nil else { return nil }
        case "TO" where text.word(index + 1) == "TABLE":
          guard target(at: index + 2) != nil else { return nil }
        case "TO" where ["DISK", "VOLUME", "SHARD"].contains(text.word(index + 1)): return nil
        default: break
        }
      }
    }
    return next
  }

  private mutating func dropped(at start: Int) -> Int? {
    let kind = afterWords(start, ["TEMPORARY"])
    let name = afterWords(kind + 1, ["IF", "EXISTS", "IF", "EMPTY"])
    switch text.word(kind) {
    case "TABLE", "VIEW": return targets(at: name)
    case "DATABASE": return targets(at: name, areDatabases: true)
    case "INDEX":
      guard let (_, on) = scanPath(at: name), text.word(on) == "ON" else { return nil }
      return target(at: on + 1)
    default: return nil
    }
  }

  private mutating func truncated(at start: Int) -> Int? {
    if text.word(start) == "DATABASE" {
      return databaseTarget(at: afterWords(start + 1, ["IF", "EXISTS"]))
    }
    let tables = afterWords(start, ["ALL"])
    if text.hasWords(["TABLES", "FROM"], at: tables) {
      return databaseTarget(at: afterWords(tables + 2, ["IF", "EXISTS"]))
    }
    return targets(at: afterWords(start, ["TEMPORARY", "TABLE", "IF", "EXISTS"]))
  }

  private mutating func described(at start: Int) -> Int? {
    let name = text.tokens.count > start + 1 ? afterWords(start, ["TABLE"]) : start
    if let (parts, next) = scanPath(at: name), parts.count == 1, text.isSymbol(next, "(") {
      return name
    }
    switch text.word(name) {
    case "FROM", "SELECT", "SELRAW", "WITH": return name
    default: return text.isSymbol(name, "(") ? name : source(at: name)
    }
  }

  private mutating func sessionSettings(at start: Int) -> Int? {
    takeSettings(from: start) == text.tokens.count ? text.tokens.count : nil
  }

  private mutating func explained(at start: Int) -> (StatementInspection.Kind, Int)? {
    guard !text.hasWords(["TABLE", "OVERRIDE"], at: start) else { return nil }
    // The kind of plan, and its options, stand before the statement.
    let first = (start..<max(start, text.tokens.count)).first { index in
      let isWord = Self.explainable.contains(text.word(index)) && !text.isSymbol(index + 1, "=")
      return text.depth(index) == 0 && (isWord || text.isSymbol(index, "("))
    }
    guard let first, let (kind, next) = kind(at: first) else { return nil }
    return kind == .read || kind == .write ? (kind, next) : nil
  }

  private static let explainable: Set<String> = [
    "SELECT", "SELRAW", "WITH", "FROM", "INSERT", "CREATE", "ALTER", "DROP", "SYSTEM", "UPDATE",
    "DELETE", "SET", "SHOW", "KILL", "GRANT",
  ]

  /// The engine's parser does not tell what the partition of a CHECK is, which it computes.
  private mutating func checked(at start: Int) -> Int? {
    guard let end = source(at: start, anyKind: true) else { return nil }
    var position = end
    if ["PARTITION", "PART"].contains(text.word(position)) {
      position = afterWords(position + 1, ["ID"])
      let last = text.isSymbol(position, "(") ? text.closing(position) : position
      guard let last, (position...last).allSatisfy(isPartOfLiteral) else { return nil }
      position = last + 1
    }
    return endsStatement(at: position) ? end : nil
  }

  /// Whether nothing follows but a format and settings.
  private func endsStatement(at index: Int) -> Bool {
    let hasFormat = text.word(index) == "FORMAT" && text.kind(index + 1) == .word
    let end = hasFormat ? index + 2 : index
    return end == text.tokens.count || text.word(end) == "SETTINGS"
  }

  private func isPartOfLiteral(_ index: Int) -> Bool {
    switch text.kind(index) {
    case .number, .string: true
    case .symbol: ["(", ")", ",", "-"].contains { text.isSymbol(index, $0) }
    case .word, .quotedName, nil: false
    }
  }

  // MARK: SHOW

  private mutating func shown(at start: Int) -> Int? {
    var position = start
    while ["FULL", "EXTENDED", "CHANGED", "TEMPORARY"].contains(text.word(position)) {
      position += 1
    }
    guard let end = shownNames(at: position), endsShow(at: end) else { return nil }
    return end
  }

  /// Whether nothing follows the names of a SHOW but LIKE, a number of rows, a format and settings:
  /// what a condition reads, the engine's parser does not tell.
  private func endsShow(at index: Int) -> Bool {
    var position = afterWords(index, ["NOT"])
    if ["LIKE", "ILIKE"].contains(text.word(position)) {
      guard text.kind(position + 1) == .string else { return false }
      position += 2
    }
    if text.word(position) == "LIMIT" {
      guard text.kind(position + 1) == .number else { return false }
      position += 2
    }
    return endsStatement(at: position)
  }

  private mutating func shownNames(at position: Int) -> Int? {
    switch text.word(position) {
    case "DATABASES":
      sources.append(Name(database: "system", table: "databases"))
      return position + 1
    case "TABLES":
      sources.append(Name(database: "system", table: "tables"))
      return afterDatabase(position + 1)
    case "DICTIONARIES":
      sources.append(Name(database: "system", table: "dictionaries"))
      return afterDatabase(position + 1)
    case "COLUMNS", "FIELDS":
      sources.append(Name(database: "system", table: "columns"))
      return afterTable(position + 1)
    case "INDEX", "INDEXES", "INDICES", "KEYS":
      sources.append(Name(database: "system", table: "tables"))
      sources.append(Name(database: "system", table: "data_skipping_indices"))
      return afterTable(position + 1)
    case "FUNCTIONS", "SETTINGS", "ENGINES": return position + 1
    case "SETTING": return position + 2
    case "CREATE": return source(at: afterWords(position + 1, ["TEMPORARY"]), anyKind: true)
    case "TABLE", "VIEW", "DICTIONARY", "DATABASE": return source(at: position, anyKind: true)
    default: return nil
    }
  }

  /// The position after `FROM database`, where there is one.
  private mutating func afterDatabase(_ index: Int) -> Int? {
    guard ["FROM", "IN"].contains(text.word(index)) else { return index }
    return source(at: index + 1, isDatabase: true)
  }

  private mutating func afterTable(_ index: Int) -> Int? {
    guard ["FROM", "IN"].contains(text.word(index)) else { return nil }
    return source(at: index + 1).flatMap { afterDatabase($0) }
  }
}
