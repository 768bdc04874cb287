import MagicCore

/// One SQL statement of a user, taken apart as far as it takes to direct its result.
struct StatementText {
  /// What a statement gives.
  enum Kind {
    /// Rows that the engine writes in any format by itself: a SELECT.
    case select
    /// Rows, but the engine writes them in any format only by way of a SELECT.
    case information
    /// No rows.
    case command
  }

  let sql: SQLText
  let kind: Kind
  /// The name in the statement's own FORMAT clause.
  let format: String?
  /// The bytes of the FORMAT clause, or the empty place after the last token.
  private let formatRange: Range<Int>
  private let end: Int

  /// - Throws: ``EngineError`` when there is no statement or more than one, and for INTO OUTFILE,
  ///   which would write a file on the engine's host.
  init(_ sql: SQLText) throws {
    guard let last = sql.tokens.last else { throw EngineError(message: "the statement is empty") }
    if sql.tokens.indices.contains(where: { sql.isSymbol($0, ";") }) {
      throw EngineError(message: "there is more than one statement; send them one by one")
    }
    if sql.hasOutfile {
      throw EngineError(
        message: "INTO OUTFILE would write a file on the engine's host; leave it out and redirect "
          + "the result instead")
    }
    self.sql = sql
    kind = Self.kind(of: sql)
    // Rows that follow the statement belong to it, byte for byte.
    end = sql.bringsRows ? sql.bytes.count : last.range.upperBound
    if kind != .command, let clause = sql.formatClause {
      format = clause.name
      formatRange = clause.range
    } else {
      format = nil
      formatRange = end..<end
    }
  }

  private static func kind(of sql: SQLText) -> Kind {
    switch sql.word(0) {
    case "SELECT", "FROM": .select
    case "WITH": InsertHead(sql) == nil ? .select : .command
    case "ALTER", "ATTACH", "BEGIN", "COMMIT", "CREATE", "DELETE", "DETACH", "DROP", "EXCHANGE",
      "EXECUTE", "GRANT", "IMPORT", "INSERT", "MOVE", "OPTIMIZE", "RENAME", "REPLACE", "REVOKE",
      "ROLLBACK",
      "SET", "SYSTEM", "TRUNCATE", "UNDROP", "UPDATE", "UPSERT", "USE":
      .command
    default: sql.isSymbol(0, "(") ? .select : .information
    }
  }

  /// Whether a program that reads columns gets any. What KILL gives depends on what it finds.
  var givesRows: Bool { kind != .command && sql.word(0) != "KILL" }

  /// The statement without what follows its last token: `;`, comments and space.
  var text: String { String(decoding: sql.bytes[..<end], as: UTF8.self) }

  /// The statement without its FORMAT clause.
  var withoutFormat: String { format == nil ? text : replacingFormat(with: "") }

  /// The database that a USE makes the current one.
  var usedDatabase: String? {
    guard sql.word(0) == "USE" else { return nil }
    return sql.identifier(sql.word(1) == "DATABASE" && sql.tokens.count > 2 ? 2 : 1)
  }

  /// The statement with another FORMAT clause in the place of its own.
  func replacingFormat(with clause: String) -> String {
    String(decoding: sql.bytes[..<formatRange.lowerBound], as: UTF8.self) + " " + clause
      + String(decoding: sql.bytes[formatRange.upperBound..<end], as: UTF8.self)
  }
}

extension SQLText {
  fileprivate var hasOutfile: Bool {
    tokens.indices.contains {
      tokens[$0].depth == 0 && hasWords(["INTO", "OUTFILE"], at: $0) && kind($0 + 2) == .string
    }
  }

  /// The FORMAT clause at the end, which only SETTINGS may follow.
  fileprivate var formatClause: (name: String, range: Range<Int>)? {
    for index in tokens.indices.dropFirst().reversed() where tokens[index].depth == 0 {
      // A table that is called so can be described.
      guard word(index) == "FORMAT", kind(index + 1) == .word, endsExpression(index - 1),
        index > 1 || !["DESC", "DESCRIBE"].contains(word(0)),
        index + 2 == tokens.count || word(index + 2) == "SETTINGS",
        let name = identifier(index + 1)
      else { continue }
      return (name, byteRange(index..<index + 2))
    }
    return nil
  }
}
