import MagicCore
import Synchronization

/// Has the engine's parser read statements, without running them.
final class StatementParser: Sendable {
  private let engine: ClickHouseEngine
  /// What was read lately, by the bytes of the text: other texts can be equal as strings.
  private let trees = Mutex<[[UInt8]: SyntaxTree]>([:])

  /// Longer statements, without rows, are not read for people who are no admins.
  static let byteLimit = 1 << 20
  private static let keptCount = 500
  private static let keptByteLimit = 4096

  /// The option keeps the whole from being anything but an EXPLAIN: EXPLAIN alone can be a column.
  private static let head = "EXPLAIN AST graph = 0 "

  init(engine: ClickHouseEngine) { self.engine = engine }

  /// How the engine reads a statement.
  ///
  /// - Parameter isKept: whether the same text is likely to come again.
  /// - Throws: ``EngineError`` with the engine's text about a statement that it cannot read.
  func tree(of statement: String, isKept: Bool = true) async throws -> SyntaxTree {
    let key = Array(statement.utf8)
    if let tree = trees.withLock({ $0[key] }) { return tree }
    guard key.count <= Self.byteLimit else { throw Self.tooLong }
    let tree = try SyntaxTree(try await rows(of: statement))
    if isKept, key.count <= Self.keptByteLimit {
      trees.withLock { trees in
        if trees.count >= Self.keptCount { trees = [:] }
        trees[key] = tree
      }
    }
    return tree
  }

  /// Why a longer statement is refused.
  static let tooLong = EngineError(
    code: 241,
    message: "without the rows that follow it, a statement may have 1 MiB; an admin's more")

  private func rows(of statement: String) async throws -> [String] {
    do {
      return try await engine.withConnection { connection in
        // The engine's own limit is lower.
        if statement.utf8.count > 200 << 10 {
          try await connection.execute("SET max_query_size = \(2 * Self.byteLimit)")
        }
        return try await connection.texts(Self.head + statement).map { $0[0] }
      }
    } catch let error as EngineError {
      throw EngineError(code: error.code, message: Self.aboutStatement(error.message))
    }
  }

  /// An error's text with positions in the statement itself.
  private static func aboutStatement(_ message: String) -> String {
    message.replacing(/failed at position (\d+)/) { match in
      "failed at position \(max(1, (Int(match.1) ?? 0) - head.utf8.count))"
    }
    .replacing(/\ \(line \d+, col \d+\)/, with: "")
  }
}
