import Arrow
import MagicCore

extension MagicService {
  /// Writes rows into a temporary table, which lives in a session of the engine and ends with it.
  ///
  /// - Parameters:
  ///   - write: what to do when the table exists, or does not; its database does not matter, and it
  ///     has neither transaction, token nor key.
  ///   - rows: what is written; a table that is made gets their columns.
  ///   - request: the session, and how its statements run; the text does not matter.
  /// - Returns: the number of rows.
  /// - Throws: ``APIError``.
  public func writeTemporary(
    _ write: TableWrite, rows: any RecordBatchReader, in request: StatementRequest
  ) async throws -> Int {
    guard write.action == .insert, write.token == nil, write.transaction == nil,
      [.fail, .create(primaryKey: [])].contains(write.whenMissing)
    else {
      throw APIError(
        .invalid,
        "rows are only inserted into a temporary table: it has no primary key and takes part in no "
          + "transaction, and a write token needs a table that stays")
    }
    func change(_ sql: String) async throws {
      var request = request
      request.sql = sql
      let result = try await query(request)
      while try await result.reader.next() != nil {}
    }
    let name = write.table.table
    let table = quotedIdentifier(name)
    let exists = try await hasTemporaryTable(name, in: request)
    switch (exists, write.whenExisting) {
    case (true, .fail):
      throw APIError(.alreadyExists, "there is a temporary table \(name) already")
    case (true, .replace): try await change("DROP TEMPORARY TABLE \(table)")
    case (true, .append), (false, _): break
    }
    if !exists || write.whenExisting == .replace {
      guard case .create = write.whenMissing else {
        throw APIError(.notFound, "there is no temporary table \(name)")
      }
      let columns = try rows.schema.fields.map { field in
        do {
          return "\(quotedIdentifier(field.name)) \(try DeclaredType.of(field))"
        } catch let error as EngineError {
          throw APIError(error)
        }
      }
      try await change("CREATE TEMPORARY TABLE \(table) (\(columns.joined(separator: ", ")))")
    }
    var insert = request
    let columns = rows.schema.fields.map { quotedIdentifier($0.name) }.joined(separator: ", ")
    let values = rows.schema.fields.map { _ in "?" }.joined(separator: ", ")
    insert.sql = "INSERT INTO \(table) (\(columns)) VALUES (\(values))"
    return try await execute(insert, parameterRows: rows) ?? 0
  }

  private func hasTemporaryTable(
    _ name: String, in request: StatementRequest
  ) async throws -> Bool {
    var request = request
    request.sql = "EXISTS TEMPORARY TABLE \(quotedIdentifier(name))"
    let result = try await query(request)
    var exists = false
    while let batch = try await result.reader.next() {
      if batch.rowCount > 0, batch.columns.first?.type == .uint8 {
        exists = batch.columns[0].withValues(of: UInt8.self) { $0[0] != 0 }
      }
    }
    return exists
  }
}
