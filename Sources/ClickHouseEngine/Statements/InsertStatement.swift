/// What an INSERT begins with, up to its column list.
struct InsertHead {
  /// The position of the verb.
  let verb: Int
  /// Nil for a table function and a parameter.
  let name: WrittenName?
  /// The positions of the column list's brackets and of what is between them.
  let columns: ClosedRange<Int>?
  /// The position after the head.
  let end: Int

  /// Reads the tokens that there are so far; nil when they begin another statement.
  init?(_ text: SQLText) {
    var position: Int? = Self.isVerb(0, in: text) ? 0 : nil
    if text.word(0) == "WITH" {
      position = text.tokens.indices.first {
        text.tokens[$0].depth == 0 && Self.isVerb($0, in: text) && text.endsExpression($0 - 1)
      }
    }
    guard let position else { return nil }
    var cursor = StatementCursor(text, at: position + 2)
    _ = cursor.take("TABLE")
    name = text.word(cursor.index) == "FUNCTION" ? nil : cursor.takeName()
    verb = position
    guard name != nil, text.isSymbol(cursor.index, "("), !text.opensQuery(cursor.index) else {
      columns = nil
      end = cursor.index
      return
    }
    guard let close = text.closing(cursor.index), text.isSymbol(close, ")") else { return nil }
    columns = cursor.index...close
    end = close + 1
  }

  private static func isVerb(_ index: Int, in text: SQLText) -> Bool {
    ["INSERT", "UPSERT", "IMPORT"].contains(text.word(index)) && text.word(index + 1) == "INTO"
  }

  /// The position of the query, or of the VALUES or FORMAT before rows; the end when there is none.
  func source(in text: SQLText) -> Int {
    text.tokens.indices[end...].first { index in
      guard text.tokens[index].depth == 0, index == end || text.endsExpression(index - 1) else {
        return false
      }
      switch text.word(index) {
      case "SELECT", "SELRAW", "WITH", "FROM", "WATCH", "VALUES": return true
      case "FORMAT": return text.word(index + 1) != ""
      default: return text.isSymbol(index, "(") && text.opensQuery(index)
      }
    } ?? text.tokens.count
  }
}

/// `INSERT INTO [TABLE] name …`, also with UPSERT or IMPORT for the verb and after a WITH clause.
struct InsertStatement {
  enum Verb {
    case insert, upsert, importing
  }

  /// Where the rows come from.
  enum Source: Equatable {
    case select
    case values
    /// Rows in that format.
    case format(String)
    /// The statement does not say.
    case none
  }

  let text: SQLText
  let verb: Verb
  let name: WrittenName
  /// The plain names of the column list; nil when there is no list.
  let columns: [String]?
  /// The bytes of the column list with its brackets.
  let columnRange: Range<Int>?
  /// Whether the column list has anything but plain names: `*`, EXCEPT, COLUMNS(…), a parameter.
  let hasColumnMatcher: Bool
  let source: Source
  /// The bytes after VALUES or after the FORMAT's name; none for another source.
  let dataByteCount: Int
  private let verbRange: Range<Int>

  init?(_ text: SQLText) {
    guard let head = InsertHead(text), let name = head.name else { return nil }
    self.text = text
    self.name = name
    verbRange = text.tokens[head.verb].range
    switch text.word(head.verb) {
    case "UPSERT": verb = .upsert
    case "IMPORT": verb = .importing
    default: verb = .insert
    }
    if let list = head.columns {
      columnRange = text.byteRange(list.lowerBound..<list.upperBound + 1)
      let items = list.count > 2 ? text.split(list.lowerBound + 1..<list.upperBound, depth: 1) : []
      let names = items.compactMap { Self.column($0, in: text) }
      columns = names
      hasColumnMatcher = names.count < items.count
    } else {
      columnRange = nil
      columns = nil
      hasColumnMatcher = false
    }
    (source, dataByteCount) = Self.source(after: head, in: text)
  }

  private static func column(_ item: Range<Int>, in text: SQLText) -> String? {
    guard let (parts, next) = text.path(at: item.lowerBound), next == item.upperBound else {
      return nil
    }
    return parts.joined(separator: ".")
  }

  private static func source(after head: InsertHead, in text: SQLText) -> (Source, Int) {
    var index = head.source(in: text)
    if text.hasWords(["FROM", "INFILE"], at: index) {
      let tail = index..<text.tokens.count
      guard let format = text.clause("FORMAT", in: tail) else { return (.none, 0) }
      index = format
    }
    switch text.word(index) {
    case "VALUES": return (.values, text.bytes.count - text.tokens[index].range.upperBound)
    case "FORMAT":
      guard let format = text.identifier(index + 1) else { return (.none, 0) }
      return (.format(format), text.bytes.count - text.tokens[index + 1].range.upperBound)
    default: return (text.tokens.indices.contains(index) ? .select : .none, 0)
    }
  }

  /// The same INSERT into another table.
  ///
  /// - Parameter columns: what to write between the brackets of the column list; nil keeps the list
  ///   that there is.
  func rewritten(into target: String, columns: String?) -> String {
    var edits: [(range: Range<Int>, text: String)] = []
    if verb != .insert { edits.append((verbRange, "INSERT")) }
    if let columns, columnRange == nil {
      edits.append((name.range, "\(target) (\(columns))"))
    } else {
      edits.append((name.range, target))
    }
    if let columns, let columnRange { edits.append((columnRange, "(\(columns))")) }
    return text.replacing(edits)
  }
}

extension InsertStatement {
  /// The value of a setting of text in the statement.
  func setting(_ name: String) -> String? {
    text.tokens.indices.first {
      text.identifier($0) == name && text.isSymbol($0 + 1, "=") && text.kind($0 + 2) == .string
    }.flatMap { text.string($0 + 2) }
  }

  /// Whether the engine is not told to end the statement before its rows are there.
  var waitsForRows: Bool {
    !text.tokens.indices.contains { index in
      text.identifier(index) == "wait_for_async_insert" && text.isSymbol(index + 1, "=")
        && text.text(index + 2..<min(index + 3, text.tokens.count)) != "1"
    }
  }
}
