import FoundationEssentials
import MagicAPI
import MagicCore

typealias ParameterList = [(name: String, value: String?)]

/// The part of a URL after the `?`; parameters without a value are left out.
func urlQuery(_ parameters: ParameterList) -> String {
  parameters.compactMap { name, value in
    value.map { urlEncoded(name) + "=" + urlEncoded($0) }
  }.joined(separator: "&")
}

/// The parameters of a statement in ClickHouse's form.
func clickHouseParameters(
  _ request: StatementRequest, format: String
) throws(APIError) -> ParameterList {
  let message = try StatementMessage(request)
  var list: ParameterList = [
    ("default_format", format), ("database", request.database), ("query_id", request.id),
    ("session_id", request.session?.name),
    ("session_timeout", message.sessionTimeout.map { "\($0)" }),
    ("session_check", request.session?.mustExist == true ? "1" : nil),
    ("magic_transaction", request.transaction), ("magic_snapshot", request.snapshot),
    ("magic_at_least", request.atLeast),
    ("magic_fencing_token", request.fencingToken.map { "\($0)" }),
    ("magic_write_token", request.writeToken), ("magic_timeout", message.timeout.map { "\($0)" }),
    ("magic_arguments", message.arguments),
  ]
  for (name, value) in request.parameters { list.append(("param_" + name, value)) }
  for (name, value) in request.settings { list.append((name, value)) }
  return list
}

extension StatementMessage {
  /// The members as URL parameters, for a request whose body is rows.
  var parameterList: ParameterList {
    [
      ("sql", sql), ("database", database), ("parameters", jsonText(parameters)),
      ("arguments", arguments), ("settings", jsonText(settings)), ("id", id),
      ("transaction", transaction), ("snapshot", snapshot), ("atLeast", atLeast),
      ("fencingToken", fencingToken.map { "\($0)" }), ("session", session),
      ("sessionTimeout", sessionTimeout.map { "\($0)" }),
      ("sessionMustExist", sessionMustExist == true ? "1" : nil), ("token", token),
      ("timeout", timeout.map { "\($0)" }),
    ]
  }
}

extension TableWrite {
  /// The write as URL parameters.
  ///
  /// - Throws: ``APIError`` for a write that replaces a table but does not make one.
  var parameterList: ParameterList {
    get throws(APIError) {
      guard let mode else {
        throw APIError(
          .unsupported, "A write that makes no table appends to one: it cannot fail or replace")
      }
      var key: [String]?
      if case .create(let columns) = whenMissing, !columns.isEmpty { key = columns }
      return [
        ("database", table.database), ("table", table.table), ("action", action.rawValue),
        ("mode", mode.rawValue), ("key", jsonText(key)), ("token", token),
        ("transaction", transaction), ("id", id),
        ("fencingToken", fencingToken.map { "\($0)" }),
      ]
    }
  }
}

private func jsonText(_ value: (some Encodable)?) -> String? {
  value.flatMap { try? JSONEncoder().encode($0) }.map { String(decoding: $0, as: UTF8.self) }
}
