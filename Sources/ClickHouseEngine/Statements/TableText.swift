import MagicCore

/// The CREATE TABLE statement of a settled table, as the engine prints it.
struct TableText {
  private let text: SQLText

  init(_ statement: String) { text = SQLText(statement) }

  /// The statement that declares the mutable table: without what the layer has added.
  func declaration(name: TableReference, comment: String) -> String {
    var edits: [(range: Range<Int>, text: String)] = []
    if let written = text.name(at: 2) {
      edits.append((written.name.range, name.quotedWhereNeeded))
    }
    edits += hiddenColumns.map { ($0, "") }
    if let key = keyClause, text.identifier(key) == HiddenColumn.row {
      edits.append((text.tokens[key].range, "tuple()"))
    } else if let key = keyClause, text.isSymbol(key, "("),
      text.identifier(key + 1) == HiddenColumn.contents, let close = text.closing(key)
    {
      edits.append((text.byteRange(key..<(close + 1)), "tuple()"))
    }
    if let engine = text.clause("ENGINE", in: text.tokens.indices),
      text.tokens.indices.contains(engine + 2)
    {
      edits.append((text.byteRange((engine + 2)..<(engine + 3)), "MutableMergeTree"))
    }
    let end = text.bytes.count
    if let settings = text.clause("SETTINGS", in: text.tokens.indices), settings > 0 {
      let last = commentClause ?? text.tokens.count
      let kept = text.split((settings + 1)..<last, depth: 0).map { text.text($0) }
        .filter { !Self.ownSettings.contains($0.filter { $0 != " " }) }
      let start = text.tokens[settings - 1].range.upperBound
      edits.append(
        (start..<end, kept.isEmpty ? "" : "\nSETTINGS " + kept.joined(separator: ", ")))
    } else if let commentClause {
      edits.append((text.tokens[commentClause - 1].range.upperBound..<end, ""))
    }
    return text.replacing(edits) + (comment.isEmpty ? "" : "\nCOMMENT \(quotedString(comment))")
  }

  /// The statement without constraints, and these.
  var separatingConstraints: (statement: String, constraints: [String]) {
    guard let open = text.tokens.indices.first(where: { text.isSymbol($0, "(") }),
      let close = text.closing(open)
    else { return (text.text(text.tokens.indices), []) }
    let parts = text.split((open + 1)..<close, depth: 1).dropFirst().filter {
      text.word($0.lowerBound) == "CONSTRAINT"
    }
    let edits = parts.map { part in
      (
        range: text.tokens[part.lowerBound - 2].range.upperBound..<text.byteRange(part).upperBound,
        text: ""
      )
    }
    return (text.replacing(edits), parts.map { text.text($0) })
  }

  /// The statement with another column, which is the key in the place of none.
  ///
  /// - Throws: ``EngineError`` when the statement is not of the engine's form.
  func identifyingRows(by column: String, called name: String) throws -> String {
    guard let open = text.tokens.indices.first(where: { text.isSymbol($0, "(") }),
      let close = text.closing(open), let key = keyClause,
      text.hasWords(["TUPLE"], at: key), let end = text.closing(key + 1)
    else { throw EngineError(message: "the declaration of a table without key is not understood") }
    let start = text.tokens[close].range.lowerBound
    return text.replacing([
      (start..<start, ", \(column)"), (text.byteRange(key..<(end + 1)), name),
    ])
  }

  /// The position after ORDER BY.
  private var keyClause: Int? {
    text.clause("ORDER", "BY", in: text.tokens.indices).map { $0 + 2 }
  }

  private static let ownSettings = Set(
    MutableTable.settledSettingList.map { "\($0.name)=\($0.value)" } + ["allow_nullable_key=1"])

  private var commentClause: Int? {
    let last = text.tokens.count - 2
    return last > 0 && text.word(last) == "COMMENT" && text.depth(last) == 0 ? last : nil
  }

  /// The declarations of the hidden columns, each with the comma before it.
  private var hiddenColumns: [Range<Int>] {
    guard let open = text.tokens.indices.first(where: { text.isSymbol($0, "(") }),
      let close = text.closing(open)
    else { return [] }
    return text.split((open + 1)..<close, depth: 1).dropFirst().compactMap { part in
      guard let name = text.identifier(part.lowerBound), HiddenColumn.stored.contains(name) else {
        return nil
      }
      return text.tokens[part.lowerBound - 2].range.upperBound..<text.byteRange(part).upperBound
    }
  }
}

extension TableReference {
  /// The name as the engine prints it: quoted only when it must be.
  var quotedWhereNeeded: String {
    [database, table].map { name in
      let isPlain = name.utf8.allSatisfy {
        $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
          || (0x61...0x7A).contains($0)
      }
      return isPlain && name.first?.isNumber == false ? name : quotedIdentifier(name)
    }.joined(separator: ".")
  }
}
