import FoundationEssentials
import MagicAPI
import NIOHTTP1

/// What the parameters and headers of a request in ClickHouse's form say, but for the statement's
/// text that is in the body.
struct StatementForm: Sendable {
  /// The beginning of the text; empty when all of it is in the body.
  var head: String
  var request: StatementRequest
  var format: String
  var queryID: String
  /// Whether the response shall only begin when the result is complete.
  var waitsForEnd: Bool
  /// Whether the client reads blocks that are compressed as ClickHouse does it.
  var compressesBlocks: Bool
  /// Whether a compressed response is welcome.
  var compressesResponse: Bool
  /// Whether the client looks for an error at the end of a result.
  var looksForError: Bool

  /// Settings that only concern the HTTP interface and that change nothing here.
  private static let ignored = [
    "add_http_cors_header", "buffer_size", "cancel_http_readonly_queries_on_client_close",
    "client_protocol_version", "http_headers_progress_interval_ms", "http_wait_end_of_query",
    "http_write_exception_in_output_format", "http_zlib_compression_level", "password",
    "quota_key", "send_progress_in_http_headers", "stacktrace", "user",
  ]

  init(
    _ parameters: URLParameters, headers: HTTPHeaders, caller: Caller
  ) throws {
    var parameters = parameters
    head = parameters.take("query") ?? ""
    request = StatementRequest("")
    request.database =
      parameters.take("database") ?? headers.value("X-ClickHouse-Database") ?? "default"
    format =
      parameters.take("default_format") ?? headers.value("X-ClickHouse-Format") ?? "TabSeparated"
    queryID =
      parameters.take("query_id") ?? headers.value("X-ClickHouse-Query-Id")
      ?? UUID().uuidString.lowercased()
    request.id = queryID
    waitsForEnd = try parameters.takeFlag("wait_end_of_query") ?? false
    compressesBlocks = try parameters.takeFlag("compress") ?? false
    compressesResponse = try parameters.takeFlag("enable_http_compression") ?? true
    looksForError = try parameters.takeFlag("magic_error_at_end") ?? false
    request.writeToken =
      parameters.take("magic_write_token") ?? parameters.take("insert_deduplication_token")
    request.transaction = parameters.take("magic_transaction")
    request.snapshot = parameters.take("magic_snapshot")
    request.atLeast = parameters.take("magic_at_least")
    if let text = parameters.take("magic_fencing_token") {
      guard let token = UInt64(text) else {
        throw RequestError("The parameter 'magic_fencing_token' is no number")
      }
      request.fencingToken = token
    }
    if let seconds = parameters.take("magic_timeout") {
      request.timeout = try StatementMessage.duration(seconds: Double(seconds) ?? 0)
    }
    if let row = parameters.take("magic_arguments") {
      request.positionalParameters = try StatementMessage.row(row, member: "magic_arguments")
    }
    request.session = try Self.session(&parameters)
    if let role = parameters.take("role"), role != caller.role.rawValue {
      throw APIError(
        .unsupported, "A request cannot choose a role: yours is \(caller.role.rawValue)")
    }
    for name in Self.ignored { _ = parameters.take(name) }
    for name in parameters.names {
      guard let value = parameters[name] else { continue }
      if name.hasPrefix("param_") {
        request.parameters[String(name.dropFirst(6))] = value
      } else {
        request.settings[name] = value
      }
    }
    // Both become header values.
    for value in [format, queryID] where !value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
      throw RequestError("A format or query_id has characters beyond ASCII")
    }
  }

  private static func session(_ parameters: inout URLParameters) throws -> SessionRequest? {
    let timeout = parameters.take("session_timeout")
    let mustExist = try parameters.takeFlag("session_check") ?? false
    guard let name = parameters.take("session_id") else { return nil }
    guard !name.isEmpty else { throw RequestError("The parameter 'session_id' is empty") }
    return SessionRequest(
      name: name,
      timeout: try timeout.map { try StatementMessage.duration(seconds: Double($0) ?? 0) },
      mustExist: mustExist)
  }
}

extension HTTPHeaders {
  /// A header's value; nil when it is missing or empty.
  func value(_ name: String) -> String? {
    first(name: name).flatMap { $0.isEmpty ? nil : $0 }
  }
}
