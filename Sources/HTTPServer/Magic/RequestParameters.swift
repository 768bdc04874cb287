import FoundationEssentials
import MagicAPI
import MagicCore

/// Requests whose body is rows have everything else in the URL, by the names of the JSON members.
extension StatementMessage {
  /// - Throws: ``RequestError`` for a parameter that is unknown or malformed.
  init(_ parameters: URLParameters) throws(RequestError) {
    var parameters = parameters
    guard let sql = parameters.take("sql") else {
      throw RequestError("The URL parameter 'sql' is missing")
    }
    self.init(sql: sql)
    database = parameters.take("database")
    self.parameters = try parameters.takeJSON("parameters")
    arguments = parameters.take("arguments")
    settings = try parameters.takeJSON("settings")
    id = parameters.take("id")
    transaction = parameters.take("transaction")
    snapshot = parameters.take("snapshot")
    atLeast = parameters.take("atLeast")
    fencingToken = try parameters.takeJSON("fencingToken")
    session = parameters.take("session")
    sessionTimeout = try parameters.takeJSON("sessionTimeout")
    sessionMustExist = try parameters.takeFlag("sessionMustExist")
    token = parameters.take("token")
    timeout = try parameters.takeJSON("timeout")
    try parameters.refuseRest()
  }
}

extension TableWrite {
  /// - Throws: ``RequestError`` for a parameter that is unknown or malformed.
  init(_ parameters: URLParameters) throws(RequestError) {
    var parameters = parameters
    guard let table = parameters.take("table") else {
      throw RequestError("The URL parameter 'table' is missing")
    }
    self.init(
      TableReference(database: parameters.take("database") ?? "default", table: table))
    if let name = parameters.take("action") {
      guard let action = WriteRequest.Action(rawValue: name) else {
        throw RequestError("'action' must be insert, upsert, delete or import")
      }
      self.action = action
    }
    let key = try Self.key(parameters.take("key"))
    let mode = parameters.take("mode") ?? "append"
    guard let mode = Mode(rawValue: mode) else {
      throw RequestError(
        "'mode' must be one of " + Mode.allCases.map(\.rawValue).joined(separator: ", "))
    }
    whenMissing = mode.creates ? .create(primaryKey: key) : .fail
    whenExisting = mode.whenExisting
    if !mode.creates && !key.isEmpty {
      throw RequestError("'key' is for a mode that makes the table")
    }
    token = parameters.take("token")
    transaction = parameters.take("transaction")
    id = parameters.take("id")
    fencingToken = try parameters.takeJSON("fencingToken")
    try parameters.refuseRest()
  }

  /// The names of a key's columns: separated by commas, or an array in JSON.
  private static func key(_ text: String?) throws(RequestError) -> [String] {
    guard let text, !text.isEmpty else { return [] }
    if text.hasPrefix("[") {
      var parameters = URLParameters()
      try parameters.add("key", text)
      return try parameters.takeJSON("key") ?? []
    }
    return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }
}

extension URLParameters {
  /// Removes a parameter whose value is JSON.
  fileprivate mutating func takeJSON<Value: Decodable>(
    _ name: String
  ) throws(RequestError) -> Value? {
    guard let text = take(name) else { return nil }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    } catch {
      throw RequestError("The URL parameter '\(name)' is not the JSON that it should be")
    }
  }

  /// - Throws: ``RequestError`` when a parameter was not taken.
  fileprivate func refuseRest() throws(RequestError) {
    if let unknown = names.first {
      throw RequestError("The URL parameter '\(unknown)' is unknown")
    }
  }
}
