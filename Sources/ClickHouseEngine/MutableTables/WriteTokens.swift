import MagicCore
import Synchronization

/// Remembers for a week which writes were published, by the tokens that their callers gave them, so
/// that a write that is sent again is not done again.
///
/// They are in a table like any other, written under the commit number of the write itself. Without
/// tokens there is no such table.
actor WriteTokens {
  /// Where they are stored.
  static let table = "\(StorageName.database).tokens"

  /// The name by which a token is remembered: it counts for one table.
  static func key(_ token: String, of table: TableReference) -> String { "\(table) \(token)" }

  private let storage: StorageEngine
  private var isStored: Bool
  /// The writes under way.
  private let latches = NamedLatches()

  /// - Parameter isStored: whether the table exists.
  init(storage: StorageEngine, isStored: Bool) {
    self.storage = storage
    self.isStored = isStored
  }

  /// Removes what was never published.
  static func recover(commit: UInt64, on connection: any EngineConnection) async throws {
    let later = "\(HiddenColumn.commit) > \(commit)"
    if try await connection.count("\(table) WHERE \(later)") > 0 {
      try await connection.execute("DELETE FROM \(table) WHERE \(later)")
    }
  }

  /// Runs `body` while nobody else writes with any of the tokens, with the row counts of the writes
  /// that had them already.
  func withTokens<Result: Sendable>(
    _ tokens: Set<String>, _ body: @Sendable ([String: Int]) async throws -> Result
  ) async throws -> Result {
    try await latches.withLatches(tokens) { try await body(try await find(tokens)) }
  }

  /// The row counts of the published writes that had one of the tokens.
  func find(_ tokens: Set<String>) async throws -> [String: Int] {
    guard isStored, !tokens.isEmpty else { return [:] }
    let list = tokens.map(quotedString).joined(separator: ", ")
    let rows = try await storage.withConnection {
      try await $0.texts(
        """
        SELECT token, toString(max(rows)) FROM \(Self.table) WHERE token IN (\(list)) \
        AND \(HiddenColumn.commit) <= \(storage.registry.published.commit) \
        AND time > now() - INTERVAL 7 DAY GROUP BY token
        """)
    }
    return Dictionary(rows.map { ($0[0], Int($0[1]) ?? 0) }) { $1 }
  }

  /// Stores tokens under the number of a commit, which is still to be published.
  func store(
    _ tokens: [String: Int], commit: UInt64, on connection: any EngineConnection
  ) async throws {
    if tokens.isEmpty { return }
    let rows = tokens.map { "(\(quotedString($0.key)), \($0.value), now(), \(commit))" }
    try await connection.execute(
      "INSERT INTO \(Self.table) VALUES \(rows.joined(separator: ", "))")
  }

  /// Makes the table. A commit number that is held holds up others, so this comes before.
  func prepare(on connection: any EngineConnection) async throws {
    if isStored { return }
    try await connection.execute(
      """
      CREATE TABLE IF NOT EXISTS \(Self.table) (token String, rows UInt64, time DateTime, \
      \(HiddenColumn.commit) UInt64) ENGINE = MergeTree ORDER BY token \
      TTL time + INTERVAL 7 DAY SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
      """)
    isStored = true
  }
}
