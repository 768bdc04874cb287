import MagicCore

extension Engine {
  /// Runs `body` with a session that is closed afterwards.
  func withConnection<Result: Sendable>(
    isolation: isolated (any Actor)? = #isolation,
    _ body: (any EngineConnection) async throws -> Result
  ) async throws -> Result {
    let connection = try await connect()
    do {
      let result = try await body(connection)
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw error
    }
  }
}
