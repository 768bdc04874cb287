import MagicCore

/// `CREATE TABLE … ENGINE = MutableMergeTree …`.
struct CreateMutableTable {
  let text: SQLText
  let name: WrittenName
  let ifNotExists: Bool
  /// Also for `REPLACE TABLE`.
  let orReplace: Bool
  /// The query after AS whose rows fill the table; nil when there is none and for EMPTY.
  let select: String?
  /// The table after `AS`, which has the columns.
  let likeTable: WrittenName?
  /// What to write in the place of some bytes after the name.
  private let edits: [(range: Range<Int>, text: String)]

  /// Nil when the statement has another engine.
  ///
  /// - Throws: ``EngineError`` for what a mutable table cannot be.
  init?(_ text: SQLText, _ head: CreateHead) throws {
    guard head.kind == .table, let parts = CreateParts(text, head) else { return nil }
    if head.isTemporary {
      throw EngineError(message: "a MutableMergeTree table cannot be TEMPORARY: it is kept on disk")
    }
    if head.isOnCluster {
      throw EngineError(
        message: "a MutableMergeTree table cannot be created ON CLUSTER: it is in one place only")
    }
    self.text = text
    name = head.name
    ifNotExists = head.ifNotExists
    orReplace = head.orReplace
    let like = head.likeTable(in: text)
    if let like, text.word(like.position - 1) == "CLONE" {
      throw EngineError(
        message: "CLONE AS takes parts of another table, which have no versions; create the table "
          + "AS the other, and INSERT … SELECT")
    }
    likeTable = like?.name
    select = parts.isEmpty ? nil : parts.query.map { text.text($0..<text.tokens.count) }
    edits = try parts.edits()
  }

  /// The statement that creates the table that holds the rows, without rows yet.
  ///
  /// - Parameters:
  ///   - name: the new table's name in SQL.
  ///   - like: the table to write after AS; nil keeps the one that there is.
  func storageStatement(name: String, like: String? = nil) -> String {
    var edits = edits
    if let like, let likeTable { edits.append((likeTable.range, like)) }
    return "CREATE TABLE \(name)" + text.replacing(edits, from: self.name.range.upperBound)
  }
}

/// Where the parts of a CREATE TABLE with our engine are.
private struct CreateParts {
  private let text: SQLText
  /// The column list with its brackets.
  private let columns: Range<Int>?
  /// ENGINE, its name and its arguments.
  private let engine: Range<Int>
  private let arguments: [Range<Int>]
  /// The position of the query after AS.
  let query: Int?
  /// The position of COMMENT.
  private let comment: Int?
  /// Where clauses of the table are.
  private let storage: Range<Int>

  /// Nil when the engine is another one.
  init?(_ text: SQLText, _ head: CreateHead) {
    self.text = text
    query = text.definingQuery(from: head.end)
    let end = query.map { $0 - 1 } ?? text.tokens.count
    var start = head.end
    if text.isSymbol(start, "("), let close = text.closing(start), close < end {
      columns = start..<close + 1
      start = close + 1
    } else {
      columns = nil
    }
    guard start < end,
      let engine = (start..<end).first(where: {
        ($0 == start || text.endsExpression($0 - 1)) && Self.engineName(at: $0, in: text) != nil
      }),
      let name = Self.engineName(at: engine, in: text)
    else { return nil }
    if text.isSymbol(name + 1, "(") {
      guard let close = text.closing(name + 1) else { return nil }
      arguments = close > name + 2 ? text.split(name + 2..<close, depth: 1) : []
      self.engine = engine..<close + 1
    } else {
      arguments = []
      self.engine = engine..<name + 1
    }
    comment = (start..<end).last {
      text.tokens[$0].depth == 0 && text.word($0) == "COMMENT" && text.kind($0 + 1) == .string
        && ($0 == start || text.endsExpression($0 - 1))
    }
    storage = start..<(text.word(end - 1) == "EMPTY" && query != nil ? end - 1 : end)
  }

  /// The position of our engine's name after ENGINE.
  private static func engineName(at index: Int, in text: SQLText) -> Int? {
    guard text.depth(index) == 0, text.word(index) == "ENGINE" else { return nil }
    let name = text.isSymbol(index + 1, "=") ? index + 2 : index + 1
    return text.identifier(name) == "MutableMergeTree" ? name : nil
  }

  /// Whether the table shall stay without the rows of its query.
  var isEmpty: Bool { query.map { text.word($0 - 2) == "EMPTY" } ?? false }

  /// Whether the engine has its key in brackets.
  private var hasEngineKey: Bool { !arguments.isEmpty }

  private var settings: Int? { text.clause("SETTINGS", in: storage) }

  /// Whether the key is given outside of the engine's brackets.
  private var hasKeyClause: Bool {
    if text.clause("PRIMARY", "KEY", in: storage) != nil { return true }
    if text.clause("ORDER", "BY", in: storage) != nil { return true }
    return columns?.contains { text.depth($0) == 1 && text.hasWords(["PRIMARY", "KEY"], at: $0) }
      ?? false
  }

  /// The statement's changes after the name.
  func edits() throws -> [(range: Range<Int>, text: String)] {
    var edits: [(range: Range<Int>, text: String)] = []
    var engineText = "ENGINE = MergeTree"
    if hasEngineKey {
      let (key, granularity) = try engineArguments()
      engineText += " ORDER BY \(key)"
      if let granularity { edits.append(granularityEdit(granularity)) }
    }
    edits.append((text.byteRange(engine), engineText + space(before: engine.upperBound)))
    if let query, !isEmpty {
      let position = text.tokens[query - 1].range.lowerBound
      edits.append((position..<position, "EMPTY "))
    }
    return edits
  }

  private func engineArguments() throws -> (key: String, granularity: String?) {
    guard arguments.count <= 2, arguments.allSatisfy({ !$0.isEmpty }) else {
      throw EngineError(
        message: "MutableMergeTree takes a key and an index granularity, as in "
          + "MutableMergeTree((a, b), 8192), or nothing")
    }
    guard !hasKeyClause else {
      throw EngineError(
        message: "the key is given twice: in MutableMergeTree(…) and in ORDER BY or PRIMARY KEY")
    }
    let key = text.text(arguments[0])
    guard arguments.count == 2 else { return (key, nil) }
    guard arguments[1].count == 1, text.kind(arguments[1].lowerBound) == .number else {
      throw EngineError(
        message: "the second argument of MutableMergeTree is the index granularity, a number")
    }
    return (key, text.text(arguments[1]))
  }

  private func granularityEdit(_ granularity: String) -> (range: Range<Int>, text: String) {
    let setting = "index_granularity = \(granularity)"
    if let settings {
      let position = text.tokens[settings].range.upperBound
      return (position..<position, " \(setting),")
    }
    let end = comment ?? storage.upperBound
    let position = text.tokens[end - 1].range.upperBound
    return (position..<position, " SETTINGS \(setting)" + space(before: end))
  }

  /// What keeps new text from growing together with a token that has no space before it.
  private func space(before index: Int) -> String {
    guard text.tokens.indices.contains(index) else { return "" }
    return text.tokens[index - 1].range.upperBound == text.tokens[index].range.lowerBound ? " " : ""
  }
}
