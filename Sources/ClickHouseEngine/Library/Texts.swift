import MagicCore

extension EngineConnection {
  /// The rows of a statement that gives texts.
  func texts(_ sql: String) async throws -> [[String]] {
    let reader = try await query(sql)
    var rows: [[String]] = []
    while let batch = try await reader.next() {
      for row in 0..<batch.rowCount {
        rows.append(
          batch.columns.map { column in
            column.withBinaryValue(at: row) { String(decoding: $0, as: UTF8.self) }
          })
      }
    }
    return rows
  }

  /// The number of rows of a table.
  func count(_ table: String) async throws -> Int {
    let rows = try await texts("SELECT toString(count()) FROM \(table)")
    return rows.first?.first.flatMap { Int($0) } ?? 0
  }
}
