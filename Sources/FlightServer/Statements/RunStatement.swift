import Arrow
import GRPCCore
import MagicAPI
import MagicCore

extension FlightService {
  /// Runs a statement whose rows are not wanted.
  ///
  /// - Parameter parameterRows: the statement runs once for each; nil when it has no parameters.
  /// - Returns: how many rows it changed, when it tells.
  func run(
    _ statement: PreparedStatement, parameterRows: (any RecordBatchReader)?, _ call: inout Call
  ) async throws -> Int? {
    switch StatementText(statement.sql).sessionEffect {
    case .none: break
    case .use(let database):
      guard try await call.service.databases().contains(database) else {
        throw APIError(.notFound, "there is no database \(database)", engineCode: 81)
      }
      changeSession(of: &call) { $0.database = database }
      return nil
    case .engine: changeSession(of: &call) { $0.isHeldByEngine = true }
    }
    var request = call.request(statement.sql)
    request.transaction = statement.transaction
    if let parameterRows {
      return try await call.service.execute(request, parameterRows: parameterRows)
    }
    let result = try await call.service.query(request)
    while try await result.reader.next() != nil {}
    return result.changedRows
  }

  /// Changes the caller's session, which begins if there is none.
  func changeSession(of call: inout Call, _ change: (inout Session) -> Void) {
    change(&call.session)
    sessions.set(call.session, as: call.nameSession(), owner: call.caller.user)
  }
}
