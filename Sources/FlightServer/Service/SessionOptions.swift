import GRPCCore
import MagicAPI

/// The session options of clients: `catalog`, `schema`, `endpoints`, `magic_snapshot`,
/// `magic_at_least`, `magic_fencing_token`, and the engine's settings.
extension FlightService {
  private typealias OptionError = ProtoSetSessionOptionsResult.ErrorValue

  /// Sets options, each on its own; a session begins if there is none.
  func setOptions(
    _ request: ProtoSetSessionOptionsRequest, _ call: inout Call
  ) async throws -> ProtoSetSessionOptionsResult {
    var result = ProtoSetSessionOptionsResult()
    var session = call.session
    for (name, value) in request.sessionOptions.sorted(by: { $0.key < $1.key }) {
      if let error = try await set(name, to: value.text, in: &session, call) {
        result.errors[name, default: .init()].value = error
      }
    }
    changeSession(of: &call) { $0 = session }
    return result
  }

  private func set(
    _ name: String, to value: String?, in session: inout Session, _ call: Call
  ) async throws -> OptionError? {
    switch name {
    case "catalog":
      return value == nil || value == FlightConfiguration.catalog ? nil : .invalidValue
    case "schema":
      let database = value ?? Session().database
      guard try await call.service.databases().contains(database) else { return .invalidValue }
      session.database = database
      return nil
    case "endpoints":
      guard let value else {
        session.endpointCount = nil
        return nil
      }
      guard let count = Int(value), (1...10_000).contains(count) else { return .invalidValue }
      session.endpointCount = count
      return nil
    case "magic_snapshot":
      if let value, (try? await call.service.renew(snapshot: value)) == nil {
        return .invalidValue
      }
      session.snapshot = value
      return nil
    case "magic_at_least":
      session.atLeast = value
      return nil
    case "magic_fencing_token":
      let token = value.flatMap { UInt64($0) }
      if value != nil, token == nil { return .invalidValue }
      session.fencingToken = token
      return nil
    default:
      guard let value else {
        session.settings[name] = nil
        return nil
      }
      return await set(engine: name, to: value, in: &session, call)
    }
  }

  /// Sets a setting of the engine if it takes it, which a statement that does nothing shows.
  private func set(
    engine name: String, to value: String, in session: inout Session, _ call: Call
  ) async -> OptionError? {
    var request = StatementRequest("SELECT 1")
    request.settings = session.settings
    request.settings[name] = value
    do {
      let result = try await call.service.query(request)
      while try await result.reader.next() != nil {}
      session.settings[name] = value
      return nil
    } catch {
      // The engine's code of an unknown setting.
      return (error as? APIError)?.engineCode == 115 ? .invalidName : .invalidValue
    }
  }

  /// The options that hold for a caller.
  func options(of call: Call) -> ProtoGetSessionOptionsResult {
    var options = call.session.settings
    options["catalog"] = FlightConfiguration.catalog
    options["schema"] = call.session.database
    if let count = call.session.endpointCount { options["endpoints"] = "\(count)" }
    options["magic_snapshot"] = call.session.snapshot
    options["magic_at_least"] = call.session.atLeast
    options["magic_fencing_token"] = call.session.fencingToken.map { "\($0)" }
    var result = ProtoGetSessionOptionsResult()
    result.sessionOptions = options.mapValues { text in
      var value = ProtoSessionOptionValue()
      value.stringValue = text
      return value
    }
    return result
  }

  /// Ends the caller's session.
  func closeSession(of call: inout Call) async throws -> ProtoCloseSessionResult {
    if let name = call.sessionName {
      sessions.remove(name, owner: call.caller.user)
      try await call.service.end(session: name)
    }
    call.responseMetadata.addString(
      "\(Session.cookie)=; Max-Age=0", forKey: "set-cookie")
    var result = ProtoCloseSessionResult()
    result.status = .closed
    return result
  }
}

extension ProtoSessionOptionValue {
  /// The value as the engine takes settings; nil to unset the option.
  fileprivate var text: String? {
    switch optionValue {
    case .stringValue(let value): value
    case .boolValue(let value): value ? "1" : "0"
    case .int64Value(let value): "\(value)"
    case .doubleValue(let value): "\(value)"
    case .stringListValue(let value): value.values.joined(separator: ",")
    case nil: nil
    }
  }
}
