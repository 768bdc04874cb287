import Binlog

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
    case ("ROLLBACK", "TO"), ("ROLLBACK", "WORK") where words.contains("TO"):
      self = .rollbackToSavepoint
    case ("ROLLBACK", nil), ("ROLLBACK", "WORK"): self = .rollback
    case ("SAVEPOINT", _), ("RELEASE", "SAVEPOINT"): self = .savepoint
    default: return nil
    }
  }
}

extension QueryEvent {
  /// The bits of the session's sql_mode that change how the statement is read.
  var hasANSIQuotes: Bool { (status.sqlMode ?? 0) & 0x4 != 0 }
  var hasNoBackslashEscapes: Bool { (status.sqlMode ?? 0) & 0x10_0000 != 0 }
}
