import MagicCore

extension EngineConnection {
  /// The rows of a statement that gives texts.
  func texts(_ sql: String) async throws -> [[String]] {
    try await query(sql).texts()
  }

  /// The number of rows of a table.
  func count(_ table: String) async throws -> Int {
    let rows = try await texts("SELECT toString(count()) FROM \(table)")
    return rows.first?.first.flatMap { Int($0) } ?? 0
  }
}
