import Binlog
import MySQLSchema

/// The statements in a binlog that begin and end transactions.
enum TransactionControl {
  case begin, commit, rollback, savepoint, rollbackToSavepoint

  /// - Parameter statement: the text of a query event. Servers write these statements themselves,
  ///   without comments.
  init?(_ statement: String) {
    // Only short statements can be one of these; long ones need not be looked at.
    let words = statement.prefix(40).uppercased().split { $0.isWhitespace || $0 == ";" }
    switch (words.first, words.dropFirst().first) {
    case ("BEGIN", nil), ("BEGIN", "WORK"): self = .begin
    case ("COMMIT", nil), ("COMMIT", "WORK"): self = .commit
    case ("ROLLBACK", _): self = words.contains("TO") ? .rollbackToSavepoint : .rollback
    case ("SAVEPOINT", _), ("RELEASE", "SAVEPOINT"): self = .savepoint
    default: return nil
    }
  }
}

extension QueryEvent {
  /// The parts of the session's sql_mode that change how the statement is read.
  var textMode: SQLTextMode {
    let sqlMode = status.sqlMode ?? 0
    return SQLTextMode(
      ansiQuotes: sqlMode & 0x4 != 0, noBackslashEscapes: sqlMode & 0x10_0000 != 0)
  }
}
