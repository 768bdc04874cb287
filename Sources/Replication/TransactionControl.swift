import Binlog
import MySQLSchema

/// The statements in a binlog that begin and end transactions.
enum TransactionControl: Equatable {
  case begin, commit, rollback
  case savepoint(String)
  case rollbackToSavepoint(String)

  /// - Parameter statement: the text of a query event. Servers write these statements themselves,
  ///   without comments.
  init?(_ statement: String) {
    // Only short statements can be one of these; long ones need not be looked at.
    let text = statement.prefix(400)
    let words = text.prefix(40).uppercased().split { $0.isWhitespace || $0 == ";" }
    switch (words.first, words.dropFirst().first) {
    case ("BEGIN", nil), ("BEGIN", "WORK"): self = .begin
    case ("COMMIT", nil), ("COMMIT", "WORK"): self = .commit
    case ("ROLLBACK", "TO"): self = .rollbackToSavepoint(Self.name(in: text))
    case ("ROLLBACK", nil), ("ROLLBACK", "WORK"): self = .rollback
    case ("SAVEPOINT", _): self = .savepoint(Self.name(in: text))
    default: return nil
    }
  }

  /// The name of a savepoint, which ends the statement; its case does not matter.
  private static func name(in text: Substring) -> String {
    let name =
      if let quote = text.firstIndex(of: "`"), let end = text.lastIndex(of: "`"), quote < end {
        text[text.index(after: quote)..<end]
      } else {
        text.split { $0.isWhitespace || $0 == ";" }.last ?? ""
      }
    return name.lowercased()
  }
}

extension QueryEvent {
  /// Whether the session refused values that do not fit (STRICT_TRANS_TABLES or STRICT_ALL_TABLES).
  var isStrict: Bool { (status.sqlMode ?? 0) & 0x60_0000 != 0 }

  /// The parts of the session's sql_mode that change how the statement is read.
  var textMode: SQLTextMode { SQLTextMode(sqlMode: status.sqlMode ?? 0) }
}
