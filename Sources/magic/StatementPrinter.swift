import Glibc
import MagicCore
import UnixSocket

/// Runs statements and writes their results to stdout.
struct StatementPrinter {
  let statements: any StatementService
  let format: OutputFormat

  /// Runs one statement to its end.
  func run(_ statement: String) async throws {
    let result = try await statements.run(statement, format: format.engineName)
    do {
      while let chunk = try await result.next() {
        try writeToStandardOutput(chunk)
      }
    } catch {
      await result.cancel()
      throw error
    }
  }
}
