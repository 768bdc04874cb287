/// What the engine is told so that a statement keeps within its caller's rights.
public struct EngineRestrictions: Hashable, Sendable {
  /// The statement to run.
  public var statement: String
  /// The database of names without one.
  public var database: String
  /// Whether the engine refuses changes, too.
  public var isReadOnly = false
  /// All settings that the statement runs with.
  public var settings: [String: String] = [:]
}

extension APIError {
  /// The error as a caller may see it: the engine suggests names of all databases.
  func redacted(for caller: Caller) -> APIError {
    guard caller.databases != nil, let suggestion = message.firstRange(of: "Maybe you meant")
    else { return self }
    var error = self
    error.message = String(message[..<suggestion.lowerBound])
    return error
  }
}
