import Glibc
import MagicCore
import UnixSocket

/// Runs statements and writes their results to stdout, and to stderr how many rows they changed.
struct StatementPrinter {
  let statements: any StatementService
  let format: OutputFormat
  var tellsChangedRows = true

  /// Runs one statement to its end.
  func run(_ statement: String) async throws {
    let result = try await statements.run(statement, format: format.engineName)
    do {
      while let chunk = try await result.next() {
        try writeToStandardOutput(chunk)
      }
      if tellsChangedRows, let rows = result.changedRows {
        writeAll(Array("\(rows) \(rows == 1 ? "row" : "rows") changed\n".utf8), to: STDERR_FILENO)
      }
    } catch {
      await result.cancel()
      throw error
    }
  }
}
